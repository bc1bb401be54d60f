/** Converts the exports of a file in `app/io/controller` to handlers. */
import { types } from 'node:util';
import { type EggApplication, isClass } from '../egg';
import { messageOf, SetupError } from '../errors';
import { isFunction, isTree, type LoadedFile, namesIn } from './loaded-file';
import type { SocketHandler } from '../path/context';

type ControllerClass = new (ctx: object) => Record<string, (ctx: unknown) => unknown>;

/** Names that `await`, or code that prints objects, reads from any object. */
const PROBED: ReadonlySet<string> = new Set(['then', 'toJSON', 'inspect']);

export function controllerOf(file: LoadedFile, app: EggApplication): object {
  let { exports } = file;
  if (isFunction(exports) && !isClass(exports) && !types.isAsyncFunction(exports) && !types.isGeneratorFunction(exports))
    exports = exports(app);
  if (isClass(exports)) return classHandlers(exports as ControllerClass, file, app); // only its functions are called
  if (isFunction(exports)) return toAsync(exports, file.path, app);
  if (isTree(exports)) return objectHandlers(exports, file.path, app);
  throw new SetupError(
    'IO_CONTROLLER_INVALID',
    `${file.path} must export a class, an object of functions, an async function, or a function that takes the app and returns one of these`,
  );
}

/** One handler for each method, including inherited ones. Each call creates an instance. */
function classHandlers(Controller: ControllerClass, file: LoadedFile, app: EggApplication): object {
  Object.assign(Controller.prototype, { pathName: file.pathName, fullPath: file.path }); // like Egg: its loggers show them
  const handlers: Record<string, SocketHandler> = {};
  for (let proto: unknown = Controller.prototype; isTree(proto) && proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(proto))) {
      if (name === 'constructor' || !isFunction(value) || Object.hasOwn(handlers, name)) continue;
      if (types.isGeneratorFunction(value)) {
        const method = toAsync(value, `${file.path}#${name}`, app);
        handlers[name] = ctx => method.call(new Controller(ctx) as never, ctx); // a method's `this` is the instance
      } else {
        handlers[name] = ctx => new Controller(ctx)[name]?.(ctx);
      }
    }
  }
  return handlers;
}

function objectHandlers(object: object, path: string, app: EggApplication): object {
  const handlers: Record<string, object> = {};
  for (const [name, value] of Object.entries(object)) {
    if (isFunction(value)) handlers[name] = toAsync(value, `${path}#${name}`, app);
    else if (isTree(value)) handlers[name] = objectHandlers(value, `${path}#${name}`, app);
  }
  return handlers;
}

/** Converts a handler that may be a generator function to one that can be awaited. */
export function toAsync(fn: (...args: never[]) => unknown, place: string, app: EggApplication): SocketHandler {
  // its declared parameters do not matter: it is called with the context, as `this` and as its argument
  return (types.isGeneratorFunction(fn) ? withoutGenerator(fn, 'IO_CONTROLLER_INVALID', place, app) : fn) as SocketHandler;
}

/** Converts a generator function to an async one. Egg 3 supports that, later versions do not. */
export function withoutGenerator(
  fn: (...args: never[]) => unknown,
  code: 'IO_CONTROLLER_INVALID' | 'IO_MIDDLEWARE_INVALID',
  place: string,
  app: EggApplication,
): (this: unknown, ...args: unknown[]) => unknown {
  try {
    if (app.toAsyncFunction && !types.isAsyncFunction(fn)) return app.toAsyncFunction(fn) as () => Promise<unknown>;
  } catch {
    // egg 4 still has the method, but it always throws
  }
  throw new SetupError(code, `${place} is a generator function, which this version of Egg does not support; make it an async function`);
}

/**
 * A folder of controllers. Reading an unknown name returns undefined, as in any object, but also logs the existing names once: the TypeError
 * that follows in `controller.chta.say` does not tell what is missing.
 */
export function controllerFolder(path: string, warn: (message: string) => void): object {
  const warned = new Set<string>();
  const folder: object = new Proxy(
    {},
    {
      get(files, name) {
        if (typeof name === 'string' && !(name in files) && !PROBED.has(name) && !warned.has(name)) {
          warned.add(name);
          warn(messageOf('IO_CONTROLLER_UNKNOWN', `app.io.controller${path} has no '${name}'; ${useOneOf(namesIn(folder))}`));
        }
        return Reflect.get(files, name) as unknown;
      },
    },
  );
  return folder;
}

/** The remedy for an unknown name: the existing ones. */
export function useOneOf(names: readonly string[]): string {
  return names.length > 0 ? `use one of: ${names.toSorted().join(', ')}` : 'there are no controllers';
}

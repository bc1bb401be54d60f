/** What a file of `app/io/controller` exports, made into handlers. */
import { types } from 'node:util';
import { type EggApplication, isClass } from '../egg';
import { messageOf, SetupError } from '../errors';
import { isFunction, isTree, type LoadedFile, namesIn } from './loaded-file';
import type { SocketHandler } from '../path/context';

type ControllerClass = new (ctx: object) => Record<string, (ctx: unknown) => unknown>;

/** Names that are looked for in any object, by `await` and by what prints objects. */
const PROBED: ReadonlySet<string> = new Set(['then', 'toJSON', 'inspect']);

export function controllerOf(file: LoadedFile, app: EggApplication): object {
  let { exports } = file;
  if (isFunction(exports) && !isClass(exports) && !types.isAsyncFunction(exports) && !types.isGeneratorFunction(exports))
    exports = exports(app);
  if (isClass(exports)) return classHandlers(exports as ControllerClass, file, app); // only what is a function there is called
  if (isFunction(exports)) return toAsync(exports, file.path, app);
  if (isTree(exports)) return objectHandlers(exports, file.path, app);
  throw new SetupError(
    'IO_CONTROLLER_INVALID',
    `${file.path} must export a class, an object of functions, an async function, or a function that takes the app and returns one of these`,
  );
}

/** One handler a method, inherited ones included: each call has an instance of its own. */
function classHandlers(Controller: ControllerClass, file: LoadedFile, app: EggApplication): object {
  Object.assign(Controller.prototype, { pathName: file.pathName, fullPath: file.path }); // as Egg does: its loggers show them
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

/** A handler that may be a generator function, as one that can be awaited. */
export function toAsync(fn: (...args: never[]) => unknown, place: string, app: EggApplication): SocketHandler {
  // called with `this` and the context, whatever its parameters are declared as
  return (types.isGeneratorFunction(fn) ? withoutGenerator(fn, 'IO_CONTROLLER_INVALID', place, app) : fn) as SocketHandler;
}

/** What a generator function becomes so that it can be awaited: egg 3 runs generators, later versions refuse them. */
export function withoutGenerator(
  fn: (...args: never[]) => unknown,
  code: 'IO_CONTROLLER_INVALID' | 'IO_MIDDLEWARE_INVALID',
  place: string,
  app: EggApplication,
): (this: unknown, ...args: unknown[]) => unknown {
  try {
    if (app.toAsyncFunction && !types.isAsyncFunction(fn)) return app.toAsyncFunction(fn) as () => Promise<unknown>;
  } catch {
    // egg 4 has the method still, but only to say no
  }
  throw new SetupError(code, `${place} is a generator function, which this version of Egg does not run; make it an async function`);
}

/**
 * A folder of controllers. A name that no file has is undefined, as in any object, and a warning names the files that there are:
 * `controller.chta.say` is a TypeError of undefined, which does not say what is missing.
 */
export function controllerFolder(path: string, warn: (message: string) => void): object {
  const warned = new Set<string>();
  const folder: object = new Proxy(
    {},
    {
      get(files, name) {
        if (typeof name === 'string' && !(name in files) && !PROBED.has(name) && !warned.has(name)) {
          warned.add(name);
          warn(messageOf('IO_CONTROLLER_UNKNOWN', `app.io.controller${path} has no '${name}'; ${thereAre(namesIn(folder))}`));
        }
        return Reflect.get(files, name) as unknown;
      },
    },
  );
  return folder;
}

/** What a tree has instead of a name that it does not have. */
export function thereAre(names: readonly string[]): string {
  return names.length > 0 ? `use one of: ${names.toSorted().join(', ')}` : 'no file is there';
}

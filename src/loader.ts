/**
 * What `app/io/controller` and `app/io/middleware` export, made into `app.io.controller` and `app.io.middleware`.
 * Egg's custom loader reads the files early; they are made into handlers when they are first asked for,
 * so that a factory `app => ...` finds all that other plugins put on the app.
 */
import { types } from 'node:util';
import type { SocketHandler } from './path/context';
import { type EggApplication, isClass } from './egg';
import { messageOf, SetupError } from './errors';
import { type Layer, type OnLate, waitingForNext } from './path/onion';
import type { Controllers, Middleware, Middlewares, SpecificHandler } from './types';

/** The names under which Egg's custom loader puts the files on the app, until `LoadedFiles` takes them. */
export const CONTROLLER_FILES = 'ioControllerFiles';
export const MIDDLEWARE_FILES = 'ioMiddlewareFiles';

/** One file as Egg loaded it. Its enumerable properties are those that Egg adds: the files of a folder of the same name. */
class LoadedFile {
  readonly #exports: unknown;
  readonly #path: string;
  readonly #pathName: string;

  constructor(exports: unknown, path: string, pathName: string) {
    this.#exports = exports;
    this.#path = path;
    this.#pathName = pathName;
  }

  get exports(): unknown {
    return this.#exports;
  }
  get path(): string {
    return this.#path;
  }
  /** As `controller.chat.room`. */
  get pathName(): string {
    return this.#pathName;
  }
}

/** The `initializer` of Egg's custom loader: keeps a file as it is, for later. */
export function keepFile(exports: unknown, file: { path: string; pathName: string }): LoadedFile {
  return new LoadedFile(exports, file.path, file.pathName);
}

export class LoadedFiles {
  readonly #app: EggApplication;
  readonly #controllerFiles: object;
  readonly #middlewareFiles: object;
  #controllers: Controllers | undefined;
  #middlewares: Middlewares | undefined;
  /** Paths of the middleware files that export nothing, by name. */
  readonly #emptyFiles = new Map<string, string>();
  /** Middleware that has been named for calling `next()` too late. */
  readonly #late = new Set<string>();

  constructor(app: EggApplication) {
    this.#app = app;
    this.#controllerFiles = take(app, CONTROLLER_FILES);
    this.#middlewareFiles = take(app, MIDDLEWARE_FILES);
  }

  get controllers(): Controllers {
    const load = (file: LoadedFile): object => controllerOf(file, this.#app);
    return (this.#controllers ??= mapFiles(this.#controllerFiles, load, controllerFolder) as Controllers); // mapFiles keeps the shape of the tree
  }

  get middlewares(): Middlewares {
    return (this.#middlewares ??= mapFiles(this.#middlewareFiles, file => this.#loadMiddleware(file)) as Middlewares);
  }

  /** The handler of a name (`chat.say`), as the router of HTTP knows controllers. */
  controller(name: string, place: string): SpecificHandler {
    const found = findIn(this.controllers, name);
    if (typeof found === 'function') return found as SpecificHandler; // every function in this tree is a handler
    throw new SetupError('IO_CONTROLLER_UNKNOWN', `${place} names '${name}'; ${thereAre(namesIn(this.controllers))}`);
  }

  /** The middleware of a name in the config (`auth`, or `admin.auth` for a file in a folder). */
  middleware(name: string, place: string): Layer {
    const found = findIn(this.middlewares, name);
    if (typeof found === 'function') return found as Layer; // every function in this tree is middleware
    const emptyFile = this.#emptyFiles.get(name);
    if (emptyFile !== undefined) throw noMiddleware(emptyFile);
    const names = namesIn(this.middlewares);
    throw new SetupError(
      'IO_MIDDLEWARE_UNKNOWN',
      `${place} names '${name}'; create app/io/middleware/${name.replaceAll('.', '/')}${names.length > 0 ? ` or use one of: ${names.join(', ')}` : ''}`,
    );
  }

  /** Middleware as it runs: what its `next()` began is waited for. */
  toLayer(name: string, middleware: Layer, onLateFailure: (what: string, thrown: unknown) => void): Layer {
    return waitingForNext(middleware, this.#onLate(name, onLateFailure));
  }

  /** Files that export nothing, and that the config does not name. To be called when all its names have been looked up. */
  warnOfEmptyFiles(): void {
    for (const path of this.#emptyFiles.values())
      this.#app.logger.warn(
        messageOf('IO_MIDDLEWARE_INVALID', `${path} exports nothing; config.io names it nowhere, so nothing is missing`),
      );
  }

  #loadMiddleware(file: LoadedFile): object {
    if (!isEmpty(file.exports)) return middlewareOf(file, this.#app);
    this.#emptyFiles.set(file.pathName.split('.').slice(1).join('.'), file.path);
    return {};
  }

  /** Names a middleware in the log, once. */
  #onLate(name: string, onFailure: (what: string, thrown: unknown) => void): OnLate {
    const { logger } = this.#app;
    const file = `app/io/middleware/${name.replaceAll('.', '/')}`;
    return {
      called: () => {
        if (!this.#late.has(name))
          logger.warn(
            `[egg-socket.io] ${file} has called next() after it had ended: nobody waits for that; await next(), and callbacks before it`,
          );
        this.#late.add(name);
      },
      failed: thrown => onFailure(`what ${file} began by next() after it had ended has failed`, thrown),
    };
  }
}

/** A handler that may be a generator function, as one that can be awaited. */
export function toAsync(fn: (...args: never[]) => unknown, place: string, app: EggApplication): SocketHandler {
  // called with `this` and the context, whatever its parameters are declared as
  return (types.isGeneratorFunction(fn) ? withoutGenerator(fn, 'IO_CONTROLLER_INVALID', place, app) : fn) as SocketHandler;
}

/** What a generator function becomes so that it can be awaited: egg 3 runs generators, later versions refuse them. */
function withoutGenerator(
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

function take(app: EggApplication, property: string): object {
  const files: unknown = Reflect.get(app, property);
  Reflect.deleteProperty(app, property);
  return isTree(files) ? files : {};
}

/** Egg loads `chat.js` and the folder `chat` into one node: what the file is, with the folder's files as properties. */
function mapFiles(node: object, load: (file: LoadedFile) => object, toFolder = (_path: string): object => ({}), path = ''): object {
  const mapped = node instanceof LoadedFile ? load(node) : toFolder(path);
  for (const [name, child] of Object.entries(node))
    Object.defineProperty(mapped, name, {
      value: mapFiles(child as object, load, toFolder, `${path}.${name}`),
      enumerable: true,
      configurable: true,
      writable: true,
    }); // Egg's loader makes nothing but nodes
  return mapped;
}

function middlewareOf(file: LoadedFile, app: EggApplication): Middleware {
  const { exports } = file;
  const isFactory = isFunction(exports) && !isClass(exports) && !types.isAsyncFunction(exports) && !types.isGeneratorFunction(exports);
  const middleware: unknown = isFactory ? exports(app) : exports;
  if (isFunction(middleware) && !isClass(middleware))
    return types.isGeneratorFunction(middleware) ? generatorMiddleware(middleware, file.path, app) : middleware;
  throw noMiddleware(file.path);
}

function noMiddleware(path: string): SetupError {
  return new SetupError(
    'IO_MIDDLEWARE_INVALID',
    `${path} must export a function that takes the app and returns an async function (ctx, next)`,
  );
}

/** Whether a module has no exports at all, as one that is empty or commented out. */
function isEmpty(exports: unknown): boolean {
  return exports === undefined || exports === null || (typeof exports === 'object' && Object.keys(exports).length === 0);
}

/** Middleware of Koa 1: `this` is the context, and what it yields to go on is a generator rather than a function. */
function generatorMiddleware(fn: (...args: never[]) => unknown, path: string, app: EggApplication): Middleware {
  const middleware = withoutGenerator(fn, 'IO_MIDDLEWARE_INVALID', path, app);
  return (ctx, next) => middleware.call(ctx, descending(next));
}

function* descending(next: () => Promise<unknown>): Generator<unknown, unknown, unknown> {
  return yield next();
}

function controllerOf(file: LoadedFile, app: EggApplication): object {
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

type ControllerClass = new (ctx: object) => Record<string, (ctx: unknown) => unknown>;

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

/** Names that are looked for in any object, by `await` and by what prints objects. */
const PROBED: ReadonlySet<string> = new Set(['then', 'toJSON', 'inspect']);

/**
 * A folder of controllers. A name that no file has throws, with the names that there are:
 * `controller.chta.say` would be a TypeError of undefined, which does not say what is missing.
 */
function controllerFolder(path: string): object {
  const folder: object = new Proxy(
    {},
    {
      get(files, name) {
        if (typeof name === 'symbol' || name in files || PROBED.has(name)) return Reflect.get(files, name) as unknown;
        throw new SetupError('IO_CONTROLLER_UNKNOWN', `app.io.controller${path} has no '${name}'; ${thereAre(namesIn(folder))}`);
      },
    },
  );
  return folder;
}

/** What a tree has instead of a name that it does not have. */
function thereAre(names: readonly string[]): string {
  return names.length > 0 ? `use one of: ${names.toSorted().join(', ')}` : 'no file is there';
}

/** The member of a tree by a name with dots. */
function findIn(tree: object, name: string): unknown {
  return name
    .split('.')
    .reduce<unknown>((tree, key) => (isTree(tree) && Object.hasOwn(tree, key) ? Reflect.get(tree, key) : undefined), tree);
}

/** The names of all functions in a tree, as `auth` and `admin.auth`. */
function namesIn(tree: object, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([name, node]) => [
    ...(isFunction(node) ? [prefix + name] : []),
    ...namesIn(node as object, `${prefix}${name}.`),
  ]);
}

function isTree(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === 'function';
}

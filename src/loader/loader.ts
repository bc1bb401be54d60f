/**
 * Converts the exports of `app/io/controller` and `app/io/middleware` to `app.io.controller` and `app.io.middleware`.
 * Egg's custom loader reads the files early. They are converted on first access, so that a factory `app => ...` runs when other plugins
 * have extended the app.
 */
import { types } from 'node:util';
import { type EggApplication, isClass, type Logger } from '../egg';
import { messageOf, SetupError } from '../errors';
import { ownLogger } from '../own-logger';
import { controllerFolder, controllerOf, useOneOf, withoutGenerator } from './handlers';
import { CONTROLLER_FILES, findIn, isFunction, isTree, type LoadedFile, mapFiles, MIDDLEWARE_FILES, namesIn } from './loaded-file';
import { forgetsCall } from '../path/forgotten-call';
import { type Layer, type NextMistakes, waitingForNext } from '../path/onion';
import type { Controllers, Middleware, Middlewares, SpecificHandler } from '../types';

export class LoadedFiles {
  readonly #app: EggApplication;
  readonly #logger: Logger;
  readonly #controllerFiles: object;
  readonly #middlewareFiles: object;
  #controllers: Controllers | undefined;
  #middlewares: Middlewares | undefined;
  /** Paths of middleware files that export nothing, by name. */
  readonly #emptyFiles = new Map<string, string>();
  /** Middleware that has been logged for its mistakes. */
  readonly #mistaken = new Set<string>();

  constructor(app: EggApplication) {
    this.#app = app;
    this.#logger = ownLogger(app);
    this.#controllerFiles = take(app, CONTROLLER_FILES);
    this.#middlewareFiles = take(app, MIDDLEWARE_FILES);
  }

  get controllers(): Controllers {
    const load = (file: LoadedFile): object => controllerOf(file, this.#app);
    const newFolder = (path: string): object => controllerFolder(path, message => this.#logger.warn(message));
    return (this.#controllers ??= mapFiles(this.#controllerFiles, load, newFolder) as Controllers); // mapFiles keeps the shape of the tree
  }

  get middlewares(): Middlewares {
    return (this.#middlewares ??= mapFiles(this.#middlewareFiles, file => this.#loadMiddleware(file)) as Middlewares);
  }

  /** The handler with a name such as `chat.say`. @throws SetupError if there is none */
  controller(name: string, place: string): SpecificHandler {
    const found = findIn(this.controllers, name);
    if (typeof found === 'function') return found as SpecificHandler; // every function in this tree is a handler
    throw new SetupError('IO_CONTROLLER_UNKNOWN', `${place} names '${name}'; ${useOneOf(namesIn(this.controllers))}`);
  }

  /** The middleware with a name from the config: `auth`, or `admin.auth` for a file in a folder. @throws SetupError if there is none */
  middleware(name: string, place: string): Layer {
    const found = findIn(this.middlewares, name);
    if (typeof found === 'function') return found as Layer; // every function in this tree is middleware
    const emptyFile = this.#emptyFiles.get(name);
    if (emptyFile !== undefined) throw noMiddleware(emptyFile);
    const names = namesIn(this.middlewares);
    throw new SetupError(
      'IO_MIDDLEWARE_UNKNOWN',
      `${place} names '${name}'; create ${fileOf(name)}${names.length > 0 ? ` or use one of: ${names.join(', ')}` : ''}`,
    );
  }

  /** The layer of middleware that a route has: a function, or the name of middleware. @throws SetupError if it is neither */
  routeLayer(middleware: unknown, position: number, place: string, onLateFailure: (what: string, thrown: unknown) => void): Layer {
    if (typeof middleware === 'string') return this.toLayer(fileOf(middleware), this.middleware(middleware, place), onLateFailure);
    if (!isFunction(middleware) || isClass(middleware))
      throw new SetupError(
        'IO_ROUTE_INVALID',
        `${place}: the middleware is ${middleware === null ? 'null' : typeof middleware}, not a function or the name of one; use app.io.middleware.<name>, without calling it`,
      );
    const layer = types.isGeneratorFunction(middleware) ? generatorMiddleware(middleware, place, this.#app) : middleware;
    const { name } = middleware;
    return this.toLayer(`middleware ${position}${name && ` (${name})`} of ${place}`, layer as Layer, onLateFailure); // in users' types the context is Egg's
  }

  /** Makes a layer that waits for its `next()`. @param what names the middleware in the log */
  toLayer(what: string, middleware: Layer, onLateFailure: (what: string, thrown: unknown) => void): Layer {
    if (types.isAsyncFunction(middleware) && forgetsCall(middleware))
      this.#warnOnce(
        what,
        messageOf('IO_MIDDLEWARE_INVALID', `${what} has \`await next;\`, which waits for nothing: write \`await next();\``),
      );
    return waitingForNext(middleware, this.#mistakesOf(what, onLateFailure));
  }

  /**
   * Warns of files that export nothing. To be called when all names in the config have been looked up: a named one has thrown by then.
   * @throws SetupError if a file is invalid, even if nothing uses it
   */
  check(): void {
    void this.controllers;
    void this.middlewares;
    for (const path of this.#emptyFiles.values())
      this.#logger.warn(
        messageOf('IO_MIDDLEWARE_INVALID', `${path} exports nothing; config.io does not name it, so the app works without it`),
      );
  }

  #loadMiddleware(file: LoadedFile): object {
    if (!isEmpty(file.exports)) return middlewareOf(file, this.#app);
    this.#emptyFiles.set(file.pathName.split('.').slice(1).join('.'), file.path);
    return {};
  }

  #warnOnce(what: string, message: string): void {
    if (!this.#mistaken.has(what)) this.#logger.warn(message);
    this.#mistaken.add(what);
  }

  /** Callbacks that log mistakes, once for each middleware. */
  #mistakesOf(what: string, onFailure: (what: string, thrown: unknown) => void): NextMistakes {
    const warnOnce = (message: string): void => this.#warnOnce(what, message);
    return {
      onLateCall: () =>
        warnOnce(
          `[egg-socket.io] ${what} has called next() after it had ended, which is too late; await next(), and await any callbacks before it`,
        ),
      onLateFailure: thrown => onFailure(`next() failed, which ${what} has called after it had ended`, thrown),
      onFactory: () =>
        warnOnce(
          messageOf(
            'IO_MIDDLEWARE_INVALID',
            `${what} has returned a function and not called next(), so that it lets nothing pass; is it what a file in app/io/middleware exports? Then use the file's name, such as 'auth', or app.io.middleware.auth`,
          ),
        ),
    };
  }
}

/** The path of middleware by its name, without its extension. */
export function fileOf(name: string): string {
  return `app/io/middleware/${name.replaceAll('.', '/')}`;
}

function take(app: EggApplication, property: string): object {
  const files: unknown = Reflect.get(app, property);
  Reflect.deleteProperty(app, property);
  return isTree(files) ? files : {};
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

/** Whether a module has no exports, for example because it is empty. */
function isEmpty(exports: unknown): boolean {
  return exports === undefined || exports === null || (typeof exports === 'object' && Object.keys(exports).length === 0);
}

/** Converts middleware of Koa 1, where `this` is the context, and `next` is a generator instead of a function. */
function generatorMiddleware(fn: (...args: never[]) => unknown, path: string, app: EggApplication): Middleware {
  const middleware = withoutGenerator(fn, 'IO_MIDDLEWARE_INVALID', path, app);
  return (ctx, next) => middleware.call(ctx, descending(next));
}

function* descending(next: () => Promise<unknown>): Generator<unknown, unknown, unknown> {
  return yield next();
}

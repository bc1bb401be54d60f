/**
 * What `app/io/controller` and `app/io/middleware` export, made into `app.io.controller` and `app.io.middleware`.
 * Egg's custom loader reads the files early; they are made into handlers when they are first asked for,
 * so that a factory `app => ...` finds all that other plugins put on the app.
 */
import { types } from 'node:util';
import { type EggApplication, isClass } from '../egg';
import { messageOf, SetupError } from '../errors';
import { controllerFolder, controllerOf, thereAre, withoutGenerator } from './handlers';
import { CONTROLLER_FILES, findIn, isFunction, isTree, type LoadedFile, mapFiles, MIDDLEWARE_FILES, namesIn } from './loaded-file';
import { type Layer, type OnLate, waitingForNext } from '../path/onion';
import type { Controllers, Middleware, Middlewares, SpecificHandler } from '../types';

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
    const newFolder = (path: string): object => controllerFolder(path, message => this.#app.logger.warn(message));
    return (this.#controllers ??= mapFiles(this.#controllerFiles, load, newFolder) as Controllers); // mapFiles keeps the shape of the tree
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

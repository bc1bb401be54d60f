/** `app.io`: Socket.IO's server, with Egg's router, middleware and controllers. */
import type { Server as EngineServer } from 'engine.io';
import { type Namespace as SocketIoNamespace, Server as SocketIoServer, type ServerOptions } from 'socket.io';
import type { Asking } from '../backplane/operators';
import { messageOf, SetupError } from '../errors';
import type { LoadedFiles } from '../loader/loader';
import type { Namespaces } from './namespaces';
import type { Runtime } from '../path/runtime';
import type { Controllers, Handler, Middlewares, RouteOptions, Routes, SpecificHandler } from '../types';

type AdapterConstructor = NonNullable<ServerOptions['adapter']>;

/** A namespace of Socket.IO that has routes, and can ask its clients. */
export type RoutedNamespace = SocketIoNamespace & Routes & Asking;

/** What a server is made of. */
interface Parts {
  /** Of Socket.IO and Engine.IO. */
  readonly options: Partial<ServerOptions>;
  readonly runtime: Runtime;
  readonly files: LoadedFiles;
  readonly namespaces: Namespaces;
  /** Called for every engine that the server is attached to, before Socket.IO listens to it. */
  readonly onEngine: (engine: EngineServer) => void;
}

export class Server extends SocketIoServer implements Asking, Routes {
  readonly #runtime: Runtime;
  readonly #files: LoadedFiles;
  readonly #namespaces: Namespaces;
  readonly #onEngine: (engine: EngineServer) => void;

  /** @internal */
  constructor({ options, runtime, files, namespaces, onEngine }: Parts) {
    super(options);
    this.#runtime = runtime;
    this.#files = files;
    this.#namespaces = namespaces;
    this.#onEngine = onEngine;
    declareEngine(this);
    namespaces.open(this);
  }

  /** The handlers of `app/io/controller`, by file and method. */
  get controller(): Controllers {
    return this.#files.controllers;
  }

  /** @deprecated use `controller` */
  get controllers(): Controllers {
    this.#runtime.deprecations.warnOfName('app.io.controllers', 'app.io.controller');
    return this.controller;
  }

  /** The middleware of `app/io/middleware`, by file. */
  get middleware(): Middlewares {
    return this.#files.middlewares;
  }

  /** @deprecated use `middleware` */
  get middlewares(): Middlewares {
    this.#runtime.deprecations.warnOfName('app.io.middlewares', 'app.io.middleware');
    return this.middleware;
  }

  route(event: string, handler: Handler | string, options?: RouteOptions): this;
  route(event: string, handler: SpecificHandler, options?: RouteOptions): this;
  route(event: string, handler: SpecificHandler | string, options?: RouteOptions): this {
    this.of('/').route(event, handler as SpecificHandler, options); // of either overload
    return this;
  }

  /**
   * Emits to all clients of the namespace `/`, and resolves with what each of them has acknowledged.
   * Rejects with an error whose `responses` has the acknowledgements so far if one of them takes longer than 5 s; `timeout(ms)` before it
   * says otherwise. `to(room)`, `except(room)` and `local` before it choose the clients.
   */
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown[]> {
    return this.of('/').emitWithAck(event, ...args);
  }

  /**
   * The namespace of a name, with or without its leading slash; it is made when it is first asked for.
   * With a regular expression or a function, those that clients ask for are made as they come: such namespaces can have no routes for now.
   * Where there are such parents, they are asked for each client of a namespace that is first named after the app is ready.
   */
  override of(...args: Parameters<SocketIoServer['of']>): RoutedNamespace {
    const nsp = super.of(...args);
    // the base class calls this from its constructor, when there are no fields yet
    if (#namespaces in this) this.#namespaces.adopt(nsp, typeof args[0] === 'string');
    return nsp as RoutedNamespace; // adopted now or before
  }

  override adapter(): AdapterConstructor | undefined;
  /** Sets the adapter of this process alone. `config.io.adapter` sets that of `agent.io` as well, and is seen to in outages. */
  override adapter(adapter: AdapterConstructor): this;
  override adapter(...args: [] | [AdapterConstructor]): unknown {
    if (args.length === 0) return super.adapter();
    const [adapter] = args;
    // the base class calls this from its constructor
    if (#runtime in this && adapter !== super.adapter()) {
      const problem = 'app.io.adapter() sets the adapter of this process alone, and agent.io goes on without it';
      this.#runtime.logger.warn(messageOf('IO_AGENT_ADAPTER', `${problem}: set it as config.io.adapter`));
    }
    return super.adapter(adapter);
  }

  /** To be called where the plugin cannot find the HTTP server by itself. Does nothing where it is attached to it already. */
  override attach(...args: Parameters<SocketIoServer['attach']>): this {
    const [server, options] = args;
    if (server === this.httpServer && options?.path === undefined) return this;
    return super.attach(...args);
  }

  /** Called by Socket.IO for every engine that it is attached to. @internal */
  override bind(engine: EngineServer): this {
    this.#onEngine(engine);
    return super.bind(engine);
  }

  /** Called by Socket.IO for a client of a namespace that is not there. @internal */
  override _checkNamespace(...[name, , done]: Parameters<SocketIoServer['_checkNamespace']>): void {
    const nsp = this.#namespaces.standIn(this, name);
    if (!nsp) {
      this.#runtime.refusals.warnOfNamespace(name);
      done(false);
      return;
    }
    // Socket.IO tells only a namespace who the client is, and looks it up by its name
    this._nsps.set(name, nsp);
    try {
      done(nsp);
    } finally {
      this._nsps.delete(name);
    }
  }
}

/** Until Socket.IO sets it, `io.engine` says from when on it is there, rather than being undefined. */
function declareEngine(server: Server): void {
  Object.defineProperty(server, 'engine', {
    configurable: true,
    get(): never {
      const problem = 'app.io.engine is not there before the HTTP server is; look at it in serverDidReady() of app.js, or later';
      throw new SetupError('IO_ENGINE_MISSING', problem);
    },
    set(engine: EngineServer) {
      Object.defineProperty(server, 'engine', { value: engine, configurable: true, enumerable: true, writable: true });
    },
  });
}

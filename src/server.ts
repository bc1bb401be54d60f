/** `app.io`: Socket.IO's server, with Egg's router, middleware and controllers. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Server as HttpServer } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import { Namespace as SocketIoNamespace, type ServerOptions, Server as SocketIoServer, Socket } from 'socket.io';
import { createAdapterFactory, createBackplane } from './backplane/adapter';
import type { Backplane } from './backplane/backplane';
import { formerSocketOf } from './backplane/wrappers/recovery';
import { Arrivals } from './path/arrivals';
import type { Settings } from './config/settings';
import { noted } from './path/connection';
import { createContextClass, type SocketContextClass, type SocketHandler } from './path/context';
import { Deprecations } from './deprecations';
import type { EggApplication, Logger } from './egg';
import { findWsEngine } from './handshake/websocket-engine';
import { messageOf, oneLine, revealsErrors, SetupError, toError } from './errors';
import { FailureLog } from './path/failures';
import { HubBackplane } from './cluster/hub/hub-backplane';
import { HubReceiver } from './cluster/hub/hub-receiver';
import { Ids } from './handshake/ids';
import { LoadedFiles, toAsync } from './loader';
import { LogLimit } from './log-limit';
import { explainTooLarge } from './handshake/message-size';
import { guardUse, Namespace } from './path/namespace';
import { guardDecoder, MAX_NESTING } from './decoder';
import type { Asking } from './backplane/operators';
import { OriginCheck, safeCors } from './handshake/origin';
import { Passport } from './path/passport';
import { AbsentNamespace, type Parent, Parents, stayForArrivals, withoutCopies } from './path/parents';
import { RunFolder } from './cluster/run-folder';
import { SessionStore } from './path/session';
import { SessionRouting } from './cluster/routing/session-routing';
import { closeInOrder } from './shutdown';
import { attachWhenFound } from './cluster/single-process';
import type { Controllers, Handler, Middlewares, SpecificHandler } from './types';
import { Work } from './path/in-flight';
import { ownWorkerId, type Topology, topologyOf } from './cluster/topology';

export interface Routes {
  /**
   * Adds a handler for an event that clients send, usually of `app.io.controller`. An event has one; a second one is warned of and ignored.
   *
   * `disconnecting`, `disconnect` (the reason is `ctx.args[0]`) and `error` are fired by the server: packet middleware does not run, and nobody is answered.
   *
   * @param handler usually one of `app.io.controller`, as `app.io.controller.chat.say` or by its name, `'chat.say'`
   * @throws SetupError if the event is no string, the handler no function and no name of one, or an option has a wrong type
   */
  route(event: string, handler: Handler | string, options?: RouteOptions): this;
  route(event: string, handler: SpecificHandler, options?: RouteOptions): this;
}

export interface RouteOptions {
  /**
   * Whether each client that asks for an acknowledgement gets one when the handler has ended: what it returned, or null for undefined.
   * An answer that the handler has given itself, by `ctx.ack()`, counts instead. Default: false, then undefined answers nothing.
   */
  acknowledge?: boolean;
}

/** A namespace of Socket.IO that has routes, and can ask its clients. */
export type RoutedNamespace = SocketIoNamespace & Routes & Asking;

export class Server extends SocketIoServer implements Asking, Routes {
  readonly #app: EggApplication;
  readonly #settings: Settings;
  readonly #files: LoadedFiles;
  readonly #adopted = new WeakSet<SocketIoNamespace>();
  /** Those that wait for their middleware until the app has been loaded. */
  readonly #waiting = new Set<Namespace>();
  readonly #topology: Topology;
  readonly #originCheck: OriginCheck;
  #backplane: Backplane | undefined;
  readonly #sessionRouting: SessionRouting | undefined;
  readonly #refusedPackets = new LogLimit({ interval: 60_000 });
  readonly #parents: Parents;
  #isReady = false;
  /** Whether the app is ready: a namespace that is named from here on may be one that clients have to ask for. */
  #isStarted = false;
  /** Socket.IO exports it as a type only. */
  readonly #BroadcastOperator: new () => object;
  #engine: EngineServer | undefined;
  #retiring: Promise<void> | undefined;
  /** In a single process: ends the search for its HTTP server. */
  #stopLooking: (() => void) | undefined;
  #Context: SocketContextClass | undefined;

  /** @internal */ readonly arrivals = new Arrivals();
  /** Whose middleware runs for long. @internal */ readonly slowConnections = new LogLimit({ interval: 60_000 });
  /** @internal */ readonly deprecations: Deprecations;
  /** @internal */ readonly failures: FailureLog;
  /** @internal */ readonly ids: Ids;
  /** @internal */ readonly logger: Logger;
  /** @internal */ readonly reveal: boolean;
  /** @internal */ readonly storage: AsyncLocalStorage<unknown>;
  /** @internal */ readonly work = new Work();
  /** @internal */ sessions: SessionStore | undefined;
  /** @internal */ passport: Passport | undefined;

  /** @internal */
  constructor(app: EggApplication, settings: Settings) {
    const { init } = settings;
    const deprecations = new Deprecations(app.logger);
    const wsEngine = findWsEngine(init.wsEngine, app.baseDir);
    const originCheck = new OriginCheck(app, init);
    const topology = topologyOf(app.options, settings);
    const folder =
      topology.routesSessions || topology.usesHub
        ? RunFolder.open(app.config.rundir, RunFolder.startOf(app.options.clusterPort))
        : undefined;
    // last: what throws before it leaves nothing open
    const backplane = createBackplane(settings.adapter, {
      logger: app.logger,
      baseDir: app.baseDir,
      hub: topology.usesHub && folder ? () => new HubBackplane(folder.hubSocket, ownWorkerId(), app.logger) : undefined,
    });
    super({
      ...init,
      // oxlint-disable-next-line typescript/no-unsafe-assignment -- declared as any; an engine that is none shows when Engine.IO makes it
      wsEngine: wsEngine as NonNullable<ServerOptions['wsEngine']>,
      allowRequest: originCheck.allowRequest,
      ...(init.cors && { cors: safeCors(init.cors) }),
      adapter: createAdapterFactory(settings, { backplane, deprecations }),
    });
    // read-only to others, and used for each client that comes
    Reflect.set(
      this,
      '_parser',
      guardDecoder(this._parser, () => this.#logRefusedPacket()),
    );
    declareEngine(this);
    this.#app = app;
    this.#settings = settings;
    this.#topology = topology;
    this.#originCheck = originCheck;
    this.#backplane = backplane;
    if (topology.routesSessions && folder) this.#sessionRouting = new SessionRouting(ownWorkerId(), folder, app.logger);
    this.#files = new LoadedFiles(app);
    this.deprecations = deprecations;
    this.ids = new Ids(settings.generateId, app.logger, formerSocketOf);
    this.logger = app.logger;
    this.reveal = revealsErrors(app.config.env);
    this.storage = app.ctxStorage;
    this.failures = new FailureLog(app.logger, app.ctxStorage);
    this.#parents = new Parents(this);
    this.#BroadcastOperator = this.of('/').to([]).constructor as new () => object;
    for (const name of settings.namespaces.keys()) this.of(name);
    deprecations.ofServer(this);
  }

  /** The handlers of `app/io/controller`, by file and method. */
  get controller(): Controllers {
    return this.#files.controllers;
  }

  /** @deprecated use `controller` */
  get controllers(): Controllers {
    this.deprecations.warnOfName('app.io.controllers', 'app.io.controller');
    return this.controller;
  }

  /** The middleware of `app/io/middleware`, by file. */
  get middleware(): Middlewares {
    return this.#files.middlewares;
  }

  /** @deprecated use `middleware` */
  get middlewares(): Middlewares {
    this.deprecations.warnOfName('app.io.middlewares', 'app.io.middleware');
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
    if (#adopted in this && !this.#adopted.has(nsp)) this.#adopt(nsp, typeof args[0] === 'string');
    return nsp as RoutedNamespace; // adopted now or before
  }

  /** Called by Socket.IO for a client of a namespace that is not there. @internal */
  override _checkNamespace(...[name, , done]: Parameters<SocketIoServer['_checkNamespace']>): void {
    if (this.#parents.isEmpty || !name.startsWith('/')) {
      this.logUnknownNamespace(name);
      done(false);
      return;
    }
    const nsp = new AbsentNamespace(this, name);
    // Socket.IO tells only a namespace who the client is, and looks it up by its name
    this._nsps.set(name, nsp);
    try {
      done(nsp);
    } finally {
      this._nsps.delete(name);
    }
  }

  /** Resolves names and joins the others. To be called when the app has been loaded. @internal */
  async ready(): Promise<void> {
    this.sessions = SessionStore.of(this.#app);
    this.passport = Passport.of(this.#app);
    this.#Context = createContextClass(this.#app, this.reveal);
    this.#isReady = true;
    this.#app.ready(() => (this.#isStarted = true));
    void this.controller; // what is wrong there stops the boot, routed or not
    void this.middleware;
    for (const namespace of this.#waiting) this.#takeMiddleware(namespace);
    this.#waiting.clear();
    this.#files.warnOfEmptyFiles();
    this.logger.info('[egg-socket.io] %s', this.#topology.description);
    const { warning } = this.#topology;
    if (warning !== undefined) this.logger.warn(warning);
    await this.#sessionRouting?.listen();
    await this.#backplane?.ready();
  }

  /** The agent has something to say to a worker that is alone: from here on it is heard. @internal */
  joinHub(): void {
    if (this.#backplane || this.#settings.adapter) return;
    const { config, logger, options } = this.#app;
    const path = RunFolder.open(config.rundir, RunFolder.startOf(options.clusterPort)).hubSocket;
    const backplane: HubBackplane = new HubBackplane(path, ownWorkerId(), logger, {
      receiverOf: name => {
        const nsp = this._nsps.get(name);
        return nsp && new HubReceiver(nsp, backplane.peers, nsp.adapter);
      },
    });
    this.#backplane = backplane;
  }

  /** Whether a value is a socket, a namespace or the like, as calls return it that can be chained: it is no answer to a client. @internal */
  isPart(value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    if (value instanceof Socket || value instanceof SocketIoNamespace || value instanceof this.#BroadcastOperator) return true;
    return value === this || ('operator' in value && value.operator instanceof this.#BroadcastOperator); // a socket of fetchSockets()
  }

  /** Whether it closes. @internal */
  get isRetiring(): boolean {
    return this.#retiring !== undefined;
  }

  /** @internal */
  get Context(): SocketContextClass {
    if (!this.#Context) throw new Error('no client can connect before the app is ready');
    return this.#Context;
  }

  /** Attaches to the app's HTTP server, now or as soon as there is one. @internal */
  awaitHttpServer(): void {
    const app = this.#app;
    // when tests start an app, there may be a server by now, and the event has passed
    if (app.server) this.attach(app.server);
    else {
      if (app.options.mode === 'single') this.#stopLooking = attachWhenFound(app, this, this.logger);
      app.once('server', (server: HttpServer) => this.attach(server));
    }
  }

  /** To be called where the plugin cannot find the HTTP server by itself. Does nothing where it is attached to it already. */
  override attach(...args: Parameters<SocketIoServer['attach']>): this {
    const [server, options] = args;
    if (server === this.httpServer && options?.path === undefined) return this;
    return super.attach(...args);
  }

  /** Called by Socket.IO for every engine that it is attached to. @internal */
  override bind(engine: EngineServer): this {
    this.#engine = engine;
    this.#stopLooking?.();
    this.ids.attach(engine);
    this.#originCheck.attach(engine);
    explainTooLarge(engine, problem => this.#logTooLarge(problem));
    this.#sessionRouting?.attach(engine);
    return super.bind(engine);
  }

  /** Takes nothing new, and closes all connections in order: their clients connect again elsewhere. @internal */
  async retire(): Promise<void> {
    const { logger, work } = this;
    this.arrivals.close();
    const engine = this.#engine;
    if (engine) this.#retiring ??= closeInOrder({ server: this, engine, work, sessionRouting: this.#sessionRouting, logger });
    await this.#retiring;
  }

  /** Closes in order all that there is, the HTTP server included. @internal */
  async shutDown(): Promise<void> {
    this.#stopLooking?.();
    await this.retire();
    this.#sessionRouting?.close();
    this.#refusedPackets.flush();
    this.#originCheck.close();
    this.slowConnections.flush();
    await this.#backplane?.close();
    this.failures.flush();
  }

  /** Any client can cause it at will. */
  #logRefusedPacket(): void {
    const problem = `a packet nested deeper than ${MAX_NESTING} levels was refused, and its connection closed`;
    this.#refusedPackets.log(
      '',
      () => this.logger.warn(messageOf('IO_PACKET_NESTED', problem)),
      count =>
        this.logger.warn(
          messageOf('IO_PACKET_NESTED', `${count} more packets nested deeper than ${MAX_NESTING} levels were refused in the last minute`),
        ),
    );
  }

  /** Any client can make such names up at will. @internal */
  logUnknownNamespace(name: string): void {
    const problem = `a client has asked for the namespace ${JSON.stringify(oneLine(name.slice(0, 100)))}, which there is not: name it in config.io.namespace, by app.io.of(name), or allow it by app.io.of(function)`;
    const log = (text: string): void => this.logger.warn(messageOf('IO_NAMESPACE_UNKNOWN', text));
    this.#refusedPackets.log(
      'IO_NAMESPACE_UNKNOWN',
      () => log(problem),
      count => log(`${count} more in the last minute, the latest: ${problem}`),
    );
  }

  #logTooLarge(problem: string): void {
    const log = (text: string): void => this.logger.warn(messageOf('IO_MESSAGE_TOO_LARGE', text));
    this.#refusedPackets.log(
      'IO_MESSAGE_TOO_LARGE',
      () => log(`${problem}, and its client was disconnected`),
      count => log(`${problem}, and its client was disconnected, ${count} times more in the last minute`),
    );
  }

  #adopt(nsp: SocketIoNamespace, isNamed: boolean): void {
    this.#adopted.add(nsp);
    if (!isNamed) {
      guardUse(nsp, this);
      const parent = nsp as Parent;
      const createChild = parent.createChild.bind(parent);
      Object.assign(parent, {
        createChild: (name: string): SocketIoNamespace => {
          const child = createChild(name);
          if (this._opts.cleanupEmptyChildNamespaces) stayForArrivals(child);
          return this.#isStarted ? withoutCopies(child, parent) : child;
        },
        route(event: string): never {
          throw new SetupError(
            'IO_ROUTE_DYNAMIC',
            `route('${event}') of a namespace that is a regular expression or a function: not possible for now; name the namespaces one by one`,
          );
        },
      });
      return;
    }
    const isOnDemand = this.#isStarted || nsp instanceof AbsentNamespace;
    const namespace = new Namespace(this, nsp, isOnDemand ? this.#parents : undefined);
    const route = (event: string, named: SpecificHandler | string, options: RouteOptions = {}): SocketIoNamespace => {
      const handler = typeof named === 'string' ? this.#files.controller(named, `route('${event}') of namespace '${nsp.name}'`) : named;
      namespace.router.add(event, handler, (fn, place) => this.#answering(toAsync(fn, place, this.#app), options, place));
      return nsp;
    };
    Object.assign(nsp, { route });
    this.deprecations.ofNamespace(nsp);
    if (this.#isReady) this.#takeMiddleware(namespace);
    else this.#waiting.add(namespace);
  }

  /** A handler whose returned value is what it means as the acknowledgement. */
  #answering(handler: SocketHandler, { acknowledge = false }: RouteOptions, place: string): SocketHandler {
    if (typeof acknowledge !== 'boolean') throw new SetupError('IO_ROUTE_INVALID', `${place}: acknowledge must be true or false`);
    if (acknowledge) {
      return async ctx => {
        const value = await handler.call(ctx, ctx);
        return value === undefined || this.isPart(value) ? null : value;
      };
    }
    if (this.#settings.acknowledge === 'return') return handler;
    return async ctx => {
      await handler.call(ctx, ctx);
    };
  }

  #takeMiddleware(namespace: Namespace): void {
    const settings = this.#settings.namespaces.get(namespace.name);
    if (!settings) return;
    const onLateFailure = (what: string, thrown: unknown): void =>
      this.failures.log({ level: 'error', what, namespace: namespace.name, socket: undefined, error: toError(thrown) });
    const find = (kind: keyof typeof settings) =>
      settings[kind].map(name => {
        const middleware = this.#files.middleware(name, `config.io.namespace['${namespace.name}'].${kind}`);
        return { name, middleware, run: this.#files.toLayer(name, middleware, onLateFailure) };
      });
    namespace.connectionMiddleware = find('connectionMiddleware').map(noted);
    namespace.packetMiddleware = find('packetMiddleware').map(({ run }) => run);
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

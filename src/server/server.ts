/** `app.io`: Socket.IO's server, with Egg's router, middleware and controllers. */
import type { Server as EngineServer } from 'engine.io';
import { type DefaultEventsMap, Server as SocketIoServer, type ServerOptions, type Socket as SocketIoSocket } from 'socket.io';
import type { Answer, Asking, QuestionArgs, QuestionName } from '../backplane/operators';
import type { HasHistory } from '../backplane/room-history';
import type { Users } from '../backplane/user-operator';
import type { Contract } from '../contract/contract';
import { isContract } from '../contract/declaration';
import { messageOf } from '../errors';
import type { LoadedFiles } from '../loader/loader';
import type { Drain } from './drain';
import { declareEngine } from './missing-engine';
import type { Namespaces } from './namespaces';
import type { Runtime } from '../path/runtime';
import type { HasPresence } from '../presence/presence';
import type { Declared, DeclaredData, Emitted, KnownName, Received } from '../events';
import type { Matcher, NamespaceSocket, RoutedNamespace } from './routed-namespace';
import type { AddRoute, AddUnmatchedRoute, RouteArguments, Routes } from './routes';
import type { Controllers, EventsMap, Middlewares, Socket, SpecificHandler, SpecificMiddleware } from '../types';

type AdapterConstructor = NonNullable<ServerOptions['adapter']>;
type SpecificArguments = RouteArguments<SpecificMiddleware, SpecificHandler>;

interface Parts {
  /** The options of Socket.IO and Engine.IO. */
  readonly options: Partial<ServerOptions>;
  readonly runtime: Runtime;
  readonly files: LoadedFiles;
  readonly namespaces: Namespaces;
  /** Called for each engine that the server is attached to. It has to call `bind`, with which Socket.IO adds its listeners. */
  readonly onEngine: (engine: EngineServer, bind: () => void) => void;
  readonly drain: Drain;
}

/** The type parameters are those of Socket.IO's server, for the namespace `/`. */
export class Server<
  ListenEvents extends EventsMap = Received<'/'>,
  EmitEvents extends EventsMap = Emitted<'/'>,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = DeclaredData,
>
  extends SocketIoServer<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
  implements Asking<EmitEvents>, Users<EmitEvents, SocketData>, HasHistory<EmitEvents>, HasPresence, Routes<'/'>
{
  readonly #parts: Omit<Parts, 'options'>;
  readonly route: AddRoute<this, '/'> = (event: string, ...parts: unknown[]) => {
    this.of('/').route(event, ...(parts as SpecificArguments)); // by the signatures
    return this;
  };

  readonly routeUnmatched: AddUnmatchedRoute<this> = (...parts: unknown[]) => {
    this.of('/').routeUnmatched(...(parts as SpecificArguments)); // as above
    return this;
  };

  /** The connections of a user to the namespace `/`: see `app.io.of(name).user`. */
  readonly user = ((id: string) => this.of('/').user(id)) as Users<EmitEvents, SocketData>['user']; // with the types of the server

  /** All clients of the namespace `/` but the connections of a user: see `app.io.of(name).exceptUser`. */
  readonly exceptUser = ((id: string) => this.of('/').exceptUser(id)) as Users<EmitEvents, SocketData>['exceptUser']; // as above

  /** The history of a room in the namespace `/`: see `app.io.of(name).history`. */
  readonly history = ((room: string) => this.of('/').history(room)) as unknown as HasHistory<EmitEvents>['history']; // with the types of the server

  /** Who is in a room of the namespace `/`: see `app.io.of(name).presence`. */
  readonly presence: HasPresence['presence'] = room => this.of('/').presence(room);

  /** @internal */
  constructor({ options, ...parts }: Parts) {
    super(options);
    this.#parts = parts;
    declareEngine(this);
    parts.namespaces.open(this);
  }

  /** Moves the clients of this process to other ones, as `config.io.drain` says, and refuses new ones. Resolves when all have gone. Never rejects. */
  readonly drain = async (): Promise<void> => this.#parts.drain.begin();

  /** The handlers in `app/io/controller`, by file and method. */
  get controller(): Controllers {
    return this.#parts.files.controllers;
  }

  /** @deprecated use `controller` */
  get controllers(): Controllers {
    this.#parts.runtime.deprecations.warnOfName('app.io.controllers', 'app.io.controller');
    return this.controller;
  }

  /** The middleware in `app/io/middleware`, by file. */
  get middleware(): Middlewares {
    return this.#parts.files.middlewares;
  }

  /** @deprecated use `middleware` */
  get middlewares(): Middlewares {
    this.#parts.runtime.deprecations.warnOfName('app.io.middlewares', 'app.io.middleware');
    return this.middleware;
  }

  /**
   * Emits to all clients of the namespace `/`, and resolves with the acknowledgement of each of them.
   * Rejects if one of them takes longer than 5 s; `responses` of the error has the acknowledgements so far. Call `timeout(ms)` first for
   * another time-out, and `to(room)`, `except(room)` or `local` to select clients.
   */
  emitWithAck<Event extends QuestionName<EmitEvents>>(
    event: Event,
    ...args: QuestionArgs<EmitEvents, Event>
  ): Promise<Answer<EmitEvents, Event>[]>;
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown[]> {
    return this.of('/').emitWithAck(event, ...args);
  }

  /**
   * A regular expression or a function, as a pattern such as `'/room-{id}'`, stands for all namespaces that match: they have its routes and
   * middleware, and are created when somebody asks. It is also asked for each client of a namespace that the app names after it is ready.
   */
  override of(name: RegExp | Matcher, onConnection?: (socket: Socket) => void): RoutedNamespace;
  // fits no call: lets the compiler accept this method as that of Socket.IO's class, whose namespaces all have the types of the server
  override of(name: never, onConnection?: never): never;
  /**
   * The namespace of a contract: what clients send is validated before controllers and listeners get it, and routes, arguments, returned values,
   * emits and data have the types of the contract.
   * The first call has to come while the app starts.
   * @param onConnection a listener of `connection`
   * @throws SetupError if the contract is not valid, the namespace has another one, or the app has started
   */
  override of<const C extends Contract>(contract: C, onConnection?: (socket: NamespaceSocket<C>) => void): RoutedNamespace<C>;
  /**
   * The namespace with a name, with or without its leading slash, or the namespaces that fit a pattern such as `'/room-{id}'`. The first call creates
   * it. Its types are those of the events that the app declares for it in `ClientEvents` and `ServerEvents`.
   */
  override of<const Name extends string>(
    name: KnownName<Name>,
    onConnection?: (socket: NamespaceSocket<Declared<Name>>) => void,
  ): RoutedNamespace<Declared<Name>>;
  override of(name: string | RegExp | Matcher | Contract, listener?: (socket: never) => void): unknown {
    const onConnection = listener as ((socket: SocketIoSocket) => void) | undefined; // of one of the signatures
    if (isContract(name)) {
      const nsp = this.#parts.namespaces.ofContract(name, plain => this.of(plain));
      if (onConnection) nsp.on('connection', onConnection);
      return nsp;
    }
    // false in the constructor of the base class, which also calls this method
    const namespaces = #parts in this ? this.#parts.namespaces : undefined;
    const pattern = typeof name === 'string' ? namespaces?.ofPattern(this, name, regExp => super.of(regExp)) : undefined;
    const nsp = pattern ?? super.of(name);
    namespaces?.adopt(nsp, name);
    if (onConnection) nsp.on('connect', onConnection); // not by Socket.IO, which forgets it for a new namespace of a regular expression
    return nsp;
  }

  override adapter(): AdapterConstructor | undefined;
  /** Sets the adapter of this process only. Prefer `config.io.adapter`, which also applies to `agent.io` and to outages. */
  override adapter(adapter: AdapterConstructor): this;
  override adapter(...args: [] | [AdapterConstructor]): unknown {
    if (args.length === 0) return super.adapter();
    const [adapter] = args;
    if (#parts in this && adapter !== super.adapter()) {
      const problem = 'app.io.adapter() sets the adapter of this process only, not that of agent.io';
      this.#parts.runtime.logger.warn(messageOf('IO_AGENT_ADAPTER', `${problem}: set it as config.io.adapter`));
    }
    super.adapter(adapter);
    if (#parts in this) for (const nsp of this._nsps.values()) this.#parts.namespaces.takeAdapter(nsp);
    return this;
  }

  /** To be called if the plugin cannot find the HTTP server by itself. Does nothing if Socket.IO is attached to the server already. */
  override attach(...args: Parameters<SocketIoServer['attach']>): this {
    const [server, options] = args;
    if (server === this.httpServer && options?.path === undefined) return this;
    return super.attach(...args);
  }

  /** Called by Socket.IO for each engine that it is attached to. @internal */
  override bind(engine: EngineServer): this {
    this.#parts.onEngine(engine, () => super.bind(engine));
    return this;
  }

  /** Called by Socket.IO for a client that asks for a namespace that does not exist. @internal */
  override _checkNamespace(...[name, , done]: Parameters<SocketIoServer['_checkNamespace']>): void {
    const nsp = this.#parts.namespaces.standIn(this, name);
    if (!nsp) {
      this.#parts.runtime.refusals.warnOfNamespace(name);
      done(false);
      return;
    }
    // Socket.IO passes the client only to a namespace in its table
    const { _nsps: nsps }: SocketIoServer = this;
    nsps.set(name, nsp);
    try {
      done(nsp);
    } finally {
      nsps.delete(name);
    }
  }
}

/** The public types of `config.io`, except those for limits, adapters and Redis. A test compares them with docs/config.md word by word. */
import type { ServerOptions } from 'socket.io';
import type { AccessLogConfig } from './access-log';
import type { AdminConfig } from './admin';
import type { AdminUiConfig } from './admin-ui';
import type { AdapterConfig, AdapterFactory, AdapterName, RedisConfig } from './adapter-options';
import type { AuthConfig } from './auth-options';
import type { DrainConfig } from './drain';
import type { BoundTo, GenerateId, OnError, RecoveryConfig } from './functions';
import type { LimitsConfig } from './limits';
import type { NamespaceConfig } from './namespace-options';
import type { PrometheusConfig } from './prometheus';
import type { TracingConfig } from './tracing';

export type { AdapterConfig, AdapterFactory, AdapterName, RedisConfig };
export type * from './access-log';
export type * from './admin';
export type * from './admin-ui';
export type * from './auth-options';
export type * from './drain';
export type * from './functions';
export type { EventsLimit, LimitsConfig, NamespaceLimits, NamespacesLimit, PendingLimit, RecoveryLimit, RoomsLimit } from './limits';
export type { EventRate, PerAddressLimit } from './rate-limits';
export type * from './namespace-options';
export type * from './prometheus';
export type * from './tracing';

/** `config.io` */
export interface IoConfig {
  /**
   * Options of Socket.IO and Engine.IO. Three have another default here: `allowEIO3: true`, so that clients of Socket.IO 2 can connect,
   * `serveClient: false`, and `connectionStateRecovery.skipMiddlewares: false`.
   * Default: `{}`. Since 4.
   */
  init?: InitOptions;

  /**
   * The middleware of each namespace, by the name of the namespace, with or without its leading slash, or by a pattern such as `/room-{id}`.
   * A namespace that is not listed has none.
   * Default: `/` without middleware. Since 4.
   */
  namespace?: Record<string, NamespaceConfig>;

  /**
   * Carries broadcasts and questions to other servers: the name of an adapter, an object with its name and options,
   * or a function that creates an adapter of your own for each namespace.
   * Default: `'redis'` if `config.io.redis` is set, else none. Since 5.
   */
  adapter?: AdapterName | AdapterConfig | AdapterFactory;

  /**
   * How to reach Redis, for adapters that need it: options, a URL, the name of a client in `config.redis`
   * (of egg-redis or `@eggjs/redis`), or `true` for the only client there.
   * Default: Redis at 127.0.0.1:6379 if the adapter needs one. Since 4.
   */
  redis?: RedisConfig | string | true;

  /**
   * Whether the workers of one machine work together without sticky sessions and without Redis. Set `false` if another mechanism does that.
   * Default: `true`. Since 5.
   */
  cluster?: boolean;

  /**
   * The source of acknowledgements. `'return'`: the value that the handler returns, unless it is undefined.
   * `'callback'`: only the value that the handler passes to `ctx.ack()`, or to the function at the end of `ctx.args`, as in egg-socket.io 4.
   * A route with `acknowledge: true` answers with the returned value in both cases, and errors are always answered.
   * Default: `'return'`. Since 5.
   */
  acknowledge?: 'return' | 'callback';

  /**
   * What happens to an event that has neither a route nor a listener. `'ignore'`: nothing, as in egg-socket.io 4.
   * `'error'`: it fails with the code `NOT_FOUND`. A namespace with a handler by `routeUnmatched()` calls that instead.
   * Default: `'ignore'`. Since 5.
   */
  unmatched?: 'ignore' | 'error';

  /**
   * Time in ms for which the answers of events with an idempotency key are kept: of routes with `idempotencyKey`, and of events by `send()` of
   * `egg-socket.io/client`. A retry that comes later runs the handler again.
   * Default: `600000`, ten minutes. Since 5.
   */
  idempotencyTtl?: number;

  /**
   * Whether acknowledgements and the events that the server emits are checked by the contracts. One that does not fit throws, and is not sent.
   * What clients send is always checked.
   * Default: `true` in the environments `local` and `unittest`, else `false`. Since 5.
   */
  checkOutgoing?: boolean;

  /**
   * The path of a page that shows the contracts; the same path with `.json` is their AsyncAPI document. `false`: no page. Routes of the app
   * take precedence, and in other environments than `local` and `unittest` there is never one.
   * Default: `'/io-docs'` in the environment `local`, else `false`. Since 5.
   */
  documents?: string | false;

  /**
   * What one client may cost this server. `false` turns a limit off.
   * Default: [each has its own](limits.md). Since 5.
   */
  limits?: LimitsConfig;

  /** A line for each connection that ends or is refused, in `<app>-io-access.log`; with `packets`, one for each packet, too. Default: `false`. Since 5. */
  accessLog?: boolean | AccessLogConfig;

  /**
   * Whether a server that stops, as at SIGTERM, moves its clients to other servers first, in batches: [draining](deployment.md#draining). It has to be
   * given the time for that. `app.io.drain()` does so at any time. Default: `false`. Since 5.
   */
  drain?: boolean | DrainConfig;

  /**
   * The path below which a worker answers load balancers: `<path>/live` with 200, `<path>/ready` with 200 or, while it drains or closes, with 503.
   * `true`: `'/-/io/health'`. Default: `false`. Since 5.
   */
  health?: string | boolean;

  /** A page of the agent with [metrics](metrics.md) of all workers of this machine, for Prometheus. `true`: at 127.0.0.1:9464. Default: `false`. Since 5. */
  prometheus?: boolean | PrometheusConfig;

  /**
   * Whether connections, events and broadcasts have spans of [OpenTelemetry](tracing.md). Needs the package `@opentelemetry/api`.
   * Default: `false`. Since 5.
   */
  tracing?: boolean | TracingConfig;

  /**
   * The [admin page](admin.md) at `/-/io`: the clients of all workers and servers, their events, disconnect, emit. `true`: for requests from this
   * machine itself, and only in the environments `local` and `unittest`; an object with `allow`: for whom that function allows. Default: `false`. Since 5.
   */
  admin?: boolean | AdminConfig;

  /**
   * Sets [Socket.IO's own admin UI](admin.md#socketios-own-admin-ui) up: the options of its `instrument()`. Needs the package `@socket.io/admin-ui`.
   * Default: off. Since 5.
   */
  adminUi?: AdminUiConfig;

  /**
   * Called for each error of a controller, of middleware or of a listener, with its context. An Error that it returns answers the client in place
   * of the first one. An asynchronous function can only report errors: nobody waits for it. `onerror` of a namespace is called instead.
   * Default: none. Since 5.
   */
  onerror?: OnError;

  /** How long the logins of clients last, in all namespaces that have no `auth` of their own. Default: as long as their connections. Since 5. */
  auth?: AuthConfig;

  /**
   * Creates the id of a connection from its handshake request: the `socket.id` in `/`, and `<namespace>#<id>` in other namespaces.
   * A connection is refused if this throws or rejects, or returns anything but a string of 1 to 200 characters that no other connection has.
   * Clients of Socket.IO 2 send the id in their requests: for them it must be impossible to guess.
   * Default: the random ids of Socket.IO. Since 4.
   */
  generateId?: GenerateId;

  /**
   * The hosts that clients may ask for in `Host`, without their ports, such as `['chat.example.com', '.example.org']`; with a dot in front, a name
   * stands for itself and all names below it. Requests for other hosts are refused. Protects a server that all clients can reach by its address from
   * pages of other sites, by DNS rebinding.
   * Default: all hosts. Since 5.
   */
  allowedHosts?: string[];

  /**
   * What all requests of a session must have in common with its handshake: the client's `'address'`, as in `ctx.ip`, its `'userAgent'`, the
   * `'cookie'` of Egg's session. Other requests are refused, and the client begins a new session.
   * Default: `[]`, so that the id of a session is enough. Since 5.
   */
  bind?: BoundTo[];
}

/** `config.io.init` */
export interface InitOptions extends Partial<Omit<ServerOptions, 'allowEIO3' | 'connectionStateRecovery' | 'wsEngine'>> {
  /**
   * Whether clients of Socket.IO 2 can connect. Socket.IO's default is `false`. `'websocket'`: by WebSocket only, since with `true` whoever knows the
   * `socket.id` of such a client that polls can take part in its session: [what a session id is worth](security.md#what-a-session-id-is-worth).
   * Default: `true`. Since 5.
   */
  allowEIO3?: boolean | 'websocket';
  /**
   * Sends reconnecting clients the messages that they missed: `maxDisconnectionDuration`, in ms, default 120000; `skipMiddlewares` must be false;
   * `owner` binds what a client comes back to: [to an owner](reliability.md#bound-to-an-owner).
   * [Which adapters can do it](adapters.md#connection-state-recovery). Default: off. Since 5.
   */
  connectionStateRecovery?: RecoveryConfig;
  /**
   * The WebSocket implementation: `'ws'`, the name of another installed package, or its `Server` class.
   * `'uws'` stands for its maintained fork, the package `eiows`. Default: `'ws'`. Since 4.
   */
  wsEngine?: unknown;
  /** Time for a request to send its body, in ms. Needs Engine.IO 6.6.13. Default: `30000`. Since 5. */
  httpRequestBodyTimeout?: number;
  /** The maximum number of chunks of a request body or a WebSocket message. Needs Engine.IO 6.6.13. Default: `10000`. Since 5. */
  maxBufferedChunks?: number;
}

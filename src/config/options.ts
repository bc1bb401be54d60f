/** What users write in `config.io`. */
import type { IncomingMessage } from 'node:http';
import type { ClusterOptions, RedisOptions as ClientOptions } from 'ioredis';
import type { Namespace, ServerOptions } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';

/** `config.io` */
export interface IoConfig {
  /**
   * Options of Socket.IO and Engine.IO, as documented there. Different defaults here: `allowEIO3: true`, so that clients
   * of Socket.IO 2 can connect, `serveClient: false`, and `connectionStateRecovery.skipMiddlewares: false`.
   */
  init?: InitOptions;

  /**
   * The middleware of each namespace. A namespace that is not listed here has none.
   * Names may be written without the leading slash. Default: `/` without middleware.
   */
  namespace?: Record<string, NamespaceConfig>;

  /**
   * What carries emits, rooms and questions to other servers: the name of an adapter, an object with its name and its options,
   * or a function that makes one of your own for each namespace. Default: `'redis'` where `redis` is set, else none.
   */
  adapter?: AdapterName | AdapterConfig | AdapterFactory;

  /**
   * How to reach Redis, for the adapters that need it: options, a URL, the name of a client in `config.redis` (of egg-redis or
   * @eggjs/redis), or `true` for the only one there. Default: 127.0.0.1:6379 where an adapter needs it.
   */
  redis?: RedisConfig | string | true;

  /**
   * Whether several workers of one machine work together without sticky sessions and without Redis. `false` leaves each on its own, for
   * apps that take care of that otherwise. Default: `true`; it costs a single worker nothing.
   */
  cluster?: boolean;

  /**
   * What answers a client that asks for an acknowledgement. `'return'`: what the handler returns, where that is not undefined.
   * `'callback'`: the handler itself, by calling `ctx.ack()` or the last of `ctx.args`; what it returns says nothing, as in egg-socket.io 4.
   * A route with `acknowledge: true` answers with what is returned in both cases, and errors are always answered. Default: `'return'`.
   */
  acknowledge?: 'return' | 'callback';

  /**
   * Makes the id of a connection, once for each, from its handshake request. Its result is the `socket.id` on `/` and `<namespace>#<id>`
   * on others. What it throws or rejects with refuses the connection, as does anything but a string of 1 to 200 characters that no other
   * connection has. Clients of Socket.IO 2 show this id in their requests: for them it has to be unguessable.
   * Default: Socket.IO's own random ids.
   */
  generateId?: GenerateId;
}

export interface InitOptions extends Partial<Omit<ServerOptions, 'wsEngine'>> {
  /**
   * The WebSocket implementation: `'ws'`, the name of another installed package, or its `Server` class.
   * `'uws'` stands for its maintained fork, the package `eiows`. Default: `'ws'`.
   */
  wsEngine?: unknown;
  /** Of Engine.IO from 6.6.13 on: how long a request may take to send its body, in ms. Default: 30000. */
  httpRequestBodyTimeout?: number;
  /** Of Engine.IO from 6.6.13 on: how many chunks a body or a WebSocket message may come in. Default: 10000. */
  maxBufferedChunks?: number;
}

export interface NamespaceConfig {
  /** Names of files in `app/io/middleware`, outermost first; `admin.auth` for `admin/auth.js`. They run around each connection. Default: none. */
  connectionMiddleware?: string[];
  /** The same, to run around each incoming event. Default: none. */
  packetMiddleware?: string[];
}

/**
 * Options of ioredis, among them `host` (default 127.0.0.1), `port` (default 6379), `password`, `tls`, `sentinels` with `name`; those of its
 * Cluster beside `nodes`; and these:
 */
export interface RedisConfig extends ClientOptions, Pick<ClusterOptions, 'dnsLookup' | 'redisOptions' | 'slotsRefreshTimeout'> {
  /** `redis://` or, with TLS, `rediss://`, with user, password, host, port and db. What stands beside it counts more. */
  url?: string;
  /** The name of a client in `config.redis`, whose options are taken, or `true` for the only one. What stands beside it counts more. */
  use?: string | true;
  /** Some nodes of a Redis Cluster; it tells of the others. */
  nodes?: readonly { host?: string; port?: number; password?: string }[];
  /** As egg-redis has it beside `nodes`. Default: true where there are nodes. */
  cluster?: boolean;
  /** The name that Socket.IO 2 had for `password`. */
  auth_pass?: string;
  /** Only servers of the same number hear each other: it becomes a part of `key`, since Redis itself knows no databases here. Default: 0. */
  db?: number;
  /** The prefix of the channels. Default: `socket.io`, or `socket.io-db<n>` with a `db` other than 0. */
  key?: string;
  /** How long to wait for the answers of other servers, in ms. Default: 5000. */
  requestsTimeout?: number;
}

export type AdapterName = AdapterConfig['name'];

/** An adapter with options of its own. How Redis is reached is said in `config.io.redis`. */
export type AdapterConfig = RedisPubSub | RedisSharded | RedisStreams | Mongo | Postgres;

/** Makes the adapter of a namespace. */
export type AdapterFactory = (this: void, nsp: Namespace) => Adapter;

interface Answers {
  /** How long to wait for the answers of other servers, in ms. Default: 5000. */
  requestsTimeout?: number;
}

/** Publishes each emit to all servers. */
interface RedisPubSub extends Answers {
  name: 'redis';
  /** Whether answers go to the server that asked, and to no other. Has to be the same on all servers. Default: false. */
  publishOnSpecificResponseChannel?: boolean;
}

/** Publishes an emit to the servers that have somebody in the room. Needs Redis 7. */
interface RedisSharded extends Answers {
  name: 'redis-sharded';
  /** Which rooms have a channel of their own: `dynamic`, those of more than one socket; `static`, none; `dynamic-private`, all. Default: `dynamic`. */
  subscriptionMode?: 'static' | 'dynamic' | 'dynamic-private';
}

/** Writes emits into a stream, from which clients that reconnect get what they have missed. Needs Redis 6.2. */
interface RedisStreams extends Answers {
  name: 'redis-streams';
  /** Default: `socket.io`. */
  streamName?: string;
  /** How many streams the namespaces are spread over. Default: 1. */
  streamCount?: number;
  /** About how many emits a stream keeps. Default: 10000. */
  maxLen?: number;
  /** How many emits are read at once. Default: 100. */
  readCount?: number;
  /** How long a read waits, in ms. Default: 5000. */
  blockTimeInMs?: number;
  /** The prefix of the keys under which disconnected clients are kept. Default: `sio:session:`. */
  sessionKeyPrefix?: string;
  /** Whether no emit is ever binary, which saves the look at it. Default: false. */
  onlyPlaintext?: boolean;
}

interface Heartbeats extends Answers {
  /** How often a server says that it is there, in ms. Default: 5000. */
  heartbeatInterval?: number;
  /** After how long a server that says nothing is thought to have gone, in ms. Default: 10000. */
  heartbeatTimeout?: number;
}

/** Inserts emits into a capped collection. Needs a replica set. */
interface Mongo extends Heartbeats {
  name: 'mongo';
  /** `mongodb://` or `mongodb+srv://` */
  url: string;
  database: string;
  /** It is made, capped, if there is none. Default: `socket.io-adapter-events`. */
  collection?: string;
}

/** Sends emits by NOTIFY. */
interface Postgres extends Heartbeats {
  name: 'postgres';
  /** `postgres://`, or the options of a Pool of pg. */
  connection: string | object;
  /** The prefix of the channels. Default: `socket.io`. */
  channelPrefix?: string;
  /** Where emits stand that are too large for NOTIFY, or binary. The table is made if there is none. Default: `socket_io_attachments`. */
  tableName?: string;
  /** The most bytes that are sent by NOTIFY. Default: 7999, which is also the most that PostgreSQL takes. */
  payloadThreshold?: number;
  /** How long they stand there, in ms. Default: 30000. */
  cleanupInterval?: number;
}

export type GenerateId = (request: IncomingMessage) => string | Promise<string>;

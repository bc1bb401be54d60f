/** The public types of `config.io.adapter` and `config.io.redis`. A test compares them with docs/config.md word by word. */
import type { ClusterOptions, RedisOptions as ClientOptions } from 'ioredis';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';

/** `config.io.redis`: besides these, the options of ioredis, such as `tls`, or `sentinels` with `name`; with `nodes`, those of its Cluster. */
export interface RedisConfig extends ClientOptions, Pick<ClusterOptions, 'dnsLookup' | 'redisOptions' | 'slotsRefreshTimeout'> {
  /** The host name or address of Redis. Default: `'127.0.0.1'`. Since 4. */
  host?: string;
  /** The port of Redis, as a number or, from an environment variable, as digits. Default: `6379`. Since 4. */
  port?: number;
  /** The name of the user, for Redis with ACLs. Default: Redis's user `default`. Since 5. */
  username?: string;
  /** The password of the user. Default: none. Since 4. */
  password?: string;
  /** Another name of `password`, from Socket.IO 2. Default: none. Since 4. */
  auth_pass?: string;
  /** `redis://` or, with TLS, `rediss://`, with user, password, host, port and db. Options beside it take precedence. Default: none. Since 5. */
  url?: string;
  /** The name of a client in `config.redis`, to take its options, or `true` for the only one. Options beside it take precedence. Default: none. Since 5. */
  use?: string | true;
  /** Some nodes of a Redis Cluster, from which it learns the others. Default: none. Since 5. */
  nodes?: readonly { host?: string; port?: number; password?: string }[];
  /** Whether `nodes` are those of a Redis Cluster, as in egg-redis. Default: `true` if there are nodes. Since 5. */
  cluster?: boolean;
  /** Separates apps that share a Redis: only servers with the same number reach each other. It becomes part of `key`. Default: `0`. Since 4. */
  db?: number;
  /** The prefix of the channels. Default: `'socket.io'`, or `'socket.io-db<n>'` with a `db` other than 0. Since 4. */
  key?: string;
  /** Time to wait for the answers of other servers, in ms. Default: `5000`. Since 4. */
  requestsTimeout?: number;
}

export type AdapterName = AdapterConfig['name'];

/** An adapter with its options. `config.io.redis` has the address of Redis. */
export type AdapterConfig = RedisPubSub | RedisSharded | RedisStreams | Mongo | Postgres;

/** Creates the adapter of a namespace. */
export type AdapterFactory = (this: void, nsp: Namespace) => Adapter;

interface Answers {
  /** Time to wait for the answers of other servers, in ms. Default: `5000`. Since 5. */
  requestsTimeout?: number;
  /**
   * Whether plain Socket.IO servers, emitters of other programs and egg-socket.io 5.0.0 can read the events of this server. `false` makes
   * emits cheaper. Must be the same on all servers. Default: `true`. Since 5.
   */
  interop?: boolean;
}

/** Publishes each broadcast to all servers. */
interface RedisPubSub extends Answers {
  name: 'redis';
  /** Whether answers go only to the server that asked. Must be the same on all servers. Default: `false`. Since 5. */
  publishOnSpecificResponseChannel?: boolean;
}

/** Publishes a broadcast to the servers that have clients in the room. Needs Redis 7. */
interface RedisSharded extends Answers {
  name: 'redis-sharded';
  /**
   * Which rooms have a channel of their own. `'dynamic'`: all but those of a single socket. `'static'`: none. `'dynamic-private'`: all.
   * Recovery needs `'static'`, which is its default then. Default: `'dynamic'`. Since 5.
   */
  subscriptionMode?: 'static' | 'dynamic' | 'dynamic-private';
}

/** Writes broadcasts to a stream, from which reconnecting clients get the missed ones. Needs Redis 6.2. */
interface RedisStreams extends Answers {
  name: 'redis-streams';
  /** The key of the stream. Default: `'socket.io'`. Since 5. */
  streamName?: string;
  /** The number of streams. Each namespace uses one of them. Default: `1`. Since 5. */
  streamCount?: number;
  /** The approximate number of broadcasts that a stream keeps. Default: `10000`. Since 5. */
  maxLen?: number;
  /** The number of broadcasts to read at once. Default: `100`. Since 5. */
  readCount?: number;
  /** Time for which a read waits for broadcasts, in ms. Default: `1000`. Since 5. */
  blockTimeInMs?: number;
  /** The prefix of the keys that hold the sessions of disconnected clients. Default: `'sio:session:'`. Since 5. */
  sessionKeyPrefix?: string;
  /** Set `true` if broadcasts never contain bytes: they are then not searched for any. No effect with `init.parser`. Default: `false`. Since 5. */
  onlyPlaintext?: boolean;
}

interface Heartbeats extends Answers {
  /** Time between two heartbeats of a server to the others, in ms. Default: `5000`. Since 5. */
  heartbeatInterval?: number;
  /** Time without a message of a server after which the others count it as gone, in ms. Default: `10000`. Since 5. */
  heartbeatTimeout?: number;
}

/** Inserts broadcasts into a capped collection. Needs a replica set. */
interface Mongo extends Heartbeats {
  name: 'mongo';
  /** `mongodb://` or `mongodb+srv://`. Default: none, it is required. Since 5. */
  url: string;
  /** The name of the database. Default: none, it is required. Since 5. */
  database: string;
  /** The name of the collection. If it does not exist, it is created as a capped collection. Default: `'socket.io-adapter-events'`. Since 5. */
  collection?: string;
}

/** Sends broadcasts by NOTIFY. */
interface Postgres extends Heartbeats {
  name: 'postgres';
  /** `postgres://`, or the options of pg's `Pool`. Default: none, it is required. Since 5. */
  connection: string | object;
  /** The prefix of the channels. Default: `'socket.io'`. Since 5. */
  channelPrefix?: string;
  /** The table for broadcasts that are too large for NOTIFY, or contain bytes. It is created if it does not exist. Default: `'socket_io_attachments'`. Since 5. */
  tableName?: string;
  /** Size in bytes above which broadcasts go through the table. NOTIFY accepts no more than the default. Default: `7999`. Since 5. */
  payloadThreshold?: number;
  /** Time between two deletions of old broadcasts from the table, and their minimum age, in ms. Default: `30000`. Since 5. */
  cleanupInterval?: number;
}

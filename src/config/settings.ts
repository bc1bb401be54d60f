/** `config.io`: what each option means, and the check that runs while Egg starts. */
import type { IncomingMessage } from 'node:http';
import type { ClusterOptions, RedisOptions as ClientOptions } from 'ioredis';
import type { Namespace, ServerOptions } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { SetupError, messageOf } from '../errors';

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

/** `config.io`, checked and complete. */
export interface Settings {
  readonly init: InitOptions;
  /** By name with its leading slash. */
  readonly namespaces: ReadonlyMap<string, Required<NamespaceConfig>>;
  /** What is to cross servers; undefined where nothing is said. */
  readonly adapter: AdapterSettings | undefined;
  readonly cluster: boolean;
  readonly acknowledge: 'return' | 'callback';
  readonly generateId: GenerateId | undefined;
}

export type AdapterSettings = OwnAdapterSettings | RedisSettings | DatabaseSettings;

interface OwnAdapterSettings {
  readonly name: 'own';
  readonly create: AdapterFactory;
}

type Options = Readonly<Record<string, unknown>> & Answers;

export interface RedisSettings {
  readonly name: 'redis' | 'redis-sharded' | 'redis-streams';
  readonly options: Options;
  readonly redis: RedisConfig;
}

export interface DatabaseSettings {
  readonly name: 'mongo' | 'postgres';
  readonly options: Options;
}

/** The types of Socket.IO's and Engine.IO's options; what else they have to be shows there. */
const INIT_TYPES = {
  adapter: ['function'],
  addTrailingSlash: ['boolean'],
  allowEIO3: ['boolean'],
  allowRequest: ['function'],
  allowUpgrades: ['boolean'],
  cleanupEmptyChildNamespaces: ['boolean'],
  connectionStateRecovery: ['object'],
  connectTimeout: ['number'],
  cookie: ['object', 'boolean', 'string'],
  cors: ['object', 'function'],
  destroyUpgrade: ['boolean'],
  destroyUpgradeTimeout: ['number'],
  httpCompression: ['object', 'boolean'],
  httpRequestBodyTimeout: ['number'],
  initialPacket: ['object', 'string'],
  maxBufferedChunks: ['number'],
  maxHttpBufferSize: ['number'],
  parser: ['object', 'function'],
  path: ['string'],
  perMessageDeflate: ['object', 'boolean'],
  pingInterval: ['number'],
  pingTimeout: ['number'],
  serveClient: ['boolean'],
  transports: ['array'],
  upgradeTimeout: ['number'],
  wsEngine: ['string', 'function'],
} satisfies Record<keyof InitOptions, readonly string[]>;

const TRANSPORTS = ['polling', 'websocket', 'webtransport'];

const KEYS = ['init', 'namespace', 'adapter', 'redis', 'cluster', 'acknowledge', 'generateId'];

/**
 * Reads `config.io`. What is wrong throws; what is only unknown goes to `warn`.
 * @param eggRedis `config.redis`, of egg-redis or @eggjs/redis
 */
export function readConfig(config: unknown, warn: (message: string) => void, eggRedis?: unknown): Settings {
  const io = objectAt('config.io', config ?? {});
  for (const key of Object.keys(io)) {
    if (!KEYS.includes(key)) warn(unknownKey(`config.io.${key}`, key, KEYS));
  }
  for (const key of ['adapter', 'redis']) {
    if (isSet(io[key]) && isSet((io['init'] as InitOptions | undefined)?.adapter))
      throw new SetupError('IO_CONFIG_INVALID', `config.io.${key} and config.io.init.adapter are both set; keep one`);
  }
  return {
    init: readInit(io['init'] ?? {}, warn),
    namespaces: readNamespaces(io['namespace'] ?? {}),
    adapter: readAdapter(io['adapter'], io['redis'], eggRedis),
    cluster: isSet(io['cluster']) ? booleanAt('config.io.cluster', io['cluster']) : true,
    acknowledge: readAcknowledge(io['acknowledge']),
    generateId: isSet(io['generateId']) ? functionAt<GenerateId>('config.io.generateId', io['generateId']) : undefined,
  };
}

function readAcknowledge(value: unknown): Settings['acknowledge'] {
  if (!isSet(value) || value === 'return') return 'return';
  if (value !== 'callback') throw new SetupError('IO_CONFIG_INVALID', "config.io.acknowledge must be 'return' or 'callback'");
  return value;
}

/** `chat` and `/chat` name the same namespace. */
function withSlash(name: string): string {
  return name.startsWith('/') ? name : `/${name}`;
}

function readInit(value: unknown, warn: (message: string) => void): InitOptions {
  const init: InitOptions = { ...objectAt('config.io.init', value) }; // Socket.IO writes into its options
  if ('origins' in init) {
    throw new SetupError(
      'IO_CONFIG_REMOVED',
      "config.io.init.origins is of Socket.IO 2; list the origins in config.io.init.cors.origin, as { cors: { origin: ['https://example.com'] } }",
    );
  }
  for (const [key, value] of Object.entries(init)) {
    const types = INIT_TYPES[key as keyof InitOptions] as readonly string[] | undefined;
    if (!types) warn(unknownKey(`config.io.init.${key}`, key, Object.keys(INIT_TYPES)));
    else if (isSet(value) && value !== false && !types.includes(typeOf(value))) {
      invalid(`config.io.init.${key}`, types.map(withArticle).join(' or '), value); // to switch off what has no switch is no mistake
    }
  }
  if (typeof init.cookie === 'string') init.cookie = { name: init.cookie }; // as Socket.IO 2 took it
  for (const transport of init.transports ?? []) {
    if (typeof transport !== 'string' || !TRANSPORTS.includes(transport))
      invalid('config.io.init.transports', `an array of ${TRANSPORTS.join(', ')}`);
  }
  if (init.connectionStateRecovery) {
    const { skipMiddlewares = false } = init.connectionStateRecovery;
    if (skipMiddlewares)
      invalid(
        'config.io.init.connectionStateRecovery.skipMiddlewares',
        'false: routes, session and guards of a recovered client depend on it',
      );
    init.connectionStateRecovery = { ...init.connectionStateRecovery, skipMiddlewares };
  }
  return init;
}

function readNamespaces(value: unknown): Settings['namespaces'] {
  const namespaces = new Map<string, Required<NamespaceConfig>>();
  for (const [name, options] of Object.entries(objectAt('config.io.namespace', value))) {
    const place = `config.io.namespace['${name}']`;
    const { connectionMiddleware, packetMiddleware, ...rest } = objectAt(place, options ?? {});
    for (const key of Object.keys(rest))
      invalid(
        place,
        `an object with connectionMiddleware and packetMiddleware; it has ${key}, did you mean ${nearest(key, ['connectionMiddleware', 'packetMiddleware'])}?`,
      );
    if (namespaces.has(withSlash(name)))
      throw new SetupError('IO_CONFIG_INVALID', `${place} is there twice, with and without its leading slash; keep one`);
    namespaces.set(withSlash(name), {
      connectionMiddleware: namesAt(`${place}.connectionMiddleware`, connectionMiddleware ?? []),
      packetMiddleware: namesAt(`${place}.packetMiddleware`, packetMiddleware ?? []),
    });
  }
  return namespaces;
}

/** The options of each adapter. */
const ADAPTERS: Readonly<Record<AdapterName, Readonly<Record<string, readonly string[]>>>> = {
  redis: { requestsTimeout: ['number'], publishOnSpecificResponseChannel: ['boolean'] },
  'redis-sharded': { requestsTimeout: ['number'], subscriptionMode: ['static', 'dynamic', 'dynamic-private'] },
  'redis-streams': {
    requestsTimeout: ['number'],
    streamName: ['string'],
    streamCount: ['number'],
    maxLen: ['number'],
    readCount: ['number'],
    blockTimeInMs: ['number'],
    sessionKeyPrefix: ['string'],
    onlyPlaintext: ['boolean'],
  },
  mongo: {
    url: ['string'],
    database: ['string'],
    collection: ['string'],
    requestsTimeout: ['number'],
    heartbeatInterval: ['number'],
    heartbeatTimeout: ['number'],
  },
  postgres: {
    connection: ['string', 'object'],
    channelPrefix: ['string'],
    tableName: ['string'],
    payloadThreshold: ['number'],
    cleanupInterval: ['number'],
    requestsTimeout: ['number'],
    heartbeatInterval: ['number'],
    heartbeatTimeout: ['number'],
  },
};

/** What an adapter cannot do without. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = { mongo: ['url', 'database'], postgres: ['connection'] };

function isAdapterName(name: unknown): name is AdapterName {
  return typeof name === 'string' && Object.hasOwn(ADAPTERS, name);
}

function readAdapter(adapter: unknown, redis: unknown, eggRedis: unknown): AdapterSettings | undefined {
  const alone = (name: string): void => {
    if (isSet(redis)) throw new SetupError('IO_CONFIG_INVALID', `config.io.redis is of no use to ${name}; remove one of the two`);
  };
  if (!isSet(adapter)) return isSet(redis) ? { name: 'redis', options: {}, redis: readRedis(redis, eggRedis) } : undefined;
  if (typeof adapter === 'function') {
    alone('a config.io.adapter of your own');
    return { name: 'own', create: functionAt('config.io.adapter', adapter) };
  }
  if (typeof adapter !== 'string' && typeOf(adapter) !== 'object')
    invalid('config.io.adapter', 'the name of an adapter, an object with its name and options, or a function', adapter);
  const { name, ...given } = typeof adapter === 'string' ? { name: adapter } : objectAt('config.io.adapter', adapter);
  if (!isAdapterName(name)) {
    const names = Object.keys(ADAPTERS);
    const guess = typeof name === 'string' ? ` Did you mean ${nearest(name, names)}?` : '';
    const problem = `config.io.adapter names ${typeof name === 'string' ? `'${name}'` : 'none'}; there are ${names.join(', ')}, or give a function.${guess}`;
    throw new SetupError('IO_ADAPTER_UNKNOWN', problem);
  }
  const options = readAdapterOptions(name, given);
  if (name === 'mongo' || name === 'postgres') {
    alone(`the adapter ${name}`);
    return { name, options };
  }
  const settings = { name, options, redis: readRedis(redis ?? {}, eggRedis) };
  if (name === 'redis-streams' && settings.redis.nodes && settings.redis.db)
    throw new SetupError('IO_CONFIG_INVALID', 'config.io.redis.db: a Redis Cluster has no databases; set config.io.redis.key instead');
  if (name === 'redis-sharded' && settings.redis.nodes)
    throw new SetupError(
      'IO_CONFIG_INVALID',
      "config.io.adapter 'redis-sharded' does not work over a Redis Cluster: its client does not come back from the failover of a master; take 'redis', or a Redis that is no Cluster",
    );
  return settings;
}

function readAdapterOptions(name: AdapterName, given: Record<string, unknown>): Options {
  const known = ADAPTERS[name];
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => isSet(value)));
  for (const [key, value] of Object.entries(options)) {
    const place = `config.io.adapter.${key}`;
    const wanted = known[key];
    if (!wanted) throw new SetupError('IO_CONFIG_INVALID', `${place} ${whyUnknown(name, key, Object.keys(known))}`);
    if (key === 'subscriptionMode') {
      if (!wanted.includes(String(value))) invalid(place, wanted.join(' or '));
    } else if (!wanted.includes(typeOf(value))) invalid(place, wanted.map(withArticle).join(' or '), value);
    else if (typeof value === 'number' && !(Number.isInteger(value) && value > 0)) invalid(place, 'a whole number from 1 on', value);
  }
  for (const key of REQUIRED[name] ?? []) {
    if (options[key] === undefined) throw new SetupError('IO_CONFIG_INVALID', `config.io.adapter.${key} is missing: ${name} needs it`);
  }
  return options;
}

function whyUnknown(name: AdapterName, key: string, known: readonly string[]): string {
  const owner = Object.entries(ADAPTERS).find(([, options]) => Object.hasOwn(options, key))?.[0];
  if (owner !== undefined) return `is an option of ${owner}; ${name} has ${known.join(', ')}`;
  if (name.startsWith('redis') && (key in REDIS_TYPES || ['sentinels', 'tls', 'nodes'].includes(key)))
    return 'says how to reach Redis, or what its channels are called: that belongs into config.io.redis';
  return `is no option of ${name}; did you mean ${nearest(key, known)}?`;
}

const REDIS_TYPES: Readonly<Record<string, string>> = {
  host: 'string',
  port: 'number',
  url: 'string',
  path: 'string',
  username: 'string',
  auth_pass: 'string',
  password: 'string',
  db: 'number',
  key: 'string',
  cluster: 'boolean',
  requestsTimeout: 'number',
};

function readRedis(value: unknown, eggRedis: unknown): RedisConfig {
  const redis = complete(value, eggRedis);
  for (const key of ['port', 'db']) if (typeof redis[key] === 'string' && /^\d+$/.test(redis[key])) redis[key] = Number(redis[key]); // of process.env
  for (const [key, type] of Object.entries(REDIS_TYPES)) {
    if (!isSet(redis[key])) delete redis[key];
    else if (typeof redis[key] !== type) invalid(`config.io.redis.${key}`, withArticle(type), redis[key]);
  }
  const { port, db, nodes, cluster = nodes !== undefined, sentinels, name } = redis as RedisConfig; // the types of these are seen here
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    invalid('config.io.redis.port', 'a whole number from 1 to 65535', port);
  }
  if (db !== undefined && !(Number.isInteger(db) && db >= 0)) invalid('config.io.redis.db', 'a whole number from 0 on', db);
  for (const key of ['pubClient', 'subClient']) {
    if (isSet(redis[key]))
      throw new SetupError('IO_CONFIG_REMOVED', `config.io.redis.${key}: give host and port, and the plugin makes its own clients`);
  }
  if (isSet(sentinels)) {
    serversAt('config.io.redis.sentinels', sentinels);
    if (typeof name !== 'string') invalid('config.io.redis.name', 'the name that the sentinels have for the master');
  }
  if (cluster) serversAt('config.io.redis.nodes', nodes);
  else delete redis['nodes'];
  return redis;
}

/** The options themselves, those of a URL, or those of a client of egg-redis. */
function complete(value: unknown, eggRedis: unknown): Record<string, unknown> {
  if (value === true) return ofClient(true, eggRedis);
  if (typeof value === 'string') return value.includes('://') ? ofUrl(value) : ofClient(value, eggRedis);
  const { use, url, ...given } = objectAt('config.io.redis', value, 'options, a URL, the name of a client in config.redis, or true');
  if (isSet(use) && use !== true && typeof use !== 'string') invalid('config.io.redis.use', 'a name or true', use);
  if (isSet(url) && typeof url !== 'string') invalid('config.io.redis.url', 'a string', url);
  return {
    ...(use === true || typeof use === 'string' ? ofClient(use, eggRedis) : {}),
    ...(typeof url === 'string' ? ofUrl(url) : {}),
    ...modern(given),
  };
}

/** The names that the client of Socket.IO 2's adapter had for what ioredis calls otherwise. */
function modern({ connect_timeout, no_ready_check, family, ...redis }: Record<string, unknown>): Record<string, unknown> {
  return {
    ...(isSet(connect_timeout) && { connectTimeout: connect_timeout }),
    ...(isSet(no_ready_check) && { enableReadyCheck: !no_ready_check }),
    ...(isSet(family) && { family: family === 'IPv6' ? 6 : family === 'IPv4' ? 4 : family }),
    ...redis,
  };
}

function ofUrl(text: string): Record<string, unknown> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const db = url?.pathname.slice(1) ?? '';
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '' || !/^\d*$/.test(db))
    throw new SetupError(
      'IO_CONFIG_INVALID',
      'config.io.redis must be a URL like redis://user:password@host:6379/0, or rediss:// with TLS',
    );
  return {
    host: url.hostname.replaceAll(/^\[|\]$/g, ''), // of an IPv6 address
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(db !== '' && { db: Number(db) }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}

/** What `config.redis` says of a client; the plugin makes connections of its own with it. */
function ofClient(name: string | true, eggRedis: unknown): Record<string, unknown> {
  const wanted = name === true ? 'config.io.redis is true' : `config.io.redis names the client '${name}'`;
  const unknown = (problem: string): never => {
    throw new SetupError('IO_REDIS_CLIENT_UNKNOWN', `${wanted}, ${problem}`);
  };
  if (!isSet(eggRedis))
    return unknown('but there is no config.redis: enable egg-redis or @eggjs/redis and configure it, or give host and port');
  const { client, clients, default: common } = objectAt('config.redis', eggRedis);
  const byName = isSet(clients) ? objectAt('config.redis.clients', clients) : {};
  const names = Object.keys(byName);
  const list = names.length > 0 ? names.join(', ') : 'none';
  let found: unknown;
  if (name === true) {
    found = client ?? (names.length === 1 ? byName[names[0] ?? ''] : undefined);
    if (!isSet(found)) return unknown(`which stands for the only client of config.redis; there are: ${list}. Name one`);
  } else {
    found = Object.hasOwn(byName, name) ? byName[name] : undefined;
    if (!isSet(found)) {
      const only = isSet(client) ? '; config.redis has one client, without a name: write true' : '';
      return unknown(`which config.redis.clients does not have; there are: ${list}${only}`);
    }
  }
  return { ...(isSet(common) && objectAt('config.redis.default', common)), ...objectAt('the client in config.redis', found) };
}

function serversAt(place: string, value: unknown): void {
  const wanted = "an array of servers, as [{ host: '10.0.0.1', port: 6379 }]";
  if (!Array.isArray(value) || value.length === 0) invalid(place, wanted, value);
  for (const server of value as unknown[]) {
    const { host, port } = objectAt(place, server, wanted);
    if (isSet(host) && typeof host !== 'string') invalid(place, wanted);
    if (isSet(port) && typeof port !== 'number') invalid(place, wanted);
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function objectAt(place: string, value: unknown, wanted = 'an object'): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) invalid(place, wanted, value);
  return value as Record<string, unknown>; // seen just now
}

function booleanAt(place: string, value: unknown): boolean {
  if (typeof value !== 'boolean') invalid(place, 'true or false', value);
  return value;
}

function functionAt<Fn>(place: string, value: unknown): Fn {
  if (typeof value !== 'function') invalid(place, 'a function', value);
  return value as Fn; // what it takes and returns shows when it is called
}

function namesAt(place: string, value: unknown): string[] {
  if (!Array.isArray(value) || !value.every(name => typeof name === 'string')) invalid(place, "an array of names, as ['auth']", value);
  return value;
}

function invalid(place: string, wanted: string, value?: unknown): never {
  const got = value === undefined ? '' : `, not ${typeof value === 'number' ? String(value) : withArticle(typeOf(value))}`;
  throw new SetupError('IO_CONFIG_INVALID', `${place} must be ${wanted}${got}`);
}

function unknownKey(place: string, key: string, known: readonly string[]): string {
  return messageOf('IO_CONFIG_UNKNOWN_KEY', `${place} is no option; did you mean ${nearest(key, known)}?`);
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

function withArticle(type: string): string {
  return type === 'null' ? type : `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** The name that a typing mistake most likely meant. */
function nearest(name: string, names: readonly string[]): string {
  const scored = names.map(other => ({ other, distance: distance(name.toLowerCase(), other.toLowerCase()) }));
  return scored.reduce((best, one) => (one.distance < best.distance ? one : best)).other;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, char] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries())
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (char === other ? 0 : 1)));
    row = next;
  }
  return row.at(-1) ?? 0;
}

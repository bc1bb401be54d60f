/** `config.io`: what each option means, and the check that runs while Egg starts. */
import type { IncomingMessage } from 'node:http';
import type { RedisOptions as ClientOptions } from 'ioredis';
import type { ServerOptions } from 'socket.io';
import { SetupError, messageOf } from './errors';

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

  /** Lets broadcasts and rooms cross servers by Redis. Default: none, everything stays in the process. */
  redis?: RedisConfig;

  /**
   * Whether several workers of one machine work together without sticky sessions and without Redis. `false` leaves each on its own, for
   * apps that take care of that otherwise. Default: `true`; it costs a single worker nothing.
   */
  cluster?: boolean;

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
}

export interface NamespaceConfig {
  /** Names of files in `app/io/middleware`, outermost first; `admin.auth` for `admin/auth.js`. They run around each connection. Default: none. */
  connectionMiddleware?: string[];
  /** The same, to run around each incoming event. Default: none. */
  packetMiddleware?: string[];
}

/** Options of ioredis, among them `host` (default 127.0.0.1), `port` (default 6379), `password`, and these: */
export interface RedisConfig extends ClientOptions {
  /** The name that Socket.IO 2 had for `password`. */
  auth_pass?: string;
  /** Only servers of the same number hear each other: it becomes a part of `key`, since Redis itself knows no databases here. Default: 0. */
  db?: number;
  /** The prefix of the channels. Default: `socket.io`, or `socket.io-db<n>` with a `db` other than 0. */
  key?: string;
  /** How long to wait for the answers of other servers, in ms. Default: 5000. */
  requestsTimeout?: number;
}

export type GenerateId = (request: IncomingMessage) => string | Promise<string>;

/** `config.io`, checked and complete. */
export interface Settings {
  readonly init: InitOptions;
  /** By name with its leading slash. */
  readonly namespaces: ReadonlyMap<string, Required<NamespaceConfig>>;
  readonly redis: RedisConfig | undefined;
  readonly cluster: boolean;
  readonly generateId: GenerateId | undefined;
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
  initialPacket: ['object', 'string'],
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

const KEYS = ['init', 'namespace', 'redis', 'cluster', 'generateId'];

/** Reads `config.io`. What is wrong throws; what is only unknown goes to `warn`. */
export function readConfig(config: unknown, warn: (message: string) => void): Settings {
  const io = objectAt('config.io', config ?? {});
  for (const key of Object.keys(io)) {
    if (!KEYS.includes(key)) warn(unknownKey(`config.io.${key}`, key, KEYS));
  }
  if (isSet(io['redis']) && isSet((io['init'] as InitOptions | undefined)?.adapter)) {
    throw new SetupError('IO_CONFIG_INVALID', 'config.io.redis and config.io.init.adapter are both set; keep one');
  }
  return {
    init: readInit(io['init'] ?? {}, warn),
    namespaces: readNamespaces(io['namespace'] ?? {}),
    redis: isSet(io['redis']) ? readRedis(io['redis']) : undefined,
    cluster: isSet(io['cluster']) ? booleanAt('config.io.cluster', io['cluster']) : true,
    generateId: isSet(io['generateId']) ? functionAt<GenerateId>('config.io.generateId', io['generateId']) : undefined,
  };
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

function readRedis(value: unknown): RedisConfig {
  const redis = { ...objectAt('config.io.redis', value) };
  for (const key of ['port', 'db']) if (typeof redis[key] === 'string' && /^\d+$/.test(redis[key])) redis[key] = Number(redis[key]); // of process.env
  for (const [key, type] of Object.entries(REDIS_TYPES)) {
    if (!isSet(redis[key])) delete redis[key];
    else if (typeof redis[key] !== type) invalid(`config.io.redis.${key}`, `a ${type}`, redis[key]);
  }
  const { port, db } = redis as RedisConfig; // the types of these two have just been seen
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    invalid('config.io.redis.port', 'a whole number from 1 to 65535', port);
  }
  if (db !== undefined && !(Number.isInteger(db) && db >= 0)) invalid('config.io.redis.db', 'a whole number from 0 on', db);
  for (const key of ['pubClient', 'subClient']) {
    if (isSet(redis[key]))
      throw new SetupError('IO_CONFIG_REMOVED', `config.io.redis.${key}: give host and port, and the plugin makes its own clients`);
  }
  return redis;
}

const REDIS_TYPES: Readonly<Record<string, string>> = {
  host: 'string',
  port: 'number',
  auth_pass: 'string',
  password: 'string',
  db: 'number',
  key: 'string',
  requestsTimeout: 'number',
};

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function objectAt(place: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) invalid(place, 'an object', value);
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

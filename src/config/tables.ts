/** Every option, by its place in `config.io`. The compiler compares these tables with the public types. */
import type {
  AdapterConfig,
  AdapterName,
  HistoryConfig,
  InitOptions,
  IoConfig,
  NamespaceConfig,
  PresenceConfig,
  RedisConfig,
  UserLimits,
} from './options';
import type { AuthConfig, CheckAuth, ExpiresAt, NamespaceAuth, RecheckConfig, RenewAuth } from './auth-options';
import { booleanAt, functionAt, oneOf, readEach, type Readers, stringAt, stringOrObjectAt, numberAt, wholeNumber } from './readers';

/** `config.io` */
export const OPTIONS = {
  init: true,
  namespace: true,
  adapter: true,
  redis: true,
  cluster: true,
  acknowledge: true,
  unmatched: true,
  idempotencyTtl: true,
  checkOutgoing: true,
  documents: true,
  limits: true,
  accessLog: true,
  drain: true,
  health: true,
  prometheus: true,
  tracing: true,
  admin: true,
  adminUi: true,
  onerror: true,
  auth: true,
  generateId: true,
  allowedHosts: true,
  bind: true,
} satisfies Record<keyof IoConfig, true>;

/** `config.io.init`: the allowed types of each option. Socket.IO and Engine.IO check the rest. */
export const INIT_TYPES = {
  adapter: ['function'],
  addTrailingSlash: ['boolean'],
  allowEIO3: ['boolean', 'string'],
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

/** The defaults that differ from those of Socket.IO and Engine.IO. */
export const INIT_DEFAULTS = { wsEngine: 'ws', allowEIO3: true, serveClient: false } satisfies InitOptions;

/** `config.io.init.cors` */
export const CORS_OPTIONS = {
  origin: true,
  methods: true,
  allowedHeaders: true,
  exposedHeaders: true,
  credentials: true,
  maxAge: true,
  preflightContinue: true,
  optionsSuccessStatus: true,
} satisfies Record<keyof Extract<NonNullable<InitOptions['cors']>, { origin?: unknown }>, true>;

/** `config.io.init.connectionStateRecovery` */
export const RECOVERY_OPTIONS = { maxDisconnectionDuration: true, skipMiddlewares: true, owner: true } satisfies Record<
  keyof NonNullable<InitOptions['connectionStateRecovery']>,
  true
>;

/** `config.io.namespace['/']` */
export const NAMESPACE_OPTIONS = {
  connectionMiddleware: true,
  packetMiddleware: true,
  ordered: true,
  limits: true,
  userLimits: true,
  presence: true,
  onerror: true,
  auth: true,
  history: true,
} satisfies Record<keyof NamespaceConfig, true>;

/** `config.io.namespace['/'].userLimits` */
export const USER_LIMITS = { connections: true, whenFull: true, events: true, burst: true } satisfies Record<keyof UserLimits, true>;

/** `config.io.namespace['/'].presence['room:*']` */
export const PRESENCE_OPTIONS = { grace: wholeNumber(0, 86_400_000) } satisfies Readers<PresenceConfig>;

const count = wholeNumber(1);
const ms = wholeNumber(1);
const bytes = wholeNumber(1);

/** `config.io.namespace['/'].history['room:*']` */
export const HISTORY_OPTIONS = { size: wholeNumber(1, 10_000), ttl: ms, since: oneOf('joined', 'ever') } satisfies Readers<HistoryConfig>;

/** `config.io.namespace['/'].auth.recheck` */
const RECHECK_OPTIONS = { every: ms, check: functionAt<CheckAuth> } satisfies Readers<RecheckConfig>;

/** `config.io.namespace['/'].auth` */
export const AUTH_OPTIONS = {
  maxAge: ms,
  expiresAt: functionAt<ExpiresAt>,
  recheck: (place: string, value: unknown) => readEach<RecheckConfig>(place, value, RECHECK_OPTIONS),
  renew: functionAt<RenewAuth>,
} satisfies Readers<NamespaceAuth>;

/** `config.io.auth` */
export const GLOBAL_AUTH_OPTIONS = { ...AUTH_OPTIONS, followSession: booleanAt } satisfies Readers<AuthConfig>;

type ConfigOf<Name extends AdapterName> = Extract<AdapterConfig, { name: Name }>;

/** `config.io.adapter`, except `name` */
export const ADAPTERS = {
  redis: { requestsTimeout: ms, publishOnSpecificResponseChannel: booleanAt, interop: booleanAt },
  'redis-sharded': { requestsTimeout: ms, subscriptionMode: oneOf('static', 'dynamic', 'dynamic-private'), interop: booleanAt },
  'redis-streams': {
    requestsTimeout: ms,
    interop: booleanAt,
    streamName: stringAt,
    streamCount: count,
    maxLen: count,
    readCount: count,
    blockTimeInMs: ms,
    sessionKeyPrefix: stringAt,
    onlyPlaintext: booleanAt,
  },
  mongo: {
    url: stringAt,
    database: stringAt,
    collection: stringAt,
    requestsTimeout: ms,
    interop: booleanAt,
    heartbeatInterval: ms,
    heartbeatTimeout: ms,
  },
  postgres: {
    connection: stringOrObjectAt,
    channelPrefix: stringAt,
    tableName: stringAt,
    payloadThreshold: bytes,
    cleanupInterval: ms,
    requestsTimeout: ms,
    interop: booleanAt,
    heartbeatInterval: ms,
    heartbeatTimeout: ms,
  },
} satisfies { readonly [Name in AdapterName]: Readers<Omit<ConfigOf<Name>, 'name'>> };

/** Options of adapters that have no default. */
export const REQUIRED = {
  redis: [],
  'redis-sharded': [],
  'redis-streams': [],
  mongo: ['url', 'database'],
  postgres: ['connection'],
} satisfies { readonly [Name in AdapterName]: readonly (keyof ConfigOf<Name>)[] };

/** The options of `config.io.redis` that are checked here. All others are those of ioredis. */
export const REDIS_OPTIONS = {
  host: stringAt,
  port: wholeNumber(1, 65_535),
  url: stringAt,
  path: stringAt,
  username: stringAt,
  auth_pass: stringAt,
  password: stringAt,
  db: wholeNumber(0),
  key: stringAt,
  cluster: booleanAt,
  requestsTimeout: numberAt, // 4.1.6 accepted any number
} satisfies Partial<Readers<RedisConfig>>;

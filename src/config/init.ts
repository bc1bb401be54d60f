/** `config.io.init`: the options of Socket.IO and Engine.IO. */
import { SetupError } from '../errors';
import type { InitOptions } from './options';
import { invalid, isSet, objectAt, typeOf, unknownKey, withArticle } from './readers';

/** Where they differ from those of Socket.IO and Engine.IO. */
export const INIT_DEFAULTS = { wsEngine: 'ws', allowEIO3: true, serveClient: false } satisfies InitOptions;

/** Socket.IO and Engine.IO check the rest of what their options have to be. */
const TYPES = {
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

/** @param warn gets what is probably a mistake */
export function readInit(value: unknown, warn: (message: string) => void): InitOptions {
  const given = objectAt('config.io.init', value);
  if ('origins' in given) {
    throw new SetupError(
      'IO_CONFIG_REMOVED',
      "config.io.init.origins is of Socket.IO 2; list the origins in config.io.init.cors.origin, as { cors: { origin: ['https://example.com'] } }",
    );
  }
  const init: InitOptions = { ...INIT_DEFAULTS }; // a copy, since Socket.IO writes into its options
  for (const [key, value] of Object.entries(given)) {
    if (!isSet(value)) continue;
    const place = `config.io.init.${key}`;
    const types: readonly string[] | undefined = Object.hasOwn(TYPES, key) ? TYPES[key as keyof InitOptions] : undefined; // seen just now
    if (!types) warn(unknownKey(place, key, Object.keys(TYPES)));
    else if (value !== false && !types.includes(typeOf(value))) invalid(place, types.map(withArticle).join(' or '), value); // to switch off what has no switch is no mistake
    Object.assign(init, { [key]: value });
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
  } else delete init.connectionStateRecovery; // false, of which Socket.IO knows nothing
  if (!init.adapter) delete init.adapter; // the same
  return init;
}

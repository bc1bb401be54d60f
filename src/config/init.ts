/** `config.io.init`: the options of Socket.IO and Engine.IO. */
import { SetupError } from '../errors';
import type { InitOptions } from './options';
import { unknownOption } from './places';
import { functionAt, invalid, isSet, objectAt, typeOf, withArticle } from './readers';
import { CORS_OPTIONS, INIT_DEFAULTS, INIT_TYPES, RECOVERY_OPTIONS } from './tables';

const TRANSPORTS = ['polling', 'websocket'];

/** @param warn called for each probable mistake */
export function readInit(value: unknown, warn: (message: string) => void): InitOptions {
  const given = objectAt('config.io.init', value);
  if ('origins' in given) {
    throw new SetupError(
      'IO_CONFIG_REMOVED',
      "config.io.init.origins was an option of Socket.IO 2; list the origins in config.io.init.cors.origin, such as { cors: { origin: ['https://example.com'] } }",
    );
  }
  const init: InitOptions = { ...INIT_DEFAULTS }; // a copy, since Socket.IO writes to its options
  for (const [key, value] of Object.entries(given)) {
    if (!isSet(value)) continue;
    const types: readonly string[] | undefined = Object.hasOwn(INIT_TYPES, key) ? INIT_TYPES[key as keyof InitOptions] : undefined; // checked just now
    if (!types) warn(unknownOption('config.io.init', key));
    else if (value !== false && !types.includes(typeOf(value)))
      invalid(`config.io.init.${key}`, types.map(withArticle).join(' or '), value); // false turns off any option
    Object.assign(init, { [key]: value });
  }
  for (const [option, known] of Object.entries({ cors: CORS_OPTIONS, connectionStateRecovery: RECOVERY_OPTIONS })) {
    const names = typeOf(given[option]) === 'object' ? Object.keys(given[option] as object) : []; // checked just now
    for (const key of names) if (!Object.hasOwn(known, key)) warn(unknownOption(`config.io.init.${option}`, key));
  }
  if (isSet(given['allowEIO3']) && ![true, false, 'websocket'].includes(init.allowEIO3 ?? true))
    invalid('config.io.init.allowEIO3', "true, false or 'websocket'");
  if (typeof init.cookie === 'string') init.cookie = { name: init.cookie }; // the form of Socket.IO 2
  for (const transport of init.transports ?? []) {
    if (transport === 'webtransport')
      invalid(
        'config.io.init.transports',
        'an array without webtransport, which has no HTTP request: origins, hosts, addresses and limits of handshakes could not be checked',
      );
    if (typeof transport !== 'string' || !TRANSPORTS.includes(transport))
      invalid('config.io.init.transports', `an array of ${TRANSPORTS.join(', ')}`);
  }
  if (init.connectionStateRecovery) {
    const { skipMiddlewares = false, owner } = init.connectionStateRecovery;
    if (isSet(owner)) functionAt('config.io.init.connectionStateRecovery.owner', owner);
    if (skipMiddlewares)
      invalid(
        'config.io.init.connectionStateRecovery.skipMiddlewares',
        'false: the routes, session and guards of a recovered client depend on middleware',
      );
    init.connectionStateRecovery = { ...init.connectionStateRecovery, skipMiddlewares };
  } else delete init.connectionStateRecovery; // Socket.IO does not support false
  if (!init.adapter) delete init.adapter; // the same
  return init;
}

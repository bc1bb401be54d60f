/** Finds the option that an unknown one most likely means: at another place, or with another spelling. */
import { messageOf } from '../errors';
import { nearest } from '../nearest';
import { LIMITS } from './limits';
import {
  ADAPTERS,
  AUTH_OPTIONS,
  CORS_OPTIONS,
  GLOBAL_AUTH_OPTIONS,
  INIT_TYPES,
  NAMESPACE_OPTIONS,
  OPTIONS,
  RECOVERY_OPTIONS,
  REDIS_OPTIONS,
  USER_LIMITS,
} from './tables';

/** The options by place, in search order. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  'config.io': Object.keys(OPTIONS),
  'config.io.init': Object.keys(INIT_TYPES),
  'config.io.init.cors': Object.keys(CORS_OPTIONS),
  'config.io.init.connectionStateRecovery': Object.keys(RECOVERY_OPTIONS),
  "config.io.namespace['/']": Object.keys(NAMESPACE_OPTIONS),
  "config.io.namespace['/'].userLimits": Object.keys(USER_LIMITS),
  "config.io.namespace['/'].auth": Object.keys(AUTH_OPTIONS),
  'config.io.auth': Object.keys(GLOBAL_AUTH_OPTIONS),
  'config.io.limits': Object.keys(LIMITS).filter(name => name !== 'namespaces'), // elsewhere that is a slip of `namespace`
  'config.io.redis': [...Object.keys(REDIS_OPTIONS), 'nodes', 'sentinels', 'tls'],
  'config.io.adapter': Object.values(ADAPTERS).flatMap(options => Object.keys(options)),
};

/** The warning for an unknown option at one of `PLACES`. */
export function unknownOption(place: string, key: string): string {
  const known = PLACES[place] ?? [];
  return messageOf(
    'IO_CONFIG_UNKNOWN_KEY',
    `${place}.${key} is not an option${didYouMean(otherPlaceOf(place, key) ?? nearest(key, known), known)}`,
  );
}

/** The end of a sentence: the guess, or else the known options if they are few. */
export function didYouMean(guess: string | undefined, known: readonly string[]): string {
  if (guess !== undefined) return `; did you mean ${guess}?`;
  return known.length > 25 ? '' : `; the options are ${known.join(', ')}`;
}

/** The full name of an option that exists at another place. Undefined if there is none, or if it exists at this place. */
export function otherPlaceOf(place: string, key: string): string | undefined {
  if (PLACES[place]?.includes(key)) return undefined;
  if (key.startsWith('/')) return `config.io.namespace['${key}']`;
  if (key === 'origins') return 'config.io.init.cors.origin'; // of Socket.IO 2
  const other = Object.entries(PLACES).find(([other, known]) => other !== place && known.includes(key))?.[0];
  return other && `${other}.${key}`;
}

/** Which option was most likely meant by one that there is not: at its place or at another one, or by another spelling. */
import { messageOf } from '../errors';
import { ADAPTERS, CORS_OPTIONS, INIT_TYPES, NAMESPACE_OPTIONS, OPTIONS, RECOVERY_OPTIONS, REDIS_OPTIONS } from './tables';

/** By place, in the order in which they are searched. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  'config.io': Object.keys(OPTIONS),
  'config.io.init': Object.keys(INIT_TYPES),
  'config.io.init.cors': Object.keys(CORS_OPTIONS),
  'config.io.init.connectionStateRecovery': Object.keys(RECOVERY_OPTIONS),
  "config.io.namespace['/']": Object.keys(NAMESPACE_OPTIONS),
  'config.io.redis': [...Object.keys(REDIS_OPTIONS), 'nodes', 'sentinels', 'tls'],
  'config.io.adapter': Object.values(ADAPTERS).flatMap(options => Object.keys(options)),
};

/** The warning for an option that is not known at its place, which is one of `PLACES`. */
export function unknownOption(place: string, key: string): string {
  const known = PLACES[place] ?? [];
  return messageOf(
    'IO_CONFIG_UNKNOWN_KEY',
    `${place}.${key} is no option${didYouMean(otherPlaceOf(place, key) ?? nearest(key, known), known)}`,
  );
}

/** The end of a sentence: the guess, or else the options that there are, where they are few. */
export function didYouMean(guess: string | undefined, known: readonly string[]): string {
  if (guess !== undefined) return `; did you mean ${guess}?`;
  return known.length > 8 ? '' : `; there are ${known.join(', ')}`;
}

/** Where an option of this name belongs, if not at this place. */
export function otherPlaceOf(place: string, key: string): string | undefined {
  if (PLACES[place]?.includes(key)) return undefined;
  if (key.startsWith('/')) return `config.io.namespace['${key}']`;
  if (key === 'origins') return 'config.io.init.cors.origin'; // of Socket.IO 2
  const other = Object.entries(PLACES).find(([other, known]) => other !== place && known.includes(key))?.[0];
  return other && `${other}.${key}`;
}

/** The name that a typing mistake most likely meant. Undefined where none is near. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const scored = names
    .map(other => ({ other, distance: distance(name.toLowerCase(), other.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.ceil(name.length / 3));
  return scored.sort((one, other) => one.distance - other.distance)[0]?.other;
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

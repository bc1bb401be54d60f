/** Readers of single values. A wrong value throws a SetupError that names its place. */
import { messageOf, SetupError } from '../errors';

export type Reader<Value> = (place: string, value: unknown) => Value;

/** One reader for each option of a type. */
export type Readers<Options> = { readonly [Name in keyof Options]-?: Reader<NonNullable<Options[Name]>> };

/** An option that is undefined or null counts as left out. */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

export function objectAt(place: string, value: unknown, wanted = 'an object'): Record<string, unknown> {
  if (typeOf(value) !== 'object') invalid(place, wanted, value);
  return value as Record<string, unknown>; // seen just now
}

export function booleanAt(place: string, value: unknown): boolean {
  if (typeof value !== 'boolean') invalid(place, 'true or false', value);
  return value;
}

export function stringAt(place: string, value: unknown): string {
  if (typeof value !== 'string') invalid(place, 'a string', value);
  return value;
}

export function functionAt<Fn>(place: string, value: unknown): Fn {
  if (typeof value !== 'function') invalid(place, 'a function', value);
  return value as Fn; // what it takes and returns shows when it is called
}

export function namesAt(place: string, value: unknown): string[] {
  if (!Array.isArray(value) || !value.every(name => typeof name === 'string')) invalid(place, "an array of names, as ['auth']", value);
  return value;
}

export function stringOrObjectAt(place: string, value: unknown): string | object {
  if (typeof value === 'string') return value;
  return objectAt(place, value, 'a string or an object');
}

export function oneOf<Value extends string>(...values: readonly Value[]): Reader<Value> {
  return (place, value) => values.find(known => known === value) ?? invalid(place, values.join(' or '));
}

/** @param last none where it is left out */
export function wholeNumber(first: number, last = Number.POSITIVE_INFINITY): Reader<number> {
  return (place, value) => {
    if (typeof value !== 'number') invalid(place, 'a number', value);
    if (!Number.isInteger(value) || value < first || value > last)
      invalid(place, `a whole number from ${first} ${last === Number.POSITIVE_INFINITY ? 'on' : `to ${last}`}`, value);
    return value;
  };
}

/** @param value is named in the message, unless it is undefined */
export function invalid(place: string, wanted: string, value?: unknown): never {
  const got = value === undefined ? '' : `, not ${typeof value === 'number' ? String(value) : withArticle(typeOf(value))}`;
  throw new SetupError('IO_CONFIG_INVALID', `${place} must be ${wanted}${got}`);
}

export function unknownKey(place: string, key: string, known: readonly string[]): string {
  return messageOf('IO_CONFIG_UNKNOWN_KEY', `${place} is no option; did you mean ${nearest(key, known)}?`);
}

export function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

export function withArticle(type: string): string {
  return type === 'null' ? type : `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** The name that a typing mistake most likely meant. */
export function nearest(name: string, names: readonly string[]): string {
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

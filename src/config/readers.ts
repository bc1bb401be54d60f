/** Readers of single values. They throw a SetupError that names the place of a wrong value. */
import { SetupError } from '../errors';
import { nearest } from '../nearest';

export type Reader<Value> = (place: string, value: unknown) => Value;

/** A reader for each option of a type. */
export type Readers<Options> = { readonly [Name in keyof Options]-?: Reader<NonNullable<Options[Name]>> };

/** Whether an option is set: undefined and null count as omitted. */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

export function objectAt(place: string, value: unknown, wanted = 'an object'): Record<string, unknown> {
  if (typeOf(value) !== 'object') invalid(place, wanted, value);
  return value as Record<string, unknown>; // checked just now
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
  return value as Fn; // its parameters cannot be checked
}

export function namesAt(place: string, value: unknown): string[] {
  if (!Array.isArray(value) || !value.every(name => typeof name === 'string')) invalid(place, "an array of names, such as ['auth']", value);
  return value;
}

export function stringOrObjectAt(place: string, value: unknown): string | object {
  if (typeof value === 'string') return value;
  return objectAt(place, value, 'a string or an object');
}

export function oneOf<Value extends string>(...values: readonly Value[]): Reader<Value> {
  return (place, value) => values.find(known => known === value) ?? invalid(place, values.map(known => `'${known}'`).join(' or '));
}

export function numberAt(place: string, value: unknown): number {
  return typeof value === 'number' ? value : invalid(place, 'a number', value);
}

/** @param last the largest allowed number. Default: no limit. */
export function wholeNumber(first: number, last = Number.POSITIVE_INFINITY): Reader<number> {
  return (place, value) => {
    if (typeof value !== 'number') invalid(place, 'a number', value);
    if (!Number.isInteger(value) || value < first || value > last)
      invalid(place, `a whole number from ${first} ${last === Number.POSITIVE_INFINITY ? 'on' : `to ${last}`}`, value);
    return value;
  };
}

/** A reader for an option that need not be set. */
export function withDefault<Value, const Default>(read: Reader<Value>, fallback: Default): Reader<Value | Default> {
  return (place, value) => (isSet(value) ? read(place, value) : fallback);
}

/** Reads an object with the options that `readers` has, and no others. */
export function readEach<Options>(
  place: string,
  value: unknown,
  readers: { readonly [Name in keyof Options]: Reader<Options[Name]> },
): Options {
  const given = objectAt(place, value ?? {});
  refuseUnknown(place, given, readers);
  const entries = Object.entries<Reader<unknown>>(readers).map(([name, read]) => [
    name,
    read(`${place}.${name}`, given[name] ?? undefined),
  ]);
  return Object.fromEntries(entries) as Options; // has the result of each of its readers
}

/** @param options those that an object may have @param otherPlaceOf finds an unknown one at another place of the config */
export function refuseUnknown(place: string, given: object, options: object, otherPlaceOf?: (key: string) => string | undefined): void {
  const known = Object.keys(options);
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const guess = otherPlaceOf?.(key) ?? nearest(key, known);
    invalid(place, `an object with ${known.join(', ')}; it has ${key}${guess === undefined ? '' : `, did you mean ${guess}?`}`);
  }
}

/** Reads an object with the options that `readers` has, each with its default, and no others. */
export function readOptions<Options>(
  place: string,
  value: unknown,
  readers: Readers<Options>,
  defaults: Required<Options>,
): Required<Options> {
  const entries = Object.entries<Reader<unknown>>(readers).map(([name, read]) => [
    name,
    withDefault(read, defaults[name as keyof Options]), // of the same options
  ]);
  return readEach(place, value, Object.fromEntries(entries) as { [Name in keyof Required<Options>]: Reader<Required<Options>[Name]> }); // one for each
}

/** Reads an option that is off unless it is `true`, for all defaults, or an object. Undefined if it is off. */
export function readSwitch<Options>(
  place: string,
  value: unknown,
  readers: Readers<Options>,
  defaults: Required<Options>,
): Required<Options> | undefined {
  if (!isSet(value) || value === false) return undefined;
  if (value === true) return defaults;
  return readOptions(place, objectAt(place, value, 'true, false or an object'), readers, defaults);
}

/** @param value its type, or the number itself, is named in the message, unless it is undefined */
export function invalid(place: string, wanted: string, value?: unknown): never {
  const got = value === undefined ? '' : `, not ${typeof value === 'number' ? String(value) : withArticle(typeOf(value))}`;
  throw new SetupError('IO_CONFIG_INVALID', `${place} must be ${wanted}${got}`);
}

export function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

export function withArticle(type: string): string {
  return type === 'null' ? type : `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** What the converters of all libraries have in common. */
import { isPromiseLike } from '../../contract/check';
import type { SchemaResult, StandardSchema } from '../../contract/contract';

/** A JSON Schema, draft 7. Its references begin at itself: `#/definitions/...` or `#`. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a library is given. */
export interface Conversion {
  /** The part of [Standard JSON Schema](https://standardschema.dev), where the library has it. */
  readonly standard: StandardJsonSchema | undefined;
  /** Loads a module that the app has installed. Undefined if it has not. */
  readonly load: (name: string) => unknown;
  /** Whether the server sends the value. */
  readonly isOutgoing: boolean;
  /** To be called with what JSON Schema cannot express. */
  readonly leaveOut: (what: string) => void;
}

/** Converts what a schema accepts. */
export interface StandardJsonSchema {
  input(options: { target: 'draft-07'; libraryOptions?: Record<string, unknown> }): Record<string, unknown>;
}

/** Converts a schema, or returns the package that the app lacks for that. */
export type Converter = (schema: object, conversion: Conversion) => Record<string, unknown> | string;

/** Whether a key or an item may be missing. */
export function acceptsUndefined(schema: StandardSchema | undefined): boolean {
  const result = schema && validateNow(schema, undefined);
  return result !== undefined && result.issues === undefined;
}

/** What a schema makes of a value. Undefined if that is not known at once, or if it throws. */
export function validateNow(schema: StandardSchema, value: unknown): SchemaResult<unknown> | undefined {
  try {
    const result = schema['~standard'].validate(value);
    if (!isPromiseLike(result)) return result;
    Promise.resolve(result).catch(() => {}); // no answer in time, whatever it is
  } catch {
    // no answer either
  }
  return undefined;
}

/** An item of an array as it arrives: as JSON, undefined is null. */
export function arrivedItem(item: unknown, schema: StandardSchema | undefined): unknown {
  return acceptsUndefined(schema) ? { anyOf: [item, { type: 'null' }] } : item;
}

/** The number of items that cannot be omitted: the first ones. */
export function requiredItems(items: readonly StandardSchema[]): number {
  return items.findLastIndex(item => !acceptsUndefined(item)) + 1;
}

/** What a class is called in the list of what is left out. */
export function instanceOf(class_: unknown): string {
  return typeof class_ === 'function' ? `an instance of ${class_.name}` : 'an instance of a class';
}

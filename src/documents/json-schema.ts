/**
 * Converts schemas of contracts to JSON Schema, draft 7, by the converter of their library. What JSON Schema cannot
 * express is left out, and named, so that the result accepts more than the schema. docs/contracts.md names the two cases in which it does not.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { StandardSchema } from '../contract/contract';
import { oneLine, SetupError } from '../errors';
import { toError } from '../thrown';
import type { Converter, JsonSchema, StandardJsonSchema } from './libraries/converter';
import { convertArktype } from './libraries/arktype';
import { convertValibot } from './libraries/valibot';
import { convertZod } from './libraries/zod';
import { loosen } from './loosen';

interface Converted {
  readonly schema: JsonSchema;
  /** What the schema does and JSON Schema cannot express. */
  readonly leftOut: readonly string[];
}

const CONVERTERS: Readonly<Record<string, Converter>> = { arktype: convertArktype, valibot: convertValibot, zod: convertZod };

/**
 * Converts a schema.
 *
 * @param baseDir the folder of the app, whose packages may convert its schemas
 * @param isOutgoing whether the server sends the value: an undefined item of an array is null then
 * @param place where the schema is, for messages
 * @throws SetupError if there is no converter for it
 */
export function toJsonSchema(schema: StandardSchema, baseDir: string, isOutgoing: boolean, place: string): Converted {
  const { vendor } = schema['~standard'];
  const leftOut = new Set<string>();
  const converter = Object.hasOwn(CONVERTERS, vendor) ? CONVERTERS[vendor] : undefined;
  const leaveOut = (what: string): void => void leftOut.add(what);
  const conversion = { standard: standardOf(schema), load: loaderOf(baseDir), isOutgoing, leaveOut };
  let result: Record<string, unknown> | string;
  try {
    result = plain((converter ?? convertOther)(schema, conversion));
  } catch (error) {
    leaveOut(`the whole schema: ${oneLine(toError(error).message)}`); // as the converter says
    result = {};
  }
  if (typeof result === 'string')
    throw new SetupError('IO_JSON_SCHEMA_MISSING', `${place}: there is no JSON Schema of this schema of ${vendor}; ${result}`);
  const { $schema: _dialect, ...rest } = result; // of the document
  return { schema: loosen(rest, leaveOut), leftOut: [...leftOut] };
}

const convertOther: Converter = (_schema, { standard }) =>
  standard?.input({ target: 'draft-07' }) ?? 'use a library with Standard JSON Schema';

function standardOf(schema: StandardSchema): StandardJsonSchema | undefined {
  const found: unknown = Reflect.get(schema['~standard'], 'jsonSchema');
  return typeof found === 'object' && found !== null && 'input' in found ? (found as StandardJsonSchema) : undefined; // by its specification
}

function loaderOf(baseDir: string): (name: string) => unknown {
  const requireFromApp = createRequire(join(baseDir, 'package.json'));
  return name => {
    try {
      return requireFromApp(name) as unknown;
    } catch {
      return undefined;
    }
  };
}

/** As JSON has it: without what libraries keep in symbols and prototypes. @throws TypeError if JSON cannot express it, such as a bigint */
function plain<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value; // of plain data, which is what converters return
}

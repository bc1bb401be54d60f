/** JSON Schema of zod 4, by zod itself. Its converter describes some schemas as stricter than they are. */
import type { StandardSchema } from '../../contract/contract';
import { acceptsUndefined, arrivedItem, type Conversion, type Converter, instanceOf, requiredItems, validateNow } from './converter';

/** The part of a schema that is read here. */
interface ZodSchema extends StandardSchema {
  readonly _zod: {
    readonly def: ZodDefinition;
    /** What else is known: the class, for z.instanceof(). */
    readonly bag: { readonly Class?: unknown };
  };
}

interface ZodDefinition {
  readonly type: string;
  /** Whether the value is converted before it is checked. */
  readonly coerce?: boolean;
  /** Of an object. */
  readonly shape?: Readonly<Record<string, ZodSchema>>;
  /** Of an array. */
  readonly element?: ZodSchema;
  /** Of a tuple. */
  readonly items?: readonly ZodSchema[];
  readonly rest?: ZodSchema | null;
  /** Of a pipe. */
  readonly in?: ZodSchema;
  /** Of a pipe that is a codec. */
  readonly transform?: unknown;
  readonly checks?: readonly { readonly _zod: { readonly def: ZodCheck } }[];
}

interface ZodCheck {
  readonly check: string;
  readonly pattern?: RegExp;
}

interface Override {
  readonly zodSchema: ZodSchema;
  readonly jsonSchema: Record<string, unknown>;
}

interface ZodCore {
  toJSONSchema(schema: object, options: object): Record<string, unknown>;
}

/** Types without a counterpart in JSON. */
const NOT_IN_JSON = new Set(['bigint', 'custom', 'date', 'file', 'function', 'map', 'nan', 'promise', 'set', 'symbol', 'transform']);

/** What checks may have added. */
const OF_CHECKS = `pattern format minLength maxLength contentEncoding allOf minItems maxItems multipleOf
  minimum maximum exclusiveMinimum exclusiveMaximum`.split(/\s+/);

export const convertZod: Converter = (schema, conversion) => {
  const override = (context: Override): void => correct(context, conversion);
  const options = { io: 'input', unrepresentable: 'any', override };
  if (conversion.standard) return conversion.standard.input({ target: 'draft-07', libraryOptions: options });
  // zod 4.0, 4.1 and zod/mini; zod 3.25 has zod 4 under this name too
  const core = conversion.load('zod/v4/core');
  if (!('_zod' in schema) || !isCore(core)) return 'install zod 4';
  return core.toJSONSchema(schema, { target: 'draft-7', ...options });
};

/** Takes away what the schema does not ask for. */
function correct({ zodSchema, jsonSchema }: Override, { isOutgoing, leaveOut }: Conversion): void {
  const { def, bag } = zodSchema._zod;
  const { type, coerce, checks = [], shape, items } = def;
  const clear = (what: string): void => {
    leaveOut(what);
    for (const key of Object.keys(jsonSchema)) if (key !== 'description' && key !== 'examples') delete jsonSchema[key];
  };
  if (type === 'undefined' || type === 'void') jsonSchema['type'] = 'null'; // as it arrives
  if (NOT_IN_JSON.has(type)) clear('Class' in bag ? instanceOf(bag.Class) : type);
  if (type === 'catch') clear('catch'); // accepts anything
  if (coerce) clear('coercion');
  if (type === 'pipe' && def.in?._zod.def.type === 'transform') clear('preprocess');
  else if (def.transform) leaveOut('codec');
  const { required } = jsonSchema;
  if (shape && Array.isArray(required)) {
    const missing = missingKeys(zodSchema);
    jsonSchema['required'] = required.filter((key: string) => missing.has(key) || !acceptsUndefined(shape[key]));
  }
  if (items && 'minItems' in jsonSchema) jsonSchema['minItems'] = Math.min(Number(jsonSchema['minItems']), requiredItems(items));
  if (isOutgoing) correctItems(def, jsonSchema);
  for (const { _zod } of checks) {
    const { check, pattern } = _zod.def;
    if (check === 'custom') leaveOut('refine');
    if (check === 'overwrite' && checks.at(-1)?._zod !== _zod) {
      leaveOut('checks after a change');
      for (const key of OF_CHECKS) delete jsonSchema[key];
      if (jsonSchema['type'] === 'integer') jsonSchema['type'] = 'number';
    }
    if (pattern && /[ims]/.test(pattern.flags)) {
      leaveOut('flags of a regular expression');
      for (const key of ['pattern', 'allOf']) delete jsonSchema[key];
    }
  }
}

/** The keys that an object without any lacks: `z.unknown()` accepts undefined, and may have to be there. */
function missingKeys(schema: ZodSchema): ReadonlySet<unknown> {
  return new Set(validateNow(schema, {})?.issues?.map(({ path }) => path?.[0]));
}

function correctItems({ element, items: schemas, rest }: ZodDefinition, jsonSchema: Record<string, unknown>): void {
  const { items, additionalItems } = jsonSchema;
  if (element) jsonSchema['items'] = arrivedItem(items, element);
  if (schemas && Array.isArray(items)) jsonSchema['items'] = items.map((item, index) => arrivedItem(item, schemas[index]));
  if (rest) jsonSchema['additionalItems'] = arrivedItem(additionalItems, rest);
}

function isCore(core: unknown): core is ZodCore {
  return typeof core === 'object' && core !== null && 'toJSONSchema' in core;
}

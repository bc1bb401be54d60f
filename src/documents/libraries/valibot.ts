/** JSON Schema of valibot 1, by `@valibot/to-json-schema`, which describes some schemas as stricter than they are. */
import type { StandardSchema } from '../../contract/contract';
import { arrivedItem, type Conversion, type Converter, instanceOf, requiredItems } from './converter';

const PACKAGE = '@valibot/to-json-schema';

/** The part of a schema that is read here. */
interface ValibotSchema extends StandardSchema {
  readonly type: string;
  /** What a wrong value is replaced by. */
  readonly fallback?: unknown;
  /** Of an array. */
  readonly item?: StandardSchema;
  /** Of a tuple. */
  readonly items?: readonly StandardSchema[];
  /** Of a tuple with more items. */
  readonly rest?: StandardSchema;
  /** Of an instance. */
  readonly class?: unknown;
  /** Of an object. */
  readonly entries?: Readonly<Record<string, object>>;
}

/** What a schema of a pipe is followed by. */
interface ValibotAction {
  readonly kind: string;
  readonly type: string;
  readonly requirement?: unknown;
}

interface Override {
  readonly jsonSchema: Record<PropertyKey, unknown>;
  /** Why it cannot be converted. */
  readonly errors: readonly string[] | undefined;
}

interface ValibotConverter {
  toJsonSchema(schema: object, options: object): Record<string, unknown>;
}

/** In a JSON Schema that is being made: what it was when its pipe changed the value. JSON leaves it out. */
const UNCHANGED = Symbol('before the first change');

export const convertValibot: Converter = (schema, conversion) => {
  const { load, leaveOut } = conversion;
  const converter = load(PACKAGE);
  if (!isConverter(converter)) return `install ${PACKAGE}`;
  if (acceptsAll(schema)) {
    leaveOut('fallback');
    return {};
  }
  return converter.toJsonSchema(schema, {
    target: 'draft-07',
    typeMode: 'input',
    errorMode: 'ignore',
    overrideSchema: (context: Override & { valibotSchema: ValibotSchema }) => correctSchema(context, conversion),
    overrideAction: (context: Override & { valibotAction: ValibotAction }) => correctAction(context, leaveOut),
  });
};

type LeaveOut = Conversion['leaveOut'];

function correctSchema(
  { valibotSchema, jsonSchema, errors }: Override & { valibotSchema: ValibotSchema },
  { isOutgoing, leaveOut }: Conversion,
): unknown {
  const { type, item, items, entries = {} } = valibotSchema;
  if (type === 'undefined' || type === 'void') return { type: 'null' }; // as it arrives
  if (acceptsAll(valibotSchema)) leaveOut('fallback');
  else if (type === 'instance') leaveOut(instanceOf(valibotSchema.class));
  else if (errors) leaveOut(type);
  else if (items) return { ...jsonSchema, minItems: requiredItems(items), ...(isOutgoing && arrivedTuple(valibotSchema, jsonSchema)) };
  else if (item) return isOutgoing ? { ...jsonSchema, items: arrivedItem(jsonSchema['items'], item) } : undefined;
  else
    return withFallbacks(
      jsonSchema,
      Object.keys(entries).filter(key => acceptsAll(entries[key])),
      leaveOut,
    );
  return {};
}

function arrivedTuple({ items = [], rest }: ValibotSchema, { items: parts, additionalItems }: Override['jsonSchema']): object {
  return {
    items: (parts as unknown[]).map((part, index) => arrivedItem(part, items[index])), // of a tuple
    ...(additionalItems !== undefined && { additionalItems: arrivedItem(additionalItems, rest) }),
  };
}

/** Makes keys of an object optional, with any value. */
function withFallbacks(object: Record<PropertyKey, unknown>, keys: readonly string[], leaveOut: LeaveOut): unknown {
  if (keys.length === 0) return undefined;
  leaveOut('fallback');
  const { properties, required } = object as { properties: object; required: string[] }; // of an object with keys
  const anything = Object.fromEntries(keys.map(key => [key, {}]));
  return { ...object, properties: { ...properties, ...anything }, required: required.filter(key => !keys.includes(key)) };
}

function correctAction({ valibotAction, jsonSchema, errors }: Override & { valibotAction: ValibotAction }, leaveOut: LeaveOut): unknown {
  const { kind, type, requirement } = valibotAction;
  if (requirement instanceof RegExp && /[ims]/.test(requirement.flags)) {
    leaveOut('flags of a regular expression');
    delete jsonSchema['pattern'];
  } else if (errors && kind !== 'transformation') leaveOut(type);
  if (kind === 'metadata') return undefined;
  const unchanged = jsonSchema[UNCHANGED];
  if (kind === 'transformation') return { ...jsonSchema, [UNCHANGED]: unchanged ?? { ...jsonSchema } };
  if (unchanged === undefined) return errors && jsonSchema; // given back, they count as no errors
  leaveOut('checks after a change');
  return { ...unchanged, [UNCHANGED]: unchanged };
}

function acceptsAll(schema: object | undefined): boolean {
  return schema !== undefined && 'fallback' in schema;
}

function isConverter(found: unknown): found is ValibotConverter {
  return typeof found === 'object' && found !== null && 'toJsonSchema' in found;
}

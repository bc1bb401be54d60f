/** Types of TypeScript, as text, from JSON Schema. What TypeScript cannot express, such as a length, is left out. */
import type { EventDescription, ValueDescription } from './description';
import type { JsonSchema } from './libraries/converter';

const NAMES: Readonly<Record<string, string>> = { integer: 'number', null: 'null', number: 'number', string: 'string', boolean: 'boolean' };

/** Writes types. Schemas that refer to themselves need names: their declarations are collected. */
export class TypeText {
  /** By name: what it stands for. */
  readonly #declarations = new Map<string, string>();
  readonly #names = new Map<object, string>();
  readonly #taken: Set<string>;

  /** @param taken names that are something else already */
  constructor(taken: readonly string[] = []) {
    this.#taken = new Set(taken);
  }

  /** A line for each name that the types so far refer to. */
  get declarations(): string[] {
    return [...this.#declarations].map(([name, type]) => `type ${name} = ${type};`);
  }

  /** The parameters of an event, such as `arg0: string, arg1?: number | null`. */
  parameters({ args, required }: EventDescription): string {
    return args.map((arg, index) => (index < required ? `arg${index}: ${this.needed(arg)}` : `arg${index}?: ${this.of(arg)}`)).join(', ');
  }

  /** A name that is not taken, like the one that is wanted. */
  takeName(wanted: string): string {
    const first = wanted[0]?.toUpperCase() + wanted.slice(1);
    let name = first;
    for (let count = 2; this.#taken.has(name); count++) name = `${first}${count}`;
    this.#taken.add(name);
    return name;
  }

  /** The same for a name that others begin with: it is taken with each of the endings. */
  takePrefix(wanted: string, endings: readonly string[]): string {
    let prefix = wanted;
    for (let count = 2; endings.some(ending => this.#taken.has(prefix + ending)); count++) prefix = `${wanted}${count}`;
    for (const ending of endings) this.#taken.add(prefix + ending);
    return prefix;
  }

  /** The type of an argument that is there, though it may be undefined: a later one cannot be omitted. */
  needed(value: ValueDescription): string {
    const type = this.of(value);
    return value.isOptional && type !== 'unknown' ? `${type} | undefined` : type;
  }

  /** The type of an argument or an acknowledgement. */
  of({ schema, orNull }: ValueDescription): string {
    const type = this.#type(schema, schema);
    return orNull && type !== 'unknown' ? `${type} | null` : type;
  }

  /** @param root what its references begin at */
  #type(schema: unknown, root: JsonSchema): string {
    if (schema === false) return 'never';
    if (typeof schema !== 'object' || schema === null) return 'unknown';
    const part = schema as JsonSchema; // no other object is one
    const { $ref, const: constant, enum: values, anyOf, oneOf, allOf, not, type } = part;
    if (typeof $ref === 'string') return this.#reference($ref, root);
    if ('const' in part) return literal(constant);
    if (Array.isArray(values)) return union(values.map(literal));
    for (const parts of [anyOf, oneOf]) if (Array.isArray(parts)) return union(parts.map(part => this.#type(part, root)));
    if (Array.isArray(allOf)) return allOf.map(part => grouped(this.#type(part, root))).join(' & ');
    if (typeof not === 'object' && not !== null && Object.keys(not).length === 0) return 'never';
    if (Array.isArray(type)) return union(type.map(one => this.#type({ ...part, type: one as unknown }, root)));
    if (type === 'array') return this.#array(part, root);
    if (type === 'object') return this.#object(part, root);
    return NAMES[String(type)] ?? 'unknown';
  }

  #array({ items, additionalItems, minItems = 0 }: JsonSchema, root: JsonSchema): string {
    if (!Array.isArray(items)) return `${grouped(this.#type(items, root))}[]`;
    const parts = items.map((item, index) => `${grouped(this.#type(item, root))}${index < Number(minItems) ? '' : '?'}`);
    if (additionalItems !== false) parts.push(`...${grouped(this.#type(additionalItems, root))}[]`);
    return `[${parts.join(', ')}]`;
  }

  #object({ properties = {}, required = [], additionalProperties }: JsonSchema, root: JsonSchema): string {
    const names = new Set(required as string[]); // by JSON Schema
    const fields = Object.entries(properties as object).map(
      ([key, value]) => `${propertyName(key)}${names.has(key) ? '' : '?'}: ${this.#type(value, root)}`,
    );
    const others = this.#type(additionalProperties, root);
    if (fields.length === 0) return additionalProperties === false ? 'Record<string, never>' : `Record<string, ${others}>`;
    // an index signature has to fit the properties as well
    if (additionalProperties !== undefined && additionalProperties !== false) fields.push('[key: string]: unknown');
    return `{ ${fields.join('; ')} }`;
  }

  #reference($ref: string, root: JsonSchema): string {
    const target = resolve($ref, root);
    if (target === undefined) return 'unknown';
    const known = this.#names.get(target);
    if (known !== undefined) return known;
    // one with a digit at its end has been made up by the library
    const name = this.takeName(/\/([A-Za-z](?:\w*[A-Za-z])?)$/.exec($ref)?.[1] ?? 'Value');
    this.#names.set(target, name);
    this.#declarations.set(name, this.#type(target, root));
    return name;
  }
}

/** The part of a schema that a reference such as `#/definitions/Node` leads to. */
function resolve($ref: string, root: JsonSchema): object | undefined {
  let found: unknown = root;
  for (const key of $ref.split('/').slice(1)) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = Reflect.get(found, key.replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return typeof found === 'object' && found !== null ? found : undefined;
}

function literal(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'unknown' : (JSON.stringify(value) ?? 'undefined');
}

function union(types: readonly string[]): string {
  if (types.includes('unknown')) return 'unknown';
  return [...new Set(types)].join(' | ') || 'never';
}

/** In parentheses, where the type has more than one part. */
function grouped(type: string): string {
  return / [|&] /.test(type) ? `(${type})` : type;
}

export function propertyName(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
}

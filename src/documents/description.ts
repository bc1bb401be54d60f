/** What the contracts of an app say, as plain data for all documents. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validateAll } from '../contract/check';
import type { ClientEventContract, Contract, StandardSchema } from '../contract/contract';
import { toJsonSchema } from './json-schema';
import type { JsonSchema } from './libraries/converter';

export interface Description {
  /** Of the app's package.json. */
  readonly app: { readonly name: string; readonly version: string };
  readonly namespaces: readonly NamespaceDescription[];
  /** What the documents cannot say, a line each. */
  readonly warnings: readonly string[];
}

export interface NamespaceDescription {
  readonly name: string;
  /** The events that clients send. */
  readonly client: readonly EventDescription[];
  /** The events that the server emits. */
  readonly server: readonly EventDescription[];
}

export interface EventDescription {
  readonly name: string;
  readonly args: readonly ValueDescription[];
  /** The number of arguments that cannot be omitted: the first ones. */
  readonly required: number;
  /** Undefined if the event has no acknowledgement. */
  readonly ack: ValueDescription | undefined;
}

/** An argument or an acknowledgement. */
export interface ValueDescription {
  /** What clients send, or get: the input of the contract's schema. */
  readonly schema: JsonSchema;
  /** Whether null is possible too: as JSON it stands for undefined. */
  readonly orNull: boolean;
  /** Whether undefined is possible, so that the last arguments may be omitted. */
  readonly isOptional: boolean;
  /** Values that the schema accepts, as its author has given them. */
  readonly examples: readonly unknown[];
}

/**
 * Reads contracts. Each schema validates `undefined`, `null` and its examples, to learn what it accepts.
 *
 * @param baseDir the folder of the app
 * @throws SetupError if a schema cannot be converted to JSON Schema
 */
export async function describe(contracts: readonly Contract[], baseDir: string): Promise<Description> {
  const reader = new Reader(baseDir);
  const namespaces: NamespaceDescription[] = [];
  for (const { namespace: name, client = {}, server = {} } of contracts)
    namespaces.push({ name, client: await reader.events(name, client, false), server: await reader.events(name, server, true) });
  return { app: appOf(baseDir), namespaces, warnings: reader.warnings };
}

/** Keywords that refuse nothing. */
const ANNOTATIONS = new Set(['title', 'description', 'default', 'examples']);

class Reader {
  readonly warnings: string[] = [];
  readonly #baseDir: string;

  constructor(baseDir: string) {
    this.#baseDir = baseDir;
  }

  async events(namespace: string, events: Readonly<Record<string, ClientEventContract>>, isOutgoing: boolean): Promise<EventDescription[]> {
    const described: EventDescription[] = [];
    for (const [name, { args = [], ack }] of Object.entries(events)) {
      const place = `event '${name}' of namespace '${namespace}'`;
      const values: ValueDescription[] = [];
      for (const [index, schema] of args.entries()) values.push(await this.#value(schema, isOutgoing, `${place}, argument ${index}`));
      described.push({
        name,
        args: values,
        required: values.findLastIndex(({ isOptional }) => !isOptional) + 1,
        ack: ack && (await this.#value(ack, true, `${place}, acknowledgement`)),
      });
    }
    return described;
  }

  async #value(schema: StandardSchema, isOutgoing: boolean, place: string): Promise<ValueDescription> {
    const { schema: converted, leftOut } = toJsonSchema(schema, this.#baseDir, isOutgoing, place);
    if (leftOut.length > 0) this.warnings.push(`${place}: JSON Schema cannot express all of it (${leftOut.join(', ')})`);
    const { examples: _unchecked, ...rest } = withNote(converted, leftOut);
    const examples = await this.#examples(schema, converted, place);
    return {
      schema: examples.length > 0 ? { ...rest, examples } : rest,
      orNull: !saysNull(converted) && (await accepts(schema, null)),
      examples,
      isOptional: await accepts(schema, undefined),
    };
  }

  async #examples(schema: StandardSchema, { examples }: JsonSchema, place: string): Promise<unknown[]> {
    const right: unknown[] = [];
    for (const example of Array.isArray(examples) ? (examples as unknown[]) : [])
      if (await accepts(schema, example)) right.push(example);
      else this.warnings.push(`${place}: the schema refuses its own example ${JSON.stringify(example)}, which is left out`);
    return right;
  }
}

/** Time in ms for a schema to validate a value. One that never answers accepts nothing. */
const ACCEPT_TIMEOUT = 5000;

/** As the server validates it, so that null stands for undefined where that fits. A schema that throws accepts nothing. */
async function accepts(schema: StandardSchema, value: unknown): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>(resolve => (timer = setTimeout(() => resolve(false), ACCEPT_TIMEOUT)));
  try {
    const checked = await Promise.race([validateAll('a schema', [schema], [value]), timeout]);
    return checked !== false && checked.issues.length === 0;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function withNote(schema: JsonSchema, leftOut: readonly string[]): JsonSchema {
  if (leftOut.length === 0) return schema;
  const note = `The server knows more about this value than JSON Schema can express: ${leftOut.join(', ')}.`;
  const { description } = schema;
  return { ...schema, description: typeof description === 'string' ? `${description} ${note}` : note };
}

function saysNull({ type, anyOf, $ref, ...schema }: JsonSchema): boolean {
  const types = [type, ...(Array.isArray(anyOf) ? (anyOf as JsonSchema[]).map(one => one['type']) : [])].flat();
  const isAnything = types[0] === undefined && $ref === undefined && Object.keys(schema).every(key => ANNOTATIONS.has(key));
  return isAnything || types.includes('null');
}

function appOf(baseDir: string): Description['app'] {
  const { name, version } = JSON.parse(readFileSync(join(baseDir, 'package.json'), 'utf8')) as Record<string, unknown>;
  return { name: typeof name === 'string' ? name : 'app', version: typeof version === 'string' ? version : '0.0.0' };
}

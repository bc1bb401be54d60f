/** JSON Schema of arktype 2.1.28 and later, by arktype itself, which leaves out the flags of regular expressions. */
import { type Converter, instanceOf } from './converter';

/** What JSON Schema may be unable to express, in arktype's words. It handles `arrayPostfix` and `defaultValue` well by itself. */
const CODES = ['arrayObject', 'date', 'domain', 'morph', 'patternIntersection', 'predicate', 'proto', 'symbolKey', 'unit'];

interface Fallback {
  readonly code: string;
  readonly base: Record<string, unknown>;
  /** Of a single value. */
  readonly unit?: unknown;
  /** Of an instance. */
  readonly proto?: unknown;
}

export const convertArktype: Converter = (schema, { standard, leaveOut }) => {
  if (!standard) return 'update arktype to 2.1.28 or later';
  const fall = ({ code, base, ...context }: Fallback): object => {
    if (code === 'unit' && context.unit === undefined) return { type: 'null' }; // undefined, as it arrives
    leaveOut(code === 'proto' ? instanceOf(context.proto) : code);
    return base;
  };
  const fallback = Object.fromEntries(CODES.map(code => [code, fall]));
  const result = standard.input({ target: 'draft-07', libraryOptions: { fallback } });
  const withFlags = new Set<unknown>();
  visit(Reflect.get(schema, 'json'), ({ rule, flags, morphs }) => {
    if (morphs !== undefined) leaveOut('morph');
    if (typeof flags === 'string' && /[ims]/.test(flags)) withFlags.add(rule);
  });
  visit(result, part => {
    if (withFlags.has(part['pattern'])) {
      leaveOut('flags of a regular expression');
      delete part['pattern'];
    }
    if (Array.isArray(part['enum']) && part['enum'].length === 0) Object.assign(part, { enum: undefined, not: {} }); // never
  });
  return result;
};

/** Calls a function with each object in a tree of plain data. */
function visit(value: unknown, use: (object: Record<string, unknown>) => void): void {
  if (typeof value !== 'object' || value === null) return;
  use(value as Record<string, unknown>); // of plain data; an array has none of the keys that are looked for
  for (const inner of Object.values(value)) visit(inner, use);
}

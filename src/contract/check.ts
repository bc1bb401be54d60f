/** Validates values by the schemas of a contract. */
import type { SchemaResult, StandardSchema } from './contract';
import { messageOf, type RuntimeCode } from '../errors';
import type { Issue } from './reply';

/** The values as the schemas return them, and what is wrong with them. */
export interface Checked {
  readonly values: unknown[];
  readonly issues: Issue[];
}

/** The result of a schema, or what it threw. */
type Outcome = SchemaResult<unknown> | { readonly thrown: unknown };

type SchemaIssue = Extract<SchemaResult<unknown>, { readonly issues: readonly unknown[] }>['issues'][number];

/** Limits on what a client is told, in characters and keys: schemas repeat what it has sent. */
const MAX_ISSUES = 20;
const MAX_MESSAGE = 200;
const MAX_KEYS = 16;
const MAX_KEY = 100;

/** Schemas that have returned a promise. From then on those of zod are called in its own way: see `AsyncParser`. */
const asynchronous = new WeakSet<StandardSchema>();

const FAILED: RuntimeCode = 'IO_SCHEMA_FAILED';

/**
 * Validates each value by its schema, unless there are more values than schemas. Synchronous if the schemas are, or if a synchronous one refuses
 * its value: asynchronous schemas after that one are not called (once they are known to be asynchronous), and those before it not waited for.
 *
 * @param what the values, for the message of the error
 * @throws Error (or rejects) if a schema throws, rejects, or returns something else than the result of a schema
 */
export function validateAll(what: string, schemas: readonly StandardSchema[], values: readonly unknown[]): Checked | Promise<Checked> {
  if (values.length > schemas.length) return { values: [], issues: [{ path: [schemas.length], message: 'Unexpected argument' }] };
  const outcomes: Outcome[] = [];
  const pending: Promise<void>[] = [];
  let isRefused = false;
  for (const [index, schema] of schemas.entries()) {
    if (isRefused && asynchronous.has(schema)) continue; // may do costly work, such as a query
    const outcome = validate(schema, values[index]);
    if (outcome instanceof Promise) {
      asynchronous.add(schema);
      pending.push(outcome.then(later => void (outcomes[index] = later)));
    } else {
      outcomes[index] = outcome;
      isRefused ||= !isValid(outcome);
    }
  }
  if (pending.length === 0 || isRefused) return collectOutcomes(what, outcomes);
  return Promise.all(pending).then(() => collectOutcomes(what, outcomes));
}

/** Calls a function with a value that may not be there yet: at once, if it is. */
export function whenReady<Value, Result>(
  value: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/**
 * JSON makes null of an argument that is undefined. So null, where it does not fit, is validated as undefined. Not after an asynchronous
 * answer: what such a schema does, such as a query, is done once.
 */
function validate(schema: StandardSchema, value: unknown): Outcome | Promise<Outcome> {
  const outcome = validateOnce(schema, value);
  if (value !== null || outcome instanceof Promise || isValid(outcome)) return outcome;
  return whenReady(validateOnce(schema, undefined), ofUndefined => (isValid(ofUndefined) ? ofUndefined : outcome));
}

/**
 * A schema of zod. By Standard Schema, zod 4 tries it synchronously first: what is asynchronous runs twice, and if it rejects, nobody handles the
 * first promise.
 */
interface AsyncParser {
  safeParseAsync(value: unknown): Promise<{ data?: unknown; error?: { issues: readonly SchemaIssue[] } }>;
}

async function parse(schema: AsyncParser, value: unknown): Promise<Outcome> {
  const { data, error } = await schema.safeParseAsync(value);
  return error ? { issues: error.issues } : { value: data };
}

function validateOnce(schema: StandardSchema, value: unknown): Outcome | Promise<Outcome> {
  try {
    const result = asynchronous.has(schema) && isAsyncParser(schema) ? parse(schema, value) : schema['~standard'].validate(value);
    return isPromiseLike(result) ? Promise.resolve(result).catch((thrown: unknown) => ({ thrown })) : result;
  } catch (thrown) {
    return { thrown };
  }
}

/** @param outcomes with gaps: those of asynchronous schemas that do not matter any more */
function collectOutcomes(what: string, outcomes: readonly Outcome[]): Checked {
  const values: unknown[] = [];
  const issues: Issue[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    if (!(index in outcomes)) continue;
    if (isValid(outcome)) values.push(outcome.value);
    else issues.push(...issuesOf(what, outcome, index));
  }
  return { values, issues: issues.slice(0, MAX_ISSUES) };
}

/** At least one. @throws Error if the outcome is neither valid nor a list of issues */
function issuesOf(what: string, outcome: Outcome, index: number): Issue[] {
  if (isObject(outcome) && 'thrown' in outcome) throw failure(what, index, 'threw an error', outcome.thrown);
  const list = isObject(outcome) ? outcome.issues : undefined;
  if (!Array.isArray(list)) throw failure(what, index, 'returned neither a value nor issues');
  const some: readonly SchemaIssue[] = list.length > 0 ? list.slice(0, MAX_ISSUES) : [{ message: 'Invalid' }];
  try {
    return some.map(issue => toPlain(issue, index));
  } catch (error) {
    throw failure(what, index, 'returned an issue that is none', error);
  }
}

function failure(what: string, index: number, problem: string, cause?: unknown): Error {
  const error = new Error(messageOf(FAILED, `schema ${index} of ${what} ${problem}`), cause === undefined ? {} : { cause });
  return Object.assign(error, { code: FAILED });
}

/**
 * Issues of libraries are objects of classes, with the value and the schema in them. A path may be an array of a class whose `map()` differs.
 *
 * @throws TypeError if it is not an issue
 */
function toPlain({ path, message }: SchemaIssue, index: number): Issue {
  if (typeof message !== 'string') throw new TypeError('the message of an issue must be a string');
  const keys = Array.from(path ?? [], segment => (typeof segment === 'object' ? segment.key : segment));
  return {
    path: [index, ...keys.slice(0, MAX_KEYS - 1).map(key => (typeof key === 'number' ? key : String(key).slice(0, MAX_KEY)))],
    message: message.slice(0, MAX_MESSAGE),
  };
}

/** Whatever is not clearly valid is not: a schema may be of the app's own making. */
function isValid(outcome: Outcome): outcome is Extract<SchemaResult<unknown>, { readonly value: unknown }> {
  return isObject(outcome) && 'value' in outcome && outcome.issues === undefined;
}

function isAsyncParser(schema: object): schema is AsyncParser {
  return 'safeParseAsync' in schema && typeof schema.safeParseAsync === 'function';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return isObject(value) && 'then' in value && typeof value.then === 'function';
}

/** Reads a contract: apps in plain JavaScript have no compiler that checks it. */
import type { Contract } from './contract';
import { SetupError } from '../errors';

const KEYS = {
  contract: ['namespace', 'client', 'server', 'data'],
  client: ['args', 'ack'],
  server: ['args'],
} as const;

/** Events of Socket.IO and of this plugin, which no contract can have. */
const RESERVED = new Set([
  'connect',
  'connect_error',
  'connection',
  'disconnect',
  'disconnecting',
  'error',
  'newListener',
  'removeListener',
]);

/** Whether the argument of `of()` is a contract, rather than a name, a regular expression or a function. */
export function isContract(value: unknown): value is Contract {
  return typeof value === 'object' && value !== null && !(value instanceof RegExp);
}

/** @throws SetupError if a part of it is missing, unknown or of a wrong type */
export function checkContract(contract: Contract): void {
  const { namespace } = contract;
  if (typeof namespace !== 'string' || namespace === '')
    invalid('of(contract)', "the contract's namespace must be a string, such as '/chat'");
  const place = `the contract of namespace '${namespace}'`;
  checkKeys(place, contract, KEYS.contract);
  if (contract.data !== undefined) checkSchema(`${place}: data`, contract.data);
  for (const side of ['client', 'server'] as const) {
    const events = contract[side];
    if (events === undefined) continue;
    if (!isObject(events)) invalid(place, `${side} must be an object of events`);
    for (const [event, declared] of Object.entries(events)) checkEvent(`${place}: ${side}['${event}']`, event, declared, KEYS[side]);
  }
}

function checkEvent(place: string, event: string, declared: unknown, keys: readonly string[]): void {
  if (event === '') invalid(place, 'an event must have a name');
  if (RESERVED.has(event) || event.startsWith('$io:')) invalid(place, 'Socket.IO and this plugin reserve this event; give it another name');
  if (!isObject(declared)) invalid(place, `it must be an object with ${keys.join(' and ')}`);
  checkKeys(place, declared, keys);
  const { args, ack } = declared;
  if (args !== undefined && !Array.isArray(args)) invalid(place, 'args must be an array of schemas, one for each argument');
  for (const [index, schema] of (args ?? []).entries()) checkSchema(`${place}.args[${index}]`, schema);
  if (ack !== undefined) checkSchema(`${place}.ack`, ack);
}

function checkKeys(place: string, object: object, known: readonly string[]): void {
  for (const key of Object.keys(object)) if (!known.includes(key)) invalid(place, `it has ${key}; it can have ${known.join(', ')}`);
}

function checkSchema(place: string, schema: unknown): void {
  const standard: unknown = isObject(schema) || typeof schema === 'function' ? Reflect.get(schema, '~standard') : undefined;
  if (!isObject(standard) || standard['version'] !== 1 || typeof standard['validate'] !== 'function')
    invalid(place, 'it must be a schema of a library with Standard Schema 1, such as zod 4, valibot 1 or arktype 2');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(place: string, problem: string): never {
  throw new SetupError('IO_CONTRACT_INVALID', `${place}: ${problem}`);
}

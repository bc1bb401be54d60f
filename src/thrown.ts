/** What user code throws, rejects with, or returns in place of that. */
import { types } from 'node:util';

/** Whether a value is an Error. Also true for one of another realm, such as `node:vm` or the environment of a test runner. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** Returns a value, unless it is an Error: one that user code returns counts as thrown. Encoded for a client, it would be empty. */
export function throwIfError<Value>(value: Value): Value {
  if (isError(value)) throw value;
  return value;
}

/** Converts a thrown value to an Error, since user code may throw anything. */
export function toError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  if (typeof thrown === 'string') {
    const error = new Error(thrown);
    error.stack = `Error: ${thrown}\n    a string was thrown, which has no stack: throw an Error to see where`; // the stack of this function would mislead
    return error;
  }
  // a TypeError counts as a bug, so the value itself is neither sent nor logged
  return new TypeError(
    `a value that is not an Error was thrown: ${thrown !== null && typeof thrown === 'object' ? `an object with ${Object.keys(thrown).join(', ') || 'no keys'}` : typeof thrown}`,
  );
}

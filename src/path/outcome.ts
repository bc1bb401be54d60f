/** The outcome of a handler as text: what the client gets as its acknowledgement, with bytes, or the error. */
import type { ErrorAnswer } from '../errors';

/** The values of an acknowledgement, which are usually one, or an error. */
export type Outcome = { readonly answer: readonly unknown[] } | { readonly error: ErrorAnswer };

/** The most characters of an outcome that is kept. */
const MAX_LENGTH = 64 * 1024;

const NOT_KEPT: ErrorAnswer = {
  code: 'ANSWER_NOT_KEPT',
  message: 'This has been handled before, but the answer could not be kept',
};

/** Where bytes are in a value: the keys that lead there, and the bytes in base64. */
type Bytes = [path: (string | number)[], base64: string];

/** One that is too large, or that JSON cannot represent, becomes the error ANSWER_NOT_KEPT. Never throws. */
export function encodeOutcome(outcome: Outcome): string {
  try {
    const bytes: Bytes[] = [];
    const text = JSON.stringify({ outcome: withoutBytes(outcome, [], bytes), bytes });
    if (text.length <= MAX_LENGTH) return text;
  } catch {
    // it cannot be sent either, and the caller reports that
  }
  return JSON.stringify({ outcome: { error: NOT_KEPT }, bytes: [] });
}

export function decodeOutcome(text: string): Outcome {
  const { outcome, bytes } = JSON.parse(text) as { outcome: Outcome; bytes: Bytes[] }; // created by encodeOutcome()
  for (const [path, base64] of bytes) {
    const place = path.slice(0, -1).reduce<unknown>((value, key) => Reflect.get(Object(value), key), outcome);
    Reflect.set(Object(place), path.at(-1) ?? '', Buffer.from(base64, 'base64'));
  }
  return outcome;
}

/** A copy in which null stands for bytes. Values with a `toJSON()` are left to JSON. */
function withoutBytes(value: unknown, path: Bytes[0], bytes: Bytes[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const found = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value instanceof ArrayBuffer
      ? Buffer.from(value)
      : undefined;
  if (found) {
    bytes.push([path, found.toString('base64')]);
    return null;
  }
  if ('toJSON' in value) return value;
  if (Array.isArray(value)) return value.map((item, index) => withoutBytes(item, [...path, index], bytes));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutBytes(item, [...path, key], bytes)]));
}

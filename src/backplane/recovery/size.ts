/** About how many bytes of memory something takes that is kept for clients. */
import type { Frame } from '../packet-codec';

/** What a name takes in a list of rooms beside its characters, and so does any simple value in the data of a socket. */
const VALUE_SIZE = 50;

/** What a value takes in an object or an array, beside the value. */
const SLOT_SIZE = 8;

/** The most different values of the data of a socket that are looked at: a client that goes should not cost more. */
const MAX_VALUES = 1000;

const PLAIN: ReadonlySet<unknown> = new Set([Object.prototype, null, Array.prototype, Map.prototype, Set.prototype]);

export function sizeOfFrames(frames: Iterable<Frame>): number {
  let size = 0;
  for (const { length } of frames) size += length;
  return size;
}

export function sizeOfNames(names: Iterable<string> = []): number {
  let size = 0;
  for (const { length } of names) size += VALUE_SIZE + length;
  return size;
}

/** Of any value, as the app may have put into the data of a socket. Instances of classes are not looked into: many clients may share them. */
export function sizeOfData(data: unknown): number {
  const found = new Set<unknown>([data]);
  let size = 0;
  for (const value of found) {
    size += VALUE_SIZE;
    if (typeof value === 'string') size += value.length;
    else if (ArrayBuffer.isView(value)) size += value.byteLength;
    else if (isPlain(value)) {
      const parts = partsOf(value);
      size += parts.length * SLOT_SIZE;
      for (const part of parts) if (found.size < MAX_VALUES) found.add(part);
    }
  }
  return size;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return PLAIN.has(prototype);
}

function partsOf(value: object): unknown[] {
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return [...value];
  try {
    return Object.values(value);
  } catch {
    return []; // a getter of the app
  }
}

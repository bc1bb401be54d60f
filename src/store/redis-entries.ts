/**
 * The entries of a stream in Redis. Their ids have two numbers of 64 bits: the first one is of the epoch, and begins with the time; the second one
 * has the rest of the epoch, and the number of the event, which Redis counts. Before the first event there is an entry with the number 0, which is
 * removed at once: the stream remembers its id.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Content, Entry } from './streams';

/** The bits of the number of an event. After 16 million events, the next epoch begins. */
const NUMBER_BITS = 24n;
const NUMBER_MASK = (1n << NUMBER_BITS) - 1n;
/** The random bits beside the time in the first number of an id. */
const RANDOM_BITS = 22n;

/** The part of ids that is the same in all of an epoch. */
export interface Epoch {
  readonly time: string;
  readonly base: bigint;
  /** As others know it. */
  readonly text: string;
}

/** The id of the entry before the first event. @param now the time in ms, by the clock of Redis */
export function newId(now: number): string {
  const time = (BigInt(now) << RANDOM_BITS) | (randomBits() >> (64n - RANDOM_BITS));
  return `${time}-${(randomBits() >> NUMBER_BITS) << NUMBER_BITS}`;
}

function randomBits(): bigint {
  return randomBytes(8).readBigUInt64BE();
}

function numbersOf(id: string): [first: string, second: bigint] {
  const [first = '', second = ''] = id.split('-');
  return [first, BigInt(second)];
}

/** The epoch of an id. */
export function epochOf(id: string): Epoch {
  const [time, second] = numbersOf(id);
  const base = second & ~NUMBER_MASK;
  const secret = `${time}-${base}`;
  return { time, base, text: `${createHash('sha256').update(secret).digest('base64url').slice(0, 12)}.${secret}` };
}

/** The number of the event with an id. */
export function offsetOf(id: string): number {
  return Number(numbersOf(id)[1] & NUMBER_MASK);
}

/** The id of an event. */
export function idOf({ time, base }: Epoch, offset: number): string {
  return `${time}-${base + BigInt(offset)}`;
}

/** The parts of an event. Beside them, an entry has its time as `t`, and its id as `i`. */
export function fieldsOf(content: Content): (string | Uint8Array)[] {
  return content.flatMap(part => [typeof part === 'string' ? 's' : 'b', part]);
}

export function entryOf(id: Buffer, fields: readonly Buffer[]): Entry & { readonly time: number } {
  const content: (string | Uint8Array)[] = [];
  let time = 0;
  let shared: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    const value = fields[index + 1] ?? Buffer.alloc(0);
    switch (String(fields[index])) {
      case 't':
        time = Number(String(value));
        break;
      case 'i':
        shared = String(value);
        break;
      case 's':
        content.push(String(value));
        break;
      default:
        content.push(value);
    }
  }
  return { offset: offsetOf(String(id)), content, id: shared, time };
}

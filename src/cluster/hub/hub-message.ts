/** What one worker tells another: a head, which says what to do, and parts that go along with it, as they are. */
import { randomUUID } from 'node:crypto';
import { jsonOf } from '../../backplane/json';

export type Part = string | Uint8Array;

/** A message about to be sent: its size has to be known before it can be written. */
export class Message {
  readonly size: number;
  readonly #head: string;
  readonly #parts: readonly Part[];
  /** In bytes, the head first. */
  readonly #lengths: number[];

  constructor(head: object, parts: readonly Part[]) {
    this.#head = JSON.stringify(head);
    this.#parts = parts;
    this.#lengths = [Buffer.byteLength(this.#head)];
    let size = 4 + 4 + this.#headLength;
    for (const part of parts) {
      const length = Buffer.byteLength(part);
      this.#lengths.push(length);
      size += 4 + length;
    }
    this.size = size;
  }

  get #headLength(): number {
    return this.#lengths[0] ?? 0;
  }

  /** The number of parts, the length of each, and whether it is text; then all of them. */
  writeTo(buffer: Buffer, start: number): void {
    let offset = buffer.writeUInt32LE(this.#parts.length, start);
    offset = buffer.writeUInt32LE(this.#headLength, offset);
    for (let index = 0; index < this.#parts.length; index++) {
      offset = buffer.writeUInt32LE((this.#lengths[index + 1] ?? 0) * 2 + (typeof this.#parts[index] === 'string' ? 1 : 0), offset);
    }
    offset += buffer.write(this.#head, offset);
    for (const part of this.#parts) {
      if (typeof part === 'string') offset += buffer.write(part, offset);
      else {
        buffer.set(part, offset);
        offset += part.length;
      }
    }
  }
}

/** The head and the parts of a message, once it has arrived. */
export function readMessage(bytes: Buffer): { head: unknown; parts: Part[] } {
  const count = bytes.readUInt32LE(0);
  let offset = 8 + 4 * count;
  const take = (length: number): Buffer => bytes.subarray(offset, (offset += length));
  const head: unknown = JSON.parse(take(bytes.readUInt32LE(4)).toString());
  const parts: Part[] = [];
  for (let index = 0; index < count; index++) {
    const length = bytes.readUInt32LE(8 + 4 * index);
    const part = take(Math.floor(length / 2));
    parts.push(length % 2 === 1 ? part.toString() : onItsOwn(part));
  }
  return { head, parts };
}

/** A client that reads slowly may keep these bytes for long: they are not to keep all that has come with them. */
function onItsOwn(bytes: Buffer): Buffer {
  return bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}

/** Values as JSON would have them, but for bytes, which stay bytes. @throws TypeError where `JSON.stringify()` does */
export function encodeValues(values: readonly unknown[]): Part[] {
  const bytes: Uint8Array[] = [];
  const json = JSON.stringify(jsonOf(values, value => ({ [MARK]: bytes.push(value) - 1 })));
  return bytes.length > 0 ? [json, MARK, ...bytes] : [json];
}

export function decodeValues([json, mark, ...bytes]: readonly Part[]): unknown[] {
  const revive = (_key: string, value: unknown): unknown => {
    const index = value !== null && typeof value === 'object' ? (Reflect.get(value, String(mark)) as unknown) : undefined;
    return typeof index === 'number' ? bytes[index] : value;
  };
  return JSON.parse(String(json), mark === undefined ? undefined : revive) as unknown[]; // what encodeValues() has been given
}

/** Stands where bytes have been. Clients, whose data is among the values, cannot know it. */
const MARK = `bytes ${randomUUID()}`;

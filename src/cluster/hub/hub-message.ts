/** The messages between workers: a JSON head, and parts of text or bytes. */
import { randomUUID } from 'node:crypto';
import { jsonOf } from '../../backplane/json';
import type { PacketCodec } from '../../backplane/packet-codec';
import { fieldOfArguments, unpackValues } from '../../backplane/values';

export type Part = string | Uint8Array;

/** A placeholder for bytes in JSON. Random, so that clients cannot send it in their data. */
const MARK = `bytes ${randomUUID()}`;

/** A message to send. Its size is known before it is written. */
export class Message {
  readonly size: number;
  readonly #head: string;
  readonly #parts: readonly Part[];
  /** The lengths in bytes, the head's first. */
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

  /** Writes the number of parts, the length of the head, the length and type of each part, then the head and the parts. */
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

/** Reads the head and the parts of a received message. */
export function readMessage(bytes: Buffer): { head: unknown; parts: Part[] } {
  const count = bytes.readUInt32LE(0);
  let offset = 8 + 4 * count;
  const take = (length: number): Buffer => bytes.subarray(offset, (offset += length));
  const head: unknown = JSON.parse(take(bytes.readUInt32LE(4)).toString());
  const parts: Part[] = [];
  for (let index = 0; index < count; index++) {
    const length = bytes.readUInt32LE(8 + 4 * index);
    const part = take(Math.floor(length / 2));
    parts.push(length % 2 === 1 ? part.toString() : detached(part));
  }
  return { head, parts };
}

/** Copies small parts: a slow client may keep the bytes for long, and they must not keep the whole received chunk in memory. */
function detached(bytes: Buffer): Buffer {
  return bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}

/** Encodes values as JSON, with bytes as parts of their own. @throws TypeError like `JSON.stringify()` */
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
  return JSON.parse(String(json), mark === undefined ? undefined : revive) as unknown[]; // the values given to encodeValues()
}

/** The arguments of a serverSideEmit(). */
export function encodeArguments(args: readonly unknown[]): Part[] {
  return encodeValues([fieldOfArguments('args', args)]);
}

export function decodeArguments(parts: readonly Part[], codec: PacketCodec): unknown {
  const { args } = unpackValues(decodeValues(parts)[0], ['args'], codec) as { args?: unknown }; // created by encodeArguments()
  return args;
}

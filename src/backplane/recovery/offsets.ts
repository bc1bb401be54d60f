/** Offsets of events: the last argument of each, which a returning client sends back. All servers see the same offset of an event. */
import { randomBytes } from 'node:crypto';
import { EncodedPacket, type Event } from '../packet-codec';

const OFFSET = /^~[\w-]{8}\.\d{1,16}$/;

/** The offsets of one process. */
export class Offsets {
  /** Differs from those of all other processes. */
  readonly prefix = `~${randomBytes(6).toString('base64url')}.`;
  #count = 0;

  /** Whether this process has emitted. */
  get areUsed(): boolean {
    return this.#count > 0;
  }

  next(): string {
    return this.prefix + this.#count++;
  }
}

/** The offset of an event that another server may have sent. Undefined if that server gives none. */
export function offsetOf(packet: Event): string | undefined {
  if (packet instanceof EncodedPacket) return (packet.offset ??= offsetIn(packet));
  return asOffset(packet.data.at(-1));
}

/** The same packet of another process, whose offset is not taken for a value of the app. */
export function withOffset(packet: EncodedPacket): EncodedPacket {
  offsetOf(packet);
  return packet;
}

function offsetIn(packet: EncodedPacket): string | undefined {
  const { json } = packet;
  if (json === undefined) return asOffset(packet.data.at(-1));
  if (!json.endsWith('"]')) return undefined;
  return asOffset(json.slice(json.lastIndexOf('"', json.length - 3) + 1, -2)); // without decoding all of it
}

/** What a client or another server gives as an offset. Undefined if it cannot be one. */
export function asOffset(value: unknown): string | undefined {
  return typeof value === 'string' && OFFSET.test(value) ? value : undefined;
}

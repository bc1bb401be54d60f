/** Packets of Socket.IO as their clients get them: encoded once, for the clients of all servers. */
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { type Packet, PacketType, withoutGuard } from '../protocol';
import { toError } from '../errors';
import { adapterInternals } from '../internals/adapters';
import { isEvent, isListOf } from './backend-message';
import { keepProtoKeys } from './carried';
import { InvalidMessage } from './inbox';
import { bytesOf } from './json';
import { checkAttachments, MAX_ATTACHMENTS, refusalOf } from './refused-event';

/** What a packet is encoded into: text, and the bytes that follow it; or what a parser of the app makes of it. */
export type Frame = string | Uint8Array;

/** What an app emits: the name of an event, and its arguments. */
export interface Event extends Packet {
  data: unknown[];
}

/** That of the server: of Socket.IO, or of a parser that the app has chosen. */
interface Encoder {
  encode(packet: Packet): unknown[];
}

/** Between packets and what clients get, as the server of a namespace has it. */
export class PacketCodec {
  readonly #nsp: Namespace;
  readonly #encoder: Encoder;

  constructor(nsp: Namespace) {
    this.#nsp = nsp;
    this.#encoder = nsp.server.encoder;
  }

  /** Whether the parser is the one of Socket.IO, and not one of the app's own. */
  get isDefault(): boolean {
    return !this.#nsp.server._opts.parser;
  }

  /** @throws TypeError or RangeError for an event that cannot be encoded, or that the official client would refuse */
  encodeEvent(packet: Event): EncodedPacket {
    if (packet instanceof EncodedPacket) return packet;
    packet.nsp = this.#nsp.name;
    try {
      if (!isEvent(packet)) throw new TypeError('the name of an event has to be a string or a number');
      return new EncodedPacket(this, packet.nsp, this.#encode(packet), packet.data);
    } catch (error) {
      throw refusalOf(packet.data[0], toError(error));
    }
  }

  /** Lets an adapter send packets as they have been encoded. */
  setEncoder(adapter: Adapter): void {
    const encoder = this.#encoder;
    adapterInternals(adapter).encoder = {
      encode(packet: Packet): readonly unknown[] {
        if (!(packet instanceof EncodedPacket)) return encoder.encode(packet);
        const { id, frames } = packet;
        return id === undefined ? frames : encoder.encode({ type: packet.type, nsp: packet.nsp, id, data: packet.data });
      },
    };
  }

  /** One value for another server, of any number of attachments; a client has sent it if `isDecoded`. @throws where it cannot be encoded */
  encodeAnswer(answer: unknown, isDecoded = false): readonly Frame[] {
    if (isDecoded && !this.isDefault) keepProtoKeys(answer);
    const data = answer === undefined ? [] : [answer];
    return this.#encode({ type: PacketType.ACK, nsp: this.#nsp.name, id: 0, data }, Number.POSITIVE_INFINITY);
  }

  /** A packet that can be encoded again. */
  decode(frames: readonly Frame[]): Packet {
    const packet = this.#decode(frames);
    if (!this.isDefault) keepProtoKeys(packet.data);
    return packet;
  }

  #decode(frames: readonly Frame[]): Packet {
    const parser = withoutGuard(this.#nsp.server._parser); // other servers have encoded it
    // that of Socket.IO takes few attachments unless told: it is meant for what comes from clients
    const decoder = this.isDefault ? new parser.Decoder({ maxAttachments: Number.POSITIVE_INFINITY }) : new parser.Decoder();
    let packet: Packet | undefined;
    decoder.on('decoded', (decoded: Packet) => {
      if (packet) throw new Error('frames of more than one packet');
      packet = decoded;
    });
    for (const frame of frames) decoder.add(frame);
    if (!packet) throw new Error('the parser of this server has not understood a packet that its encoder has made');
    return packet;
  }

  decodeAnswer(frames: readonly Frame[]): unknown {
    return (this.#decode(frames).data as unknown[])[0]; // as encodeAnswer() has made it
  }

  /** An event that somebody has written to a backend. @throws InvalidMessage where clients could not read it */
  read(frames: unknown): EncodedPacket {
    const packet = this.#readPacket(frames);
    const checked = frames as Frame[]; // seen just now
    if (!this.isDefault) keepProtoKeys(packet.data);
    if (!isEvent(packet) || packet.nsp !== this.#nsp.name || packet.id !== undefined) throw new InvalidMessage();
    return new EncodedPacket(this, packet.nsp, checked, packet.data as unknown[]); // an event has an array
  }

  /** A value that somebody has written to a backend. @throws InvalidMessage where it cannot be decoded */
  readAnswer(frames: unknown): unknown {
    const { type, data } = this.#readPacket(frames);
    if (type !== PacketType.ACK || !Array.isArray(data)) throw new InvalidMessage();
    return data[0] as unknown;
  }

  /** The same packet with one more value: the offset that a client tells when it comes back. */
  append(frames: readonly Frame[], value: string): readonly Frame[] {
    const [head, ...attachments] = frames;
    if (this.isDefault && typeof head === 'string') return [`${head.slice(0, -1)},${JSON.stringify(value)}]`, ...attachments];
    const packet = this.decode(frames);
    return this.#encode({ ...packet, data: [...(packet.data as unknown[]), value] }); // an event has an array
  }

  #readPacket(frames: unknown): Packet {
    try {
      if (isListOf(frames, isFrame)) return this.#decode(frames as Frame[]); // seen just now
    } catch {} // it is none
    throw new InvalidMessage();
  }

  #encode(packet: Packet, maxAttachments = MAX_ATTACHMENTS): readonly Frame[] {
    const frames = this.#encoder.encode(packet);
    return frames.length === 1 && typeof frames[0] === 'string' ? (frames as [string]) : this.#check(frames, maxAttachments);
  }

  #check(frames: readonly unknown[], maxAttachments: number): Frame[] {
    const checked = frames.map(frame => {
      if (typeof frame === 'string' || frame instanceof Buffer) return frame;
      const bytes = bytesOf(frame);
      if (!bytes) throw new TypeError('a Blob cannot be sent to other workers or servers; send `await blob.arrayBuffer()`');
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength); // as clients get it
    });
    if (this.isDefault) checkAttachments(checked, maxAttachments);
    return checked;
  }
}

/** An event as clients get it. Its values are decoded only for those who want to see them: listeners to all that goes out. */
export class EncodedPacket implements Event {
  readonly type = PacketType.EVENT;
  readonly #codec: PacketCodec;
  nsp: string;
  /** Given by Socket.IO where clients are to acknowledge: then the frames are none of this packet, which has to be encoded with it. */
  id?: number;
  frames: readonly Frame[];
  /** By which a client says what it has heard last. The last one of the values, where there is one. */
  offset: string | undefined;
  #data: unknown[] | undefined;

  /** @param data as the app has given it. Default: as it is decoded */
  constructor(codec: PacketCodec, nsp: string, frames: readonly Frame[], data?: unknown[]) {
    this.#codec = codec;
    this.nsp = nsp;
    this.frames = frames;
    this.#data = data;
  }

  get data(): unknown[] {
    return (this.#data ??= this.decode());
  }

  /** The text of it, where that is JSON. */
  get json(): string | undefined {
    const [head] = this.frames;
    return this.#codec.isDefault && typeof head === 'string' ? head : undefined;
  }

  /** The values as a client has them: each time anew. */
  decode(): unknown[] {
    return this.#codec.decode(this.frames).data as unknown[]; // an event has an array
  }

  append(offset: string): void {
    this.frames = this.#codec.append(this.frames, offset);
    this.offset = offset;
    this.#data?.push(offset);
  }
}

function isFrame(value: unknown): value is Frame {
  return typeof value === 'string' || value instanceof Uint8Array;
}

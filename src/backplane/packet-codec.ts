/** Encoded packets of Socket.IO: each is encoded once, for the clients of all servers. */
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { type Packet, PacketType, withoutGuard } from '../protocol';
import { toError } from '../thrown';
import { adapterInternals } from '../internals/adapters';
import { isEvent, isListOf } from './backend-message';
import { keepProtoKeys } from './carried';
import { InvalidMessage } from './inbox';
import { bytesOf } from './json';
import { encodePlain, readPlain } from './plain-packet';
import { checkAttachments, type Encoder, MAX_ATTACHMENTS, refusalOf } from '../encoder';

/** A part of an encoded packet: a text, and then bytes; or the output of a parser of the app. */
export type Frame = string | Uint8Array;

/** A packet with the name of an event and its arguments. */
export interface Event extends Packet {
  data: unknown[];
}

/** Encodes and decodes the packets of a namespace with the parser of its server. */
export class PacketCodec {
  readonly #nsp: Namespace;
  readonly #encoder: Encoder;
  /** The namespace in the text of a packet. */
  readonly #prefix: string;

  constructor(nsp: Namespace) {
    this.#nsp = nsp;
    this.#encoder = nsp.server.encoder;
    this.#prefix = nsp.name === '/' ? '' : `${nsp.name},`;
  }

  /** Whether the parser is Socket.IO's own. */
  get isDefault(): boolean {
    return !this.#nsp.server._opts.parser;
  }

  /** @throws TypeError or RangeError if the event cannot be encoded, or the official client would refuse it */
  encodeEvent(packet: Event): EncodedPacket {
    if (packet instanceof EncodedPacket) return packet;
    packet.nsp = this.#nsp.name;
    try {
      if (!isEvent(packet)) throw new TypeError('the name of an event must be a string or a number');
      const plain = this.isDefault && packet.id === undefined ? encodePlain(packet.data, this.#prefix) : undefined;
      const encoded = new EncodedPacket(this, packet.nsp, plain ?? this.#encode(packet), packet.data, plain !== undefined);
      encoded.isQuestion = packet.id !== undefined;
      return encoded;
    } catch (error) {
      throw refusalOf(packet.data[0], toError(error));
    }
  }

  /** Makes an adapter send encoded packets without encoding them again. */
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

  /** Encodes a value for another server, with any number of attachments. A client has sent it if `isDecoded`. @throws if it cannot be encoded */
  encodeAnswer(answer: unknown, isDecoded = false): readonly Frame[] {
    if (isDecoded && !this.isDefault) keepProtoKeys(answer);
    const data = answer === undefined ? [] : [answer];
    return this.#encode({ type: PacketType.ACK, nsp: this.#nsp.name, id: 0, data }, Number.POSITIVE_INFINITY);
  }

  /** Decodes a packet so that it can be encoded again. */
  decode(frames: readonly Frame[]): Packet {
    const packet = this.#decode(frames);
    if (!this.isDefault) keepProtoKeys(packet.data);
    return packet;
  }

  #decode(frames: readonly Frame[]): Packet {
    const parser = withoutGuard(this.#nsp.server._parser); // other servers have encoded it
    // by default, Socket.IO's own accepts few attachments, since it is for packets of clients
    const decoder = this.isDefault ? new parser.Decoder({ maxAttachments: Number.POSITIVE_INFINITY }) : new parser.Decoder();
    let packet: Packet | undefined;
    decoder.on('decoded', (decoded: Packet) => {
      if (packet) throw new Error('frames of more than one packet');
      packet = decoded;
    });
    for (const frame of frames) decoder.add(frame);
    if (!packet) throw new Error('the decoder of this server cannot read a packet of its encoder');
    return packet;
  }

  decodeAnswer(frames: readonly Frame[]): unknown {
    return (this.#decode(frames).data as unknown[])[0]; // created by encodeAnswer()
  }

  /** Reads an event from a backend. @throws InvalidMessage if clients could not read it */
  read(frames: unknown): EncodedPacket {
    const data = (this.isDefault ? readPlain(frames, this.#prefix) : undefined) ?? this.#readEvent(frames);
    return new EncodedPacket(this, this.#nsp.name, frames as Frame[], data); // checked just now
  }

  /** Reads a value of `encodeAnswer` from a backend. @throws InvalidMessage if it cannot be decoded */
  readAnswer(frames: unknown): unknown {
    const { type, data } = this.#readPacket(frames);
    if (type !== PacketType.ACK || !Array.isArray(data)) throw new InvalidMessage();
    return data[0] as unknown;
  }

  /** The same packet with one more value: the offset, which a returning client sends back. */
  append(frames: readonly Frame[], value: string): readonly Frame[] {
    const [head, ...attachments] = frames;
    if (this.isDefault && typeof head === 'string') return [`${head.slice(0, -1)},${JSON.stringify(value)}]`, ...attachments];
    const packet = this.decode(frames);
    return this.#encode({ ...packet, data: [...(packet.data as unknown[]), value] }); // an event has an array
  }

  #readEvent(frames: unknown): unknown[] {
    const packet = this.#readPacket(frames);
    if (!this.isDefault) keepProtoKeys(packet.data);
    if (!isEvent(packet) || packet.nsp !== this.#nsp.name || packet.id !== undefined) throw new InvalidMessage();
    return packet.data as unknown[]; // an event has an array
  }

  #readPacket(frames: unknown): Packet {
    try {
      if (isListOf(frames, isFrame)) return this.#decode(frames as Frame[]); // checked just now
    } catch {} // it is not a packet
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
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength); // clients get a Buffer too
    });
    if (this.isDefault) checkAttachments(checked, maxAttachments);
    return checked;
  }
}

/** An encoded event. Its values are decoded only on access, for example by listeners to outgoing events. */
export class EncodedPacket implements Event {
  readonly type = PacketType.EVENT;
  readonly #codec: PacketCodec;
  nsp: string;
  /** Set by Socket.IO if clients have to acknowledge. The packet then has to be encoded again: the frames are without it. */
  id?: number;
  frames: readonly Frame[];
  /** Whether the frames have an id, by which one client is to acknowledge. */
  isQuestion = false;
  /** The offset of the event in connection state recovery: the last of its values, if set. */
  offset: string | undefined;
  /** Whether the values of the app consist only of what JSON has, and Buffers. */
  readonly isPlain: boolean;
  #data: unknown[] | undefined;

  /** @param data the values of the app. Default: decoded from the frames */
  constructor(codec: PacketCodec, nsp: string, frames: readonly Frame[], data?: unknown[], isPlain = false) {
    this.#codec = codec;
    this.nsp = nsp;
    this.frames = frames;
    this.#data = data;
    this.isPlain = isPlain;
  }

  get data(): unknown[] {
    return (this.#data ??= this.decode());
  }

  /** The text of the packet. Undefined if the parser is not Socket.IO's own. */
  get json(): string | undefined {
    const [head] = this.frames;
    return this.#codec.isDefault && typeof head === 'string' ? head : undefined;
  }

  /** Decodes the values that clients get: a new copy on each call. */
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

/** Packets of Socket.IO as their clients get them: encoded once, for the clients of all servers. */
import type { Namespace } from 'socket.io';
import { withoutGuard } from '../decoder';
import { bytesOf } from './json';

/** What a packet is encoded into: text, and the bytes that follow it; or what a parser of the app makes of it. */
export type Frame = string | Uint8Array;

export interface Packet {
  type: number;
  nsp: string;
  data?: unknown;
  id?: number;
}

/** That of the server: of Socket.IO, or of a parser that the app has chosen. */
export interface Encoder {
  encode(packet: Packet): unknown[];
}

// Socket.IO's numbers: https://github.com/socketio/socket.io-protocol#packet-types
const EVENT = 2;
const ACK = 3;

/** Between packets and what clients get, as the server of a namespace has it. */
export class PacketCodec {
  readonly #nsp: Namespace;
  readonly #encoder: Encoder;

  constructor(nsp: Namespace) {
    this.#nsp = nsp;
    this.#encoder = nsp.server.encoder;
  }

  /** @throws TypeError where it cannot be carried */
  encode(packet: Packet): Frame[] {
    return this.#encoder.encode(packet).map(frame => {
      const bytes = typeof frame === 'string' ? frame : bytesOf(frame);
      if (bytes === undefined) throw new TypeError('a Blob cannot be sent to other workers or servers; send `await blob.arrayBuffer()`');
      return bytes;
    });
  }

  decode(frames: readonly Frame[]): Packet {
    const { _opts: options, _parser } = this.#nsp.server;
    const parser = withoutGuard(_parser); // other servers have encoded it
    // that of Socket.IO takes few attachments unless told: it is meant for what comes from clients
    const decoder = options.parser ? new parser.Decoder() : new parser.Decoder({ maxAttachments: Number.POSITIVE_INFINITY });
    let packet: Packet | undefined;
    decoder.on('decoded', (decoded: Packet) => (packet = decoded));
    for (const frame of frames) decoder.add(frame);
    if (!packet) throw new Error('the parser of this server has not understood a packet that its encoder has made');
    return packet;
  }

  /** An acknowledgement has no more than one value. */
  encodeAnswer(answer: unknown): Frame[] {
    return this.encode({ type: ACK, nsp: this.#nsp.name, id: 0, data: answer === undefined ? [] : [answer] });
  }

  decodeAnswer(frames: readonly Frame[]): unknown {
    return (this.decode(frames).data as unknown[])[0]; // as the method before has made it
  }
}

/** A packet as clients get it. It is decoded only for those who want to see it: listeners to all that goes out. */
export class EncodedPacket implements Packet {
  readonly type = EVENT;
  nsp = '';
  readonly frames: readonly Frame[];
  readonly #decode: () => unknown;

  constructor(frames: readonly Frame[], decode: () => unknown) {
    this.frames = frames;
    this.#decode = decode;
  }

  get data(): unknown {
    return this.#decode();
  }
}

/** Packets of Socket.IO as the hub carries them: encoded once, for the clients of all workers. */
import type { Namespace } from 'socket.io';
import { bytesOf } from '../../backplane/json';
import { withoutGuard } from '../../decoder';
import type { Part } from './hub-message';

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

  /** @throws TypeError where the hub cannot carry it */
  encode(packet: Packet): Part[] {
    return this.#encoder.encode(packet).map(frame => {
      const part = typeof frame === 'string' ? frame : bytesOf(frame);
      if (part === undefined) throw new TypeError('a Blob cannot be sent to other workers; send `await blob.arrayBuffer()`');
      return part;
    });
  }

  decode(frames: readonly Part[]): Packet {
    const { _opts: options, _parser } = this.#nsp.server;
    const parser = withoutGuard(_parser); // other workers have encoded it
    // that of Socket.IO takes few attachments unless told: it is meant for what comes from clients
    const decoder = options.parser ? new parser.Decoder() : new parser.Decoder({ maxAttachments: Number.POSITIVE_INFINITY });
    let packet: Packet | undefined;
    decoder.on('decoded', (decoded: Packet) => (packet = decoded));
    for (const frame of frames) decoder.add(frame);
    if (!packet) throw new Error('the parser of this server has not understood a packet that its encoder has made');
    return packet;
  }

  /** An acknowledgement has no more than one value. */
  encodeAnswer(answer: unknown): Part[] {
    return this.encode({ type: ACK, nsp: this.#nsp.name, id: 0, data: answer === undefined ? [] : [answer] });
  }

  decodeAnswer(parts: readonly Part[]): unknown {
    return (this.decode(parts).data as unknown[])[0]; // as the method before has made it
  }
}

/** A packet as clients get it. It is decoded only for those who want to see it: listeners to all that goes out. */
export class EncodedPacket implements Packet {
  readonly type = EVENT;
  nsp = '';
  readonly frames: readonly Part[];
  readonly #decode: () => unknown;

  constructor(frames: readonly Part[], decode: () => unknown) {
    this.frames = frames;
    this.#decode = decode;
  }

  get data(): unknown {
    return this.#decode();
  }
}

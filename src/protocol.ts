/** Packets of Socket.IO, and a decoder for packets of clients that is stricter than Socket.IO's own. */
import type { Server } from 'socket.io';

type Parser = Server['_parser'];
type Listener = (this: unknown, packet: Packet) => void;

/** A packet of Socket.IO: https://socket.io/docs/v4/socket-io-protocol/ */
export interface Packet {
  type: number;
  nsp: string;
  data?: unknown;
  id?: number;
}

export const PacketType = { CONNECT: 0, DISCONNECT: 1, EVENT: 2, ACK: 3, CONNECT_ERROR: 4, BINARY_EVENT: 5 } as const;

/**
 * The maximum number of levels, including the packet's own array. The data of a client may be encoded again, for other servers or clients, and
 * encoders throw an uncaught error at some depth: MessagePack in the official adapters at 94 to 96 levels.
 */
export const MAX_NESTING = 64;

const officialParsers = new WeakMap<Parser, Parser>();

/**
 * Returns a parser whose decoder differs in three points:
 * - It throws if a packet is nested too deeply, as for an unreadable packet: Socket.IO closes the connection.
 * - It delays a CONNECT that follows a DISCONNECT in the same read. Socket.IO handles CONNECT at once but DISCONNECT in the next tick, so
 *   that `socket.disconnect().connect()` in a client would look like a second connect, and end the connection.
 * - It throws if the `auth` of a CONNECT is not an object. The official parsers do so themselves; one of the app may not. Null is no `auth`:
 *   MessagePack may encode undefined as null.
 *
 * @param onRefusal called for each packet that is nested too deeply
 */
export function guardDecoder(parser: Parser, onRefusal: () => void): Parser {
  const guard = (listener: Listener): Listener => {
    let hasLeft = false;
    const onPacket: Listener & { fn?: Listener } = function (decoded) {
      const packet = decoded.type === PacketType.CONNECT && decoded.data === null ? { ...decoded, data: undefined } : decoded;
      if (packet.type === PacketType.CONNECT && packet.data !== undefined && typeof packet.data !== 'object')
        throw new Error('auth is not an object');
      if (isNestedDeeper(packet.data, MAX_NESTING)) {
        onRefusal();
        throw new Error('the packet is nested too deeply');
      }
      if (packet.type === PacketType.DISCONNECT) {
        hasLeft = true;
        process.nextTick(() => (hasLeft = false));
      } else if (hasLeft && packet.type === PacketType.CONNECT) {
        process.nextTick(handOver, listener.bind(this), packet);
        return;
      }
      listener.call(this, packet); // the decoder, which once() needs
    };
    onPacket.fn = listener; // off() looks for it
    return onPacket;
  };
  const guarded = (event: string, listener: Listener): Listener => (event === 'decoded' ? guard(listener) : listener); // a parser of the app may have more events
  class Decoder extends parser.Decoder {
    constructor(...args: ConstructorParameters<Parser['Decoder']>) {
      super(...args);
      if (!Object.hasOwn(this, 'on')) return;
      const on = this.on.bind(this); // a field, which hides the method below
      Object.assign(this, { on: (event: 'decoded', listener: Listener): unknown => on(event, guarded(event, listener)) });
    }

    override on(event: 'decoded', listener: Listener): this {
      return super.on(event, guarded(event, listener));
    }
  }
  const stricter = Object.create(parser, { Decoder: { value: Decoder } }) as Parser; // inherits everything else
  officialParsers.set(stricter, parser);
  return stricter;
}

/** The original parser, for packets of other servers. */
export function withoutGuard(parser: Parser): Parser {
  return officialParsers.get(parser) ?? parser;
}

/** Passes a delayed packet on. An error of Socket.IO, which nothing would catch here, closes the connection. */
function handOver(listener: Listener, packet: Packet): void {
  try {
    listener(packet);
  } catch {
    listener({ type: PacketType.CONNECT_ERROR, nsp: '/' }); // invalid from a client: Socket.IO closes the connection
  }
}

/** Whether objects and arrays are nested in more than these levels, including the value itself. Bytes count as a simple value. */
export function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (isNestedDeeper(item, levels - 1)) return true;
    return false;
  }
  for (const key in value) if (isNestedDeeper((value as Record<string, unknown>)[key], levels - 1)) return true; // a key of it
  return false;
}

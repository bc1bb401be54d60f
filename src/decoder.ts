/** What Socket.IO's decoder hands over of what clients send. */
import type { Server } from 'socket.io';

type Parser = Server['_parser'];
type DecodedPacket = { readonly type: number; readonly nsp: string; readonly data?: unknown };
type Listener = (packet: DecodedPacket) => void;

/**
 * Levels, the packet's own array being the first. What a client sends may have to be encoded again, for other servers or for other clients,
 * and encoders give up at some depth: they throw where nobody catches it. MessagePack of the official adapters gives up at 94 to 96.
 */
export const MAX_NESTING = 64;

/** Types of packets: https://socket.io/docs/v4/socket-io-protocol/ */
const CONNECT = 0;
const DISCONNECT = 1;
const CONNECT_ERROR = 4;

const officialParsers = new WeakMap<Parser, Parser>();

/**
 * A parser whose decoder differs in two points:
 * - It throws where a packet is nested too deep, as it does for one that it cannot read: Socket.IO closes the connection.
 * - It hands over a CONNECT after a DISCONNECT of the same read. Socket.IO handles CONNECT at once and DISCONNECT in the next tick: it would
 *   take a client that leaves and comes back, by `socket.disconnect().connect()`, for one that connects twice, and close all its namespaces.
 *
 * @param onRefusal called for each packet that is nested too deep
 */
export function guardDecoder(parser: Parser, onRefusal: () => void): Parser {
  const guard = (listener: Listener): Listener => {
    let hasLeft = false;
    const onPacket: Listener & { fn?: Listener } = packet => {
      if (isNestedDeeper(packet.data, MAX_NESTING)) {
        onRefusal();
        throw new Error('a packet that is nested too deep');
      }
      if (packet.type === DISCONNECT) {
        hasLeft = true;
        process.nextTick(() => (hasLeft = false));
      } else if (hasLeft && packet.type === CONNECT) {
        process.nextTick(handOver, listener, packet);
        return;
      }
      listener(packet);
    };
    onPacket.fn = listener; // by which off() finds it
    return onPacket;
  };
  class Decoder extends parser.Decoder {
    constructor() {
      super();
      const on = this.on.bind(this);
      const onGuarded = (event: 'decoded', listener: Listener): unknown => on(event, event === 'decoded' ? guard(listener) : listener); // a parser of the app may have more events
      Object.assign(this, { on: onGuarded }); // called for each client
    }
  }
  const guarded = Object.create(parser, { Decoder: { value: Decoder } }) as Parser; // all else is the parser's
  officialParsers.set(guarded, parser);
  return guarded;
}

/** The parser itself, for what other servers have encoded. */
export function withoutGuard(parser: Parser): Parser {
  return officialParsers.get(parser) ?? parser;
}

/** Nobody catches here what Socket.IO throws for a packet that it cannot read, as it does where packets are decoded. */
function handOver(listener: Listener, packet: DecodedPacket): void {
  try {
    listener(packet);
  } catch {
    listener({ type: CONNECT_ERROR, nsp: '/' }); // which no client may send: Socket.IO closes the connection
  }
}

/** Whether a value has objects or arrays in more levels than these, itself being one. Bytes count as a simple value. */
function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (isNestedDeeper(item, levels - 1)) return true;
    return false;
  }
  for (const key in value) if (isNestedDeeper((value as Record<string, unknown>)[key], levels - 1)) return true; // a key of it
  return false;
}

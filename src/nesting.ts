/**
 * How deep packets of clients may be nested. What a client sends may have to be encoded again, for other servers or for other clients,
 * and encoders give up at some depth: they throw where nobody catches it.
 */
import type { Server } from 'socket.io';

/** Levels, the packet's own array being the first. MessagePack of the official adapters gives up at 94 to 96. */
export const MAX_NESTING = 64;

type Parser = Server['_parser'];

const unlimited = new WeakMap<Parser, Parser>();

/**
 * A parser whose decoder throws where a packet is nested too deep, as it does for one that it cannot read: Socket.IO closes the connection.
 * @param onRefusal called for each of these packets
 */
export function limitNesting(parser: Parser, onRefusal: () => void): Parser {
  const check = (packet: { readonly data?: unknown }): void => {
    if (!isNestedDeeper(packet.data, MAX_NESTING)) return;
    onRefusal();
    throw new Error('a packet that is nested too deep');
  };
  class Decoder extends parser.Decoder {
    constructor() {
      super();
      this.on('decoded', check); // before the listener of Socket.IO, which is not reached then
    }
  }
  const limited = Object.create(parser, { Decoder: { value: Decoder } }) as Parser; // all else is the parser's
  unlimited.set(limited, parser);
  return limited;
}

/** The parser itself, for what other servers have encoded. */
export function withoutLimit(parser: Parser): Parser {
  return unlimited.get(parser) ?? parser;
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

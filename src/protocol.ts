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

/** Where a client's packets are checked. A decoder that belongs to no connection has none. */
export interface PacketGuard<Connection = object> {
  /** The connection that has just begun: Socket.IO makes its decoder now. */
  readonly newest: Connection | undefined;
  /** The most bytes of `auth`. */
  readonly maxAuth: number;
  /** Called for each packet that is nested too deeply. */
  onNested(connection: Connection | undefined): void;
  /** Called for each message of a packet with attachments that is not complete yet. @param rest the number of attachments that are to come */
  onPart(connection: Connection, bytes: number, rest: number): void;
  /** Called when such a packet is complete, or its client has gone. */
  onComplete(connection: Connection): void;
}

/** By `serverSideEmit()`: a question of the admin page to all processes. */
export const ADMIN_EVENT = '$io:admin';

/** In place of an `auth` that is too large, which is not kept. A client may send it as well: it is refused, too. */
export const AUTH_TOO_LARGE = '$io:auth-too-large';

const CONNECTION = Symbol('connection');
const SIZE = Symbol('size');
const IS_PARTIAL = Symbol('isPartial');
const REST = Symbol('rest');

/**
 * Returns a parser whose decoder differs in these points:
 * - It throws if a packet is nested too deeply, as for an unreadable packet: Socket.IO closes the connection.
 * - It delays a CONNECT that follows a DISCONNECT in the same read. Socket.IO handles CONNECT at once but DISCONNECT in the next tick, so
 *   that `socket.disconnect().connect()` in a client would look like a second connect, and end the connection.
 * - It throws if the `auth` of a CONNECT is not an object. The official parsers do so themselves; one of the app may not. Null is no `auth`:
 *   MessagePack may encode undefined as null.
 * - It replaces an `auth` that is too large, and tells of packets that are not complete.
 */
export function guardDecoder<Connection>(parser: Parser, guard: PacketGuard<Connection>): Parser {
  const guardListener = (decoder: Decoder, listener: Listener): Listener => {
    let hasLeft = false;
    const onPacket: Listener & { fn?: Listener } = function (decoded) {
      const packet = decoded.type === PacketType.CONNECT ? checkConnect(decoded, decoder[SIZE], guard.maxAuth) : decoded;
      if (isNestedDeeper(packet.data, MAX_NESTING)) {
        guard.onNested(decoder[CONNECTION]);
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
  const guarded = (decoder: Decoder, event: string, listener: Listener): Listener =>
    event === 'decoded' ? guardListener(decoder, listener) : listener; // a parser of the app may have more events
  class Decoder extends parser.Decoder {
    readonly [CONNECTION] = guard.newest;
    /** The bytes of the message that is being decoded. */
    [SIZE] = 0;
    [IS_PARTIAL] = false;
    /** The number of attachments that are to come. */
    [REST] = 0;

    constructor(...args: ConstructorParameters<Parser['Decoder']>) {
      super(...args);
      if (!Object.hasOwn(this, 'on')) return;
      const on = this.on.bind(this); // a field, which hides the method below
      Object.assign(this, { on: (event: 'decoded', listener: Listener): unknown => on(event, guarded(this, event, listener)) });
    }

    override add(message: unknown): void {
      this[SIZE] = sizeOf(message);
      super.add(message);
      const { [CONNECTION]: connection, [IS_PARTIAL]: wasPartial } = this;
      this[IS_PARTIAL] = isPartial(this);
      if (connection === undefined) return;
      if (this[IS_PARTIAL]) guard.onPart(connection, this[SIZE], (this[REST] = wasPartial ? this[REST] - 1 : attachmentsOf(message)));
      else if (wasPartial) guard.onComplete(connection);
    }

    override destroy(): void {
      super.destroy();
      if (this[CONNECTION] !== undefined && this[IS_PARTIAL]) guard.onComplete(this[CONNECTION]);
    }

    override on(event: 'decoded', listener: Listener): this {
      return super.on(event, guarded(this, event, listener));
    }
  }
  const stricter = Object.create(parser, { Decoder: { value: Decoder } }) as Parser; // inherits everything else
  officialParsers.set(stricter, parser);
  return stricter;
}

/** @throws Error if the `auth` is not an object. @param size the bytes of the whole packet */
function checkConnect(packet: Packet, size: number, maxAuth: number): Packet {
  const { nsp } = packet;
  const data = packet.data ?? undefined;
  if (data !== undefined && typeof data !== 'object') throw new Error('auth is not an object');
  const query = nsp.indexOf('?'); // the `auth` of protocol 3
  if (data !== undefined && size - nsp.length > maxAuth) return { ...packet, data: { [AUTH_TOO_LARGE]: true } };
  if (query >= 0 && nsp.length - query > maxAuth) return { ...packet, nsp: `${nsp.slice(0, query)}?${AUTH_TOO_LARGE}=true` };
  return packet.data === data ? packet : { ...packet, data };
}

/** The bytes of a message. Of texts, those of a CONNECT alone are counted exactly. */
function sizeOf(message: unknown): number {
  if (typeof message === 'string') return message.startsWith('0') ? Buffer.byteLength(message) : message.length;
  return (message as Partial<ArrayBufferView> | null)?.byteLength ?? 0; // an engine may have other messages
}

/** The number of attachments that the first message of a packet announces. NaN with a parser of the app that writes it elsewhere. */
function attachmentsOf(message: unknown): number {
  return typeof message === 'string' ? Number.parseInt(message.slice(1), 10) : Number.NaN;
}

/** Whether bytes of a packet are to come. */
function isPartial(decoder: object): boolean {
  return Boolean((decoder as { readonly reconstructor?: object | null }).reconstructor); // private; a parser of the app may have none
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

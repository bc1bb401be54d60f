/**
 * What comes from a backend, checked before an adapter sees it. Whoever can write to the backend may have written it, and the adapters
 * take what they expect for granted: what is missing there would throw where nobody catches it.
 */
import { type ClusterAdapter, MessageType } from 'socket.io-adapter';
import type { Logger } from '../egg';
import { messageOf, oneLine, toError } from '../errors';
import { LogLimit } from '../log-limit';

type Fields = Readonly<Record<string, unknown>>;

/** Says in the log what has come from one backend and could not be used. What others write at will does not fill it. */
export class Inbox {
  readonly #logger: Logger;
  readonly #from: string;
  readonly #place: string;
  readonly #limit = new LogLimit({ interval: 60_000, kinds: 20 }); // names of channels are made up at will, too
  /** How many messages have been read, good or bad. */
  read = 0;

  /**
   * @param from what it comes from, as `Redis at 127.0.0.1:6379`
   * @param place what the places are there of which `receive` is told the names
   */
  constructor(logger: Logger, from: string, place = 'channel') {
    this.#logger = logger;
    this.#from = from;
    this.#place = place;
  }

  /** A message that no adapter has written is dropped. @param channel where it has come from */
  drop(channel: string | Buffer): void {
    const place = `${this.#from}, ${this.#place} ${oneLine(channel.toString()).slice(0, 100)}`;
    const write = (problem: string): void => this.#logger.warn(messageOf('IO_MESSAGE_INVALID', problem));
    this.#limit.log(
      place,
      () => write(`${place}: a message that no server of this app can have sent was dropped`),
      count =>
        write(
          `${count} more messages that no server of this app can have sent were dropped in the last minute, the last one from ${place}`,
        ),
    );
  }

  /** What has read a message has thrown: since it is none, if that is an `InvalidMessage`, or for some reason of this server. */
  fail(channel: string | Buffer, thrown: unknown): void {
    if (thrown instanceof InvalidMessage) {
      this.drop(channel);
      return;
    }
    const error = toError(thrown);
    this.#limit.log(
      `${error.name}: ${error.message}`,
      () => this.#logger.error('[egg-socket.io] a message over %s has failed here:', this.#from, error),
      count =>
        this.#logger.error(
          '[egg-socket.io] %d more messages over %s have failed here in the last minute: %s',
          count,
          this.#from,
          error.message,
        ),
    );
  }

  /** To be called when nothing is received any more. */
  close(): void {
    this.#limit.flush();
  }
}

/** Thrown by what reads a message, for the Inbox to drop it. */
export class InvalidMessage extends Error {}

/**
 * An adapter that sees only what one of its kind can have sent.
 * @param channel where its messages come from
 */
export function checkMessages<A extends ClusterAdapter>(adapter: A, inbox: Inbox, channel: string): A {
  const inside = adapter as unknown as Inside; // there, though declared otherwise
  const { onMessage, onResponse, onRawMessage } = inside;
  return Object.assign(adapter, {
    onMessage(message: unknown, offset?: string): void {
      inbox.read++;
      try {
        if (!isClusterMessage(message)) throw new InvalidMessage();
        onMessage.call(adapter, message, offset);
      } catch (error) {
        inbox.fail(channel, error);
      }
    },
    onResponse(response: unknown): void {
      inbox.read++;
      try {
        if (!isClusterResponse(response)) throw new InvalidMessage();
        onResponse.call(adapter, response);
      } catch (error) {
        inbox.fail(channel, error);
      }
    },
    /** Those over Redis say nothing of what they cannot decode. */
    ...(onRawMessage && {
      onRawMessage(...raw: unknown[]): void {
        const before = inbox.read;
        onRawMessage.apply(adapter, raw);
        if (inbox.read === before) inbox.drop(channel);
      },
    }),
  });
}

/** What a ClusterAdapter declares as protected or private. */
interface Inside {
  onMessage(message: unknown, offset?: string): void;
  onResponse(response: unknown): void;
  onRawMessage?(...raw: unknown[]): void;
}

/** What adapters that stand on Socket.IO's ClusterAdapter tell each other; MongoDB's speaks the same. */
export function isClusterMessage(value: unknown): boolean {
  if (!isObject(value) || typeof value['uid'] !== 'string' || typeof value['nsp'] !== 'string') return false;
  const { type, data } = value;
  if (type === MessageType.INITIAL_HEARTBEAT || type === MessageType.HEARTBEAT || type === MessageType.ADAPTER_CLOSE) return true;
  if (!isObject(data)) return false;
  const { requestId, opts, packet, rooms, close } = data;
  switch (type) {
    case MessageType.BROADCAST:
      return isEvent(packet) && isTarget(opts) && isOptional(requestId, 'string');
    case MessageType.SOCKETS_JOIN:
    case MessageType.SOCKETS_LEAVE:
      return isTarget(opts) && isRoomList(rooms);
    case MessageType.DISCONNECT_SOCKETS:
      return isTarget(opts) && isOptional(close, 'boolean');
    case MessageType.FETCH_SOCKETS:
      return isTarget(opts) && typeof requestId === 'string';
    case MessageType.SERVER_SIDE_EMIT:
      return isServerEvent(packet) && isOptional(requestId, 'string');
    default:
      return isClusterResponse(value);
  }
}

/** What they answer. */
function isClusterResponse(value: unknown): boolean {
  if (!isObject(value) || !isObject(value['data'])) return false;
  const { requestId, sockets, clientCount } = value['data'];
  if (typeof requestId !== 'string') return false;
  switch (value['type']) {
    case MessageType.FETCH_SOCKETS_RESPONSE:
      return isListOf(sockets, isSocketDetails);
    case MessageType.BROADCAST_CLIENT_COUNT:
      return isCount(clientCount);
    case MessageType.SERVER_SIDE_EMIT_RESPONSE:
    case MessageType.BROADCAST_ACK:
      return true; // whatever the other server or its client has answered
    default:
      return false;
  }
}

/** An event for clients, as the adapter would encode it; clients refuse names that are reserved, and close. */
export function isEvent(packet: unknown): boolean {
  if (!isObject(packet) || packet['type'] !== EVENT || !isOptional(packet['nsp'], 'string') || !isOptional(packet['id'], 'number'))
    return false;
  const { data } = packet;
  return Array.isArray(data) && (typeof data[0] === 'number' || (typeof data[0] === 'string' && !RESERVED.has(data[0])));
}

/** An event for servers. */
export function isServerEvent(args: unknown): args is [string, ...unknown[]] {
  return Array.isArray(args) && typeof args[0] === 'string' && !RESERVED_BY_SERVERS.has(args[0]);
}

/** Whom it is for. Emitters leave out what is empty. */
export function isTarget(opts: unknown): boolean {
  if (!isObject(opts)) return false;
  const { rooms, except, flags } = opts;
  return (isNothing(rooms) || isRoomList(rooms)) && (isNothing(except) || isRoomList(except)) && (isNothing(flags) || isObject(flags));
}

/** Old apps have numbers among them. */
export function isRoomList(rooms: unknown): boolean {
  return isListOf(rooms, isRoom);
}

export function isRoom(room: unknown): boolean {
  return typeof room === 'string' || typeof room === 'number';
}

/** What is told of a socket. */
export function isSocketDetails(value: unknown): boolean {
  return isObject(value) && typeof value['id'] === 'string' && isObject(value['handshake']) && isRoomList(value['rooms']);
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

export function isListOf(value: unknown, isItem: (item: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(isItem);
}

export function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0; // an integer
}

/** Absent, or of this type. MessagePack has null where nothing was. */
export function isOptional(value: unknown, type: 'boolean' | 'number' | 'string'): boolean {
  return isNothing(value) || typeof value === type;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}

const EVENT = 2; // https://github.com/socketio/socket.io-protocol#packet-types

const RESERVED: ReadonlySet<unknown> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** Those that the server itself fires on a namespace. */
const RESERVED_BY_SERVERS: ReadonlySet<unknown> = new Set(['connect', 'connection', 'new_namespace', 'newListener', 'removeListener']);

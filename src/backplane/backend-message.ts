/**
 * Validates messages from a backend. Any program with access to the backend may have written them, and adapters do not check them:
 * a missing field would cause an uncaught error.
 */
import { MessageType } from 'socket.io-adapter';
import { PacketType } from '../protocol';

const RESERVED: ReadonlySet<unknown> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** Events that the server itself fires on a namespace. */
const RESERVED_BY_SERVERS: ReadonlySet<unknown> = new Set(['connect', 'connection', 'new_namespace', 'newListener', 'removeListener']);

type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is a message of Socket.IO's ClusterAdapter, or of the adapter for MongoDB, which has the same format. */
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

/** Whether a value is an answer of such an adapter. */
export function isClusterResponse(value: unknown): boolean {
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
      return true; // the answer itself may be anything
    default:
      return false;
  }
}

/** Whether a value is a packet with an event for clients. Clients would close the connection for a reserved name. */
export function isEvent(packet: unknown): boolean {
  if (
    !isObject(packet) ||
    packet['type'] !== PacketType.EVENT ||
    !isOptional(packet['nsp'], 'string') ||
    !isOptional(packet['id'], 'number')
  )
    return false;
  const { data } = packet;
  return Array.isArray(data) && (typeof data[0] === 'number' || (typeof data[0] === 'string' && !RESERVED.has(data[0])));
}

/** Whether a value is an event of `serverSideEmit()`. */
export function isServerEvent(args: unknown): args is [string, ...unknown[]] {
  return Array.isArray(args) && typeof args[0] === 'string' && !RESERVED_BY_SERVERS.has(args[0]);
}

/** Whether a value is the target of a broadcast. Emitters omit empty fields. */
export function isTarget(opts: unknown): boolean {
  if (!isObject(opts)) return false;
  const { rooms, except, flags } = opts;
  return (isNothing(rooms) || isRoomList(rooms)) && (isNothing(except) || isRoomList(except)) && (isNothing(flags) || isObject(flags));
}

/** Whether a value is a list of rooms. Old apps use numbers too. */
export function isRoomList(rooms: unknown): boolean {
  return isListOf(rooms, isRoom);
}

export function isRoom(room: unknown): boolean {
  return typeof room === 'string' || typeof room === 'number';
}

/** Whether a value has the details of a socket. */
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
  return Number.isInteger(value) && (value as number) >= 0; // checked just now
}

/** Whether a value is absent or of this type. MessagePack encodes undefined as null. */
export function isOptional(value: unknown, type: 'boolean' | 'number' | 'string'): boolean {
  return isNothing(value) || typeof value === type;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}

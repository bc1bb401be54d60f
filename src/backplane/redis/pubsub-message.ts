/** The messages between servers with the adapter `redis`, validated before the official adapter gets them. */
import type { Room } from 'socket.io-adapter';
import type { Answers } from '../answer';
import {
  isCount,
  isEvent,
  isListOf,
  isObject,
  isOptional,
  isRoom,
  isRoomList,
  isServerEvent,
  isSocketDetails,
  isTarget,
} from '../backend-message';
import { fieldsOf, unpackFields } from '../broadcast-message';
import { InvalidMessage } from '../inbox';
import { EncodedPacket, type PacketCodec } from '../packet-codec';
import { unpackSockets, unpackValues } from '../values';

/** The official adapter's number of each kind of request. */
export const RequestType = {
  Sockets: 0,
  Rooms: 1,
  Join: 2,
  Leave: 3,
  Disconnect: 4,
  FetchSockets: 5,
  ServerSideEmit: 6,
  BroadcastWithAck: 7,
  /** A type of response, not of request. */
  Acknowledgement: 9,
} as const;

export interface Request {
  readonly type: number;
  /** The id of the server that sent the request. */
  readonly uid?: string;
  readonly requestId?: string;
  readonly opts?: { readonly rooms?: Room[]; readonly except?: Room[]; readonly flags?: { readonly timeout?: unknown } };
  readonly packet?: { readonly id?: number };
  readonly data?: [string, ...unknown[]];
}

/** @throws InvalidMessage if the decoder throws */
export function decodeMessage(message: unknown, decode: (message: unknown) => unknown): unknown {
  try {
    return decode(message);
  } catch {
    throw new InvalidMessage();
  }
}

/** A message in the official form: a request, a response, or a broadcast `[uid, packet, opts]`, which may end with the encoded packet. */
export function officialMessage(value: unknown, interop: boolean, answers: Answers, codec: PacketCodec): unknown {
  if (Array.isArray(value)) {
    const [uid, packet, target] = value as [string, EncodedPacket, Parameters<typeof fieldsOf>[1]]; // created by the adapter
    const { packet: official, opts, encoded } = fieldsOf(packet, target, interop);
    return encoded ? [uid, official, opts, encoded] : [uid, official, opts];
  }
  if (!isObject(value)) return value;
  const { type, packet, opts } = value;
  if (type === RequestType.Acknowledgement) return { ...value, ...answers.of('packet', packet, codec, true) };
  if (packet instanceof EncodedPacket) return { ...value, ...fieldsOf(packet, opts as Parameters<typeof fieldsOf>[1], interop) }; // such a request has options
  return value;
}

/** @throws InvalidMessage if the value is not a broadcast */
export function readBroadcast(value: unknown, codec: PacketCodec): unknown {
  if (!Array.isArray(value)) throw new InvalidMessage();
  const [uid, given, target, encoded] = value as unknown[];
  const { packet, opts } = unpackFields({ packet: given, opts: target, encoded }, codec);
  if (typeof uid !== 'string' || !isEvent(packet) || !isTarget(opts)) throw new InvalidMessage();
  return [uid, packet, opts];
}

/** Replaces the values of a request with its encoded ones, if it has any. @throws InvalidMessage if these cannot be decoded */
export function openRequest(value: unknown, codec: PacketCodec): unknown {
  if (!isObject(value)) return value;
  return value['type'] === RequestType.BroadcastWithAck ? unpackFields(value, codec) : unpackValues(value, ['data'], codec);
}

/** The same for a response. */
export function openResponse(value: unknown, codec: PacketCodec): unknown {
  if (!isObject(value)) return value;
  return value['sockets'] === undefined
    ? unpackValues(value, ['data', 'packet'], codec)
    : { ...value, sockets: unpackSockets(value['sockets'], codec) };
}

export function isRequest(value: unknown): value is Request {
  if (!isObject(value) || !isOptional(value['uid'], 'string') || !isOptional(value['requestId'], 'string')) return false;
  const { type, requestId, opts, rooms, sid, room, close, data, packet } = value;
  const wantsAnswer = requestId !== undefined;
  switch (type) {
    case RequestType.Sockets:
      return wantsAnswer && (rooms === undefined || isRoomList(rooms));
    case RequestType.Rooms:
      return wantsAnswer;
    case RequestType.Join:
    case RequestType.Leave:
      return opts === undefined ? typeof sid === 'string' && isRoom(room) : isTarget(opts) && isRoomList(rooms);
    case RequestType.Disconnect:
      return (opts === undefined ? typeof sid === 'string' : isTarget(opts)) && isOptional(close, 'boolean');
    case RequestType.FetchSockets:
      return wantsAnswer && isTarget(opts);
    case RequestType.ServerSideEmit:
      return isServerEvent(data);
    case RequestType.BroadcastWithAck:
      return wantsAnswer && isEvent(packet) && isTarget(opts);
    default:
      return false;
  }
}

export function isResponse(value: unknown): boolean {
  if (!isObject(value) || typeof value['requestId'] !== 'string') return false;
  const { type, sockets, rooms, clientCount } = value;
  return (
    isOptional(type, 'number') &&
    (sockets === undefined || isListOf(sockets, item => typeof item === 'string' || isSocketDetails(item))) &&
    (rooms === undefined || isRoomList(rooms)) &&
    (clientCount === undefined || isCount(clientCount))
  );
}

/** Private members of Socket.IO's adapters: each with its reason, and checked only if the adapter is used. */
import type { Socket } from 'socket.io';
import type { Adapter, BroadcastOptions, ClusterMessage, Session } from 'socket.io-adapter';
import { type Members, requireMembers } from './members';

export interface ClusterInternals {
  publish(message: object): void;
  publishAndReturnOffset(message: object): Promise<string>;
  addOffsetIfNecessary(packet: object, opts: BroadcastOptions, offset: string): void;
  doPublish(message: object): Promise<string>;
  publishResponse(requester: string, response: object): void;
  onMessage(message: unknown, offset?: string): void;
  onResponse(response: unknown): void;
}

/** The members of any adapter that supports recovery, including in-memory adapters and those of apps. */
export interface RecoveryInternals {
  apply(opts: BroadcastOptions, deliver: (socket: Socket) => void): void;
  restoreSession(pid: string, offset: string): Promise<Session | null> | null;
  persistSession(session: Parameters<Adapter['persistSession']>[0]): void;
  onMessage?(message: ClusterMessage, offset?: string): void;
  /** Only with `redis-streams`, from this plugin: `restoreSession` does not remove the session there. Returns whether it was there. */
  takeSession?(pid: string): Promise<boolean>;
  /** Only in Socket.IO's in-memory adapter, which does not remove a restored session. */
  readonly sessions?: Map<string, unknown>;
}

export interface RedisMethods {
  onmessage(pattern: string, channel: Buffer, message: Buffer): void;
  onrequest(channel: Buffer, message: unknown): Promise<void>;
  onresponse(channel: Buffer, message: unknown): void;
  publishResponse(request: object, response: Buffer): void;
  hasRoom(room: string): boolean;
}

interface RedisFields {
  parser: { encode(value: unknown): Buffer; decode(message: unknown): unknown };
  readonly requestChannel: string;
  readonly responseChannel: string;
  readonly pubClient: { publish(channel: string, message: Buffer): unknown };
  readonly requests: Map<string, object>;
  readonly requestsTimeout: number;
}

/** Converts a message to the fields of a stream's entry. */
interface StreamsInternals {
  encode(message: object): { readonly data?: string };
}

interface AdapterInternals {
  encoder: { encode(packet: object): unknown };
}

type HeartbeatInternals = Record<'nodesMap', Map<string, number>>;

interface MongoInternals {
  onEvent(event: object): Promise<void>;
  publish(document: object): Promise<string>;
}

/** The base class of all adapters whose packets are encoded once for all servers. */
export const ADAPTER: Members<AdapterInternals> = {
  package: 'socket.io-adapter',
  owner: 'Adapter',
  why: { encoder: 'is replaced by one that accepts encoded packets' },
};

/** What Socket.IO hands to Engine.IO beside the packets of a broadcast. */
export interface FramingOptions {
  readonly volatile?: boolean | undefined;
  /** For WebSockets, in place of the packet. */
  wsPreEncodedFrame?: readonly Buffer[];
}

interface FramingInternals {
  _encode(packet: object, options: FramingOptions): unknown;
  apply(opts: BroadcastOptions, deliver: (socket: Socket) => void): void;
}

export const FRAMING_ADAPTER: Members<FramingInternals> = {
  package: 'socket.io-adapter',
  owner: 'Adapter',
  why: {
    _encode: 'a broadcast is framed once for all WebSockets',
    apply: 'hands that frame to those that have nothing waiting',
  },
  fallback: 'a broadcast costs more, since each client gets it as a packet of Engine.IO',
};

export const CLUSTER_ADAPTER: Members<ClusterInternals> = {
  package: 'socket.io-adapter',
  owner: 'ClusterAdapter',
  why: {
    publish: 'local clients get a broadcast first, without waiting for its publication',
    publishAndReturnOffset: 'a broadcast waits for its offset, for a limited time',
    addOffsetIfNecessary: 'adds the offset to a packet',
    doPublish: 'broadcasts are published in the official form, with the encoded packet beside it',
    publishResponse: 'an answer that cannot be encoded is replaced',
    onMessage: 'messages of a backend are validated',
    onResponse: 'answers of a backend are validated',
  },
};

export const RECOVERING_ADAPTER: Members<Pick<RecoveryInternals, 'apply' | 'restoreSession' | 'persistSession'>> = {
  package: 'socket.io-adapter',
  owner: 'Adapter',
  why: {
    apply: 'a broadcast is kept for returning clients',
    restoreSession: 'reads the session of a returning client after its old connection has stored it',
    persistSession: 'a session goes to the newer socket of the same client',
  },
};

export const REDIS_ADAPTER: Members<RedisMethods> = {
  package: '@socket.io/redis-adapter',
  owner: 'RedisAdapter',
  why: {
    onmessage: 'broadcasts from Redis are validated',
    onrequest: 'requests from Redis are validated, and those of this server ignored, since they are done at once',
    onresponse: 'responses from Redis are validated',
    hasRoom: 'a client that has gone may still get the events of its rooms',
    publishResponse: 'an answer that cannot be encoded is replaced',
  },
};

export const REDIS_ADAPTER_FIELDS: Members<RedisFields> = {
  package: '@socket.io/redis-adapter',
  owner: 'RedisAdapter',
  why: {
    parser: 'an answer of a client that cannot be encoded is replaced, and decoded messages are validated',
    requestChannel: 'the channel for requests',
    responseChannel: 'the channel for answers',
    pubClient: 'publishes requests and answers',
    requests: 'requests of serverSideEmit() are sent without the adapter, since they may contain bytes; the adapter collects the answers',
    requestsTimeout: 'the time for these answers',
  },
};

export const STREAMS_ADAPTER: Members<StreamsInternals> = {
  package: '@socket.io/redis-streams-adapter',
  owner: 'RedisStreamsAdapter',
  why: { encode: 'an entry also contains the encoded packet, if the adapter could change its values' },
};

/** Of PostgreSQL and MongoDB. */
export const HEARTBEAT_ADAPTER: Members<HeartbeatInternals> = {
  package: 'socket.io-adapter',
  owner: 'ClusterAdapterWithHeartbeat',
  why: { nodesMap: 'servers are counted by a clock that is not set' },
};

export const MONGO_ADAPTER: Members<MongoInternals> = {
  package: '@socket.io/mongo-adapter',
  owner: 'MongoAdapter',
  why: {
    onEvent: 'documents are validated',
    publish: 'local clients get a broadcast first; messages lost in an outage are counted',
  },
};

export function adapterInternals(adapter: Adapter): AdapterInternals {
  requireMembers(ADAPTER, adapter);
  return adapter as unknown as AdapterInternals; // declared as private
}

/** Adapters over Redis also have `onRawMessage`, for messages before decoding. */
export function clusterInternals(adapter: Adapter): ClusterInternals & { onRawMessage?(...raw: unknown[]): void } {
  requireMembers(CLUSTER_ADAPTER, adapter);
  return adapter as unknown as ClusterInternals; // protected or private
}

export function recoveryInternals(adapter: Adapter): RecoveryInternals {
  requireMembers(RECOVERING_ADAPTER, adapter);
  return adapter as unknown as RecoveryInternals; // marked as private
}

/** The methods of the prototype. They are checked when the first adapter is created, since apps without Redis do not need them. */
export function redisMethods(prototype: object): RedisMethods {
  return prototype as RedisMethods; // declared as private
}

/** A created adapter with its fields. */
export function redisInternals(adapter: object): RedisMethods & RedisFields {
  return adapter as RedisMethods & RedisFields; // declared as private
}

export function streamsInternals(adapter: Adapter): StreamsInternals {
  requireMembers(STREAMS_ADAPTER, adapter);
  return adapter as unknown as StreamsInternals; // private
}

export function heartbeatInternals(adapter: Adapter): HeartbeatInternals {
  requireMembers(HEARTBEAT_ADAPTER, adapter);
  return adapter as unknown as HeartbeatInternals; // private
}

export function mongoInternals(adapter: Adapter): MongoInternals {
  requireMembers(MONGO_ADAPTER, adapter);
  return adapter as unknown as MongoInternals; // private, or not declared
}

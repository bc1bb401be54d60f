/** Members of Socket.IO's adapters that are not part of their public API: each with its reason, and looked at only where the adapter is used. */
import type { Socket } from 'socket.io';
import type { Adapter, BroadcastOptions, ClusterAdapter, ClusterMessage, Session } from 'socket.io-adapter';
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

/** Of an adapter that can recover; one in memory and one of the app's own among them. */
export interface RecoveryInternals {
  apply(opts: BroadcastOptions, deliver: (socket: Socket) => void): void;
  restoreSession(pid: string, offset: string): Promise<Session | null> | null;
  persistSession(session: Parameters<Adapter['persistSession']>[0]): void;
  onMessage?(message: ClusterMessage, offset?: string): void;
  /** Of the adapter in memory that comes with Socket.IO, which leaves a session in there. */
  readonly sessions?: Map<string, unknown>;
}

export interface RedisMethods {
  onmessage(pattern: string, channel: Buffer, message: Buffer): void;
  onrequest(channel: Buffer, message: unknown): Promise<void>;
  onresponse(channel: Buffer, message: unknown): void;
  publishResponse(request: object, response: Buffer): void;
}

interface RedisFields {
  parser: { encode(value: unknown): Buffer; decode(message: unknown): unknown };
  readonly requestChannel: string;
  readonly responseChannel: string;
  readonly pubClient: { publish(channel: string, message: Buffer): unknown };
  readonly requests: Map<string, object>;
  readonly requestsTimeout: number;
}

/** Between a message and an entry of a stream, as its fields. */
interface StreamsInternals {
  encode(message: object): { readonly data?: string };
}

interface AdapterInternals {
  encoder: { encode(packet: object): unknown };
}

interface MongoInternals {
  onEvent(event: object): Promise<void>;
  publish(document: object): Promise<string>;
}

/** Which all adapters extend whose packets are encoded once for all servers. */
export const ADAPTER: Members<AdapterInternals> = {
  package: 'socket.io-adapter',
  owner: 'Adapter',
  why: { encoder: 'is replaced by one that takes a packet which is encoded already' },
};

export const CLUSTER_ADAPTER: Members<ClusterInternals> = {
  package: 'socket.io-adapter',
  owner: 'ClusterAdapter',
  why: {
    publish: 'local clients are reached first, and do not wait for the publication',
    publishAndReturnOffset: 'a broadcast waits for its offset, but not for ever',
    addOffsetIfNecessary: 'puts the offset into a packet',
    doPublish: 'broadcasts leave in the official form, with what only this plugin reads beside it',
    publishResponse: 'an answer that cannot be encoded is replaced',
    onMessage: 'messages of a backend are checked',
    onResponse: 'answers of a backend are checked',
  },
};

export const RECOVERING_ADAPTER: Members<Pick<RecoveryInternals, 'apply' | 'restoreSession' | 'persistSession'>> = {
  package: 'socket.io-adapter',
  owner: 'Adapter',
  why: {
    apply: 'a broadcast is kept for clients that are coming back',
    restoreSession: 'reads the session of a client that comes back, once its old connection has given it',
    persistSession: 'a session goes to the newer socket of the same client',
  },
};

export const REDIS_ADAPTER: Members<RedisMethods> = {
  package: '@socket.io/redis-adapter',
  owner: 'RedisAdapter',
  why: {
    onmessage: 'broadcasts of Redis are checked',
    onrequest: 'requests of Redis are checked, and those of this server ignored: they are done here at once',
    onresponse: 'responses of Redis are checked',
    publishResponse: 'an answer that cannot be encoded is replaced',
  },
};

export const REDIS_ADAPTER_FIELDS: Members<RedisFields> = {
  package: '@socket.io/redis-adapter',
  owner: 'RedisAdapter',
  why: {
    parser: 'what a client answers may be what cannot be encoded, and messages are checked when they have been decoded',
    requestChannel: 'tells requests from what is of another namespace',
    responseChannel: 'where answers go',
    pubClient: 'sends them',
    requests:
      'what other servers are asked by serverSideEmit() may have bytes, so that the request is written here, and the adapter collects the answers',
    requestsTimeout: 'the time for those answers',
  },
};

export const STREAMS_ADAPTER: Members<StreamsInternals> = {
  package: '@socket.io/redis-streams-adapter',
  owner: 'RedisStreamsAdapter',
  why: { encode: 'an entry holds the encoded packet as well, where the adapter could change its values' },
};

export const MONGO_ADAPTER: Members<MongoInternals> = {
  package: '@socket.io/mongo-adapter',
  owner: 'MongoAdapter',
  why: {
    onEvent: 'documents are checked',
    publish: 'local clients are reached first; what is lost in an outage is counted',
  },
};

export function adapterInternals(adapter: Adapter): AdapterInternals {
  requireMembers(ADAPTER, adapter);
  return adapter as unknown as AdapterInternals; // declared as private
}

/** Those over Redis have a method for what they have not decoded yet as well. */
export function clusterInternals(adapter: ClusterAdapter): ClusterInternals & { onRawMessage?(...raw: unknown[]): void } {
  requireMembers(CLUSTER_ADAPTER, adapter);
  return adapter as unknown as ClusterInternals; // protected or private
}

export function recoveryInternals(adapter: Adapter): RecoveryInternals {
  requireMembers(RECOVERING_ADAPTER, adapter);
  return adapter as unknown as RecoveryInternals; // marked as private
}

/** The methods of the prototype. They are looked at when the first adapter is made: apps without Redis need none. */
export function redisMethods(prototype: object): RedisMethods {
  return prototype as RedisMethods; // declared as private
}

/** An adapter with its fields, once it has been made. */
export function redisInternals(adapter: object): RedisMethods & RedisFields {
  return adapter as RedisMethods & RedisFields; // declared as private
}

export function streamsInternals(adapter: Adapter): StreamsInternals {
  requireMembers(STREAMS_ADAPTER, adapter);
  return adapter as unknown as StreamsInternals; // private
}

export function mongoInternals(adapter: Adapter): MongoInternals {
  requireMembers(MONGO_ADAPTER, adapter);
  return adapter as unknown as MongoInternals; // private, or not declared
}

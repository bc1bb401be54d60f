/** The three official adapters for Redis, each with what is changed on it. */
import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { Namespace } from 'socket.io';
import type { ClusterAdapter } from 'socket.io-adapter';
import type { RedisSettings } from '../../config/adapter';
import type { AdapterFactory } from '../../config/options';
import { answerSafely } from '../answer';
import { checkMessages } from '../backend-message';
import type { Backplane } from '../backplane';
import { broadcastHere, deliverLocallyFirst, failFast } from '../wrappers/local-first';
import { recoverConnections } from '../wrappers/recovery';
import type { Client } from './client';
import { PubSubAdapter } from './pubsub-adapter';

/** What `@socket.io/redis-streams-adapter` exports. */
export interface StreamsPackage {
  createAdapter(client: Client, options: object): (nsp: Namespace) => ClusterAdapter;
}

export interface AdapterOptions {
  readonly settings: RedisSettings;
  /** What the names of all channels begin with. */
  readonly prefix: string;
  readonly backplane: Backplane;
  readonly publisher: Client;
  readonly subscriber: Client;
  /** The optional package, for the adapter that needs it. */
  readonly streams: StreamsPackage | undefined;
  /** Whether clients that reconnect are to get what they have missed. */
  readonly recovers: boolean;
}

export function createAdapters({ settings, prefix, backplane, publisher, subscriber, streams, recovers }: AdapterOptions): AdapterFactory {
  const { name, redis } = settings;
  const { requestsTimeout = redis.requestsTimeout ?? 5000, ...options } = settings.options;
  if (name === 'redis') {
    const all = { key: prefix, requestsTimeout, ...options };
    return nsp => failFast(new PubSubAdapter(nsp, publisher, subscriber, all, backplane), backplane);
  }
  const create =
    name === 'redis-sharded'
      ? createShardedAdapter(publisher, subscriber, { channelPrefix: prefix, ...options })
      : installed(streams).createAdapter(publisher, { streamName: redis.key ?? 'socket.io', channelPrefix: prefix, ...options });
  return nsp => {
    const adapter = answerSafely(broadcastHere(create(nsp)), backplane.answers);
    if (recovers) recoverConnections(restoreWhileUp(adapter, backplane), nsp);
    checkMessages(adapter, backplane.inbox, `${prefix}#${nsp.name}#`);
    return failFast(deliverLocallyFirst(adapter, backplane, recovers), backplane, requestsTimeout);
  };
}

/** A client that comes back while Redis does not answer is a new one, at once. */
function restoreWhileUp(adapter: ClusterAdapter, backplane: Backplane): ClusterAdapter {
  const restoreSession = adapter.restoreSession.bind(adapter);
  return Object.assign(adapter, {
    restoreSession: (pid: string, offset: string) => backplane.ask(async () => restoreSession(pid, offset)),
  });
}

function installed(streams: StreamsPackage | undefined): StreamsPackage {
  if (!streams) throw new Error('redis-streams needs its package');
  return streams;
}

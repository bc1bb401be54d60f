/** Creates the three official adapters for Redis. */
import type { Namespace } from 'socket.io';
import type { ClusterAdapter } from 'socket.io-adapter';
import type { RedisSettings } from '../../config/adapter';
import type { AdapterFactory } from '../../config/options';
import type { PulsedBackplane } from '../pulsed-backplane';
import { Channels } from './channels';
import type { Client } from './client';
import { PubSubAdapter } from './pubsub-adapter';
import { createShardedAdapters } from './sharded';
import { entryMethodsOf, type EntryMethods, readableEntries, useEncodedEntries } from './stream-entries';

/** What `@socket.io/redis-streams-adapter` exports. */
export interface StreamsPackage {
  createAdapter(client: Client, options: object): (nsp: Namespace) => ClusterAdapter;
}

export interface AdapterOptions {
  readonly settings: RedisSettings;
  /** The beginning of the names of all channels. */
  readonly prefix: string;
  readonly backplane: PulsedBackplane;
  readonly publisher: Client;
  readonly subscriber: Client;
  /** The optional package for redis-streams. */
  readonly streams: StreamsPackage | undefined;
}

/** Default time in ms for which Redis blocks a read of a stream. With the official 5 s, some proxies close the connection as idle. */
export const BLOCK_TIME = 1000;

export function createAdapters({ settings, prefix, backplane, publisher, subscriber, streams }: AdapterOptions): AdapterFactory {
  const { name, redis } = settings;
  const { requestsTimeout: _, interop, ...options } = settings.options;
  if (name === 'redis') {
    const all = { key: prefix, requestsTimeout: requestsTimeoutOf(settings), ...options };
    const channels = new Channels(subscriber);
    return nsp => new PubSubAdapter(nsp, publisher, channels.create(), all, backplane, interop);
  }
  if (name === 'redis-sharded') return createShardedAdapters(publisher, subscriber, { channelPrefix: prefix, ...options }, backplane);
  const all = { streamName: redis.key ?? 'socket.io', channelPrefix: prefix, blockTimeInMs: BLOCK_TIME, ...options };
  const create = installed(streams).createAdapter(publisher, all);
  /** Those of the first adapter, which serve for the entries of all namespaces. */
  let methods: EntryMethods | undefined;
  const xrange = publisher.xrange.bind(publisher);
  const { sessionKeyPrefix = 'sio:session:' } = options as { sessionKeyPrefix?: string }; // of the official options
  Object.assign(publisher, {
    /** The official adapter reads and deletes a session at once, also for one who has only its key. Here it is taken by the method below. */
    multi: () => ({ get: (key: string) => ({ del: () => ({ exec: async () => [[null, await publisher.get(key)]] }) }) }),

    async xrange(...range: Parameters<typeof xrange>) {
      const entries = await xrange(...range);
      return methods ? readableEntries(entries, methods, backplane) : entries;
    },
  });
  return nsp => {
    const adapter = create(nsp);
    methods ??= entryMethodsOf(adapter);
    useEncodedEntries(adapter, nsp, backplane);
    return Object.assign(adapter, {
      /** Takes a session out. Returns whether it was there: of several servers, one gets it. */
      takeSession: async (pid: string): Promise<boolean> => Boolean(await publisher.set(sessionKeyPrefix + pid, '', 'PX', 1, 'GET')),
    });
  };
}

/** Time for answers of other servers, in ms. */
export function requestsTimeoutOf({ options, redis }: RedisSettings): number {
  const { requestsTimeout = 0 } = redis;
  return options.requestsTimeout ?? (requestsTimeout === 0 ? 5000 : requestsTimeout); // in 4.1.6, 0 meant the default
}

function installed(streams: StreamsPackage | undefined): StreamsPackage {
  if (!streams) throw new Error('redis-streams needs its package');
  return streams;
}

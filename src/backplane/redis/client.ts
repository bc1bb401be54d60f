/** Clients of Redis: for one server, for the master that Sentinel reports, or for a Cluster. */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { RedisConfig } from '../../config/options';
import { toError } from '../../thrown';
import { CONNECT_TIMEOUT } from '../pulsed-backplane';

export type Client = Redis | Cluster;

export type Command = Parameters<Redis['sendCommand']>[0];

interface Listeners {
  /** Called for each command, before it is sent. */
  onSend(command: Command): void;
  /** Called for each command that fails. */
  onFailure(command: Command, error: Error): void;
}

/** Options for one use of a client. They override the config. */
export interface ClientOptions extends RedisOptions, Listeners {}

/** Time for a connection that does not answer to close, in ms. */
const DISCONNECT_TIMEOUT = 200;

const PUBLISHING: ReadonlySet<string> = new Set(['publish', 'spublish']);

export function createClient(config: RedisConfig, { onSend, onFailure, ...overrides }: ClientOptions): Client {
  const { auth_pass, key: _key, db: _db, requestsTimeout: _timeout, cluster: _cluster, ...others } = config;
  const { nodes, redisOptions, dnsLookup, slotsRefreshTimeout, ...given } = others;
  const password = given.password ?? auth_pass ?? nodes?.[0]?.password;
  const options: RedisOptions = {
    connectTimeout: CONNECT_TIMEOUT,
    sentinelCommandTimeout: CONNECT_TIMEOUT,
    retryStrategy: times => Math.min(times * 50, 1000),
    ...given,
    ...redisOptions,
    ...(password !== undefined && { password }),
    disconnectTimeout: DISCONNECT_TIMEOUT,
    lazyConnect: false,
    keyPrefix: '', // channels have a prefix of their own
    ...overrides,
  };
  if (!nodes) return new RedisClient(options, { onSend, onFailure });
  const { enableOfflineQueue = true } = overrides;
  const { retryStrategy: _retry, ...optionsOfNodes } = options; // the Cluster client itself replaces a node that has gone
  return new ClusterClient(
    nodes.map(({ host, port }) => ({ ...(host !== undefined && { host }), ...(port !== undefined && { port }) })),
    {
      clusterRetryStrategy: times => Math.min(times * 100, 1000),
      slotsRefreshInterval: 5000, // by default, slots are refreshed only when a node reports that one has moved
      ...(dnsLookup && { dnsLookup }),
      ...(slotsRefreshTimeout !== undefined && { slotsRefreshTimeout }),
      ...(given.natMap && { natMap: given.natMap }),
      enableOfflineQueue,
      lazyConnect: false,
      keyPrefix: '',
      redisOptions: optionsOfNodes,
    },
    { onSend, onFailure },
  );
}

/** The name of a Redis in the log: its kind and address, without passwords. */
export function nameOf({ nodes, sentinels, name, path, host = '127.0.0.1', port = 6379 }: RedisConfig): string {
  const list = (servers: readonly { host?: string | undefined; port?: number | undefined }[]): string =>
    servers.map(({ host = '127.0.0.1', port = 6379 }) => `${host}:${port}`).join(', ');
  if (nodes) return `Redis Cluster at ${list(nodes)}`;
  if (sentinels) return `Redis '${name ?? ''}' of the sentinels at ${list(sentinels)}`;
  return `Redis at ${path ?? `${host}:${port}`}`;
}

class RedisClient extends Redis {
  readonly #listeners: Listeners;

  constructor(options: RedisOptions, listeners: Listeners) {
    super(options);
    this.#listeners = listeners;
  }

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const [command] = args;
    this.#listeners.onSend(command);
    if (!this.#isTooEarly(command)) return reportFailure(super.sendCommand(...args), command, this.#listeners);
    command.reject(new Error('the connection is not ready'));
    return reportFailure(command.promise, command, this.#listeners);
  }

  /** Whether a message would wait on a connection on which Redis has not answered yet: ioredis writes it even without a queue. */
  #isTooEarly({ name }: Command): boolean {
    return this.status === 'connect' && this.options.enableOfflineQueue === false && PUBLISHING.has(name);
  }
}

class ClusterClient extends Cluster {
  readonly #listeners: Listeners;

  constructor(nodes: { host?: string; port?: number }[], options: ClusterOptions, listeners: Listeners) {
    super(nodes, options);
    this.#listeners = listeners;
  }

  override sendCommand(...args: Parameters<Cluster['sendCommand']>): unknown {
    this.#listeners.onSend(args[0]);
    return reportFailure(super.sendCommand(...args), args[0], this.#listeners);
  }
}

/** Adapters do not wait for many of their commands. Failures are handled here, so that they do not become unhandled rejections. */
function reportFailure(result: unknown, command: Command, listeners: Listeners): unknown {
  if (result instanceof Promise) result.catch((error: unknown) => listeners.onFailure(command, toError(error)));
  return result;
}

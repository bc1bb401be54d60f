/** Redis as the way to the other servers: its clients, for one server, Sentinel or Cluster, and the three adapters that use them. */
import { createShardedAdapter, RedisAdapter } from '@socket.io/redis-adapter';
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { Namespace } from 'socket.io';
import type { BroadcastOptions, ClusterAdapter, Room } from 'socket.io-adapter';
import type { AdapterFactory, RedisConfig, RedisSettings } from './config';
import type { Logger } from './egg';
import { CONNECT_PATIENCE, Link } from './link';
import { broadcastHere, deliverLocallyFirst, failFast, locally } from './local-first';
import { recoverConnections } from './recovery';

/** How long Redis may take for a command, in ms. It is thought to be dead before; this ends commands that a connection has lost. */
const COMMAND_PATIENCE = 5000;
/** How long a connection that does not answer has to say goodbye, in ms. */
const GOODBYE = 200;

type Client = Redis | Cluster;

/** What `@socket.io/redis-streams-adapter` exports. */
export interface StreamsPackage {
  createAdapter(client: Client, options: object): (nsp: Namespace) => ClusterAdapter;
}

/** The connections to Redis that all namespaces share. */
export class RedisLink extends Link {
  readonly createAdapter: AdapterFactory;
  readonly #config: RedisConfig;
  readonly #isSharded: boolean;
  /** Streams are kept in a database, channels are not. */
  readonly #db: number;
  readonly #clients: Client[] = [];
  readonly #publisher: Client;
  readonly #pulseChannel: string;
  readonly #closing = new AbortController();
  /** How many streams are not read yet. */
  #unread = 0;
  /** Aborted when all of them are. */
  readonly #isReading = new AbortController();

  /**
   * @param recovers whether clients that reconnect are to get what they have missed
   * @param streams the optional package, for the adapter that needs it
   */
  constructor({ name, redis, options }: RedisSettings, logger: Logger, recovers: boolean, streams?: StreamsPackage) {
    super(nameOf(redis), 'IO_REDIS_DOWN', logger);
    this.#config = redis;
    this.#isSharded = name === 'redis-sharded';
    const { key = 'socket.io', db = 0 } = redis;
    this.#db = name === 'redis-streams' ? db : 0;
    const prefix = db > 0 ? `${key}-db${db}` : key; // Redis itself knows no databases for channels
    this.#pulseChannel = `${prefix}-pulse#${randomUUID()}`;
    // a broadcast that waited for Redis would arrive when nobody expects it any more
    this.#publisher = this.#connect({ enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_PATIENCE });
    const subscriber = this.#createSubscriber();
    this.#listen(subscriber);
    this.createAdapter = this.#createAdapters(name, prefix, options, subscriber, recovers, streams);
  }

  /** What others emit from then on is heard. */
  override async ready(): Promise<void> {
    await super.ready();
    if (this.#unread === 0 || this.isDown) return;
    await wait(CONNECT_PATIENCE, undefined, { signal: AbortSignal.any([this.#isReading.signal, this.#closing.signal]) }).catch(() => {});
  }

  protected sendPulse(pulse: number): void {
    const publish = this.#isSharded ? 'spublish' : 'publish';
    this.#publisher[publish](this.#pulseChannel, String(pulse)).catch(() => {}); // that it does not come back says so as well
  }

  protected reconnect(): void {
    for (const client of this.#clients) {
      // one that is connecting has a limit of its own
      if (client.status === 'ready' || (client instanceof Redis && client.status === 'connect')) client.disconnect(true);
    }
  }

  protected disconnect(): void {
    this.#closing.abort();
    for (const client of this.#clients) client.disconnect();
  }

  #createAdapters(
    name: RedisSettings['name'],
    prefix: string,
    { requestsTimeout = this.#config.requestsTimeout ?? 5000, ...options }: RedisSettings['options'],
    subscriber: Client,
    recovers: boolean,
    streams: StreamsPackage | undefined,
  ): AdapterFactory {
    if (name === 'redis') {
      const settings = { key: prefix, requestsTimeout, ...options };
      return nsp => failFast(new LocalFirstAdapter(nsp, this.#publisher, subscriber, settings), this);
    }
    let create: (nsp: Namespace) => ClusterAdapter;
    if (name === 'redis-sharded') create = createShardedAdapter(this.#publisher, subscriber, { channelPrefix: prefix, ...options });
    else {
      if (!streams) throw new Error('redis-streams needs its package');
      this.#unread = Number(options['streamCount'] ?? 1); // a number, as config.ts has checked
      // it reads on connections that it makes by itself
      Object.assign(this.#publisher, { duplicate: () => this.#createReader(options['blockTimeInMs']) });
      create = streams.createAdapter(this.#publisher, { streamName: this.#config.key ?? 'socket.io', channelPrefix: prefix, ...options });
    }
    return nsp => {
      const adapter = broadcastHere(create(nsp));
      if (recovers) recoverConnections(this.#restoreWhileUp(adapter), nsp);
      return failFast(deliverLocallyFirst(adapter, this, recovers), this, requestsTimeout);
    };
  }

  /** A client that comes back while Redis does not answer is a new one, at once. */
  #restoreWhileUp(adapter: ClusterAdapter): ClusterAdapter {
    const restoreSession = adapter.restoreSession.bind(adapter);
    return Object.assign(adapter, {
      restoreSession: (pid: string, offset: string) => this.ask(async () => restoreSession(pid, offset)),
    });
  }

  #connect(options: RedisOptions & { socketTimeout?: number }): Client {
    const client = createClient(this.#config, {
      db: this.#db,
      ...options,
      onFailure: ({ args }) => {
        if (args[0] !== this.#pulseChannel) this.countLost();
      },
    });
    client.setMaxListeners(0); // each namespace has some
    let last: Error | undefined;
    if (client instanceof Redis) client.on('error', (error: Error) => this.goDown(error));
    else {
      client.on('error', () => {}); // that no node answers; it closes as well
      client.on('node error', (error: Error) => (last ??= error)); // one may fail
    }
    client.on('close', () => this.goDown(last ?? new Error('the connection was closed')));
    client.on('ready', () => {
      last = undefined;
      this.pulse();
    });
    this.#clients.push(client);
    return client;
  }

  /** A subscription has to survive an outage. */
  #createSubscriber(options: { socketTimeout?: number } = {}): Client {
    return this.#connect({ enableOfflineQueue: true, maxRetriesPerRequest: null, autoResubscribe: true, ...options });
  }

  /** A connection on which a stream is read: Redis says something at least as often as a read ends. */
  #createReader(blockTime: unknown): Client {
    const patience = (typeof blockTime === 'number' ? blockTime : 5000) + 5000;
    const reader = this.#createSubscriber({ socketTimeout: patience });
    const xread = reader.xread.bind(reader) as (...args: unknown[]) => Promise<unknown>; // of many signatures
    const signal = this.#closing.signal;
    let start: string | undefined;
    const startOf = async (stream: unknown): Promise<string> => {
      start = await within(patience, lastOf(reader, String(stream)));
      if (--this.#unread === 0) this.#isReading.abort();
      return start;
    };
    Object.assign(reader, {
      /**
       * The adapter reads what is new (`$`) until something has come, and would miss what comes between two reads.
       * It reads again at once when reading fails, for ever.
       */
      async xread(...args: unknown[]): Promise<unknown> {
        if (signal.aborted) return new Promise(() => {});
        const [stream, offset] = args.slice(-2);
        try {
          if (offset === '$') args[args.length - 1] = start ?? (await startOf(stream));
          return await within(patience + 1000, xread(...args));
        } catch (error) {
          await wait(500, undefined, { signal, ref: false }).catch(() => {});
          if (signal.aborted) return new Promise(() => {});
          throw error;
        }
      },
    });
    return reader;
  }

  /** Hears the pulses that this server sends. */
  #listen(subscriber: Client): void {
    const channel = Buffer.from(this.#pulseChannel);
    subscriber.on(this.#isSharded ? 'smessageBuffer' : 'messageBuffer', (from: Buffer, pulse: Buffer) => {
      if (channel.equals(from)) this.comeBack(Number(pulse.toString()));
    });
    const subscribe = this.#isSharded ? 'ssubscribe' : 'subscribe';
    const { signal } = this.#closing;
    const begin = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          await subscriber[subscribe](this.#pulseChannel);
          this.pulse();
          return;
        } catch {
          await wait(500, undefined, { signal, ref: false }).catch(() => {}); // the connection was closed meanwhile
        }
      }
    };
    void begin();
  }
}

/**
 * The official adapter reaches sockets of its own server by way of Redis when they are to join, leave or disconnect.
 * Here they do so at once, with Redis or without, and what comes back from Redis is not done again: it might be out of date by then.
 */
class LocalFirstAdapter extends RedisAdapter {
  static {
    const onrequest: unknown = Reflect.get(RedisAdapter.prototype, 'onrequest'); // declared as private
    if (typeof onrequest !== 'function') throw new Error('@socket.io/redis-adapter has changed');
    Reflect.set(this.prototype, 'onrequest', function (this: LocalFirstAdapter, channel: string, message: Buffer | string): unknown {
      return this.#isOwnEcho(message) ? undefined : (Reflect.apply(onrequest, this, [channel, message]) as unknown);
    });
  }

  #isOwnEcho(message: Buffer | string): boolean {
    if (message[0] !== 0x7b && message[0] !== '{') return false; // only such requests are JSON
    try {
      const { uid, type } = JSON.parse(message.toString()) as { uid?: unknown; type?: unknown };
      return uid === this.uid && LOCAL_FIRST.has(type);
    } catch {
      return false; // the adapter says what it thinks of it
    }
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.addSockets(locally(opts), rooms);
    if (!opts.flags?.local) super.addSockets(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.delSockets(locally(opts), rooms);
    if (!opts.flags?.local) super.delSockets(opts, rooms);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    super.disconnectSockets(locally(opts), close);
    if (!opts.flags?.local) super.disconnectSockets(opts, close);
  }
}

/** The adapter's numbers for join, leave and disconnect. */
const LOCAL_FIRST: ReadonlySet<unknown> = new Set([2, 3, 4]);

/** What other servers hear: it is counted when it fails. */
const MESSAGES: ReadonlySet<string> = new Set(['publish', 'spublish', 'xadd']);

type Command = Parameters<Redis['sendCommand']>[0];

/** Told of messages that have not been sent. */
type OnFailure = (command: Command) => void;

/** A client of one server, or of the master that Sentinel names. */
class RedisClient extends Redis {
  readonly #onFailure: OnFailure;

  constructor(options: RedisOptions, onFailure: OnFailure) {
    super(options);
    this.#onFailure = onFailure;
  }

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    return heard(super.sendCommand(...args), args[0], this.#onFailure);
  }
}

class ClusterClient extends Cluster {
  readonly #onFailure: OnFailure;

  constructor(nodes: { host?: string; port?: number }[], options: ClusterOptions, onFailure: OnFailure) {
    super(nodes, options);
    this.#onFailure = onFailure;
  }

  override sendCommand(...args: Parameters<Cluster['sendCommand']>): unknown {
    return heard(super.sendCommand(...args), args[0], this.#onFailure);
  }
}

/** Commands that fail reject for those who wait for them, and are counted rather than unheard for those who do not. */
function heard(result: unknown, command: Command, onFailure: OnFailure): unknown {
  if (result instanceof Promise) {
    result.catch(() => {
      if (MESSAGES.has(command.name)) onFailure(command);
    });
  }
  return result;
}

/** Ends what is not answered: where the node of a Cluster goes, a command may be lost for good. */
async function within<Answer>(ms: number, answer: Promise<Answer>): Promise<Answer> {
  const over = new AbortController();
  const late = wait(ms, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new Error(`no answer in ${ms} ms`);
  });
  return Promise.race([answer, late]).finally(() => over.abort());
}

/** The id of a stream's last entry: reading goes on from there. */
async function lastOf(client: Client, stream: string): Promise<string> {
  const [last] = await client.xrevrange(stream, '+', '-', 'COUNT', 1);
  return last?.[0] ?? '0-0';
}

interface Needs extends RedisOptions {
  readonly onFailure: OnFailure;
}

function createClient(config: RedisConfig, { onFailure, ...needs }: Needs): Client {
  const { auth_pass, key: _key, db: _db, requestsTimeout: _time, cluster: _cluster, ...others } = config;
  const { nodes, redisOptions, dnsLookup, slotsRefreshTimeout, ...given } = others;
  const password = given.password ?? auth_pass ?? nodes?.[0]?.password;
  const options: RedisOptions = {
    connectTimeout: CONNECT_PATIENCE,
    sentinelCommandTimeout: CONNECT_PATIENCE,
    retryStrategy: times => Math.min(times * 50, 1000),
    ...given,
    ...redisOptions,
    ...(password !== undefined && { password }),
    disconnectTimeout: GOODBYE,
    lazyConnect: false,
    keyPrefix: '', // channels have a prefix of their own
    ...needs,
  };
  if (!nodes) return new RedisClient(options, onFailure);
  const { enableOfflineQueue = true } = needs;
  const { retryStrategy: _retry, ...ofNodes } = options; // a node that has gone is looked for in the Cluster
  return new ClusterClient(
    nodes.map(({ host, port }) => ({ ...(host !== undefined && { host }), ...(port !== undefined && { port }) })),
    {
      clusterRetryStrategy: times => Math.min(times * 100, 1000),
      slotsRefreshInterval: 5000, // it asks by itself only when it is told that a slot has moved
      ...(dnsLookup && { dnsLookup }),
      ...(slotsRefreshTimeout !== undefined && { slotsRefreshTimeout }),
      ...(given.natMap && { natMap: given.natMap }),
      enableOfflineQueue,
      lazyConnect: false,
      keyPrefix: '',
      redisOptions: ofNodes,
    },
    onFailure,
  );
}

/** What it is called in the log; without passwords. */
function nameOf({ nodes, sentinels, name, path, host = '127.0.0.1', port = 6379 }: RedisConfig): string {
  const list = (servers: readonly { host?: string | undefined; port?: number | undefined }[]): string =>
    servers.map(({ host = '127.0.0.1', port = 6379 }) => `${host}:${port}`).join(', ');
  if (nodes) return `Redis Cluster at ${list(nodes)}`;
  if (sentinels) return `Redis '${name ?? ''}' of the sentinels at ${list(sentinels)}`;
  return `Redis at ${path ?? `${host}:${port}`}`;
}

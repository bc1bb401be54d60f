/** Redis as the backplane: its clients, for one server, Sentinel or Cluster, and the three adapters that use them. */
import { createShardedAdapter, RedisAdapter } from '@socket.io/redis-adapter';
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { Namespace, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions, type ClusterAdapter, type Room } from 'socket.io-adapter';
import { answerSafely, detailsOf } from '../answer';
import {
  checkMessages,
  InvalidMessage,
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
import type { Backplane } from '../backplane';
import type { RedisSettings } from '../../config/adapter';
import type { AdapterFactory, RedisConfig } from '../../config/options';
import type { Logger } from '../../egg';
import { toError } from '../../errors';
import { CONNECT_TIMEOUT, PulsedBackplane } from '../pulsed-backplane';
import { broadcastHere, deliverLocallyFirst, failFast, locally } from '../wrappers/local-first';
import { recoverConnections } from '../wrappers/recovery';

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
export class RedisBackplane extends PulsedBackplane {
  readonly createAdapter: AdapterFactory;
  readonly #config: RedisConfig;
  readonly #isSharded: boolean;
  /** Streams are kept in a database, channels are not. */
  readonly #db: number;
  readonly #clients: Client[] = [];
  readonly #publisher: Client;
  readonly #pulseChannel: string;
  readonly #closing = new AbortController();
  /** What is tried again and again. */
  readonly #refusedSubscriptions = new Set<string>();
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
    if (db > 0 && name === 'redis')
      logger.info('[egg-socket.io] config.io.redis.db is %d: emitters of other programs need the key %j', db, prefix);
    // among the channels of the adapter, so that who may use those may use this one; a namespace would begin with a slash
    this.#pulseChannel = `${name === 'redis' ? `${prefix}-request` : prefix}#pulse-${randomUUID()}#`;
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
    await wait(CONNECT_TIMEOUT, undefined, { signal: AbortSignal.any([this.#isReading.signal, this.#closing.signal]) }).catch(() => {});
  }

  protected sendPulse(pulse: number): void {
    const publish = this.#isSharded ? 'spublish' : 'publish';
    this.#publisher[publish](this.#pulseChannel, String(pulse)).catch(() => {}); // a refusal has been heard; all else shows as no pulse
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
      return nsp => failFast(new LocalFirstAdapter(nsp, this.#publisher, subscriber, settings, this), this);
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
      const adapter = answerSafely(broadcastHere(create(nsp)), this.answers);
      if (recovers) recoverConnections(this.#restoreWhileUp(adapter), nsp);
      checkMessages(adapter, this.inbox, `${prefix}#${nsp.name}#`);
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
      onFailure: (command, error) => this.#onFailure(client, command, error),
    });
    client.setMaxListeners(0); // each namespace has some
    let last: Error | undefined;
    if (client instanceof Redis) client.on('error', (error: Error) => this.beginOutage(error));
    else {
      client.on('error', () => {}); // that no node answers; it closes as well
      client.on('node error', (error: Error) => (last ??= error)); // one may fail
    }
    client.on('close', () => this.beginOutage(last ?? new Error('the connection was closed')));
    client.on('ready', () => {
      last = undefined;
      this.pulse();
    });
    this.#clients.push(client);
    return client;
  }

  /** Commands that fail reject for those who wait for them. For those who do not, it is said here. */
  #onFailure(client: Client, command: Command, error: Error): void {
    const { args } = command;
    const name = command.name.toLowerCase(); // an adapter may write PUBSUB
    const isPulse = String(args[0]) === this.#pulseChannel;
    if (MESSAGES.has(name) && !isPulse) this.countLost();
    if (error.name !== 'ReplyError') return; // no answer, which shows as no pulse
    const isSubscription = SUBSCRIPTIONS.has(name);
    const what = [name, ...(isSubscription ? args : args.slice(0, 1))].map(String).join(' '); // what follows is the message
    const reason = new Error(`${what}: ${error.message}`);
    const isForbidden = error.message.startsWith('NOPERM'); // which does not pass by itself
    if (isPulse && !isForbidden) this.onPulseError(reason);
    if (!isForbidden) return;
    if (isPulse) this.refuse(this.#pulseChannel, reason, true);
    else if (isSubscription) void this.#subscribeAnew(client, name, args, what, reason);
    else if (NEEDED.has(name)) this.refuse(what, reason, name === 'xread');
  }

  /** What one must not subscribe to one may subscribe to later; the adapter tries it once. */
  async #subscribeAnew(client: Client, name: string, args: Command['args'], what: string, reason: Error): Promise<void> {
    if (this.#refusedSubscriptions.has(what)) return;
    this.#refusedSubscriptions.add(what);
    this.refuse(what, reason, true);
    const subscribe = Reflect.get(client, name) as (...args: unknown[]) => Promise<unknown>; // a command
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await wait(1000, undefined, { signal, ref: false }).catch(() => {});
      const isDone = await subscribe.apply(client, args).then(
        () => true,
        () => false,
      );
      if (!isDone) continue;
      this.#refusedSubscriptions.delete(what);
      this.permit(what);
      return;
    }
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
    const emit = reader.emit.bind(reader);
    const { inbox } = this;
    const permit = (): void => this.permit('xread BLOCK');
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
          const entries = await within(patience + 1000, xread(...args));
          permit();
          return entries;
        } catch (error) {
          await wait(500, undefined, { signal, ref: false }).catch(() => {});
          if (signal.aborted) return new Promise(() => {});
          throw error;
        }
      },
      /** The adapter says nothing of what it cannot decode, and it hears nothing but what is for it. */
      emit(event: string, ...args: unknown[]): boolean {
        if (event !== 'messageBuffer') return emit(event, ...args);
        const before = inbox.read;
        const isHeard = emit(event, ...args);
        if (inbox.read === before) inbox.drop(args[0] as Buffer); // the channel
        return isHeard;
      },
    });
    return reader;
  }

  /** Hears the pulses that this server sends. */
  #listen(subscriber: Client): void {
    const channel = Buffer.from(this.#pulseChannel);
    subscriber.on(this.#isSharded ? 'smessageBuffer' : 'messageBuffer', (from: Buffer, pulse: Buffer) => {
      if (!channel.equals(from)) return;
      this.permit(this.#pulseChannel);
      this.onPulse(Number(pulse.toString()));
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

/** Whatever the adapter has to read, as it is after it has been checked. */
class Checked {
  constructor(readonly value: unknown) {}
}

/** The adapter's encoding, and where it is called. */
interface Parser {
  encode(value: unknown): unknown;
  decode(message: unknown): unknown;
}

/** Methods and fields that the official adapter declares as private. */
interface Inside {
  onmessage(pattern: string, channel: Buffer, message: Buffer): void;
  onrequest(channel: Buffer, message: unknown): Promise<void>;
  onresponse(channel: Buffer, message: unknown): void;
  publishResponse(request: object, response: string): void;
  parser: Parser;
  readonly requestChannel: string;
  readonly responseChannel: string;
  readonly pubClient: Client;
}

interface Request {
  readonly type: number;
  readonly uid?: string;
  readonly requestId?: string;
  readonly opts?: { readonly rooms?: Room[]; readonly except?: Room[] };
  readonly data?: [string, ...unknown[]];
}

/**
 * The official adapter reaches sockets of its own server by way of Redis when they are to join, leave or disconnect.
 * Here they do so at once, with Redis or without, and what comes back from Redis is not done again: it might be out of date by then.
 * What comes from Redis is checked before the official adapter sees it, and answers that cannot be encoded are not left to it.
 */
class LocalFirstAdapter extends RedisAdapter {
  readonly #backplane: Backplane;
  readonly #decode: Parser['decode'];

  static {
    const base = RedisAdapter.prototype as unknown as Inside; // declared as private
    if (![base.onmessage, base.onrequest, base.onresponse].every(method => typeof method === 'function')) {
      throw new Error('@socket.io/redis-adapter has changed');
    }
    Object.assign(this.prototype, {
      onmessage(this: LocalFirstAdapter, pattern: string, channel: Buffer, message: Buffer): void {
        try {
          base.onmessage.call(this.#inside, pattern, channel, message);
        } catch (error) {
          this.#backplane.inbox.fail(channel, error);
        }
      },
      onrequest(this: LocalFirstAdapter, channel: Buffer, message: Buffer): void {
        try {
          this.#read(base, channel, message)?.catch((error: unknown) => this.#backplane.inbox.fail(channel, error));
        } catch (error) {
          this.#backplane.inbox.fail(channel, error);
        }
      },
    });
  }

  constructor(nsp: Namespace, publisher: Client, subscriber: Client, options: object, backplane: Backplane) {
    super(nsp, publisher, subscriber, options);
    this.#backplane = backplane;
    const { encode, decode } = this.#inside.parser;
    this.#decode = decode;
    this.#inside.parser = {
      encode: value =>
        encode(isObject(value) && value['type'] === BROADCAST_ACK ? { ...value, packet: backplane.answers.of(value['packet']) } : value),
      decode: message => (message instanceof Checked ? message.value : broadcastIn(decoded(message, decode))),
    };
  }

  get #inside(): Inside {
    return this as unknown as Inside; // declared as private
  }

  /** A request, or a response. */
  #read(base: Inside, channel: Buffer, message: Buffer): Promise<void> | void {
    const inside = this.#inside;
    const name = channel.toString();
    const isResponse = name.startsWith(inside.responseChannel);
    if (!isResponse && !name.startsWith(inside.requestChannel)) return; // of another namespace, or a pulse
    const value = decoded(message, message[0] === 0x7b ? bytes => JSON.parse(String(bytes)) as unknown : this.#decode);
    if (isResponse) {
      if (!isResponseOfRedis(value)) throw new InvalidMessage();
      base.onresponse.call(inside, channel, new Checked(value));
      return;
    }
    if (!isRequestOfRedis(value)) throw new InvalidMessage();
    if (value.uid === this.uid) return; // what was to be done here has been done
    if (value.type === REMOTE_FETCH) return this.#tellOfSockets(value);
    if (value.type === SERVER_SIDE_EMIT && value.data && value.requestId !== undefined) {
      this.#hear(value.data, value.requestId);
      return;
    }
    return base.onrequest.call(inside, channel, new Checked(value));
  }

  async #tellOfSockets(request: Request): Promise<void> {
    const { requestId, opts } = request;
    const target = { rooms: new Set(opts?.rooms), except: new Set(opts?.except) };
    const sockets = (await Adapter.prototype.fetchSockets.call(this, target)) as Socket[]; // declared as any; within a process they are whole
    const response = JSON.stringify({ requestId, sockets: this.#backplane.answers.ofSockets(sockets.map(detailsOf)) });
    this.#inside.publishResponse(request, response);
  }

  #hear(event: [string, ...unknown[]], requestId: string): void {
    const { pubClient, responseChannel } = this.#inside;
    let hasAnswered = false;
    const nsp = this.nsp as Namespace; // declared as any
    nsp._onServerSideEmit([
      ...event,
      (answer: unknown): void => {
        if (hasAnswered) return;
        hasAnswered = true;
        const response = JSON.stringify({ type: SERVER_SIDE_EMIT, requestId, data: this.#backplane.answers.of(answer) });
        void pubClient.publish(responseChannel, response); // it is heard of if that fails
      },
    ]);
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

// The adapter's numbers.
const REMOTE_FETCH = 5;
const SERVER_SIDE_EMIT = 6;
const BROADCAST_ACK = 9;

/** @throws InvalidMessage where the decoder throws */
function decoded(message: unknown, decode: (message: unknown) => unknown): unknown {
  try {
    return decode(message);
  } catch {
    throw new InvalidMessage();
  }
}

/** @throws InvalidMessage if it is no broadcast */
function broadcastIn(value: unknown): unknown {
  if (!Array.isArray(value)) throw new InvalidMessage();
  const [uid, packet, opts] = value as unknown[];
  if (typeof uid !== 'string' || !isEvent(packet) || !isTarget(opts)) throw new InvalidMessage();
  return value;
}

function isRequestOfRedis(value: unknown): value is Request {
  if (!isObject(value) || !isOptional(value['uid'], 'string') || !isOptional(value['requestId'], 'string')) return false;
  const { type, requestId, opts, rooms, sid, room, close, data, packet } = value;
  const isKnown = requestId !== undefined;
  switch (type) {
    case 0: // sockets
      return isKnown && (rooms === undefined || isRoomList(rooms));
    case 1: // rooms
      return isKnown;
    case 2: // join
    case 3: // leave
      return opts === undefined ? typeof sid === 'string' && isRoom(room) : isTarget(opts) && isRoomList(rooms);
    case 4: // disconnect
      return (opts === undefined ? typeof sid === 'string' : isTarget(opts)) && isOptional(close, 'boolean');
    case REMOTE_FETCH:
      return isKnown && isTarget(opts);
    case SERVER_SIDE_EMIT:
      return isServerEvent(data);
    case 7: // broadcast with acknowledgement
      return isKnown && isEvent(packet) && isTarget(opts);
    default:
      return false;
  }
}

function isResponseOfRedis(value: unknown): boolean {
  if (!isObject(value) || typeof value['requestId'] !== 'string') return false;
  const { type, sockets, rooms, clientCount } = value;
  return (
    isOptional(type, 'number') &&
    (sockets === undefined || isListOf(sockets, item => typeof item === 'string' || isSocketDetails(item))) &&
    (rooms === undefined || isRoomList(rooms)) &&
    (clientCount === undefined || isCount(clientCount))
  );
}

/** What other servers hear: it is counted when it fails. */
const MESSAGES: ReadonlySet<string> = new Set(['publish', 'spublish', 'xadd']);

const SUBSCRIPTIONS: ReadonlySet<string> = new Set(['subscribe', 'psubscribe', 'ssubscribe']);

/** Without these something does not work. There are more, as that by which ioredis asks how a server is, which is not needed. */
const NEEDED: ReadonlySet<string> = new Set([...MESSAGES, 'pubsub', 'xread', 'xrange', 'xrevrange', 'set', 'get', 'del', 'multi', 'exec']);

type Command = Parameters<Redis['sendCommand']>[0];

/** Told of commands that have failed. */
type OnFailure = (command: Command, error: Error) => void;

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

/** For those who do not wait for a command, its failure is no rejection that nobody hears. */
function heard(result: unknown, command: Command, onFailure: OnFailure): unknown {
  if (result instanceof Promise) result.catch((error: unknown) => onFailure(command, toError(error)));
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
    connectTimeout: CONNECT_TIMEOUT,
    sentinelCommandTimeout: CONNECT_TIMEOUT,
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

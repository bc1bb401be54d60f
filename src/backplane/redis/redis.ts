/** Redis as the backplane: the connections that all namespaces share, and whether they work. */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { RedisSettings } from '../../config/adapter';
import type { AdapterFactory } from '../../config/options';
import type { Logger } from '../../egg';
import { CONNECT_TIMEOUT, PulsedBackplane } from '../pulsed-backplane';
import { BLOCK_TIME, createAdapters, requestsTimeoutOf, type StreamsPackage } from './adapters';
import { type Client, type Command, nameOf } from './client';
import { Connections } from './connections';
import { StreamReaders } from './stream-readers';

/** How long Redis may take for a command, in ms. An outage is noticed sooner; this ends commands whose connection has lost them. */
const COMMAND_TIMEOUT = 5000;
/** How long until a subscription to the pulses is tried again, in ms. */
const PULSE_RETRY_DELAY = 500;
/** How long until a subscription that was refused is tried again, in ms. */
const REFUSED_RETRY_DELAY = 1000;

/** Commands that send other servers something; it is lost where they fail. */
const SENDING_COMMANDS: ReadonlySet<string> = new Set(['publish', 'spublish', 'xadd']);
const SUBSCRIBING_COMMANDS: ReadonlySet<string> = new Set(['subscribe', 'psubscribe', 'ssubscribe']);
/** Commands, beside subscriptions, without which something does not work. Others, as ioredis's own `info`, are not needed. */
const REQUIRED_COMMANDS: ReadonlySet<string> = new Set([
  ...SENDING_COMMANDS,
  ...['pubsub', 'xread', 'xrange', 'xrevrange', 'set', 'get', 'del', 'multi', 'exec'],
]);

export class RedisBackplane extends PulsedBackplane {
  readonly createAdapter: AdapterFactory;
  readonly requestsTimeout: number | undefined;
  readonly #isSharded: boolean;
  readonly #connections: Connections;
  readonly #publisher: Client;
  /** What the names of all channels begin with. */
  readonly #prefix: string;
  readonly #pulseChannel: string;
  readonly #closing = new AbortController();
  /** Subscriptions that Redis has refused, and that are tried again and again. */
  readonly #refusedSubscriptions = new Set<string>();
  readonly #streamReaders: StreamReaders | undefined;

  /** @param streams the optional package, for the adapter that needs it */
  constructor(settings: RedisSettings, logger: Logger, streams?: StreamsPackage) {
    const { name, redis, options } = settings;
    super(nameOf(redis), 'IO_REDIS_DOWN', logger);
    this.#isSharded = name === 'redis-sharded';
    this.requestsTimeout = name === 'redis' ? undefined : requestsTimeoutOf(settings);
    const { key = 'socket.io', db = 0 } = redis;
    this.#connections = new Connections({
      config: redis,
      db: name === 'redis-streams' ? db : 0, // streams are kept in a database, channels are not
      onFailure: (client, command, error) => this.#onFailure(client, command, error),
      onError: error => this.beginOutage(error),
      onReady: () => this.pulse(),
    });
    const prefix = (this.#prefix = db > 0 ? `${key}-db${db}` : key); // Redis itself knows no databases for channels
    if (db > 0 && name === 'redis')
      logger.info('[egg-socket.io] config.io.redis.db is %d: emitters of other programs need the key %j', db, prefix);
    // among the channels of the adapter, so that who may use those may use this one; a namespace would begin with a slash
    this.#pulseChannel = `${name === 'redis' ? `${prefix}-request` : prefix}#pulse-${randomUUID()}#`;
    // a broadcast that waited for Redis would arrive when nobody expects it any more
    this.#publisher = this.#connections.add({ enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT });
    const subscriber = this.#connections.addSubscriber();
    void this.#receivePulses(subscriber);
    if (name === 'redis-streams') {
      const readers = this.#createStreamReaders(options, subscriber);
      this.#streamReaders = readers;
      Object.assign(this.#publisher, { duplicate: () => readers.create() }); // how the adapter makes its connections
    }
    this.createAdapter = createAdapters({ settings, prefix, backplane: this, publisher: this.#publisher, subscriber, streams });
  }

  /** What others emit from then on is received. */
  override async ready(): Promise<void> {
    await super.ready();
    if (!this.isDown) await this.#streamReaders?.ready(CONNECT_TIMEOUT);
  }

  channelOf(nsp: string): string {
    return `${this.#prefix}#${nsp}#`;
  }

  protected override get isComplete(): boolean {
    return this.#connections.areStable && (this.#streamReaders?.areReading ?? true);
  }

  protected sendPulse(pulse: number): void {
    this.#streamReaders?.watch();
    const publish = this.#isSharded ? 'spublish' : 'publish';
    this.#publisher[publish](this.#pulseChannel, String(pulse)).catch(() => {}); // #onFailure sees a refusal; all else shows as no pulse
  }

  protected reconnect(): void {
    this.#connections.replaceAll();
  }

  protected disconnect(): void {
    this.#closing.abort();
    this.#connections.close();
  }

  #createStreamReaders({ streamCount = 1, blockTimeInMs = BLOCK_TIME }: RedisSettings['options'], subscriber: Client): StreamReaders {
    return new StreamReaders({
      streamCount: Number(streamCount), // numbers, as the config has been checked
      blockTime: Number(blockTimeInMs),
      inbox: this.inbox,
      signal: this.#closing.signal,
      subscriber,
      connect: () => this.#connections.addSubscriber({ autoResendUnfulfilledCommands: false }),
      onRead: () => this.permit('xread BLOCK'),
      onSilence: (client, error) => {
        this.beginOutage(error);
        this.#connections.replace(client);
      },
    });
  }

  /** Sees to what nobody else is told of: messages that are lost, and what Redis refuses to do. */
  #onFailure(client: Client, command: Command, error: Error): void {
    const { args } = command;
    const name = command.name.toLowerCase(); // an adapter may write PUBSUB
    const isPulse = String(args[0]) === this.#pulseChannel;
    if (SENDING_COMMANDS.has(name) && !isPulse) this.countLost();
    if (error.name !== 'ReplyError') return; // no answer, which shows as no pulse
    const isSubscription = SUBSCRIBING_COMMANDS.has(name);
    const what = [name, ...(isSubscription ? args : args.slice(0, 1))].map(String).join(' '); // what follows is the message
    const reason = new Error(`${what}: ${error.message}`);
    const isForbidden = error.message.startsWith('NOPERM'); // which does not pass by itself
    if (isPulse && !isForbidden) this.onPulseError(reason);
    if (!isForbidden) return;
    if (isPulse) this.refuse(this.#pulseChannel, reason, true);
    else if (isSubscription) void this.#retrySubscription(client, name, args, what, reason);
    else if (REQUIRED_COMMANDS.has(name)) this.refuse(what, reason, name === 'xread');
  }

  /** A subscription that is forbidden now may be allowed later; the adapter tries it once. */
  async #retrySubscription(client: Client, name: string, args: Command['args'], what: string, reason: Error): Promise<void> {
    if (this.#refusedSubscriptions.has(what)) return;
    this.#refusedSubscriptions.add(what);
    this.refuse(what, reason, true);
    const subscribe = Reflect.get(client, name) as (...args: unknown[]) => Promise<unknown>; // a command
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await wait(REFUSED_RETRY_DELAY, undefined, { signal, ref: false }).catch(() => {});
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

  /** Receives the pulses that this server sends. */
  async #receivePulses(subscriber: Client): Promise<void> {
    const channel = Buffer.from(this.#pulseChannel);
    subscriber.on(this.#isSharded ? 'smessageBuffer' : 'messageBuffer', (from: Buffer, pulse: Buffer) => {
      if (!channel.equals(from)) return;
      this.permit(this.#pulseChannel);
      this.onPulse(Number(pulse.toString()));
    });
    const subscribe = this.#isSharded ? 'ssubscribe' : 'subscribe';
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await subscriber[subscribe](this.#pulseChannel);
        this.pulse();
        return;
      } catch {
        await wait(PULSE_RETRY_DELAY, undefined, { signal, ref: false }).catch(() => {}); // the connection was closed meanwhile
      }
    }
  }
}

/** Redis as the backplane: its connections, outages and refusals. */
import { Redis } from 'ioredis';
import type { RedisSettings } from '../../config/adapter';
import type { AdapterFactory, RedisConfig } from '../../config/options';
import type { Logger } from '../../egg';
import type { OutageError } from '../../errors';
import { RedisStreams } from '../../store/redis-streams';
import type { Kept } from '../kept';
import { CONNECT_TIMEOUT, PulsedBackplane } from '../pulsed-backplane';
import { createAdapters, requestsTimeoutOf, type StreamsPackage } from './adapters';
import { type Client, type Command, nameOf } from './client';
import { Connections } from './connections';
import { RedisHandovers } from './handovers';
import { Keys } from './keys';
import { LastingAnswers } from './lasting';
import { RedisOutcomes } from './outcomes';
import { isAnswerToProbe, isProbe } from './probes';
import { PulseChannel } from './pulse-channel';
import { isAnswerTo, isTemporary, isSending, problemOf, refusalOf, refusalOfConnection, withoutArguments } from './refused';
import { hasNoChannels, NO_CHANNELS, refusalOfReplica } from './server-check';
import { StreamReaders } from './stream-readers';

/** Time for Redis to answer a command, in ms. Outages are detected sooner; this ends commands that a connection has lost. */
const COMMAND_TIMEOUT = 5000;
/** Number of pulses between two checks of whether Redis is a master: 5 s or less. */
const PULSES_PER_ROLE = 25;

export class RedisBackplane extends PulsedBackplane {
  readonly createAdapter: AdapterFactory;
  override readonly kept: Required<Kept>;
  readonly #keys: Keys;
  readonly requestsTimeout: number | undefined;
  readonly #adapterName: RedisSettings['name'];
  readonly #connections: Connections;
  readonly #publisher: Client;
  /** The beginning of the names of all channels. */
  readonly #prefix: string;
  readonly #pulseChannel: PulseChannel;
  readonly #closing = new AbortController();
  readonly #lasting = new LastingAnswers(this.#closing.signal, refusal => {
    if (this.isAnswering) this.refuse(refusal); // otherwise it is an outage
  });
  readonly #streamReaders: StreamReaders | undefined;

  /** @param streams the optional package for redis-streams */
  constructor(settings: RedisSettings, logger: Logger, streams?: StreamsPackage) {
    const { name, redis, options } = settings;
    super(nameOf(redis), 'IO_REDIS_DOWN', logger);
    this.#adapterName = name;
    this.requestsTimeout = name === 'redis' ? undefined : requestsTimeoutOf(settings);
    const { key = 'socket.io', db = 0 } = redis;
    this.#connections = new Connections({
      config: redis,
      db: name === 'redis-streams' ? db : 0, // streams are kept in a database, channels are not
      onFailure: (client, command, error) => this.#onFailure(client, command, error),
      onError: error => this.#onConnectionError(error),
      onTurnedAway: (client, error) => void this.#onTurnedAway(redis, client, error),
      onReady: client => {
        this.pulse();
        if (client === this.#publisher) void this.#checkRole();
      },
      onSubscribed: command => {
        this.permit(problemOf(command));
        this.pulse();
      },
      signal: this.#closing.signal,
    });
    const prefix = (this.#prefix = db > 0 ? `${key}-db${db}` : key); // channels do not belong to a database
    if (db > 0 && name === 'redis')
      logger.info('[egg-socket.io] config.io.redis.db is %d: emitters of other programs need the key %j', db, prefix);
    this.#pulseChannel = new PulseChannel(name, prefix);
    // no queue: a broadcast that waits for Redis would arrive too late to be of use
    this.#publisher = this.#connections.add({ enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT });
    const subscriber = this.#connections.addSubscriber();
    this.#pulseChannel.receive(
      subscriber,
      pulse => this.onPulse(pulse),
      () => this.pulse(),
    );
    if (name === 'redis-streams') {
      const readers = (this.#streamReaders = this.#createStreamReaders(options, subscriber));
      Object.assign(this.#publisher, { duplicate: () => readers.create() }); // the adapter creates its connections with it
    }
    const keys = (this.#keys = new Keys(this, this.#publisher, prefix, { add: it => this.refuse(it), remove: it => this.permit(it) }));
    this.kept = {
      outcomes: new RedisOutcomes(this.#publisher, prefix, async question => this.reach(question)),
      handovers: new RedisHandovers(keys),
      createStreams: () => new RedisStreams(keys),
      runScript: async (script, key, args) =>
        this.reach(async () => this.#publisher.call('eval', script, 1, `${prefix}:rate:${key}`, ...args)),
    };
    this.createAdapter = createAdapters({ settings, prefix, backplane: this, publisher: this.#publisher, subscriber, streams });
  }

  /** Also waits until all streams are being read: all messages from then on are received. */
  override async ready(): Promise<void> {
    await super.ready();
    if (!this.isDown) await this.#streamReaders?.ready(CONNECT_TIMEOUT);
  }

  channelOf(nsp: string): string {
    return `${this.#prefix}#${nsp}#`;
  }

  override error(cause?: unknown): OutageError {
    return super.error(cause instanceof Error ? withoutArguments(cause) : cause);
  }

  protected override get isComplete(): boolean {
    return this.#connections.areStable && this.#connections.areSubscribed && (this.#streamReaders?.areReading ?? true);
  }

  protected override onInterval(): void {
    this.#streamReaders?.watch();
  }

  protected sendPulse(pulse: number): void {
    if (pulse % PULSES_PER_ROLE === 0) void this.#checkRole();
    this.#pulseChannel.send(this.#publisher, pulse).then(
      () => {
        if (this.#connections.isMissing(this.#pulseChannel.name)) this.onPulseRefused(); // without it, the pulse does not come back
      },
      () => {}, // #onFailure handles refusals; any other error shows as a missing pulse
    );
  }

  protected override permit(problem: string): void {
    this.#lasting.remove(problem);
    super.permit(problem);
  }

  protected reconnect(): void {
    this.#connections.replaceAll();
  }

  protected disconnect(): void {
    this.#closing.abort();
    this.#connections.close();
  }

  #createStreamReaders(options: RedisSettings['options'], subscriber: Client): StreamReaders {
    return new StreamReaders({
      options,
      inbox: this.inbox,
      signal: this.#closing.signal,
      subscriber,
      connect: () => this.#connections.addSubscriber({ autoResendUnfulfilledCommands: false }),
      onRead: () => this.permit(problemOf('xread')),
      onTimeout: (client, error) => {
        this.beginOutage(error);
        this.#connections.replace(client);
      },
    });
  }

  /** Handles the error of a connection that has ended, or that Redis refuses. */
  #onConnectionError(error: Error): void {
    const refusal = refusalOfConnection(error);
    if (refusal) this.refuseAll(refusal.error, refusal.problem, refusal.remedy);
    else this.beginOutage(withoutArguments(error));
  }

  /** Handles a connection that ended before Redis was ready. */
  async #onTurnedAway(config: RedisConfig, client: Client, error: Error): Promise<void> {
    if (this.isDown) return;
    if (await hasNoChannels(config)) this.refuseAll(error, NO_CHANNELS, 'point config.io.redis at Redis itself');
    else if (client.status !== 'ready') this.beginOutage(error); // the client may have reconnected
  }

  /** A master can become a replica without closing its connections. */
  async #checkRole(): Promise<void> {
    if (!(this.#publisher instanceof Redis)) return; // the client of a Cluster finds the masters itself
    const refusal = await refusalOfReplica(this.#publisher);
    if (refusal) this.refuse(refusal);
  }

  /** Counts lost messages and adds refusals, since adapters ignore the failures of their commands. */
  #onFailure(client: Client, command: Command, error: Error): void {
    if (isAnswerToProbe(error)) return;
    const name = command.name.toLowerCase(); // an adapter may write PUBSUB
    const channel = String(command.args[0]);
    if (this.#keys.has(channel)) return; // whoever runs it handles its errors
    const isPulse = channel.startsWith(this.#pulseChannel.name);
    const isMessage = isSending(name) && !isPulse && !isProbe(command);
    const canPass = isTemporary(error, client);
    if (!isAnswerTo(command, error) || canPass) {
      if (isMessage) this.countLost();
      if (!isAnswerTo(command, error) || name === 'exec') return;
      if (isPulse) return this.onPulseError(new Error(`${name}: ${error.message}`));
    }
    const refusal = refusalOf(this.#adapterName, client, command, error);
    if (!refusal) return;
    if (isPulse) this.onPulseRefused();
    const stopsQuestions = refusal.stopsQuestions || channel.startsWith(`${this.#prefix}-request#`); // requests of the adapter redis
    const all = { ...refusal, stopsQuestions, losesMessage: isMessage };
    if (canPass) this.#lasting.add(all);
    else this.refuse(all);
  }
}

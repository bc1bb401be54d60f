/** PostgreSQL as the backplane. */
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import type { DatabaseSettings } from '../../config/adapter';
import type { AdapterFactory } from '../../config/options';
import type { Logger } from '../../egg';
import type { OutageCode } from '../../errors';
import { isMissed } from '../cluster-message';
import { closeInTime, DatabaseBackplane } from '../database';
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import type { Refusal } from '../refusals';
import { Adapters } from './adapters';
import { Delivery } from './delivery';
import { PostgresKept } from './kept';
import { Listener } from './listener';
import { channelOf, type Message } from './messages';
import type { MessagePack, Notification, Pg, PgPool } from './pg';
import { Publisher } from './publisher';
import { Queries } from './queries';
import { Reader } from './reader';
import { FailedQuery, RECEIVES_TOO_MUCH, POOLER, problemOf, refusalOf, refusedConnectionOf, SENDS_TOO_MUCH } from './refused';
import { connectionOptions, keptPoolOptions, nameOf, settingsOf } from './settings';
import { Table } from './table';

export class PostgresBackplane extends DatabaseBackplane {
  readonly createAdapter: AdapterFactory;
  override readonly kept: PostgresKept;
  readonly requestsTimeout: number;
  readonly #prefix: string;
  readonly #pulseChannel: string;
  readonly #pool: PgPool;
  readonly #queries: Queries;
  readonly #publisher: Publisher;
  readonly #listener: Listener;
  readonly #delivery: Delivery;
  readonly #reader: Reader;
  readonly #table: Table;
  readonly #adapters: Adapters;

  /** @param path the path of `@socket.io/postgres-adapter`, whose dependencies are loaded */
  constructor({ options }: DatabaseSettings, logger: Logger, path: string) {
    const { connection, requestsTimeout = 5000, ...others } = options;
    super(nameOf(connection), 'IO_DATABASE_DOWN', logger);
    const load = createRequire(path);
    const pg = load('pg') as Pg;
    const messagePack = load('@msgpack/msgpack') as MessagePack;
    this.requestsTimeout = requestsTimeout;
    const settings = settingsOf(others);
    const { prefix, table, threshold, cleanupInterval } = settings;
    this.#prefix = prefix;
    this.#pulseChannel = this.channelOf(`pulse-${randomBytes(6).toString('hex')}`);
    const reach = connectionOptions(connection);
    this.#pool = new pg.Pool(reach);
    this.#pool.on('error', () => {}); // an idle connection has ended, and is replaced: pulses detect an outage
    this.#queries = new Queries(this.#pool, table, cleanupInterval);
    this.#table = new Table(this.#queries, cleanupInterval, failure => this.#onFailure(failure));
    this.#reader = new Reader({
      queries: this.#queries,
      messagePack,
      inbox: this.inbox,
      onMessage: message => this.#adapters.receive(message),
      onFailure: failure => this.#onFailure(failure),
      onLost: () => this.losses.count++,
      onOverflow: message => this.refuse({ ...RECEIVES_TOO_MUCH, losesMessage: isMissed(message) }),
      onDrain: () => this.permit(RECEIVES_TOO_MUCH.problem),
    });
    this.#publisher = new Publisher({
      queries: this.#queries,
      table: this.#table,
      messagePack,
      prefix,
      threshold,
      onFailure: (failure, message) => this.#onFailure(failure, message),
      onOverflow: message => this.refuse({ ...SENDS_TOO_MUCH, losesMessage: isMissed(message) }),
      onDrain: () => this.permit(SENDS_TOO_MUCH.problem),
    });
    this.#listener = new Listener(pg, reach, {
      onNotification: notification => this.#onNotification(notification),
      onError: error => this.#onConnectionError(error),
      onRefused: (channel, error) => this.#onFailure(new FailedQuery('LISTEN', channel, error)),
      onComplete: () => {
        this.permit(problemOf('LISTEN'));
        this.pulse();
      },
    });
    this.#delivery = new Delivery(this.#listener, this.#pulseChannel, () => this.#onNothingDelivered());
    this.#listener.listen(this.#pulseChannel);
    this.#adapters = new Adapters({
      options: others,
      channelOf: nsp => this.channelOf(nsp),
      publish: message => this.#publish(message),
      listen: channel => this.#listener.listen(channel),
      unlisten: channel => this.#listener.unlisten(channel),
      ignore: id => this.#reader.ignore(id),
      forget: id => this.#reader.forget(id),
    });
    this.createAdapter = nsp => this.#adapters.create(nsp);
    this.kept = new PostgresKept(messagePack, settings, {
      pool: new pg.Pool(keptPoolOptions(reach)),
      reach: async question => this.reach(question),
      error: cause => this.error(cause),
      onRefused: (failure, suspend) => this.#onFailure(failure, undefined, suspend),
    });
    void this.#listener.start();
  }

  channelOf(nsp: string): string {
    return channelOf(this.#prefix, nsp);
  }

  protected override get isComplete(): boolean {
    return this.#listener.isComplete;
  }

  protected override onContact(): void {
    this.#adapters.init();
  }

  protected override beginOutage(error: Error, problem?: string, code?: OutageCode): void {
    super.beginOutage(error, problem, code);
    for (const message of this.isClosed ? [] : this.#publisher.drop()) if (isMissed(message)) this.countLost();
  }

  protected async ping(pulse: number): Promise<void> {
    const { deliversNothing } = this.#delivery; // then the connection that listens is replaced again and again, and proves nothing
    if (!this.#listener.isConnected && !deliversNothing) {
      return this.#listener.isLockedOut ? this.onPulseRefused() : undefined;
    }
    void this.#table.open(); // pulses do not wait for it, since it may have to wait for a lock
    try {
      await this.#queries.notify(this.#pulseChannel, String(pulse));
    } catch (error) {
      const failure = error as FailedQuery; // queries throw no other error
      if (failure.meaning === 'refused') this.onPulseRefused();
      this.#onFailure(failure);
      return;
    }
    this.permit(problemOf('NOTIFY'));
    if (deliversNothing || this.#listener.isRefused(this.#pulseChannel)) this.onPulseRefused(); // without a LISTEN, the pulse does not come back
    await this.#delivery.onAccepted();
  }

  protected reconnect(): void {
    this.#listener.replace(CONNECT_TIMEOUT);
  }

  protected async disconnect(): Promise<void> {
    this.#table.close();
    await closeInTime(Promise.all([this.kept.close(), this.#publisher.flush().then(async () => this.#pool.end()), this.#listener.close()]));
    this.#listener.destroy();
  }

  #publish(message: Message): void {
    if (!this.isDown) this.#publisher.publish(message);
    else if (isMissed(message)) this.countLost();
  }

  #onNotification({ channel, payload = '' }: Notification): void {
    if (channel !== this.#pulseChannel) {
      this.#reader.read(channel, payload);
      return;
    }
    this.#delivery.onPulse();
    this.permit(POOLER.problem);
    this.onPulse(Number(payload));
  }

  #onNothingDelivered(): void {
    this.refuse(POOLER);
    this.onPulseRefused();
    this.#listener.replace(); // the pooler may have been reconfigured
  }

  #onConnectionError(error: Error): void {
    const refused = refusedConnectionOf(error);
    if (refused) this.refuseAll(error, refused.problem, refused.remedy);
    else this.beginOutage(error);
  }

  /** @param message the message that is lost, if any @param suspend returns a function that tries the statement again */
  #onFailure(failure: FailedQuery, message?: Message, suspend = (): Refusal['retry'] => this.#queries.suspend(failure)): void {
    const { place, cause } = failure;
    const losesMessage = message !== undefined && isMissed(message);
    switch (failure.meaning) {
      case 'lost':
        if (losesMessage) this.countLost();
        this.beginOutage(cause);
        break;
      case 'value':
        this.inbox.fail(place, failure);
        break;
      case 'refused':
        if (this.#listener.isConnected) this.refuse(refusalOf(failure, losesMessage, suspend()));
        else if (losesMessage) this.countLost(); // the listener reports why there is no connection
    }
  }
}

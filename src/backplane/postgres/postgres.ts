/** PostgreSQL as the backplane. */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import type { Namespace } from 'socket.io';
import type { ClusterAdapter } from 'socket.io-adapter';
import type { DatabaseSettings } from '../../config/adapter';
import type { AdapterFactory } from '../../config/options';
import type { Logger } from '../../egg';
import { toError } from '../../errors';
import { closeInTime, DatabaseBackplane } from '../database';
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import { inOrder, isForAdapter } from './notifications';
import { destroy, isSqlError, type Notification, type Pg, type PgClient, type PgPool, UNIQUE_VIOLATION } from './pg';
import { Queries } from './queries';
import { postgresInternals } from '../../internals/adapters';

/** What `@socket.io/postgres-adapter` exports. */
export interface PostgresPackage {
  createAdapter(pool: object, options: object): (nsp: Namespace) => ClusterAdapter;
}

/** How long a query may take, in ms. An outage is noticed sooner; this ends queries whose connection has lost them. */
const QUERY_TIMEOUT = 5000;
/** Bytes. PostgreSQL takes notifications of less than 8000, and the adapter's own default is 8000. */
const MAX_NOTIFICATION = 7999;
/** How long until listening is tried again, in ms. */
const RETRY_DELAY = 250;

export class PostgresBackplane extends DatabaseBackplane {
  readonly createAdapter: AdapterFactory;
  readonly requestsTimeout: number;
  readonly #pg: Pg;
  readonly #connection: object;
  readonly #table: string;
  readonly #channelPrefix: string;
  readonly #pulseChannel: string;
  readonly #pool: PgPool;
  readonly #adapters = new Set<ClusterAdapter>();
  /** The one connection that receives what others send. */
  #listener: PgClient | undefined;
  #listenedAt = 0;
  /** Errors of queries, which are no errors of the adapter or of a message. */
  readonly #queryErrors = new WeakSet<object>();
  #hasTable = false;
  readonly #closing = new AbortController();

  /** @param path where the package has been found: pg comes with it */
  constructor({ options }: DatabaseSettings, logger: Logger, { createAdapter }: PostgresPackage, path: string) {
    const { connection, requestsTimeout = 5000, ...others } = options;
    super(`PostgreSQL${addressOf(connection)}`, 'IO_DATABASE_DOWN', logger);
    this.#pg = createRequire(path)('pg') as Pg;
    this.#connection = {
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: QUERY_TIMEOUT,
      keepAlive: true,
      ...(typeof connection === 'string' ? { connectionString: connection } : (connection as object)), // the config has been checked
    };
    this.requestsTimeout = requestsTimeout;
    const { channelPrefix = 'socket.io', tableName = 'socket_io_attachments', payloadThreshold = MAX_NOTIFICATION } = others;
    this.#table = String(tableName);
    this.#channelPrefix = String(channelPrefix);
    const pulse = `pulse-${randomBytes(6).toString('hex')}`; // PostgreSQL wants it short
    this.#pulseChannel = this.channelOf(pulse);
    this.#pool = new this.#pg.Pool(this.#connection);
    this.#pool.on('error', (error: Error) => this.beginOutage(error)); // of a connection that is idle
    const queries = new Queries(this.#pool, this.#queryErrors);
    const pool = { query: queries.query.bind(queries), connect: () => this.#listen() };
    const threshold = Math.min(Number(payloadThreshold), MAX_NOTIFICATION);
    const create = createAdapter(pool, {
      ...others,
      payloadThreshold: threshold,
      errorHandler: (error: Error) => this.onPublishError(error),
    });
    this.createAdapter = nsp => {
      const adapter = create(nsp);
      this.#adapters.add(adapter);
      // its client listens to a channel for each namespace, and does so again when it has to reconnect
      postgresInternals(adapter).client.addNamespace(pulse);
      return adapter;
    };
  }

  channelOf(nsp: string): string {
    return `${this.#channelPrefix}#${nsp}`;
  }

  protected override onContact(): void {
    for (const adapter of this.#adapters) void adapter.init(); // tells the others that it is here, and they answer
  }

  protected async ping(pulse: number): Promise<void> {
    if (!this.#hasTable) await this.#createTable();
    await this.#pool.query('SELECT pg_notify($1, $2)', [this.#pulseChannel, String(pulse)]);
  }

  /** The adapter replaces a connection that ends. One that has just been made has yet to answer. */
  protected reconnect(): void {
    if (performance.now() - this.#listenedAt > CONNECT_TIMEOUT) destroy(this.#listener);
  }

  protected async disconnect(): Promise<void> {
    this.#closing.abort();
    await closeInTime(Promise.all([this.#pool.end(), this.#listener?.end()]));
    destroy(this.#listener);
  }

  /** Tries until it listens, or the app closes: the adapter would try again after up to 3 s, and for ever. */
  async #listen(): Promise<PgClient> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        return await this.#tryToListen();
      } catch (error) {
        this.beginOutage(toError(error));
        await wait(RETRY_DELAY, undefined, { signal, ref: false }).catch(() => {});
      }
    }
    return new Promise(() => {});
  }

  /** Uses a connection of its own: the adapter would not give back to the pool those that have ended. */
  async #tryToListen(): Promise<PgClient> {
    this.#listener?.removeAllListeners('end'); // the adapter would replace it once more
    destroy(this.#listener);
    const client = new this.#pg.Client(this.#connection);
    this.#listener = client;
    client.on('error', (error: Error) => this.beginOutage(error));
    client.on('end', () => this.beginOutage(new Error('the connection was closed')));
    client.on('notification', ({ channel, payload }: Notification) => {
      if (channel === this.#pulseChannel) this.onPulse(Number(payload));
    });
    await client.connect();
    this.#listenedAt = performance.now();
    return Object.assign(client, {
      release: () => void client.end(), // as a client of a pool has it
      on: (event: string, listener: (arg: unknown) => Promise<void>) =>
        EventEmitter.prototype.on.call(client, event, event === 'notification' ? this.#checked(listener) : listener),
    });
  }

  #checked(read: (notification: Notification) => Promise<void>): (notification: Notification) => void {
    const readInOrder = inOrder(read);
    return notification => {
      const { channel } = notification;
      if (channel === this.#pulseChannel) return;
      if (isForAdapter(notification))
        void readInOrder(notification); // the adapter catches what it throws
      else this.inbox.drop(channel);
    };
  }

  async #createTable(): Promise<void> {
    try {
      await this.#pool.query(
        `CREATE TABLE IF NOT EXISTS ${this.#table} (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)`,
      );
    } catch (error) {
      if (!isSqlError(error)) throw error;
      const problem = '[egg-socket.io] the table %s cannot be made; where there is none, binary emits and large ones stay on this server:';
      if (error.code !== UNIQUE_VIOLATION) this.logger.error(problem, this.#table, error); // another server makes it at the same time
    }
    this.#hasTable = true;
  }

  /** Also called with the errors of the adapter, and of a message that it has read in the table. */
  override onPublishError(error: Error): void {
    if (!this.#queryErrors.has(error)) this.inbox.fail(this.#table, error);
    else if (isSqlError(error)) this.logger.error('[egg-socket.io] PostgreSQL refuses a message:', error);
    else this.beginOutage(error);
  }
}

/** For the log, without the password. */
function addressOf(connection: unknown): string {
  if (typeof connection !== 'string') {
    const { host = '127.0.0.1', port = 5432 } = connection as { host?: string; port?: number }; // an object: the config has been checked
    return ` at ${host}:${port}`;
  }
  return URL.canParse(connection) ? ` at ${new URL(connection).host}` : '';
}

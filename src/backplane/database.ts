/** PostgreSQL and MongoDB as the backplane. */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import type { Namespace } from 'socket.io';
import { type Adapter, type BroadcastOptions, type ClusterAdapter, MessageType } from 'socket.io-adapter';
import { answerSafely, type Answers, sendable } from './answer';
import { checkMessages, type Inbox, InvalidMessage, isClusterMessage, isObject } from './backend-message';
import type { Backplane } from './backplane';
import type { DatabaseSettings } from '../config/adapter';
import type { AdapterFactory } from '../config/options';
import type { Logger } from '../egg';
import { toError } from '../errors';
import { CONNECT_TIMEOUT, PulsedBackplane } from './pulsed-backplane';
import { broadcastHere, deliverLocallyFirst, encoded, failFast, isMissed, locally } from './wrappers/local-first';

/** How long a query may take, in ms. The database is thought to be dead before; this ends what a connection has lost. */
const QUERY_PATIENCE = 5000;
/** Bytes. PostgreSQL takes notifications of less than 8000, and the adapter's own default is 8000. */
const MAX_NOTIFICATION = 7999;
/** How long until the database is tried again, in ms. */
const RETRY = 250;
/** How long what is going on has to end when the app closes, in ms. */
const GOODBYE = 500;

interface PgClient extends EventEmitter {
  connect(): Promise<unknown>;
  query(text: string, values?: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

interface PgPool extends EventEmitter {
  query(text: string, values?: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

interface Pg {
  readonly Client: new (options: object) => PgClient;
  readonly Pool: new (options: object) => PgPool;
}

/** What `@socket.io/postgres-adapter` exports. */
export interface PostgresPackage {
  createAdapter(pool: object, options: object): (nsp: Namespace) => ClusterAdapter;
}

export class PostgresBackplane extends PulsedBackplane {
  readonly createAdapter: AdapterFactory;
  readonly #pg: Pg;
  readonly #connection: object;
  readonly #table: string;
  readonly #channel: string;
  readonly #pool: PgPool;
  readonly #adapters = new Set<ClusterAdapter>();
  /** The one connection that hears what others send. */
  #listener: PgClient | undefined;
  #listenedAt = 0;
  /** What the database has answered with, or has not answered. */
  readonly #errors = new WeakSet<object>();
  #isPulsing = false;
  #hasTable = false;
  readonly #closing = new AbortController();

  /** @param path where the package has been found: pg comes with it */
  constructor({ options }: DatabaseSettings, logger: Logger, { createAdapter }: PostgresPackage, path: string) {
    const { connection, requestsTimeout = 5000, ...others } = options;
    super(`PostgreSQL${addressOf(connection)}`, 'IO_DATABASE_DOWN', logger);
    this.#pg = createRequire(path)('pg') as Pg;
    this.#connection = {
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: QUERY_PATIENCE,
      keepAlive: true,
      ...(typeof connection === 'string' ? { connectionString: connection } : (connection as object)), // the config has been read
    };
    const { channelPrefix = 'socket.io', tableName = 'socket_io_attachments', payloadThreshold = MAX_NOTIFICATION } = others;
    this.#table = String(tableName);
    const pulse = `pulse-${randomBytes(6).toString('hex')}`; // PostgreSQL wants it short
    this.#channel = `${String(channelPrefix)}#${pulse}`;
    this.#pool = new this.#pg.Pool(this.#connection);
    this.#pool.on('error', (error: Error) => this.beginOutage(error)); // of a connection that nobody uses just now
    const onError = (error: Error): void => this.#onError(error);
    const queries = new Queries(this.#pool, this.#errors);
    const pool = { query: queries.query.bind(queries), connect: () => this.#listen() };
    const threshold = Math.min(Number(payloadThreshold), MAX_NOTIFICATION);
    const create = createAdapter(pool, { ...others, payloadThreshold: threshold, errorHandler: onError });
    this.createAdapter = nsp => {
      const adapter = deliverLocallyFirst(answerSafely(broadcastHere(create(nsp)), this.answers), this);
      checkMessages(adapter, this.inbox, `${String(channelPrefix)}#${nsp.name}`);
      this.#adapters.add(adapter);
      // its client listens to a channel for each namespace, and does so again when it has to reconnect
      (Reflect.get(adapter, 'client') as { addNamespace(name: string): void }).addNamespace(pulse); // private
      return failFast(countLost(adapter, this, onError), this, requestsTimeout);
    };
  }

  protected override onContact(): void {
    for (const adapter of this.#adapters) void adapter.init(); // others have to hear that it is here, and to answer
  }

  protected sendPulse(pulse: number): void {
    if (this.#isPulsing) return;
    this.#isPulsing = true;
    const send = async (): Promise<void> => {
      if (!this.#hasTable) await this.#createTable();
      await this.#pool.query('SELECT pg_notify($1, $2)', [this.#channel, String(pulse)]);
    };
    send()
      .catch((error: unknown) => this.beginOutage(toError(error)))
      .finally(() => (this.#isPulsing = false));
  }

  /** Its place is taken by another: the adapter sees to that. One that has just been made has yet to answer. */
  protected reconnect(): void {
    if (performance.now() - this.#listenedAt > CONNECT_TIMEOUT) cut(this.#listener);
  }

  protected async disconnect(): Promise<void> {
    this.#closing.abort();
    await Promise.race([Promise.all([this.#pool.end(), this.#listener?.end()]), wait(GOODBYE, undefined, { ref: false })]);
    cut(this.#listener);
  }

  /** Until it listens, or the app closes: the adapter would try again after up to 3 s, and for ever. */
  async #listen(): Promise<PgClient> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        return await this.#tryToListen();
      } catch (error) {
        this.beginOutage(toError(error));
        await wait(RETRY, undefined, { signal, ref: false }).catch(() => {});
      }
    }
    return new Promise(() => {});
  }

  /** By a connection of its own rather than one of the pool, to which the adapter does not give back those that have ended. */
  async #tryToListen(): Promise<PgClient> {
    this.#listener?.removeAllListeners('end'); // to which the adapter would answer with one more
    cut(this.#listener);
    const client = new this.#pg.Client(this.#connection);
    this.#listener = client;
    client.on('error', (error: Error) => this.beginOutage(error));
    client.on('end', () => this.beginOutage(new Error('the connection was closed')));
    client.on('notification', ({ channel, payload }: Notification) => {
      if (channel === this.#channel) this.onPulse(Number(payload));
    });
    await client.connect();
    this.#listenedAt = performance.now();
    return Object.assign(client, {
      release: () => void client.end(), // as one of a pool
      on: (event: string, listener: (arg: unknown) => Promise<void>) =>
        EventEmitter.prototype.on.call(client, event, event === 'notification' ? this.#checked(listener) : listener),
    });
  }

  /** What the adapter does with a notification. It fetches what is large, and what comes after that must not overtake it. */
  #checked(read: (notification: Notification) => Promise<void>): (notification: Notification) => void {
    const readInTurn = oneByOne(read);
    return notification => {
      const { channel, payload } = notification;
      if (channel === this.#channel) return; // a pulse
      if (isForAdapter(payload))
        void readInTurn(notification); // the adapter catches what it throws
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
      if (error.code !== UNIQUE_VIOLATION) this.logger.error(problem, this.#table, error); // that is another server that makes it as well
    }
    this.#hasTable = true;
  }

  #onError(error: Error): void {
    if (!this.#errors.has(error))
      this.inbox.fail(this.#table, error); // of the adapter, and of a message that it has read there
    else if (isSqlError(error)) this.logger.error('[egg-socket.io] PostgreSQL refuses a message:', error);
    else this.beginOutage(error);
  }
}

interface Notification {
  readonly channel: string;
  readonly payload?: string;
}

/** Whether it is a message of the adapter, or says where to find one. */
function isForAdapter(payload = ''): boolean {
  try {
    const message: unknown = JSON.parse(payload);
    if (!isObject(message)) return false;
    const { attachmentId } = message;
    return attachmentId === undefined ? isClusterMessage(message) : typeof attachmentId === 'string' && /^\d{1,19}$/.test(attachmentId); // a bigserial
  } catch {
    return false;
  }
}

const UNIQUE_VIOLATION = '23505'; // https://www.postgresql.org/docs/current/errcodes-appendix.html

/** Whether the database is there, and says no. */
function isSqlError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^(?!08|53|57)[0-9A-Z]{5}$/.test(error.code);
}

/** In an outage nothing is sent, and what is not is counted. */
function countLost(adapter: ClusterAdapter, backplane: Backplane, onError: (error: Error) => void): ClusterAdapter {
  const doPublish = (Reflect.get(adapter, 'doPublish') as (message: object) => Promise<string>).bind(adapter); // protected
  return Object.assign(adapter, {
    async doPublish(message: object): Promise<string> {
      try {
        if (!backplane.isDown) return await doPublish(message);
      } catch (error) {
        onError(toError(error));
      }
      if (isMissed(message)) backplane.countLost();
      return '';
    },
  });
}

/**
 * The queries of the adapter. Messages leave in order, over whichever connection of the pool: a large one is two queries, of which
 * the second says where to find what the first has stored, and what comes after it must not overtake it.
 */
class Queries {
  readonly #pool: PgPool;
  readonly #errors: WeakSet<object>;
  /** What is stored and has still to be told of, by its id. */
  readonly #stored = new Map<unknown, () => void>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param errors where those go that the database has answered with */
  constructor(pool: PgPool, errors: WeakSet<object>) {
    this.#pool = pool;
    this.#errors = errors;
  }

  async query(text: string, values?: unknown[]): Promise<unknown> {
    try {
      return await this.#queryInTurn(text, values);
    } catch (thrown) {
      const error = toError(thrown);
      this.#errors.add(error);
      throw error;
    }
  }

  async #queryInTurn(text: string, values: unknown[] = []): Promise<unknown> {
    if (text.startsWith('INSERT')) return this.#store(text, values);
    if (!text.includes('pg_notify')) return this.#pool.query(text, values);
    const id = attachmentOf(values[1]);
    const told = this.#stored.get(id);
    if (told) {
      this.#stored.delete(id);
      return this.#pool.query(text, values).finally(told);
    }
    const sent = this.#last.then(() => this.#pool.query(text, values));
    this.#last = sent.catch(() => {}); // the caller hears it
    return sent;
  }

  #store(text: string, values: unknown[]): Promise<unknown> {
    const stored = this.#last.then(() => this.#pool.query(text, values));
    this.#last = stored.then(
      result =>
        new Promise<void>(told => {
          const { rows } = result as { rows: { id: unknown }[] }; // the statement returns it
          this.#stored.set(String(rows[0]?.id), told);
        }),
      () => {}, // the caller hears it
    );
    return stored;
  }
}

function attachmentOf(payload: unknown): string | undefined {
  if (typeof payload !== 'string' || payload.length > 200 || !payload.includes('"attachmentId"')) return undefined;
  return (JSON.parse(payload) as { attachmentId?: string }).attachmentId; // of the adapter; pg has large numbers as strings
}

/** Calls that wait for those before them. */
function oneByOne<Arg, Result>(work: (arg: Arg) => Promise<Result>): (arg: Arg) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return async arg => {
    const turn = last.then(() => work(arg));
    last = turn.catch(() => {}); // the caller hears it
    return turn;
  };
}

function cut(client: PgClient | undefined): void {
  const connection = client && (Reflect.get(client, 'connection') as { stream?: { destroy(): void } } | undefined); // private
  connection?.stream?.destroy();
}

/** For the log, without the password. */
function addressOf(connection: unknown): string {
  if (typeof connection !== 'string') {
    const { host = '127.0.0.1', port = 5432 } = connection as { host?: string; port?: number }; // an object: the config has been read
    return ` at ${host}:${port}`;
  }
  return URL.canParse(connection) ? ` at ${new URL(connection).host}` : '';
}

interface MongoCollection {
  insertOne(document: object): Promise<unknown>;
}

interface MongoClient {
  db(name: string): {
    command(command: object): Promise<unknown>;
    collection(name: string): MongoCollection;
    createCollection(name: string, options: object): Promise<unknown>;
  };
  close(): Promise<void>;
}

/** What `@socket.io/mongo-adapter` exports. */
export interface MongoPackage {
  createAdapter(collection: object, options: object): (nsp: Namespace) => Adapter;
}

export class MongoBackplane extends PulsedBackplane {
  readonly createAdapter: AdapterFactory;
  readonly #client: MongoClient;
  readonly #database: string;
  readonly #collection: string;
  #isPulsing = false;
  #hasCollection = false;

  /** @param path where the package has been found: mongodb comes with it */
  constructor({ options }: DatabaseSettings, logger: Logger, { createAdapter }: MongoPackage, path: string) {
    const { url, database, collection = 'socket.io-adapter-events', ...others } = options;
    super(`MongoDB at ${String(url).replace(/^.*?:\/\/(.*@)?([^/?]*).*$/, '$2')}`, 'IO_DATABASE_DOWN', logger);
    const { MongoClient } = createRequire(path)('mongodb') as { MongoClient: new (url: string, options: object) => MongoClient };
    this.#client = new MongoClient(String(url), { serverSelectionTimeoutMS: CONNECT_TIMEOUT });
    this.#database = String(database);
    this.#collection = String(collection);
    const create = createAdapter(this.#client.db(this.#database).collection(this.#collection), others);
    this.createAdapter = nsp => failFast(checkDocuments(publishAside(create(nsp), this, this.answers), this.inbox, this.#collection), this);
  }

  protected sendPulse(pulse: number): void {
    if (this.#isPulsing) return;
    this.#isPulsing = true;
    const db = this.#client.db(this.#database);
    const send = async (): Promise<void> => {
      if (!this.#hasCollection) {
        await db.createCollection(this.#collection, { capped: true, size: 1_000_000 }).catch((error: unknown) => {
          if (Reflect.get(toError(error), 'codeName') !== 'NamespaceExists') throw error;
        });
      }
      this.#hasCollection = true;
      await db.command({ ping: 1 });
      this.onPulse(pulse);
    };
    send()
      .catch((error: unknown) => this.beginOutage(toError(error)))
      .finally(() => (this.#isPulsing = false));
  }

  protected reconnect(): void {} // the client sees to that

  protected async disconnect(): Promise<void> {
    await Promise.race([this.#client.close(), wait(GOODBYE, undefined, { ref: false })]);
  }
}

/** The adapter inserts a broadcast first, waits, and forgets the clients of this server where that fails. */
function publishAside(adapter: Adapter, backplane: Backplane, answers: Answers): Adapter {
  const broadcast = adapter.broadcast.bind(adapter);
  const insert = (Reflect.get(adapter, 'publish') as (document: object) => Promise<string>).bind(adapter); // declared as private
  const publish = (document: object): Promise<string> => {
    const published = backplane.isDown ? Promise.reject(backplane.error()) : insert(sendable(document, answers));
    published.catch(() => {
      if (isMissed(document)) backplane.countLost();
    }); // the adapter does not hear all of them
    return published;
  };
  return Object.assign(adapter, {
    publish,
    broadcast(packet: object, opts: BroadcastOptions): void {
      if (!opts.flags?.local) void publish({ type: MessageType.BROADCAST, data: { packet, opts: encoded(opts) } });
      broadcast(packet, locally(opts));
    },
  });
}

/** The adapter is shown only documents that one of its kind can have inserted. */
function checkDocuments(adapter: Adapter, inbox: Inbox, collection: string): Adapter {
  const onEvent = (Reflect.get(adapter, 'onEvent') as (event: object) => Promise<void>).bind(adapter); // not declared
  return Object.assign(adapter, {
    async onEvent(event: { readonly fullDocument?: unknown }): Promise<void> {
      try {
        if (!isClusterMessage(event.fullDocument)) throw new InvalidMessage();
        await onEvent(event);
      } catch (error) {
        inbox.fail(collection, error);
      }
    },
  });
}

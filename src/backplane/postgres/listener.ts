/** The connection that receives the messages of other servers. Whenever it ends, it is made again, with all its LISTENs. */
import { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { toError } from '../../thrown';
import { asIdentifier } from './messages';
import { type Notification, ON_PRIMARY, type Pg, type PgClient } from './pg';
import { meaningOf, StandbyError } from './refused';

/** Time until the connection is made again, in ms. */
const RECONNECT_DELAY = 250;
/** Time until a refused connection or LISTEN is retried, in ms. */
const RETRY_DELAY = 1000;

interface Events {
  onNotification(notification: Notification): void;
  /** Called when connecting has failed, or when the connection has ended. */
  onError(error: Error): void;
  /** Called when a LISTEN is refused. It is retried. */
  onRefused(channel: string, error: Error): void;
  /** Called when no LISTEN is missing any more. */
  onComplete(): void;
}

export class Listener {
  readonly #connect: (stream: Socket) => PgClient;
  readonly #events: Events;
  readonly #closing = new AbortController();
  readonly #channels = new Set<string>();
  /** The channels whose LISTEN has not succeeded yet. */
  readonly #missing = new Set<string>();
  readonly #refused = new Set<string>();
  #client: PgClient | undefined;
  /** The client's stream, to close the connection at once. */
  #stream: Socket | undefined;
  #isLockedOut = false;
  /** Whether the connection was closed to be replaced. */
  #isReplaced = false;
  #connectedAt = 0;
  #lastQuery: Promise<unknown> = Promise.resolve();

  constructor(pg: Pg, options: object, events: Events) {
    this.#connect = stream => new pg.Client({ ...options, stream });
    this.#events = events;
  }

  /** Whether all LISTENs have succeeded. */
  get isComplete(): boolean {
    return this.#client !== undefined && this.#missing.size === 0;
  }

  get isConnected(): boolean {
    return this.#client !== undefined;
  }

  /** Whether PostgreSQL answers, but refuses the connection, or is a standby. */
  get isLockedOut(): boolean {
    return this.#isLockedOut;
  }

  /** Whether the LISTEN to a channel has succeeded. */
  listensTo(channel: string): boolean {
    return this.#client !== undefined && this.#channels.has(channel) && !this.#missing.has(channel);
  }

  /** Whether PostgreSQL refuses to LISTEN to a channel. */
  isRefused(channel: string): boolean {
    return this.#refused.has(channel);
  }

  async start(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#isReplaced = false;
      const error = await this.#run().catch(toError);
      this.#client = undefined;
      this.#refused.clear();
      this.#stream?.destroy();
      if (signal.aborted) return;
      this.#isLockedOut = meaningOf(error) === 'refused';
      if (!this.#isReplaced) this.#events.onError(error);
      await wait(this.#isLockedOut ? RETRY_DELAY : RECONNECT_DELAY, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  listen(channel: string): void {
    if (this.#channels.has(channel)) return;
    this.#channels.add(channel);
    this.#missing.add(channel);
    if (this.#client) void this.#listenTo(this.#client, channel);
  }

  unlisten(channel: string): void {
    this.#channels.delete(channel);
    this.#settle(channel);
    this.#query(`UNLISTEN ${asIdentifier(channel)}`).catch(() => {}); // further notifications are ignored
  }

  /** Resolves when PostgreSQL has answered on this connection: by then, all earlier notifications have arrived. */
  async ping(): Promise<void> {
    await this.#query('SELECT 1');
  }

  /** Replaces the connection. @param age the minimum age in ms: a younger connection stays */
  replace(age = 0): void {
    if (!this.#client || performance.now() - this.#connectedAt < age) return;
    this.#isReplaced = true;
    this.#stream?.destroy();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#client?.end();
  }

  destroy(): void {
    this.#stream?.destroy();
  }

  /** Resolves with the reason why the connection has ended. */
  async #run(): Promise<Error> {
    const stream = new Socket();
    this.#stream = stream;
    this.#lastQuery = Promise.resolve();
    const client = this.#connect(stream);
    let reason: Error | undefined;
    client.on('error', (error: Error) => (reason ??= error));
    const ended = new Promise<Error>(resolve => client.on('end', () => resolve(reason ?? new Error('the connection was closed'))));
    client.on('notification', (notification: Notification) => this.#events.onNotification(notification));
    await client.connect();
    if (await isStandby(client)) throw new StandbyError('pg_is_in_recovery() is true');
    this.#isLockedOut = false;
    this.#connectedAt = performance.now();
    for (const channel of this.#channels) this.#missing.add(channel);
    this.#client = client;
    // the first channel, the one for pulses, comes last: a pulse that comes back proves that the others have succeeded
    for (const channel of [...this.#channels].toReversed()) void this.#listenTo(client, channel);
    const retry = setInterval(() => {
      for (const channel of this.#missing) void this.#listenTo(client, channel);
    }, RETRY_DELAY).unref();
    return ended.finally(() => clearInterval(retry));
  }

  /** Runs queries one after the other, as `pg` requires. */
  async #query(text: string): Promise<void> {
    const client = this.#client;
    const done = this.#lastQuery.then(async () => client?.query(text));
    this.#lastQuery = done.catch(() => {}); // the caller handles it
    await done;
  }

  async #listenTo(client: PgClient, channel: string): Promise<void> {
    try {
      await this.#query(`LISTEN ${asIdentifier(channel)}`);
    } catch (thrown) {
      if (!this.#channels.has(channel)) return; // `unlisten` was called meanwhile
      const error = toError(thrown);
      const meaning = meaningOf(error);
      if (meaning === 'refused') this.#refused.add(channel);
      if (meaning !== 'lost') this.#events.onRefused(channel, error);
      if (meaning !== 'value') return; // this database cannot represent the name: a retry would fail too
    }
    if (client === this.#client) this.#settle(channel);
  }

  /** To be called when a channel is not missing any more. */
  #settle(channel: string): void {
    this.#refused.delete(channel);
    if (this.#missing.delete(channel) && this.#missing.size === 0 && this.#client) this.#events.onComplete();
  }
}

/** A server that refuses the query is not taken for a standby. */
async function isStandby(client: PgClient): Promise<boolean> {
  try {
    const { rows } = await client.query<{ standby: boolean }>(`${ON_PRIMARY} SELECT pg_is_in_recovery() AS standby`);
    return rows[0]?.standby === true;
  } catch (error) {
    if (meaningOf(toError(error)) === 'lost') throw error;
    return false;
  }
}

/** The connections to Redis that all namespaces share. */
import { setMaxListeners } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import type { RedisConfig } from '../../config/options';
import { type Client, type Command, createClient } from './client';
import { Subscriptions } from './subscriptions';

interface ConnectionsOptions {
  readonly config: RedisConfig;
  readonly db: number;
  /** Called for each command that fails. */
  onFailure(client: Client, command: Command, error: Error): void;
  /** Called when connecting has failed, or when a connection has ended. */
  onError(error: Error): void;
  /** Called when a connection was accepted, but ended before Redis was ready and without an error of Redis. Not called for a Cluster. */
  onTurnedAway(client: Client, error: Error): void;
  /** Called when a connection can be used. */
  onReady(client: Client): void;
  /** Called with a subscribing command when all its failed subscriptions of a connection have succeeded or ended. */
  onSubscribed(command: string): void;
  /** Aborted when the app closes. */
  readonly signal: AbortSignal;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #clients: Client[] = [];
  readonly #subscriptions: Subscriptions[] = [];
  /** The clients whose connection is being replaced and has not ended yet. Their status may still be `ready`. */
  readonly #replaced = new Set<Client>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    setMaxListeners(0, options.signal); // each connection adds a listener
  }

  /** Whether no connection is being replaced: if one ended later, it would begin another outage. */
  get areStable(): boolean {
    return this.#replaced.size === 0;
  }

  /** Whether no failed subscription remains. */
  get areSubscribed(): boolean {
    return this.#subscriptions.every(({ isComplete }) => isComplete);
  }

  /** Whether the subscription to this channel has failed. */
  isMissing(channel: string): boolean {
    return this.#subscriptions.some(subscriptions => subscriptions.isMissing(channel));
  }

  /** Creates a client, which reconnects until it is closed. */
  add(options: RedisOptions): Client {
    const { config, db, onFailure, onError, onTurnedAway, onReady, onSubscribed, signal } = this.#options;
    const subscriptions = new Subscriptions(signal, onSubscribed);
    this.#subscriptions.push(subscriptions);
    const client = createClient(config, {
      db,
      ...options,
      onSend: command => subscriptions.onSend(command),
      onFailure(command, error) {
        if (signal.aborted) return;
        subscriptions.onFailure(client, command);
        onFailure(client, command, error);
      },
    });
    client.setMaxListeners(0); // each namespace adds some
    let lastError: Error | undefined;
    /** Whether the latest connection was accepted, but has not become ready. */
    let isNew = false;
    const isTurnedAway = (): boolean => isNew && lastError?.name !== 'ReplyError';
    client.on('connecting', () => (isNew = false));
    client.on('connect', () => {
      isNew = client instanceof Redis;
      lastError = undefined;
    });
    if (client instanceof Redis)
      client.on('error', (error: Error) => {
        lastError = error;
        if (!isTurnedAway()) onError(error); // otherwise `close` follows, or came first
      });
    else {
      client.on('error', () => {}); // no node answers: `close` is emitted too
      client.on('node error', (error: Error) => (lastError ??= error)); // one node may fail
    }
    client.on('close', () => {
      this.#replaced.delete(client);
      const error = lastError ?? new Error('the connection was closed');
      if (isTurnedAway()) onTurnedAway(client, error);
      else onError(error);
    });
    client.on('ready', () => {
      isNew = false;
      lastError = undefined;
      onReady(client);
    });
    this.#clients.push(client);
    return client;
  }

  /** Creates a client that keeps its subscriptions and pending commands until it is connected again. */
  addSubscriber(options: RedisOptions = {}): Client {
    return this.add({ enableOfflineQueue: true, maxRetriesPerRequest: null, autoResubscribe: true, ...options });
  }

  /** Closes a connection that does not answer. Its client then reconnects. */
  replace(client: Client): void {
    // connecting has a time-out of its own
    if (client.status !== 'ready' && !(client instanceof Redis && client.status === 'connect')) return;
    this.#replaced.add(client);
    client.disconnect(true);
  }

  replaceAll(): void {
    for (const client of this.#clients) this.replace(client);
  }

  close(): void {
    for (const client of this.#clients) client.disconnect();
  }
}

/** The connections to Redis that all namespaces share, and when they end. */
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
  /** Called when a connection cannot be made, or has ended. */
  onError(error: Error): void;
  /** Called when a connection has been made, and has ended before Redis has said anything. Not for a Cluster. */
  onTurnedAway(client: Client, error: Error): void;
  /** Called when a connection can be used. */
  onReady(client: Client): void;
  /** Called with a subscribing command that has failed, when all that a connection wants by it is subscribed to. */
  onSubscribed(command: string): void;
  /** Aborted when the app closes. */
  readonly signal: AbortSignal;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #clients: Client[] = [];
  readonly #subscriptions: Subscriptions[] = [];
  /** Those whose connections are being replaced and have not ended yet, though their clients call them ready. */
  readonly #replaced = new Set<Client>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    setMaxListeners(0, options.signal); // each connection listens to it
  }

  /** Whether no connection is about to end. Its late end would begin an outage anew. */
  get areStable(): boolean {
    return this.#replaced.size === 0;
  }

  /** Whether all subscriptions stand that were tried. */
  get areSubscribed(): boolean {
    return this.#subscriptions.every(({ isComplete }) => isComplete);
  }

  /** Whether this channel was subscribed to in vain. */
  isMissing(channel: string): boolean {
    return this.#subscriptions.some(subscriptions => subscriptions.isMissing(channel));
  }

  /** Makes a client, whose connection is made again for as long as it is not closed. */
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
    client.setMaxListeners(0); // each namespace has some
    let lastError: Error | undefined;
    /** Whether there is a connection, or was one, on which Redis has not said yet that it is ready. */
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
        if (!isTurnedAway()) onError(error); // else it closes as well, or has closed
      });
    else {
      client.on('error', () => {}); // that no node answers; it closes as well
      client.on('node error', (error: Error) => (lastError ??= error)); // one may fail
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

  /** One that keeps its subscriptions, and what it is asked for, until there is a connection again. */
  addSubscriber(options: RedisOptions = {}): Client {
    return this.add({ enableOfflineQueue: true, maxRetriesPerRequest: null, autoResubscribe: true, ...options });
  }

  /** Ends a connection that does not answer; its client makes another one. */
  replace(client: Client): void {
    // one that is connecting has a limit of its own
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

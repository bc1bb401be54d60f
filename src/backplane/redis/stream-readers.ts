/** Replaces the connections that redis-streams would create: each reads a stream, or subscribes to channels on a shared connection. */
import { setTimeout as wait } from 'node:timers/promises';
import type { RedisSettings } from '../../config/adapter';
import type { Inbox } from '../inbox';
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import { BLOCK_TIME } from './adapters';
import type { Client } from './client';
import { StreamReader } from './stream-reader';

export interface StreamReadersOptions {
  /** Those of the adapter. */
  readonly options: RedisSettings['options'];
  readonly inbox: Inbox;
  /** Aborted when the app closes. */
  readonly signal: AbortSignal;
  /** The client for all channels. It also receives the pulses, which detect a dead connection. */
  readonly subscriber: Client;
  /** Creates the client of a reader. */
  connect(): Client;
  /** Called after each read. */
  onRead(): void;
  /** Called when a connection is open but does not answer in time. */
  onTimeout(client: Client, error: Error): void;
}

/** The members of a client that the adapter uses. */
interface Connection {
  on(event: string, listener: Listener): void;
  subscribe(channels: readonly string[]): Promise<unknown>;
  xread(...args: unknown[]): Promise<unknown>;
  disconnect(): void;
}

type Listener = (channel: Buffer, message: Buffer) => void;

export class StreamReaders {
  readonly #options: StreamReadersOptions;
  readonly #streamCount: number;
  readonly #readers: StreamReader[] = [];
  readonly #allRead = new AbortController();
  readonly #channels = new Set<string>();
  readonly #listeners: Listener[] = [];

  constructor(options: StreamReadersOptions) {
    this.#options = options;
    this.#streamCount = Number(options.options['streamCount'] ?? 1); // the config has been checked: it is a number, as are those below
    options.subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => this.#deliver(channel, message));
  }

  /** Whether all streams are being read: all messages from now on are received. */
  get areReading(): boolean {
    return this.#readers.length === this.#streamCount && this.#readers.every(({ isReading }) => isReading);
  }

  /** Resolves when all streams are being read, or after `timeout` ms. */
  async ready(timeout: number): Promise<void> {
    if (this.areReading) return;
    await wait(timeout, undefined, { signal: AbortSignal.any([this.#allRead.signal, this.#options.signal]) }).catch(() => {});
  }

  /** To be called every `PULSE_INTERVAL`. */
  watch(): void {
    for (const reader of this.#readers) reader.watch();
  }

  /** Creates a connection for the adapter. The first call of `xread` makes it a reader. */
  create(): Connection {
    let reader: StreamReader | undefined;
    return {
      xread: async (...args) => (reader ??= this.#createReader()).read(args),
      subscribe: channels => {
        for (const channel of channels) this.#channels.add(channel);
        return this.#options.subscriber.subscribe(...channels);
      },
      on: (event, listener) => {
        if (event === 'messageBuffer') this.#listeners.push(listener); // errors are logged where the connections are created
      },
      disconnect: () => {}, // the clients close with the app
    };
  }

  #createReader(): StreamReader {
    const { options, connect, signal, inbox, onTimeout, onRead } = this.#options;
    const { blockTimeInMs = BLOCK_TIME, readCount = 100, maxLen = 10_000 } = options; // the last two as the adapter has them
    const client = connect();
    const reader = new StreamReader(client, {
      signal,
      batchSize: Math.min(Number(readCount), Number(maxLen)),
      timeout: Number(blockTimeInMs) + CONNECT_TIMEOUT,
      onTimeout: error => onTimeout(client, error),
      onBegin: () => {
        if (this.areReading) this.#allRead.abort();
      },
      onRead,
      onMiss: stream => inbox.miss(stream, `raise maxLen of config.io.adapter, which is ${Number(maxLen)}`),
    });
    this.#readers.push(reader);
    return reader;
  }

  /** The adapter ignores a message that it cannot decode; here it is logged. */
  #deliver(channel: Buffer, message: Buffer): void {
    if (!this.#channels.has(channel.toString())) return;
    const { inbox } = this.#options;
    const before = inbox.read;
    for (const listener of this.#listeners) listener(channel, message);
    if (inbox.read === before) inbox.drop(channel);
  }
}

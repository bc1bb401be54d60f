/** What redis-streams takes for connections of its own: each either reads a stream, or subscribes to channels. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Inbox } from '../inbox';
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import type { Client } from './client';
import { StreamReader } from './stream-reader';

export interface StreamReadersOptions {
  /** How many streams the adapter reads. */
  readonly streamCount: number;
  /** How long Redis holds a read back until there is something to read, in ms. */
  readonly blockTime: number;
  readonly inbox: Inbox;
  /** Aborted when the app closes. */
  readonly signal: AbortSignal;
  /** Hears the pulses, so that nothing else is needed to notice that its connection is dead. */
  readonly subscriber: Client;
  /** Makes the connection of a reader. */
  connect(): Client;
  /** Called after each read. */
  onRead(): void;
  /** Called when a connection is open and does not answer. */
  onSilence(client: Client, error: Error): void;
}

/** Those members of a client that the adapter uses. */
interface Connection {
  on(event: string, listener: Listener): void;
  subscribe(channels: readonly string[]): Promise<unknown>;
  xread(...args: unknown[]): Promise<unknown>;
  disconnect(): void;
}

type Listener = (channel: Buffer, message: Buffer) => void;

export class StreamReaders {
  readonly #options: StreamReadersOptions;
  readonly #readers: StreamReader[] = [];
  readonly #allRead = new AbortController();
  readonly #channels = new Set<string>();
  readonly #listeners: Listener[] = [];

  constructor(options: StreamReadersOptions) {
    this.#options = options;
    options.subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => this.#deliver(channel, message));
  }

  /** Whether all streams are read: what others emit from now on is received. */
  get areReading(): boolean {
    return this.#readers.length === this.#options.streamCount && this.#readers.every(({ isReading }) => isReading);
  }

  /** Resolves when all streams are read. At the latest after `timeout` ms. */
  async ready(timeout: number): Promise<void> {
    if (this.areReading) return;
    await wait(timeout, undefined, { signal: AbortSignal.any([this.#allRead.signal, this.#options.signal]) }).catch(() => {});
  }

  /** To be called every `PULSE_INTERVAL`. */
  watch(): void {
    for (const reader of this.#readers) reader.watch();
  }

  /** A connection of the adapter. It does not say what it makes it for. */
  create(): Connection {
    let reader: StreamReader | undefined;
    return {
      xread: async (...args) => (reader ??= this.#createReader()).read(args),
      subscribe: channels => {
        for (const channel of channels) this.#channels.add(channel);
        return this.#options.subscriber.subscribe(...channels);
      },
      on: (event, listener) => {
        if (event === 'messageBuffer') this.#listeners.push(listener); // errors are logged where the connections are made
      },
      disconnect: () => {}, // they close with the app
    };
  }

  #createReader(): StreamReader {
    const { connect, signal, blockTime, onSilence, onRead } = this.#options;
    const client = connect();
    const reader = new StreamReader(client, {
      signal,
      timeout: blockTime + CONNECT_TIMEOUT,
      onSilence: error => onSilence(client, error),
      onBegin: () => {
        if (this.areReading) this.#allRead.abort();
      },
      onRead,
    });
    this.#readers.push(reader);
    return reader;
  }

  /** The adapter says nothing of a message that it cannot decode. */
  #deliver(channel: Buffer, message: Buffer): void {
    if (!this.#channels.has(channel.toString())) return;
    const { inbox } = this.#options;
    const before = inbox.read;
    for (const listener of this.#listeners) listener(channel, message);
    if (inbox.read === before) inbox.drop(channel);
  }
}

/** The connections that redis-streams makes for itself: one to read each stream, and one for what travels by channels. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Inbox } from '../inbox';
import type { Client } from './client';

export interface StreamReadersOptions {
  /** How many streams the adapter reads. */
  readonly streamCount: number;
  /** How long Redis holds a read back until there is something to read, in ms. */
  readonly blockTime: number;
  readonly inbox: Inbox;
  /** Aborted when the app closes. */
  readonly signal: AbortSignal;
  /** @param silence ms without a word of Redis after which the connection is closed */
  connect(silence: number): Client;
  /** Called after each read. */
  onRead(): void;
}

/** How long a read that has failed is not tried again, in ms. The adapter itself would try again at once, for ever. */
const RETRY_DELAY = 500;
/** How much longer than `blockTime` Redis may take to answer, in ms. */
const GRACE = 5000;

export class StreamReaders {
  readonly #options: StreamReadersOptions;
  /** Streams that are not read yet. */
  #unread: number;
  readonly #allRead = new AbortController();

  constructor(options: StreamReadersOptions) {
    this.#options = options;
    this.#unread = options.streamCount;
  }

  /** Resolves when all streams are read: what others emit from then on is received. At the latest after `timeout` ms. */
  async ready(timeout: number): Promise<void> {
    if (this.#unread === 0) return;
    await wait(timeout, undefined, { signal: AbortSignal.any([this.#allRead.signal, this.#options.signal]) }).catch(() => {});
  }

  /** A connection of the adapter. It does not say what it makes it for. */
  create(): Client {
    const { inbox, blockTime, signal } = this.#options;
    const timeout = blockTime + GRACE;
    const client = this.#options.connect(timeout); // Redis says something at least as often as a read ends
    const xread = client.xread.bind(client) as (...args: unknown[]) => Promise<unknown>; // of many signatures
    const emit = client.emit.bind(client);
    let start: string | undefined;
    Object.assign(client, {
      /** The adapter asks for what is new (`$`) until the first entry arrives, and would miss what is added between two such reads. */
      xread: async (...args: unknown[]): Promise<unknown> => {
        if (signal.aborted) return new Promise(() => {}); // the adapter would go on for ever
        const [stream, offset] = args.slice(-2);
        try {
          if (offset === '$') args[args.length - 1] = start ??= await this.#begin(client, String(stream), timeout);
          const entries = await withTimeout(timeout + 1000, xread(...args));
          this.#options.onRead();
          return entries;
        } catch (error) {
          await wait(RETRY_DELAY, undefined, { signal, ref: false }).catch(() => {});
          if (signal.aborted) return new Promise(() => {});
          throw error;
        }
      },
      /** The adapter says nothing of a message that it cannot decode. All messages of this connection are for the adapter. */
      emit(event: string, ...args: unknown[]): boolean {
        if (event !== 'messageBuffer') return emit(event, ...args);
        const before = inbox.read;
        const hasListeners = emit(event, ...args);
        if (inbox.read === before) inbox.drop(args[0] as Buffer); // the channel
        return hasListeners;
      },
    });
    return client;
  }

  /** The id of the stream's last entry, after which reading begins. */
  async #begin(client: Client, stream: string, timeout: number): Promise<string> {
    const [last] = await withTimeout(timeout, client.xrevrange(stream, '+', '-', 'COUNT', 1));
    if (--this.#unread === 0) this.#allRead.abort();
    return last?.[0] ?? '0-0';
  }
}

/** A command may never be answered where a node of a Cluster goes away. */
async function withTimeout<Answer>(ms: number, answer: Promise<Answer>): Promise<Answer> {
  const settled = new AbortController();
  const late = wait(ms, undefined, { signal: settled.signal, ref: false }).then(() => {
    throw new Error(`no answer in ${ms} ms`);
  });
  return Promise.race([answer, late]).finally(() => settled.abort());
}

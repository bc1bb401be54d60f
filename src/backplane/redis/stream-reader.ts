/** Reads one stream for redis-streams, whatever becomes of the connection and of the stream. */
import { setTimeout as wait } from 'node:timers/promises';
import { PULSE_INTERVAL } from '../pulsed-backplane';
import type { Client } from './client';

export interface StreamReaderOptions {
  /** Aborted when the app closes. */
  readonly signal: AbortSignal;
  /** How long Redis may take to answer, in ms. */
  readonly timeout: number;
  /** Called when it knows where to begin: what is added from then on is received. */
  onBegin(): void;
  /** Called after each read. */
  onRead(): void;
  /** Called when the connection is open and does not answer. */
  onSilence(error: Error): void;
}

/** What XREAD answers: the streams that have entries, with these. */
type Answer = readonly (readonly [stream: string, entries: readonly (readonly [id: string, fields: string[]])[]])[] | null;

/** How long a read that has failed is not tried again, in ms. The adapter itself would try again at once, for ever. */
const RETRY_DELAY = 500;

export class StreamReader {
  readonly #client: Client;
  readonly #xread: (...args: unknown[]) => Promise<Answer>;
  readonly #options: StreamReaderOptions;
  #isReading = false;
  /** The adapter asks for what is new (`$`) until the first entry arrives, and would miss what is added between two such reads. */
  #start: string | undefined;
  /** Since when Redis has not answered, in pulses: a process that is busy does not take its own delay for that of Redis. */
  #unanswered = 0;
  #giveUp: ((error: Error) => void) | undefined;

  constructor(client: Client, options: StreamReaderOptions) {
    this.#client = client;
    this.#xread = client.xread.bind(client) as (...args: unknown[]) => Promise<Answer>; // of many signatures
    this.#options = options;
    client.on('close', () => this.#giveUp?.(new Error('the connection was closed'))); // ioredis would read once more, from where it was
  }

  /** Whether what is added to the stream from now on is received. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** XREAD as the adapter calls it: from the last entry on that it has been given. */
  async read(args: unknown[]): Promise<unknown> {
    const { signal, onBegin, onRead } = this.#options;
    if (signal.aborted) return new Promise(() => {}); // the adapter would go on for ever
    const [stream, offset] = args.slice(-2);
    try {
      if (!this.#isReading) {
        const [last] = await this.#answerOf(this.#client.xrevrange(String(stream), '+', '-', 'COUNT', 1));
        this.#start ??= last?.[0] ?? '0-0';
        this.#isReading = true;
        onBegin();
      }
      const answer = await this.#answerOf(this.#xread(...args.slice(0, -1), offset === '$' ? this.#start : offset));
      onRead();
      return answer;
    } catch (error) {
      this.#isReading = false;
      await wait(RETRY_DELAY, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return new Promise(() => {});
      throw error;
    }
  }

  /** To be called with each pulse. */
  watch(): void {
    if (!this.#giveUp || this.#client.status !== 'ready') return;
    this.#unanswered++;
    const { timeout, onSilence } = this.#options;
    if (this.#unanswered * PULSE_INTERVAL < timeout) return;
    const error = new Error(`no answer to XREAD in ${timeout} ms`);
    this.#giveUp(error);
    onSilence(error);
  }

  /** A command may never be answered where a node of a Cluster goes away. */
  async #answerOf<Reply>(reply: Promise<Reply>): Promise<Reply> {
    this.#unanswered = 0;
    const given = new Promise<never>((_, reject) => (this.#giveUp = reject));
    return Promise.race([reply, given]).finally(() => (this.#giveUp = undefined));
  }
}

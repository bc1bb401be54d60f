/** Reads one stream for redis-streams, even if the connection is lost, or the stream emptied or replaced. */
import { setTimeout as wait } from 'node:timers/promises';
import { toError } from '../../thrown';
import { PULSE_INTERVAL } from '../pulsed-backplane';
import type { Client } from './client';

export interface StreamReaderOptions {
  /** Aborted when the app closes. */
  readonly signal: AbortSignal;
  /** The number of entries from which a read may be the first of several: this server is behind then. */
  readonly batchSize: number;
  /** Time for Redis to answer, in ms. */
  readonly timeout: number;
  /** Called when the place to read from is known: entries added from then on are received. */
  onBegin(): void;
  /** Called after each read. */
  onRead(): void;
  /** Called when entries have been removed from a stream before they were read, or may have been. */
  onMiss(stream: string): void;
  /** Called when the connection is open but does not answer in time. */
  onTimeout(error: Error): void;
}

/** The answer of XREAD: the streams with new entries, and these entries. */
type Answer = readonly (readonly [stream: string, entries: readonly (readonly [id: string, fields: string[]])[]])[] | null;

/** Time until a failed read is retried, in ms. The adapter itself retries at once, endlessly. */
const RETRY_DELAY = 500;
/** Number of places to remember; each is the end of a read. */
const MAX_PLACES = 100;
/** The id before the first entry. */
const BEGINNING = '0-0';

export class StreamReader {
  readonly #client: Client;
  readonly #xread: (...args: unknown[]) => Promise<Answer>;
  readonly #options: StreamReaderOptions;
  #isReading = false;
  #isRefused = false;
  #isPlaceKnown = false;
  /** The id that the adapter asks for, and the id from which it is answered. */
  #place: { readonly asked: string; readonly id: string } | undefined;
  /** The ids that were the end of a read, the latest last. */
  #places: string[] = [];
  /** Number of intervals without an answer. Counting intervals instead of ms, a busy process does not mistake its own delay for one of Redis. */
  #unanswered = 0;
  #giveUp: ((error: Error) => void) | undefined;

  constructor(client: Client, options: StreamReaderOptions) {
    this.#client = client;
    this.#xread = client.xread.bind(client) as (...args: unknown[]) => Promise<Answer>; // it has many signatures
    this.#options = options;
    client.on('close', () => {
      this.#lose();
      this.#giveUp?.(new Error('the connection was closed'));
    });
  }

  /** Whether entries added to the stream from now on are received. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** XREAD, as the adapter calls it: returns the entries after the last one that it got. */
  async read(args: unknown[]): Promise<unknown> {
    const { signal, batchSize, onBegin, onRead } = this.#options;
    if (signal.aborted) return new Promise(() => {}); // otherwise the adapter would retry endlessly
    const [stream, asked] = args.slice(-2).map(String) as [string, string]; // as the adapter calls it
    try {
      if (!this.#isPlaceKnown) {
        this.#place = { asked, id: await this.#placeIn(stream, this.#idFor(asked)) };
        this.#isPlaceKnown = true;
        this.#isReading = !this.#isRefused;
        onBegin();
      }
      const id = this.#idFor(asked);
      const answer = await this.#answerOf(this.#xread(...args.slice(0, -1), id));
      const entries = answer?.[0]?.[1] ?? [];
      const last = entries.at(-1)?.[0];
      if (last === undefined) this.#isPlaceKnown = false;
      else this.#remember(last);
      if (entries.length >= batchSize && id !== BEGINNING) void this.#lookForGap(stream, id);
      this.#isReading = true;
      this.#isRefused = false;
      onRead();
      return answer;
    } catch (error) {
      this.#lose();
      this.#isRefused = toError(error).name === 'ReplyError';
      await wait(RETRY_DELAY, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return new Promise(() => {});
      throw error;
    }
  }

  /** To be called every `PULSE_INTERVAL`. */
  watch(): void {
    if (!this.#giveUp || this.#client.status !== 'ready') return;
    this.#unanswered++;
    const { timeout, onTimeout } = this.#options;
    if (this.#unanswered * PULSE_INTERVAL < timeout) return;
    const error = new Error(`no answer to XREAD in ${timeout} ms`);
    this.#giveUp(error);
    onTimeout(error);
  }

  #lose(): void {
    this.#isReading = this.#isPlaceKnown = false;
  }

  #idFor(asked: string): string {
    return this.#place?.asked === asked ? this.#place.id : asked;
  }

  #remember(id: string): void {
    this.#places.push(id);
    if (this.#places.length > MAX_PLACES) this.#places.shift();
  }

  /**
   * The id after which to read. Until the first entry arrives, the adapter asks for new entries (`$`), and would miss those added between two
   * reads. If Redis was emptied, or a failover has lost the end of the stream, new entries may have lower ids than those already read.
   */
  async #placeIn(stream: string, id: string): Promise<string> {
    const [entry] = await this.#answerOf(this.#client.xrevrange(stream, '+', '-', 'COUNT', 1));
    const last = entry?.[0] ?? BEGINNING;
    if (id === '$') this.#remember(last);
    if (id === '$' || last === BEGINNING) return last;
    if (!isBefore(last, id)) return id;
    const found = await this.#answerOf(Promise.all(this.#places.map(async place => this.#client.xrange(stream, place, place))));
    return this.#places.findLast((_, index) => found[index]?.length !== 0) ?? BEGINNING;
  }

  /** Finds out whether the stream still reached back to this id when it was read from there. */
  async #lookForGap(stream: string, id: string): Promise<void> {
    const answer = await this.#xread('COUNT', 1, 'STREAMS', stream, BEGINNING).catch(() => null); // the next read fails as well
    const oldest = answer?.[0]?.[1][0]?.[0];
    if (oldest !== undefined && isBefore(id, oldest)) this.#options.onMiss(stream);
  }

  /** Rejects if the reader gives up: when a node of a Cluster goes away, a command may never be answered. */
  async #answerOf<Reply>(reply: Promise<Reply>): Promise<Reply> {
    this.#unanswered = 0;
    const given = new Promise<never>((_, reject) => (this.#giveUp = reject));
    return Promise.race([reply, given]).finally(() => (this.#giveUp = undefined));
  }
}

/** Compares two ids of a stream. Each consists of a time in ms and a number, both of up to 64 bits. */
function isBefore(one: string, other: string): boolean {
  const [[time = 0n, number = 0n], [otherTime = 0n, otherNumber = 0n]] = [one, other].map(id => id.split('-').map(BigInt)) as [
    bigint[],
    bigint[],
  ]; // two
  return time === otherTime ? number < otherNumber : time < otherTime;
}

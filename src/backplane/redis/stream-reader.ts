/** Reads one stream for redis-streams, whatever becomes of the connection and of the stream. */
import { setTimeout as wait } from 'node:timers/promises';
import { toError } from '../../errors';
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
/** So many places are remembered, each the end of a read. */
const PLACES = 100;
/** Before the first entry. */
const BEGINNING = '0-0';

export class StreamReader {
  readonly #client: Client;
  readonly #xread: (...args: unknown[]) => Promise<Answer>;
  readonly #options: StreamReaderOptions;
  #isReading = false;
  #isRefused = false;
  #isPlaceKnown = false;
  /** For what the adapter asks for, the id after which it is read. */
  #place: { readonly asked: string; readonly id: string } | undefined;
  /** Ids after which it has been read, the latest last. */
  #places: string[] = [];
  /** For how many intervals Redis has not answered. They are counted, so that a process that is busy does not take its own delay for that of Redis. */
  #unanswered = 0;
  #giveUp: ((error: Error) => void) | undefined;

  constructor(client: Client, options: StreamReaderOptions) {
    this.#client = client;
    this.#xread = client.xread.bind(client) as (...args: unknown[]) => Promise<Answer>; // of many signatures
    this.#options = options;
    client.on('close', () => {
      this.#lose();
      this.#giveUp?.(new Error('the connection was closed'));
    });
  }

  /** Whether what is added to the stream from now on is received. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** XREAD as the adapter calls it: from the last entry on that it has been given. */
  async read(args: unknown[]): Promise<unknown> {
    const { signal, onBegin, onRead } = this.#options;
    if (signal.aborted) return new Promise(() => {}); // the adapter would go on for ever
    const [stream, asked] = args.slice(-2).map(String) as [string, string]; // as the adapter calls it
    try {
      if (!this.#isPlaceKnown) {
        this.#place = { asked, id: await this.#placeIn(stream, this.#idFor(asked)) };
        this.#isPlaceKnown = true;
        this.#isReading = !this.#isRefused;
        onBegin();
      }
      const answer = await this.#answerOf(this.#xread(...args.slice(0, -1), this.#idFor(asked)));
      const last = answer?.[0]?.[1].at(-1)?.[0];
      if (last === undefined) this.#isPlaceKnown = false;
      else this.#remember(last);
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
    const { timeout, onSilence } = this.#options;
    if (this.#unanswered * PULSE_INTERVAL < timeout) return;
    const error = new Error(`no answer to XREAD in ${timeout} ms`);
    this.#giveUp(error);
    onSilence(error);
  }

  #lose(): void {
    this.#isReading = this.#isPlaceKnown = false;
  }

  #idFor(asked: string): string {
    return this.#place?.asked === asked ? this.#place.id : asked;
  }

  #remember(id: string): void {
    this.#places.push(id);
    if (this.#places.length > PLACES) this.#places.shift();
  }

  /**
   * Where to read on. The adapter asks for what is new (`$`) until the first entry arrives, and would miss what is added between two such reads.
   * And where Redis was emptied, or a failover has lost the end of the stream, new entries may have lower ids than those that have been read.
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

  /** A command may never be answered where a node of a Cluster goes away. */
  async #answerOf<Reply>(reply: Promise<Reply>): Promise<Reply> {
    this.#unanswered = 0;
    const given = new Promise<never>((_, reject) => (this.#giveUp = reject));
    return Promise.race([reply, given]).finally(() => (this.#giveUp = undefined));
  }
}

/** Of two ids of a stream: a time in ms and a number, both of up to 64 bits. */
function isBefore(one: string, other: string): boolean {
  const [[time = 0n, number = 0n], [otherTime = 0n, otherNumber = 0n]] = [one, other].map(id => id.split('-').map(BigInt)) as [
    bigint[],
    bigint[],
  ]; // two
  return time === otherTime ? number < otherNumber : time < otherTime;
}

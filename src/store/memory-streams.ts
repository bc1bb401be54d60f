/** Streams in the memory of this process. */
import { randomBytes } from 'node:crypto';
import { type Appended, type Entry, type Limits, type Page, pageOf, sizeOf, type Streams } from './streams';

/** The largest number of streams, and of bytes in all of them. Beyond, those go first that have had no event for longest. */
const MAX_STREAMS = 10_000;
const MAX_BYTES = 64 * 1024 * 1024;

/** Time between two searches for events that have expired, in ms. */
const SWEEP_INTERVAL = 10_000;

interface Bounds {
  readonly streams: number;
  readonly bytes: number;
}

interface Kept extends Entry {
  readonly size: number;
  readonly expires: number;
}

export class MemoryStreams implements Streams {
  /** The one with the latest event last. */
  readonly #streams = new Map<string, Stream>();
  readonly #bounds: Bounds;
  readonly #name = randomBytes(6).toString('base64url');
  readonly #secret = randomBytes(12).toString('base64url');
  /**
   * How many streams have been removed or restarted. It is a part of the epoch of each stream that begins after that: a stream that did not exist
   * when somebody looked, and does now, has had no other events in between exactly if its epoch is the one that was seen then.
   */
  #losses = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bounds: Bounds = { streams: MAX_STREAMS, bytes: MAX_BYTES }) {
    this.#bounds = bounds;
  }

  append(name: string, { content, id }: Omit<Entry, 'offset'>, { size, ttl }: Limits): Appended {
    const stream = this.#streams.get(name) ?? new Stream(this.#epoch);
    this.#streams.delete(name);
    this.#streams.set(name, stream); // as the last one
    const bytes = sizeOf(content);
    this.#bytes += bytes - stream.keep(size - 1);
    stream.add({ offset: stream.last + 1, content, id, size: bytes, expires: performance.now() + ttl });
    const hasEvicted = this.#makeRoom(stream);
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_INTERVAL).unref();
    return { epoch: stream.epoch, offset: stream.last, ...(hasEvicted && { hasEvicted }) };
  }

  read(name: string, after: number, count: number): Page {
    const stream = this.#streams.get(name);
    if (!stream) return { epoch: this.#epoch, offset: 0, entries: [] };
    this.#bytes -= stream.expire(performance.now());
    return { epoch: stream.epoch, offset: stream.last, entries: pageOf(stream.after(after < 0 ? stream.last + after : after), count) };
  }

  restart(name: string): void {
    const stream = this.#streams.get(name);
    if (stream) this.#remove(name, stream);
    else this.#losses++;
  }

  /** Begins a new epoch of all streams, also of those that do not exist. */
  restartAll(): void {
    for (const [name, stream] of this.#streams) this.#remove(name, stream);
    this.#losses++;
  }

  /** No event is ever missing. */
  async untilRestarted(): Promise<void> {}

  close(): void {
    clearInterval(this.#timer);
    this.#streams.clear();
  }

  get #epoch(): string {
    return `${this.#name}${this.#losses.toString(36)}.${this.#secret}`;
  }

  #remove(name: string, stream: Stream): void {
    this.#bytes -= stream.keep(0);
    this.#streams.delete(name);
    this.#losses++;
  }

  /** Removes what is too much, but not a stream that has just got an event: that loses its oldest ones. Returns whether something was. */
  #makeRoom(latest: Stream): boolean {
    const isFull = (): boolean => this.#streams.size > this.#bounds.streams || this.#bytes > this.#bounds.bytes;
    if (!isFull()) return false;
    for (const [name, stream] of this.#streams) {
      if (!isFull()) return true;
      if (stream !== latest) this.#remove(name, stream);
    }
    while (this.#bytes > this.#bounds.bytes) this.#bytes -= latest.keep(latest.length - 1);
    return true;
  }

  /** Removes expired events. The streams stay, with their numbers: nobody who comes back has missed anything since. */
  #sweep(): void {
    const now = performance.now();
    for (const stream of this.#streams.values()) this.#bytes -= stream.expire(now);
    if (this.#bytes > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** The entries of one stream, by their numbers. */
class Stream {
  readonly epoch: string;
  /** The number of the latest event. */
  last = 0;
  readonly #entries = new Map<number, Kept>();

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  get length(): number {
    return this.#entries.size;
  }

  add(entry: Kept): void {
    this.#entries.set(entry.offset, entry);
    this.last = entry.offset;
  }

  /** Removes the oldest entries, so that this number is left. Returns their bytes. */
  keep(length: number): number {
    let bytes = 0;
    for (const [offset, { size }] of this.#entries) {
      if (this.#entries.size <= length) break;
      bytes += size;
      this.#entries.delete(offset);
    }
    return bytes;
  }

  /** Removes what has expired by now. Returns its bytes. */
  expire(now: number): number {
    let bytes = 0;
    for (const [offset, { size, expires }] of this.#entries) {
      if (expires > now) break;
      bytes += size;
      this.#entries.delete(offset);
    }
    return bytes;
  }

  /** The entries after one of them, oldest first. */
  *after(offset: number): Iterable<Kept> {
    const first = this.last - this.#entries.size + 1;
    for (let number = Math.max(first, offset + 1); number <= this.last; number++) {
      const entry = this.#entries.get(number);
      if (entry) yield entry;
    }
  }
}

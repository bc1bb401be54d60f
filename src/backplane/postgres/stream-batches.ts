/** Gathers the events that a process adds to a stream while PostgreSQL is busy with those before: one statement after the other keeps their order. */
import { type Entry, type Limits, type Position, sizeOf } from '../../store/streams';

/** The most events of a batch. No further one is added to a batch with as many bytes. */
const MAX_EVENTS = 100;
const MAX_BYTES = 256 * 1024;
/** How many streams are remembered. */
const MAX_KNOWN = 10_000;

export type NewEvent = Omit<Entry, 'offset'>;

/** What this process knows of a stream. */
export interface Known {
  epoch: string | undefined;
  /** The number of the latest event of this process in this epoch. */
  offset: number;
}

interface Waiting {
  readonly event: NewEvent;
  resolve(position: Position): void;
  reject(error: unknown): void;
}

interface Stream extends Known {
  readonly waiting: Waiting[];
  isBusy: boolean;
}

/** Adds events. Returns the position of the last one. */
type Write = (stream: string, known: Known, events: readonly NewEvent[], limits: Limits) => Promise<Position>;

export class StreamBatches {
  readonly #write: Write;
  /** The one with the latest event of this process last. */
  readonly #streams = new Map<string, Stream>();

  constructor(write: Write) {
    this.#write = write;
  }

  async add(name: string, event: NewEvent, limits: Limits): Promise<Position> {
    return new Promise((resolve, reject) => {
      const stream = this.#streamOf(name);
      stream.waiting.push({ event, resolve, reject });
      if (!stream.isBusy) void this.#writeAll(name, stream, limits);
    });
  }

  /** The epoch of a stream is not known any more. */
  forget(name: string): void {
    const stream = this.#streams.get(name);
    if (stream) Object.assign(stream, { epoch: undefined, offset: 0 });
  }

  /** Never rejects. */
  async #writeAll(name: string, stream: Stream, limits: Limits): Promise<void> {
    stream.isBusy = true;
    while (stream.waiting.length > 0) {
      const batch = nextBatch(stream.waiting);
      try {
        const events = batch.map(({ event }) => event);
        const { epoch, offset } = await this.#write(name, stream, events, limits);
        for (const [index, { resolve }] of batch.entries()) resolve({ epoch, offset: offset - batch.length + 1 + index });
      } catch (error) {
        this.forget(name);
        for (const { reject } of batch) reject(error);
      }
    }
    stream.isBusy = false;
  }

  #streamOf(name: string): Stream {
    const stream = this.#streams.get(name) ?? { epoch: undefined, offset: 0, waiting: [], isBusy: false };
    this.#streams.delete(name);
    this.#streams.set(name, stream); // as the last one
    for (const [oldest, { isBusy }] of this.#streams) {
      if (isBusy || this.#streams.size <= MAX_KNOWN) break;
      this.#streams.delete(oldest);
    }
    return stream;
  }
}

/** Takes events from those that wait: at least one. */
function nextBatch(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const { event } of waiting) {
    if (count >= MAX_EVENTS || bytes >= MAX_BYTES) break;
    bytes += sizeOf(event.content);
    count++;
  }
  return waiting.splice(0, count);
}

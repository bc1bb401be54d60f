/** Streams in another process. One that lacks an event, since its place could not be reached, begins anew as soon as that is possible. */
import type { Appended, Entry, Limits, Page, Streams } from './streams';

/** Time in ms after which the place is told again that an event could not be kept. In an outage, nothing leaves this process. */
const RETRY_DELAY = 250;
/** The most streams that begin anew one by one. If more lack an event, as after a long outage, all streams of the app do. */
export const MAX_INCOMPLETE = 10_000;
/** Stands for all streams. No stream has this name. */
const ALL = '';

/** A stream that lacks an event: those who come back must not take it for complete. */
interface Incomplete {
  /** Set while it is being restarted. */
  restarting: Promise<void> | undefined;
  readonly restarted: Promise<void>;
  setRestarted(): void;
}

export abstract class RemoteStreams implements Streams {
  /** Tests lower it. */
  maxIncomplete = MAX_INCOMPLETE;
  /** By name. Those that were there before ALL begin anew with it. */
  readonly #incomplete = new Map<string, Incomplete>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  async append(stream: string, event: Omit<Entry, 'offset'>, limits: Limits): Promise<Appended> {
    try {
      const incomplete = this.#incompleteFor(stream);
      if (incomplete !== undefined) await this.#restart(incomplete); // those who wait go on in the order of their calls
      return await this.add(stream, event, limits);
    } catch (error) {
      this.lack(stream);
      throw error;
    }
  }

  async untilRestarted(stream: string): Promise<void> {
    const incomplete = this.#incompleteFor(stream);
    if (incomplete !== undefined) await this.#incomplete.get(incomplete)?.restarted;
  }

  abstract read(stream: string, after: number, count: number, limits: Limits): Promise<Page>;
  abstract restart(stream: string): Promise<void>;

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Adds an event, as `append` does. */
  protected abstract add(stream: string, event: Omit<Entry, 'offset'>, limits: Limits): Promise<Appended>;

  /** Restarts all streams of the app, those of other processes, too. */
  protected abstract restartAll(): Promise<void>;

  /** What has to begin anew before the stream takes another event. Undefined if it is complete. */
  #incompleteFor(stream: string): string | undefined {
    if (this.#incomplete.has(ALL)) return ALL;
    return this.#incomplete.has(stream) ? stream : undefined;
  }

  /** Whether no event of the stream is missing. */
  protected isComplete(stream: string): boolean {
    return this.#incompleteFor(stream) === undefined;
  }

  /** Notes that an event could not be kept. */
  protected lack(stream: string): void {
    if (this.#incompleteFor(stream) === undefined) {
      let setRestarted = (): void => {};
      const restarted = new Promise<void>(resolve => (setRestarted = resolve));
      this.#incomplete.set(this.#incomplete.size < this.maxIncomplete ? stream : ALL, { restarting: undefined, restarted, setRestarted });
    }
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.#restartIncomplete(), RETRY_DELAY).unref();
  }

  /** Has no effect on a stream that is complete. */
  async #restart(name: string): Promise<void> {
    const incomplete = this.#incomplete.get(name);
    if (!incomplete) return;
    try {
      await (incomplete.restarting ??= name === ALL ? this.restartAll() : this.restart(name));
    } catch (error) {
      incomplete.restarting = undefined;
      throw error;
    }
    if (this.#incomplete.get(name) !== incomplete) return; // another call has gone on
    for (const [complete, { setRestarted }] of name === ALL ? [...this.#incomplete] : [[name, incomplete] as const]) {
      this.#incomplete.delete(complete);
      setRestarted();
    }
  }

  async #restartIncomplete(): Promise<void> {
    this.#timer = undefined;
    for (const name of this.#incomplete.has(ALL) ? [ALL] : [...this.#incomplete.keys()]) {
      try {
        await this.#restart(name);
      } catch {
        this.lack(name); // the outage goes on, as the log says
        return;
      }
    }
  }
}

/** Streams in another process. One that lacks an event, since its place could not be reached, begins anew as soon as that is possible. */
import type { Entry, Limits, Page, Position, Streams } from './streams';

/** Time in ms after which the place is told again that an event could not be kept. In an outage, nothing leaves this process. */
const RETRY_DELAY = 250;

/** A stream that lacks an event: those who come back must not take it for complete. */
interface Incomplete {
  /** Set while it is being restarted. */
  restarting: Promise<void> | undefined;
  readonly restarted: Promise<void>;
  setRestarted(): void;
}

export abstract class RemoteStreams implements Streams {
  readonly #incomplete = new Map<string, Incomplete>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  async append(stream: string, event: Omit<Entry, 'offset'>, limits: Limits): Promise<Position> {
    try {
      if (this.#incomplete.has(stream)) await this.#restart(stream); // those who wait go on in the order of their calls
      return await this.add(stream, event, limits);
    } catch (error) {
      this.#lack(stream);
      throw error;
    }
  }

  async untilRestarted(stream: string): Promise<void> {
    await this.#incomplete.get(stream)?.restarted;
  }

  abstract read(stream: string, after: number, count: number, limits: Limits): Promise<Page>;
  abstract restart(stream: string): Promise<void>;

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Adds an event, as `append` does. */
  protected abstract add(stream: string, event: Omit<Entry, 'offset'>, limits: Limits): Promise<Position>;

  #lack(stream: string): void {
    if (!this.#incomplete.has(stream)) {
      let setRestarted = (): void => {};
      const restarted = new Promise<void>(resolve => (setRestarted = resolve));
      this.#incomplete.set(stream, { restarting: undefined, restarted, setRestarted });
    }
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.#restartAll(), RETRY_DELAY).unref();
  }

  /** Has no effect on a stream that is complete. */
  async #restart(stream: string): Promise<void> {
    const incomplete = this.#incomplete.get(stream);
    if (!incomplete) return;
    try {
      await (incomplete.restarting ??= this.restart(stream));
    } catch (error) {
      incomplete.restarting = undefined;
      throw error;
    }
    if (this.#incomplete.get(stream) === incomplete) this.#incomplete.delete(stream);
    incomplete.setRestarted();
  }

  async #restartAll(): Promise<void> {
    this.#timer = undefined;
    for (const stream of [...this.#incomplete.keys()]) {
      try {
        await this.#restart(stream);
      } catch {
        this.#lack(stream); // the outage goes on, as the log says
        return;
      }
    }
  }
}

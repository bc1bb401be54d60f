/** Streams in another process. One that lacks an event, since its place could not be reached, begins anew as soon as that is possible. */
import type { Entry, Limits, Page, Position, Streams } from './streams';

/** Time in ms after which the place is told again that an event could not be kept. */
const RETRY_DELAY = 1000;

export abstract class RemoteStreams implements Streams {
  /** Streams that lack an event: those who come back must not take them for complete. */
  readonly #incomplete = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  async append(stream: string, event: Omit<Entry, 'offset'>, limits: Limits): Promise<Position> {
    try {
      return await this.add(stream, event, limits);
    } catch (error) {
      this.#incomplete.add(stream);
      this.#retryLater();
      throw error;
    }
  }

  abstract read(stream: string, after: number, count: number, limits: Limits): Promise<Page>;
  abstract restart(stream: string): Promise<void>;

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Adds an event, as `append` does. */
  protected abstract add(stream: string, event: Omit<Entry, 'offset'>, limits: Limits): Promise<Position>;

  #retryLater(): void {
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.#restartIncomplete(), RETRY_DELAY).unref();
  }

  async #restartIncomplete(): Promise<void> {
    this.#timer = undefined;
    for (const stream of [...this.#incomplete]) {
      try {
        await this.restart(stream);
        this.#incomplete.delete(stream);
      } catch {
        this.#retryLater(); // the outage goes on, as the log says
        return;
      }
    }
  }
}

/** The table of messages that NOTIFY does not carry: made when it is needed, and rid of old rows. */
import type { Queries } from './queries';
import type { FailedQuery } from './refused';

export class Table {
  readonly #queries: Queries;
  /** In ms. */
  readonly #cleanupInterval: number;
  readonly #onFailure: (failure: FailedQuery) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(queries: Queries, cleanupInterval: number, onFailure: (failure: FailedQuery) => void) {
    this.#queries = queries;
    this.#cleanupInterval = cleanupInterval;
    this.#onFailure = onFailure;
  }

  /** To be called when PostgreSQL is there. Does nothing after the first time: what is refused is tried again elsewhere. */
  async open(): Promise<void> {
    if (this.#timer) return;
    this.#timer = setInterval(() => void this.#try(this.#queries.deleteOld()), this.#cleanupInterval).unref();
    await this.#try(this.#queries.openTable());
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #try(query: Promise<void>): Promise<void> {
    try {
      await query;
    } catch (error) {
      this.#onFailure(error as FailedQuery); // queries throw no other
    }
  }
}

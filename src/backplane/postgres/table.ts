/** The table for messages that do not fit into NOTIFY: it is created when PostgreSQL is reachable, and old rows are deleted. */
import type { Queries } from './queries';
import type { FailedQuery } from './refused';

export class Table {
  readonly #queries: Queries;
  /** Time between two deletions of old rows, in ms. */
  readonly #cleanupInterval: number;
  readonly #onFailure: (failure: FailedQuery) => void;
  #timer: NodeJS.Timeout | undefined;
  /** Undefined before the first attempt, and after one that has lost the connection. */
  #opened: Promise<void> | undefined;

  constructor(queries: Queries, cleanupInterval: number, onFailure: (failure: FailedQuery) => void) {
    this.#queries = queries;
    this.#cleanupInterval = cleanupInterval;
    this.#onFailure = onFailure;
  }

  /** To be called when PostgreSQL is reachable. Resolves when the table is open or refused; refused statements are retried elsewhere. */
  async open(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#try(this.#queries.deleteOld()), this.#cleanupInterval).unref();
    this.#opened ??= this.#try(this.#queries.openTable(), () => (this.#opened = undefined));
    await this.#opened;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #try(query: Promise<void>, onLost?: () => void): Promise<void> {
    try {
      await query;
    } catch (error) {
      const failure = error as FailedQuery; // queries throw no other error
      if (failure.meaning === 'lost') onLost?.();
      this.#onFailure(failure);
    }
  }
}

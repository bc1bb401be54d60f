/** The table of messages that NOTIFY does not carry: made when it is needed, and rid of old rows. */
import type { Queries } from './queries';
import type { FailedQuery } from './refused';

export class Table {
  readonly #queries: Queries;
  /** In ms. */
  readonly #cleanupInterval: number;
  readonly #onFailure: (failure: FailedQuery) => void;
  #timer: NodeJS.Timeout | undefined;
  /** Undefined until it is tried, and once the connection was lost meanwhile. */
  #opened: Promise<void> | undefined;

  constructor(queries: Queries, cleanupInterval: number, onFailure: (failure: FailedQuery) => void) {
    this.#queries = queries;
    this.#cleanupInterval = cleanupInterval;
    this.#onFailure = onFailure;
  }

  /** To be called when PostgreSQL is there. Resolves once PostgreSQL has made the table or refused to: a refusal is tried again elsewhere. */
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
      const failure = error as FailedQuery; // queries throw no other
      if (failure.meaning === 'lost') onLost?.();
      this.#onFailure(failure);
    }
  }
}

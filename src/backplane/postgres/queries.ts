/**
 * The queries of the adapter. Messages leave in order, over whichever connection of the pool: a large one is two queries, of which
 * the second says where to find what the first has stored, and what comes after it must not overtake it.
 */
import { toError } from '../../errors';
import type { PgPool } from './pg';

export class Queries {
  readonly #pool: PgPool;
  readonly #errors: WeakSet<object>;
  /** For each message that is stored and not announced yet, by its id: what lets the next message go. */
  readonly #stored = new Map<unknown, () => void>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param errors collects the errors of queries, to tell them from those of the adapter */
  constructor(pool: PgPool, errors: WeakSet<object>) {
    this.#pool = pool;
    this.#errors = errors;
  }

  async query(text: string, values?: unknown[]): Promise<unknown> {
    try {
      return await this.#queryInTurn(text, values);
    } catch (thrown) {
      const error = toError(thrown);
      this.#errors.add(error);
      throw error;
    }
  }

  async #queryInTurn(text: string, values: unknown[] = []): Promise<unknown> {
    if (text.startsWith('INSERT')) return this.#store(text, values);
    if (!text.includes('pg_notify')) return this.#pool.query(text, values);
    const id = attachmentOf(values[1]);
    const announced = this.#stored.get(id);
    if (announced) {
      this.#stored.delete(id);
      return this.#pool.query(text, values).finally(announced);
    }
    const sent = this.#last.then(() => this.#pool.query(text, values));
    this.#last = sent.catch(() => {}); // the caller handles it
    return sent;
  }

  #store(text: string, values: unknown[]): Promise<unknown> {
    const stored = this.#last.then(() => this.#pool.query(text, values));
    this.#last = stored.then(
      result =>
        new Promise<void>(announced => {
          const { rows } = result as { rows: { id: unknown }[] }; // the statement returns it
          this.#stored.set(String(rows[0]?.id), announced);
        }),
      () => {}, // the caller handles it
    );
    return stored;
  }
}

function attachmentOf(payload: unknown): string | undefined {
  if (typeof payload !== 'string' || payload.length > 200 || !payload.includes('"attachmentId"')) return undefined;
  return (JSON.parse(payload) as { attachmentId?: string }).attachmentId; // of the adapter; pg has large numbers as strings
}

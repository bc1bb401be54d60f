/**
 * Outcomes in PostgreSQL: rows of a table, which have a lease first, and then the outcome. Every change is one statement, and no connection
 * keeps anything, so that a pooler may pass connections on. Times are those of the database.
 */
import { createHash } from 'node:crypto';
import type { Claim, OutcomeStore } from '../../store/outcome-store';
import { toError } from '../../thrown';
import { type PgPool, type Rows, sqlStateOf } from './pg';
import { isCreatedMeanwhile, LOCK_LIMIT } from './queries';
import { FailedQuery, KEYS, NO_TABLE } from './refused';

interface Options {
  /** Connections of their own: the messages to other servers wait for none of these statements. */
  readonly pool: PgPool;
  readonly table: string;
  /** Separates apps that share the table. */
  readonly prefix: string;
  /** Time between two deletions of old rows, in ms. */
  readonly cleanupInterval: number;
  /** Asks PostgreSQL. Rejects if it cannot be reached. */
  reach<Answer>(question: () => Promise<Answer>): Promise<Answer>;
  /** Called when a statement is refused. @param suspend to be called if it is retried. Returns a function that does so, without a trace */
  onRefused(failure: FailedQuery, suspend: () => () => Promise<void>): void;
}

export class PostgresOutcomes implements OutcomeStore {
  readonly #options: Options;
  /** Until a retry has succeeded, nothing else is tried: it might wait for a lock each time. */
  #refusal: FailedQuery | undefined;
  /** Set after the first statement. */
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: Options) {
    this.#options = options;
    options.pool.on('error', () => {}); // an idle connection has ended, and is replaced
  }

  async claim(key: string, lease: number): Promise<Claim> {
    const id = this.#idOf(key);
    const { table } = this.#options;
    const select = `SELECT outcome FROM ${table} WHERE key = '${id}' AND expires_at > now()`;
    const [taken, found] = await this.#query(`${this.#lease(id, lease, 'kept.expires_at <= now()')} RETURNING key; ${select}`);
    if (taken && taken.rows.length > 0) return { state: 'first' };
    const outcome = (found?.rows[0] as { outcome: Buffer | null } | undefined)?.outcome; // undefined: the lease has ended just now
    return outcome ? { state: 'settled', outcome: outcome.toString() } : { state: 'running' };
  }

  async renew(key: string, lease: number): Promise<void> {
    await this.#query(this.#lease(this.#idOf(key), lease, 'kept.outcome IS NULL OR kept.expires_at <= now()'));
  }

  async settle(key: string, outcome: string, ttl: number): Promise<void> {
    const { table } = this.#options;
    const text = `
      INSERT INTO ${table} AS kept (key, outcome, expires_at) VALUES ($1, $2, now() + $3::float8 * interval '1 millisecond')
      ON CONFLICT (key) DO UPDATE SET outcome = excluded.outcome, expires_at = excluded.expires_at
      WHERE kept.outcome IS NULL OR kept.expires_at <= now()`;
    // with values, which the log of PostgreSQL does not repeat
    await this.#run(async ({ pool }) => pool.query(text, [this.#idOf(key), Buffer.from(outcome), ttl]));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#options.pool.end();
  }

  /** Neither a quote nor a character that the encoding of the database lacks. */
  #idOf(key: string): string {
    return createHash('sha256').update(`${this.#options.prefix} ${key}`).digest('base64url');
  }

  /** Takes a lease if there is no row, or the row is of this kind. */
  #lease(id: string, lease: number, condition: string): string {
    return `
      INSERT INTO ${this.#options.table} AS kept (key, expires_at) VALUES ('${id}', now() + interval '${lease} milliseconds')
      ON CONFLICT (key) DO UPDATE SET outcome = NULL, expires_at = excluded.expires_at WHERE ${condition}`;
  }

  /** Runs statements without values, in one transaction. */
  async #query(text: string): Promise<readonly Rows<object>[]> {
    const results = await this.#run(async ({ pool }) => pool.query(`${LOCK_LIMIT}; ${text}`));
    return (results as unknown as readonly Rows<object>[]).slice(1); // `pg` returns a list for several statements
  }

  async #run<Result>(statement: (options: Options) => Promise<Result>): Promise<Result> {
    if (this.#refusal) throw this.#refusal;
    this.#cleanUp();
    const { reach, onRefused } = this.#options;
    return reach(async () => {
      try {
        return await this.#withTable(async () => statement(this.#options));
      } catch (error) {
        const failure = new FailedQuery(KEYS, this.#options.table, toError(error));
        if (failure.meaning === 'refused') onRefused(failure, () => this.#suspend(failure));
        throw failure; // pulses notice an outage
      }
    });
  }

  /** Creates the table if there is none. */
  async #withTable<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (sqlStateOf(toError(error)) !== NO_TABLE) throw error;
      await this.#createTable();
      return work();
    }
  }

  async #createTable(): Promise<void> {
    const { pool, table } = this.#options;
    const text = `CREATE TABLE IF NOT EXISTS ${table} (key text PRIMARY KEY, outcome bytea, expires_at timestamptz NOT NULL)`;
    await pool.query(`${LOCK_LIMIT}; ${text}`).catch((error: unknown) => {
      if (!isCreatedMeanwhile(toError(error))) throw error;
    });
  }

  #suspend(failure: FailedQuery): () => Promise<void> {
    this.#refusal = failure;
    return async () => this.#retry();
  }

  async #retry(): Promise<void> {
    const { pool, table } = this.#options;
    const all = [this.#lease('', 0, 'true'), `SELECT outcome FROM ${table} WHERE key = ''`, `DELETE FROM ${table} WHERE key = ''`];
    await this.#withTable(async () => pool.query([LOCK_LIMIT, ...all].join(';')));
    this.#refusal = undefined;
  }

  /** Deletes old rows from time to time. Another server may be deleting some of them, which nobody waits for. */
  #cleanUp(): void {
    if (this.#isClosed) return;
    const { table, cleanupInterval } = this.#options;
    const old = `SELECT key FROM ${table} WHERE expires_at < now() FOR UPDATE SKIP LOCKED`;
    this.#timer ??= setInterval(() => {
      this.#query(`DELETE FROM ${table} WHERE key IN (${old})`).catch(() => {}); // what is refused is in the log
    }, cleanupInterval).unref();
  }
}

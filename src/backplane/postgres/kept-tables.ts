/**
 * Tables of ours for what all servers keep together. Every change is one statement, and no connection keeps anything, so that a pooler may pass
 * connections on. Times are those of the database.
 */
import type { OutageError } from '../../errors';
import { toError } from '../../thrown';
import { type PgPool, type Rows, sqlStateOf } from './pg';
import { isCreatedMeanwhile, LOCK_LIMIT } from './queries';
import { FailedQuery, type KeptStatement, NO_TABLE } from './refused';

/** What all tables need. */
export interface Keeping {
  /** Connections of their own: the messages to other servers wait for none of these statements. */
  readonly pool: PgPool;
  /** Separates apps that share a database. */
  readonly prefix: string;
  /** Time between two deletions of old rows, in ms. */
  readonly cleanupInterval: number;
  /** Asks PostgreSQL. Rejects if it cannot be reached. */
  reach<Answer>(question: () => Promise<Answer>): Promise<Answer>;
  /** The error of statements that have failed. */
  error(cause: unknown): OutageError;
  /** Called when a statement is refused. @param suspend to be called if it is retried. Returns a function that does so, without a trace */
  onRefused(failure: FailedQuery, suspend: () => () => Promise<void>): void;
}

/** Statements without values. */
interface Statements {
  /** The name of all of them in the log. */
  readonly name: KeptStatement;
  /** The table, for the log. */
  readonly table: string;
  /** Creates the tables that are missing. */
  readonly create: readonly string[];
  /** Need all rights, and leave no trace. */
  readonly probe: readonly string[];
  /** Deletes old rows. Another server may be deleting some of them, which nobody waits for. */
  readonly clean: readonly string[];
}

/** All methods reject with an OutageError. */
export class KeptTables {
  readonly #keeping: Keeping;
  readonly #statements: Statements;
  /** Until a retry has succeeded, nothing else is tried: it might wait for a lock each time. */
  #refusal: FailedQuery | undefined;
  /** Set after the first statement. */
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(keeping: Keeping, statements: Statements) {
    this.#keeping = keeping;
    this.#statements = statements;
  }

  /**
   * Runs statements without values in one transaction. Returns the rows of each. Poolers that send a single SELECT to a standby, which may lag, send
   * several statements to the primary.
   */
  async query(...texts: string[]): Promise<readonly Rows<object>['rows'][]> {
    return this.#run(async pool => rowsOf(await pool.query([LOCK_LIMIT, ...texts].join(';'))));
  }

  /** Runs a statement with values, which the log of PostgreSQL does not repeat. */
  async queryWith(text: string, values: unknown[]): Promise<Rows<object>['rows']> {
    return this.#run(async pool => (await pool.query(text, values)).rows);
  }

  /** The same without a trace: creates no table, and refusals are not retried. Rejects with the error of PostgreSQL. */
  async tryWith(text: string, values: unknown[]): Promise<Rows<object>['rows']> {
    const { pool, reach } = this.#keeping;
    return reach(async () => (await pool.query(text, values)).rows);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  async #run<Result>(statement: (pool: PgPool) => Promise<Result>): Promise<Result> {
    const { pool, reach, error: outage, onRefused } = this.#keeping;
    if (this.#refusal) throw outage(this.#refusal);
    this.#cleanUp();
    const { name, table } = this.#statements;
    return reach(async () => {
      try {
        return await this.#withTables(async () => statement(pool));
      } catch (error) {
        const failure = new FailedQuery(name, table, toError(error));
        if (failure.meaning === 'refused') onRefused(failure, () => this.#suspend(failure));
        throw outage(failure); // pulses notice that there is one
      }
    });
  }

  async #withTables<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (sqlStateOf(toError(error)) !== NO_TABLE) throw error;
      await this.#create();
      return work();
    }
  }

  async #create(): Promise<void> {
    try {
      await this.#keeping.pool.query([LOCK_LIMIT, ...this.#statements.create].join(';'));
    } catch (error) {
      if (!isCreatedMeanwhile(toError(error))) throw error;
    }
  }

  #suspend(failure: FailedQuery): () => Promise<void> {
    this.#refusal = failure;
    return async () => {
      await this.#withTables(async () => this.#keeping.pool.query([LOCK_LIMIT, ...this.#statements.probe].join(';')));
      this.#refusal = undefined;
    };
  }

  #cleanUp(): void {
    if (this.#isClosed) return;
    this.#timer ??= setInterval(() => {
      this.query(...this.#statements.clean).catch(() => {}); // what is refused is in the log
    }, this.#keeping.cleanupInterval).unref();
  }
}

/** Those of each statement but LOCK_LIMIT: `pg` returns a list for several statements. */
function rowsOf(results: unknown): readonly Rows<object>['rows'][] {
  return (results as readonly Rows<object>[]).slice(1).map(({ rows }) => rows);
}

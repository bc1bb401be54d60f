/** All SQL statements except LISTEN. */
import { toError } from '../../thrown';
import { ON_PRIMARY, type PgPool, type Rows, sqlStateOf } from './pg';
import { FailedQuery, KEYS, ROOMS, type Statement } from './refused';

/** SQLSTATEs for a table that another server has just created: 42710 is for the type that each table has. */
const CREATED_MEANWHILE: ReadonlySet<unknown> = new Set(['23505', '42P07', '42710']);

/** Whether another server has just created the same table. */
export function isCreatedMeanwhile(error: Error): boolean {
  return CREATED_MEANWHILE.has(sqlStateOf(error));
}

/**
 * Limits the time that a statement, and all later messages, wait for a lock of the table. PostgreSQL itself cancels the statement, so that none
 * keeps waiting there. The limit is not set for the whole connection, which a pooler may pass on to other programs.
 */
export const LOCK_LIMIT = `SET LOCAL lock_timeout = '1s'`;

/** All methods reject with a FailedQuery. */
export class Queries {
  readonly #pool: PgPool;
  readonly #table: string;
  readonly #lifetime: number;
  /** The refused statements that are retried. */
  readonly #refused = new Map<Statement, FailedQuery>();
  #lastInTurn: Promise<void> = Promise.resolve();

  /** @param lifetime time until rows are deleted, in ms */
  constructor(pool: PgPool, table: string, lifetime: number) {
    this.#pool = pool;
    this.#table = table;
    this.#lifetime = lifetime;
  }

  async notify(channel: string, payload: string): Promise<void> {
    await this.#run('NOTIFY', channel, async () => this.#pool.query(`${ON_PRIMARY} SELECT pg_notify($1, $2)`, [channel, payload]));
  }

  /** Returns the id of the new row. Rejects at once while INSERT is refused, so that later messages do not wait for a lock each time. */
  async insert(payload: Uint8Array): Promise<string> {
    const refused = this.#refused.get('INSERT') ?? this.#refused.get('CREATE TABLE');
    if (refused) throw refused;
    return this.#insert(payload);
  }

  async #insert(payload: Uint8Array | null): Promise<string> {
    const text = `INSERT INTO ${this.#table} (payload) VALUES ($1) RETURNING id`;
    const [row] = await this.#run('INSERT', this.#table, async () => this.#inTransaction<{ id: unknown }>(text, [payload]));
    return String(row?.id); // the new row
  }

  /** Returns the payload of a row. Undefined if the row is gone. Rejects at once while SELECT is refused. @param id digits only */
  async select(id: string): Promise<Uint8Array | undefined> {
    const refused = this.#refused.get('SELECT');
    if (refused) throw refused;
    return this.#select(id);
  }

  async #select(id: string): Promise<Uint8Array | undefined> {
    const text = `SELECT payload FROM ${this.#table} WHERE id = '${id}'`;
    const [row] = await this.#query<{ payload: Uint8Array | null }>('SELECT', text);
    return row?.payload ?? undefined;
  }

  async deleteOld(): Promise<void> {
    await this.#inTurn(async () => this.#deleteOld());
  }

  /** Creates the table if it does not exist, and tries all statements on it. */
  async openTable(): Promise<void> {
    await this.#inTurn(async () => this.#openTable());
  }

  /**
   * Lets `insert` or `select` reject at once with this refusal, until a retry succeeds. Returns a function that retries the statement once.
   * Undefined if others retry it.
   */
  suspend(refusal: FailedQuery): (() => Promise<void>) | undefined {
    const attempt = this.#attemptOf(refusal.statement);
    if (!attempt) return undefined;
    this.#refused.set(refusal.statement, refusal);
    return async () => this.#inTurn(attempt);
  }

  #attemptOf(statement: Statement): (() => Promise<void>) | undefined {
    switch (statement) {
      case 'CREATE TABLE':
        return async () => this.#openTable();
      case 'INSERT':
        return async () => this.#openForInsert();
      case 'SELECT':
        return async () => this.#trySelect();
      case 'DELETE':
        return async () => this.#deleteOld();
      case 'LISTEN': // retried by the listener
      case 'NOTIFY': // retried by pulses
      case KEYS: // these two are retried by KeptTables
      case ROOMS:
    }
    return undefined;
  }

  /** Runs what no message waits for one after the other: each may wait for a lock, and holds a connection of the pool meanwhile. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#lastInTurn.then(work);
    this.#lastInTurn = done.catch(() => {}); // the caller handles it
    await done;
  }

  async #deleteOld(): Promise<void> {
    const text = `DELETE FROM ${this.#table} WHERE created_at < now() - interval '${this.#lifetime} milliseconds'`;
    await this.#query('DELETE', text);
  }

  async #openTable(): Promise<void> {
    await this.#openForInsert();
    await this.#trySelect();
    await this.#deleteOld();
  }

  /** Creates the table if it does not exist: it may also have been dropped while it was locked. */
  async #openForInsert(): Promise<void> {
    try {
      await this.#tryInsert();
    } catch (error) {
      if ((error as FailedQuery).statement !== 'CREATE TABLE') throw error; // it throws no other error
      await this.#createTable();
      await this.#tryInsert();
    }
  }

  /** Inserts a row without a notification: INSERT also needs a right on the sequence of ids. */
  async #tryInsert(): Promise<void> {
    await this.#insert(null);
    this.#refused.delete('CREATE TABLE');
  }

  async #trySelect(): Promise<void> {
    await this.#select('0');
  }

  async #createTable(): Promise<void> {
    const text = `CREATE TABLE IF NOT EXISTS ${this.#table} (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)`;
    try {
      await this.#query('CREATE TABLE', text);
    } catch (error) {
      if (!isCreatedMeanwhile((error as FailedQuery).cause)) throw error; // it throws no other error
    }
  }

  /** Runs a statement without values, in one query with the limit: see `KeptTables.query` for what poolers do with a single one. */
  async #query<Row>(statement: Statement, text: string): Promise<readonly Row[]> {
    return this.#run(statement, this.#table, async () => {
      const results = await this.#pool.query<Row>(`${LOCK_LIMIT}; ${text}`);
      return (results as unknown as readonly Rows<Row>[])[1] ?? { rows: [] }; // `pg` returns a list for several statements
    });
  }

  /** Runs a statement with values: PostgreSQL does not accept several statements with values. */
  async #inTransaction<Row>(text: string, values: unknown[]): Promise<Rows<Row>> {
    const client = await this.#pool.connect();
    const ignore = (): void => {}; // the running query fails too
    client.on('error', ignore);
    try {
      await client.query(`BEGIN; ${LOCK_LIMIT}`);
      const rows = await client.query<Row>(text, values);
      await client.query('COMMIT');
      client.off('error', ignore);
      client.release();
      return rows;
    } catch (error) {
      client.release(true); // as `pool.query()` does: after a failover, it may lead to a server that has become read-only
      throw error;
    }
  }

  async #run<Row>(statement: Statement, place: string, query: () => Promise<Rows<Row>>): Promise<readonly Row[]> {
    try {
      const { rows } = await query();
      this.#refused.delete(statement);
      return rows;
    } catch (thrown) {
      throw new FailedQuery(statement, place, toError(thrown));
    }
  }
}

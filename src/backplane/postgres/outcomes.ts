/** Outcomes in PostgreSQL: rows of a table, which have a lease first, and then the outcome. What servers hand over is in the same table. */
import { createHash } from 'node:crypto';
import type { HandoverStore } from '../../store/handover-store';
import type { Claim, OutcomeStore } from '../../store/outcome-store';
import { type Keeping, KeptTables } from './kept-tables';
import { KEYS } from './refused';

export class PostgresOutcomes implements OutcomeStore, HandoverStore {
  readonly lasts = true;
  readonly #prefix: string;
  readonly #table: string;
  readonly #tables: KeptTables;

  constructor(keeping: Keeping, table: string) {
    this.#prefix = keeping.prefix;
    this.#table = table;
    this.#tables = new KeptTables(keeping, {
      name: KEYS,
      table,
      create: [`CREATE TABLE IF NOT EXISTS ${table} (key text PRIMARY KEY, outcome bytea, expires_at timestamptz NOT NULL)`],
      probe: [this.#lease('', 0, 'true'), `SELECT outcome FROM ${table} WHERE key = ''`, `DELETE FROM ${table} WHERE key = ''`],
      clean: [`DELETE FROM ${table} WHERE key IN (SELECT key FROM ${table} WHERE expires_at < now() FOR UPDATE SKIP LOCKED)`],
    });
  }

  async claim(key: string, lease: number): Promise<Claim> {
    const id = this.#idOf(key);
    const select = `SELECT outcome FROM ${this.#table} WHERE key = '${id}' AND expires_at > now()`;
    const [taken, found] = await this.#tables.query(`${this.#lease(id, lease, 'kept.expires_at <= now()')} RETURNING key`, select);
    if (taken && taken.length > 0) return { state: 'first' };
    const outcome = (found?.[0] as { outcome: Buffer | null } | undefined)?.outcome; // undefined: the lease has ended just now
    return outcome ? { state: 'settled', outcome: outcome.toString() } : { state: 'running' };
  }

  async renew(key: string, lease: number): Promise<void> {
    await this.#tables.query(this.#lease(this.#idOf(key), lease, 'kept.outcome IS NULL OR kept.expires_at <= now()'));
  }

  async settle(key: string, outcome: string, ttl: number): Promise<void> {
    const text = `
      INSERT INTO ${this.#table} AS kept (key, outcome, expires_at) VALUES ($1, $2, now() + $3::float8 * interval '1 millisecond')
      ON CONFLICT (key) DO UPDATE SET outcome = excluded.outcome, expires_at = excluded.expires_at
      WHERE kept.outcome IS NULL OR kept.expires_at <= now()`;
    await this.#tables.queryWith(text, [this.#idOf(key), Buffer.from(outcome), ttl]);
  }

  async put(name: string, text: string, ttl: number): Promise<void> {
    const statement = `
      INSERT INTO ${this.#table} (key, outcome, expires_at) VALUES ($1, $2, now() + $3::float8 * interval '1 millisecond')
      ON CONFLICT (key) DO UPDATE SET outcome = excluded.outcome, expires_at = excluded.expires_at`;
    await this.#tables.queryWith(statement, [this.#idOf(`handover ${name}`), Buffer.from(text), ttl]);
  }

  async take(name: string): Promise<string | undefined> {
    const statement = `DELETE FROM ${this.#table} WHERE key = $1 AND expires_at > now() RETURNING outcome`;
    const [row] = (await this.#tables.tryWith(statement, [this.#idOf(`handover ${name}`)])) as { outcome: Buffer }[]; // of the statement
    return row?.outcome.toString();
  }

  close(): void {
    this.#tables.close();
  }

  /** Neither a quote nor a character that the encoding of the database lacks. */
  #idOf(key: string): string {
    return createHash('sha256').update(`${this.#prefix} ${key}`).digest('base64url');
  }

  /** Takes a lease if there is no row, or the row is of this kind. */
  #lease(id: string, lease: number, condition: string): string {
    return `
      INSERT INTO ${this.#table} AS kept (key, expires_at) VALUES ('${id}', now() + interval '${lease} milliseconds')
      ON CONFLICT (key) DO UPDATE SET outcome = NULL, expires_at = excluded.expires_at WHERE ${condition}`;
  }
}

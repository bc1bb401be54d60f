/**
 * Streams in PostgreSQL: a row for the end of each, and one for each event. Whoever adds an event updates the first row, which all others wait for:
 * numbers become visible in their order. A stream that begins anew has another epoch, which no event of the former one belongs to.
 */
import { createHash, randomBytes } from 'node:crypto';
import { RemoteStreams } from '../../store/remote-streams';
import { type Entry, type Limits, type Page, pageOf, type Position, REMEMBERED } from '../../store/streams';
import { type Keeping, KeptTables } from './kept-tables';
import type { MessagePack } from './pg';
import { ROOMS } from './refused';
import { type Known, type NewEvent, StreamBatches } from './stream-batches';

/** The tables of the ends of streams, and of events. */
export interface StreamTables {
  readonly ends: string;
  readonly events: string;
}

/** The end of a stream, with one of its events. */
interface Row {
  readonly epoch: string;
  /** A bigint, as `pg` reads it unless the app has told it otherwise. */
  readonly last: string | number;
  /** Null without an event. */
  readonly number: string | number | null;
  readonly id: string | null;
  readonly content: Buffer | null;
}

/** Enough, as apps that share a database do not choose their names to meet. */
const APP_LENGTH = 12;
/** A number of milliseconds, as an interval. */
const MILLISECOND = "interval '1 millisecond'";

export class PostgresStreams extends RemoteStreams {
  /** The beginning of the keys of this app. */
  readonly #app: string;
  readonly #names: StreamTables;
  readonly #tables: KeptTables;
  readonly #messagePack: MessagePack;
  readonly #batches = new StreamBatches(async (...args) => this.#addTo(...args));

  constructor(keeping: Keeping, names: StreamTables, messagePack: MessagePack) {
    super();
    this.#app = hashOf(keeping.prefix).slice(0, APP_LENGTH);
    this.#names = names;
    this.#messagePack = messagePack;
    this.#tables = new KeptTables(keeping, { name: ROOMS, table: names.events, ...statementsOf(names) });
  }

  async read(stream: string, after: number, count: number, limits: Limits): Promise<Page> {
    const { ends, events } = this.#names;
    const text = `
      SELECT stream.epoch, stream.last, kept.number, kept.id, kept.content FROM ${ends} AS stream LEFT JOIN LATERAL (
        SELECT number, id, content FROM ${events} AS event WHERE event.epoch = stream.epoch AND event.expires_at > now()
        AND number > greatest(${after < 0 ? `stream.last + (${after})` : after}, stream.last - ${limits.size})
        ORDER BY number LIMIT ${count}
      ) AS kept ON true WHERE stream.key = '${this.#idOf(stream)}' ORDER BY kept.number`;
    for (;;) {
      const [rows] = (await this.#tables.query(text)) as readonly [readonly Row[]]; // of the only statement
      const [first] = rows;
      if (first) return { epoch: first.epoch, offset: Number(first.last), entries: pageOf(this.#entriesOf(rows), count) };
      await this.#create(stream, limits.ttl);
    }
  }

  async restart(stream: string): Promise<void> {
    this.#batches.forget(stream);
    await this.#tables.query(`DELETE FROM ${this.#names.ends} WHERE key = '${this.#idOf(stream)}'`);
  }

  override close(): void {
    super.close();
    this.#tables.close();
  }

  protected async restartAll(): Promise<void> {
    await this.#tables.query(`DELETE FROM ${this.#names.ends} WHERE left(key, ${APP_LENGTH}) = '${this.#app}'`);
  }

  protected async add(stream: string, event: NewEvent, limits: Limits): Promise<Position> {
    return this.#batches.add(stream, event, limits);
  }

  /** Adds events to the stream, whichever epoch it is in. */
  async #addTo(stream: string, known: Known, events: readonly NewEvent[], limits: Limits): Promise<Position> {
    for (;;) {
      const epoch = (known.epoch ??= (await this.read(stream, 0, 0, limits)).epoch);
      const offset = await this.#addToEpoch(stream, epoch, events, limits);
      if (offset !== undefined && offset >= known.offset + events.length) {
        Object.assign(known, { epoch, offset }); // both: the stream may have begun anew meanwhile
        return { epoch, offset };
      }
      if (offset === undefined) this.#batches.forget(stream);
      else await this.restart(stream); // PostgreSQL has lost the latest events, as in a failover
    }
  }

  /** Returns the number of the last event. Undefined if the stream is gone, or in another epoch. */
  async #addToEpoch(stream: string, epoch: string, events: readonly NewEvent[], { size, ttl }: Limits): Promise<number | undefined> {
    const { ends, events: table } = this.#names;
    const text = `
      WITH stream AS (
        UPDATE ${ends} SET last = last + $3::bigint, expires_at = now() + ($4::float8 + ${REMEMBERED}) * ${MILLISECOND}
        WHERE key = $1 AND epoch = $2 RETURNING last
      ), added AS (
        INSERT INTO ${table} (epoch, number, id, content, expires_at)
        SELECT $2, last - $3 + place, id, content, now() + $4 * ${MILLISECOND}
        FROM stream, unnest($5::text[], $6::bytea[]) WITH ORDINALITY AS event (id, content, place)
      ), removed AS (
        DELETE FROM ${table} USING stream WHERE epoch = $2 AND number <= last - $7::bigint
      ) SELECT last FROM stream`;
    const ids = events.map(({ id = null }) => id);
    const contents = events.map(({ content }) => Buffer.from(this.#messagePack.encode(content)));
    const values = [this.#idOf(stream), epoch, events.length, ttl, ids, contents, size];
    const [row] = (await this.#tables.queryWith(text, values)) as readonly Pick<Row, 'last'>[];
    return row && Number(row.last);
  }

  /** Creates the stream, unless another process does at the same time. */
  async #create(stream: string, ttl: number): Promise<void> {
    const epoch = `${randomBytes(9).toString('base64url')}.${randomBytes(12).toString('base64url')}`;
    await this.#tables.query(`
      INSERT INTO ${this.#names.ends} (key, epoch, last, expires_at)
      VALUES ('${this.#idOf(stream)}', '${epoch}', 0, now() + ${ttl + REMEMBERED} * ${MILLISECOND}) ON CONFLICT (key) DO NOTHING`);
  }

  /** Those without a gap, to the last one: servers with another `ttl` may have added some that have expired before earlier ones. */
  #entriesOf(rows: readonly Row[]): readonly Entry[] {
    const entries: Entry[] = [];
    for (const { number, id, content } of rows) {
      if (number === null || content === null) continue; // none is kept
      const offset = Number(number);
      if (entries.length > 0 && entries.at(-1)?.offset !== offset - 1) entries.length = 0;
      entries.push({ offset, content: this.#contentOf(content), id: id ?? undefined });
    }
    return entries;
  }

  #contentOf(encoded: Buffer): Entry['content'] {
    const parts = this.#messagePack.decode(encoded) as readonly (string | Uint8Array)[]; // written above
    return parts.map(part => (typeof part === 'string' ? part : Buffer.from(part.buffer, part.byteOffset, part.length)));
  }

  #idOf(stream: string): string {
    return this.#app + hashOf(stream);
  }
}

/** Neither a quote nor a character that the encoding of the database lacks. */
function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('base64url');
}

/** Statements without values: see KeptTables. */
function statementsOf({ ends, events }: StreamTables): { create: string[]; probe: string[]; clean: string[] } {
  const index = `${events.slice(events.lastIndexOf('.') + 1)}_expires_at`;
  return {
    create: [
      `CREATE TABLE IF NOT EXISTS ${ends} (key text PRIMARY KEY, epoch text NOT NULL, last bigint NOT NULL, expires_at timestamptz NOT NULL)`,
      `CREATE TABLE IF NOT EXISTS ${events} (epoch text, number bigint, id text, content bytea NOT NULL, expires_at timestamptz NOT NULL, PRIMARY KEY (epoch, number))`,
      `CREATE INDEX IF NOT EXISTS ${index} ON ${events} (expires_at)`,
    ],
    probe: [
      `INSERT INTO ${ends} VALUES ('', '', 0, now()) ON CONFLICT (key) DO UPDATE SET last = 0`,
      `INSERT INTO ${events} VALUES ('', 0, NULL, '', now()) ON CONFLICT (epoch, number) DO NOTHING`,
      `SELECT 1 FROM ${ends}, ${events} LIMIT 1`,
      `DELETE FROM ${ends} WHERE key = ''`,
      `DELETE FROM ${events} WHERE epoch = ''`,
    ],
    clean: [
      `DELETE FROM ${events} WHERE (epoch, number) IN (SELECT epoch, number FROM ${events} WHERE expires_at < now() FOR UPDATE SKIP LOCKED)`,
      `DELETE FROM ${ends} WHERE key IN (SELECT key FROM ${ends} WHERE expires_at < now() FOR UPDATE SKIP LOCKED)`,
    ],
  };
}

/** The packages `pg` and `@msgpack/msgpack`, as far as they are used here: they come with the adapter, and may be of several versions. */
import type { EventEmitter } from 'node:events';

export interface Pg {
  readonly Client: new (options: object) => PgClient;
  readonly Pool: new (options: object) => PgPool;
}

export interface Rows<Row> {
  readonly rows: readonly Row[];
}

export interface PgClient extends EventEmitter {
  connect(): Promise<unknown>;
  query<Row = object>(text: string, values?: unknown[]): Promise<Rows<Row>>;
  end(): Promise<void>;
}

/** A client that is taken out of a pool, and has to be given back. */
interface PooledClient extends PgClient {
  /** @param destroy whether its connection is to end */
  release(destroy?: boolean): void;
}

export interface PgPool extends EventEmitter {
  connect(): Promise<PooledClient>;
  query<Row = object>(text: string, values?: unknown[]): Promise<Rows<Row>>;
  end(): Promise<void>;
}

export interface Notification {
  readonly channel: string;
  readonly payload?: string;
}

export interface MessagePack {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** As https://www.postgresql.org/docs/current/errcodes-appendix.html lists them. Undefined where PostgreSQL has not answered. */
export function sqlStateOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown }; // of pg, or of Node, whose EPIPE is as long and has no digit
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

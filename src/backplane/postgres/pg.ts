/** The used parts of the packages `pg` and `@msgpack/msgpack`, which are dependencies of the official adapter. Their versions may differ. */
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

/** A client of a pool. It has to be released. */
interface PooledClient extends PgClient {
  /** @param destroy whether to close its connection */
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

/** At the beginning of a SELECT that changes something, or asks the primary: Pgpool-II may know nothing of the function, and ask a standby. */
export const ON_PRIMARY = '/*NO LOAD BALANCE*/';

/** A code of https://www.postgresql.org/docs/current/errcodes-appendix.html. Undefined if the error does not come from PostgreSQL. */
export function sqlStateOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown }; // set by pg or by Node, whose EPIPE has five letters too, but no digit
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

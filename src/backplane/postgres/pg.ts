/** The package `pg`, as far as it is used here: it comes with the adapter, and may be of several versions. */
import type { EventEmitter } from 'node:events';

export interface Pg {
  readonly Client: new (options: object) => PgClient;
  readonly Pool: new (options: object) => PgPool;
}

export interface PgClient extends EventEmitter {
  connect(): Promise<unknown>;
  query(text: string, values?: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

export interface PgPool extends EventEmitter {
  query(text: string, values?: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

export interface Notification {
  readonly channel: string;
  readonly payload?: string;
}

/** Closes a connection at once, whatever it is doing. */
export function destroy(client: PgClient | undefined): void {
  const connection = client && (Reflect.get(client, 'connection') as { stream?: { destroy(): void } } | undefined); // private
  connection?.stream?.destroy();
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const UNIQUE_VIOLATION = '23505';

/** Whether the database is there and refuses a query. It is not there where it has no connection left, shuts down or is not up yet. */
export function isSqlError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^(?!08|53|57)[0-9A-Z]{5}$/.test(error.code);
}

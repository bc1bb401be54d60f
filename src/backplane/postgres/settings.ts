/** The options of the adapter, complete. */
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import { MAX_NOTIFICATION } from './messages';

/** How long a query may take, in ms. An outage is noticed sooner; this ends queries whose connection has lost them. */
const QUERY_TIMEOUT = 5000;

/** Options of `pg`. */
export function connectionOptions(connection: unknown): object {
  return {
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    keepAlive: true,
    ...(typeof connection === 'string' ? { connectionString: connection } : (connection as object)), // the config has been checked
  };
}

/** For the log, without the password. */
export function nameOf(connection: unknown): string {
  if (typeof connection !== 'string') {
    const { connectionString, host = '127.0.0.1', port = 5432 } = connection as { connectionString?: string; host?: string; port?: number }; // the same
    if (connectionString) return nameOf(connectionString); // `pg` prefers it, too
    return `PostgreSQL at ${host}:${port}`;
  }
  return URL.canParse(connection) ? `PostgreSQL at ${new URL(connection).host}` : 'PostgreSQL';
}

export interface PostgresSettings {
  /** What the names of channels begin with. */
  readonly prefix: string;
  readonly table: string;
  /** What is larger goes through the table, in bytes. */
  readonly threshold: number;
  /** How long rows stay in the table, in ms. */
  readonly cleanupInterval: number;
}

/** The config has been checked. */
export function settingsOf(options: Readonly<Record<string, unknown>>): PostgresSettings {
  const { channelPrefix = 'socket.io', tableName = 'socket_io_attachments', payloadThreshold, cleanupInterval = 30_000 } = options;
  return {
    prefix: String(channelPrefix),
    table: String(tableName),
    threshold: Math.min(Number(payloadThreshold ?? MAX_NOTIFICATION), MAX_NOTIFICATION),
    cleanupInterval: Number(cleanupInterval),
  };
}

/** The options of the adapter with their defaults. */
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import { MAX_NOTIFICATION } from './messages';
import type { StreamTables } from './streams';

/** Time for PostgreSQL to answer a query, in ms. Outages are detected sooner; this ends queries that a connection has lost. */
const QUERY_TIMEOUT = 5000;

/** The most connections for what is kept in tables of ours: a statement takes about a millisecond. */
const KEPT_CONNECTIONS = 4;

/** The options of `pg`. */
export function connectionOptions(connection: unknown): object {
  return {
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    keepAlive: true,
    ...(typeof connection === 'string' ? { connectionString: connection } : (connection as object)), // the config has been checked
  };
}

/** Those of the connections for what is kept, which are opened when they are needed. */
export function keptPoolOptions(options: object): object {
  const { max = KEPT_CONNECTIONS } = options as { max?: number }; // of the app, for `pg`
  return { ...options, max: Math.min(max, KEPT_CONNECTIONS) };
}

/** The name of the database server in the log, without passwords. */
export function nameOf(connection: unknown): string {
  if (typeof connection !== 'string') {
    const { connectionString, host = '127.0.0.1', port = 5432 } = connection as { connectionString?: string; host?: string; port?: number }; // the same
    if (connectionString) return nameOf(connectionString); // `pg` prefers it too
    return `PostgreSQL at ${host}:${port}`;
  }
  return URL.canParse(connection) ? `PostgreSQL at ${new URL(connection).host}` : 'PostgreSQL';
}

export interface PostgresSettings {
  /** The beginning of the names of channels. */
  readonly prefix: string;
  readonly table: string;
  /** The table for the outcomes of handlers. */
  readonly outcomeTable: string;
  /** The tables of rooms with history. */
  readonly streamTables: StreamTables;
  /** Size in bytes above which a message goes through the table. */
  readonly threshold: number;
  /** Time between two deletions of old rows, and their minimum age, in ms. */
  readonly cleanupInterval: number;
}

/** The options have been checked. */
export function settingsOf(options: Readonly<Record<string, unknown>>): PostgresSettings {
  const { channelPrefix = 'socket.io', tableName = 'socket_io_attachments', payloadThreshold, cleanupInterval = 30_000 } = options;
  const table = String(tableName);
  const schema = table.slice(0, table.lastIndexOf('.') + 1);
  return {
    prefix: String(channelPrefix),
    table,
    outcomeTable: `${schema}socket_io_outcomes`,
    streamTables: { ends: `${schema}socket_io_streams`, events: `${schema}socket_io_events` },
    threshold: Math.min(Number(payloadThreshold ?? MAX_NOTIFICATION), MAX_NOTIFICATION),
    cleanupInterval: Number(cleanupInterval),
  };
}

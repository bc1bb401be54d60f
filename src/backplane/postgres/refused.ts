/** The meaning of each error of PostgreSQL, and the remedy. */
import type { Refusal } from '../refusals';
import { sqlStateOf } from './pg';

export const NO_TABLE = '42P01';
const GUIDE = 'egg-socket.io/docs/backends.md';

/** By the beginning of the SQLSTATE. */
const REMEDIES: readonly [state: string, remedy: string][] = [
  ['25006', 'point config.io.adapter.connection at the primary, and set no default_transaction_read_only there'],
  ['28', 'check the user and the password in config.io.adapter.connection'],
  ['3D000', 'create the database, or check its name in config.io.adapter.connection'],
  ['42501', `give its user the rights listed in ${GUIDE}`],
  ['42P01', `let its user create the table, or create it as in ${GUIDE}`],
  ['53300', `raise its max_connections, or run fewer processes: ${GUIDE} lists the connections of each`],
  ['53', 'check its disk and its memory'],
  ['55P03', 'find out in pg_locks why the table is locked: VACUUM FULL, LOCK TABLE, or a backup'],
];

const THROUGH_TABLE = 'if they contain bytes or are too large for NOTIFY';
const NOT_SENT = 'events of this server do not reach clients of other servers';
const NOT_RECEIVED = 'events of other servers do not reach clients of this server';

/** All statements on the table of outcomes. */
export const KEYS = 'statements for idempotency keys';
/** All statements on the tables of rooms with history. */
export const ROOMS = 'statements for rooms with history';

/** The statements that the plugin uses, and the effect of a refusal. */
const EFFECTS = {
  LISTEN: `${NOT_RECEIVED}, and questions to other servers fail`,
  NOTIFY: `${NOT_SENT}, and questions to other servers fail`,
  'CREATE TABLE': `${NOT_SENT}, and vice versa, ${THROUGH_TABLE}`,
  INSERT: `${NOT_SENT} ${THROUGH_TABLE}`,
  SELECT: `${NOT_RECEIVED} ${THROUGH_TABLE}`,
  DELETE: 'the table grows',
  [KEYS]: 'events with an idempotency key are not handled',
  [ROOMS]: 'clients of these rooms get their events with gaps',
} as const;

export type Statement = keyof typeof EFFECTS;
/** Those that are tried again where they are made. */
export type KeptStatement = typeof KEYS | typeof ROOMS;

/** The message of `pg` for a query without an answer. Pulses detect dead connections sooner. */
const READ_TIMEOUT = 'Query read timeout';

/** A statement that has failed. */
export class FailedQuery extends Error {
  readonly statement: Statement;
  /** The channel or the table. */
  readonly place: string;
  override readonly cause: Error;

  constructor(statement: Statement, place: string, cause: Error) {
    super(`${statement} ${place}: ${cause.message}`, { cause });
    this.statement = sqlStateOf(cause) === NO_TABLE && statement !== KEYS && statement !== ROOMS ? 'CREATE TABLE' : statement;
    this.place = place;
    this.cause = cause;
  }

  /** See `meaningOf`. A statement without an answer counts as refused, since it may wait for a lock. NOTIFY waits only in an outage. */
  get meaning(): ReturnType<typeof meaningOf> {
    return this.cause.message === READ_TIMEOUT && this.statement !== 'NOTIFY' ? 'refused' : meaningOf(this.cause);
  }
}

/** Thrown when the server is a standby, which only replicates another one. */
export class StandbyError extends Error {}

/**
 * The meaning of a query's error. `lost`: there is no connection, or the server is starting or shutting down. `value`: PostgreSQL cannot
 * represent this very value. `refused`: PostgreSQL is running, but refuses the statement.
 */
export function meaningOf(error: Error): 'lost' | 'value' | 'refused' {
  const state = sqlStateOf(error);
  if (error instanceof StandbyError) return 'refused';
  if (state === undefined || /^(?:08|57P)/.test(state)) return 'lost';
  return state.startsWith('22') ? 'value' : 'refused';
}

function remedyOf(error: Error): string {
  const state = sqlStateOf(error) ?? '';
  return REMEDIES.find(([beginning]) => state.startsWith(beginning))?.[1] ?? `see ${GUIDE}`;
}

export function problemOf(statement: Statement): string {
  return `refuses ${statement}`;
}

/**
 * @param losesMessage whether it loses a message to other servers
 * @param retry see Refusal
 */
export function refusalOf({ statement, cause, message }: FailedQuery, losesMessage: boolean, retry: Refusal['retry']): Refusal {
  return {
    problem: problemOf(statement),
    solved: `allows ${statement} again`,
    effect: EFFECTS[statement],
    remedy: remedyOf(cause),
    error: new Error(message),
    stopsQuestions: statement === 'LISTEN' || statement === 'NOTIFY',
    losesMessage,
    ...(retry && { retry }),
  };
}

/** The reason why PostgreSQL refuses connections, and the remedy. Undefined in an outage. */
export function refusedConnectionOf(error: Error): { problem: string; remedy: string } | undefined {
  if (error instanceof StandbyError)
    return {
      problem: 'is a standby, which delivers no messages',
      remedy: 'point config.io.adapter.connection at the primary',
    };
  return meaningOf(error) === 'lost' ? undefined : { problem: 'refuses connections', remedy: remedyOf(error) };
}

/** The refusal of a pooler that accepts LISTEN, but loses it. */
export const POOLER: Refusal = {
  problem: 'accepts LISTEN but delivers nothing',
  solved: 'delivers messages again',
  effect: EFFECTS.LISTEN,
  remedy:
    'there is a pooler in transaction mode, such as PgBouncer: point config.io.adapter.connection at PostgreSQL itself, or set pool_mode = session',
  error: new Error('LISTEN: a NOTIFY of this server has not come back over a connection that answers'),
  stopsQuestions: true,
};

/** The refusal while this server emits more than PostgreSQL accepts. */
export const SENDS_TOO_MUCH: Refusal = {
  problem: 'accepts messages more slowly than this server sends them',
  solved: 'accepts all messages again',
  effect: 'some events of this server do not reach clients of other servers',
  remedy: 'emit less, or use Redis',
  error: new Error('more than 32 MB wait to be sent'),
  stopsQuestions: false,
};

/** The refusal while other servers send more than this server can read. */
export const RECEIVES_TOO_MUCH: Refusal = {
  problem: 'delivers messages faster than this server reads large ones from the table',
  solved: 'has delivered all waiting messages',
  effect: 'some events of other servers do not reach clients of this server',
  remedy: 'emit less, or use Redis',
  error: new Error('more than 32 MB wait to be read'),
  stopsQuestions: false,
  lost: 'messages of other servers',
};

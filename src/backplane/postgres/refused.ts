/** What it means that PostgreSQL answers with an error, and what can be done about it. */
import type { Refusal } from '../refusals';
import { sqlStateOf } from './pg';

const NO_TABLE = '42P01';
const GUIDE = 'egg-socket.io/docs/backends.md';

/** By the beginning of their SQLSTATE. */
const REMEDIES: readonly [state: string, remedy: string][] = [
  ['25006', 'let the app reach a server that can be written to: the primary, without default_transaction_read_only'],
  ['28', 'see to the user and the password in config.io.adapter.connection'],
  ['3D000', 'create the database, or see to its name in config.io.adapter.connection'],
  ['42501', `give its user the rights listed in ${GUIDE}`],
  ['42P01', `let its user create the table, or create it as in ${GUIDE}`],
  ['53300', `raise its max_connections, or run fewer processes: ${GUIDE} says how many connections each needs`],
  ['53', 'see to its disk and its memory'],
  ['55P03', 'see in pg_locks what has locked the table for so long: VACUUM FULL, LOCK TABLE, or a backup'],
];

const THROUGH_TABLE = 'where it has bytes or is too large for NOTIFY';
const NOT_SENT = 'what this server emits does not reach clients of other servers';
const NOT_HEARD = 'what other servers emit does not reach clients of this server';

/** The statements that the plugin uses, and what does not work without them. */
const EFFECTS = {
  LISTEN: `${NOT_HEARD}, and questions to other servers fail`,
  NOTIFY: `${NOT_SENT}, and questions to other servers fail`,
  'CREATE TABLE': `${NOT_SENT}, and the other way round, ${THROUGH_TABLE}`,
  INSERT: `${NOT_SENT} ${THROUGH_TABLE}`,
  SELECT: `${NOT_HEARD} ${THROUGH_TABLE}`,
  DELETE: 'the table grows',
} as const;

export type Statement = keyof typeof EFFECTS;

/** Of `pg`: a query has had no answer in its time. Where the connections are dead, pulses say so sooner. */
const READ_TIMEOUT = 'Query read timeout';

/** A statement that has failed. */
export class FailedQuery extends Error {
  readonly statement: Statement;
  /** The channel, or the table. */
  readonly place: string;
  override readonly cause: Error;

  constructor(statement: Statement, place: string, cause: Error) {
    super(`${statement} ${place}: ${cause.message}`, { cause });
    this.statement = sqlStateOf(cause) === NO_TABLE ? 'CREATE TABLE' : statement;
    this.place = place;
    this.cause = cause;
  }

  /** As `meaningOf` has it. A statement that waits, as for a lock, is not done; a NOTIFY waits only where nothing answers. */
  get meaning(): ReturnType<typeof meaningOf> {
    return this.cause.message === READ_TIMEOUT && this.statement !== 'NOTIFY' ? 'refused' : meaningOf(this.cause);
  }
}

/** Connected to a server that only follows another one. */
export class StandbyError extends Error {}

/**
 * What an error of a query says. `lost`: of the connection, as there is none, or the server shuts down or is not up yet. `value`: of what was to be
 * sent, and of nothing else. `refused`: PostgreSQL is there, and does not do this.
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
 * @param losesMessage whether a message to other servers is lost by it
 * @param retry as a Refusal has it
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

/** Why PostgreSQL does not let this server in, and what to do. Undefined where it has not said so. */
export function refusedConnectionOf(error: Error): { problem: string; remedy: string } | undefined {
  if (error instanceof StandbyError)
    return {
      problem: 'is a standby: what this server emits reaches nobody',
      remedy: 'let config.io.adapter.connection lead to the primary',
    };
  return meaningOf(error) === 'lost' ? undefined : { problem: 'refuses connections', remedy: remedyOf(error) };
}

/** That what stands between this server and PostgreSQL takes LISTEN, and forgets it. */
export const POOLER: Refusal = {
  problem: 'takes LISTEN and delivers nothing',
  solved: 'delivers what LISTEN asks for',
  effect: EFFECTS.LISTEN,
  remedy:
    'a pooler in transaction mode is in between, as PgBouncer: let config.io.adapter.connection lead to PostgreSQL itself, or set pool_mode = session',
  error: new Error('LISTEN: a NOTIFY of this server has not come back over a connection that answers'),
  stopsQuestions: true,
};

/** That this server sends more than PostgreSQL takes. */
export const SENDS_TOO_MUCH: Refusal = {
  problem: 'takes messages more slowly than this server sends them',
  solved: 'takes all messages again',
  effect: 'some of what this server emits does not reach clients of other servers',
  remedy: 'emit less, or use Redis',
  error: new Error('more than 32 MB wait to be sent'),
  stopsQuestions: false,
};

/** That others send more than this server can read. */
export const HEARS_TOO_MUCH: Refusal = {
  problem: 'sends messages faster than this server gets large ones out of the table',
  solved: 'has no message left that this server has not read',
  effect: 'some of what other servers emit does not reach clients of this server',
  remedy: 'emit less, or use Redis',
  error: new Error('more than 32 MB wait to be read'),
  stopsQuestions: false,
  lost: 'messages of other servers',
};

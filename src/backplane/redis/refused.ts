/** What it means that Redis refuses a command, and what can be done about it. */
import type { Refusal } from '../refusals';
import type { Command } from './client';

/** Answers that pass by themselves: Redis is there, and is doing something else. What has failed shows as no answer. */
const PASSING = /^(?:LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED) /;

const GUIDE = 'egg-socket.io/docs/backends.md';

const REMEDIES: readonly [answer: RegExp, remedy: string][] = [
  [/^NOPERM/, `give its user the rights listed in ${GUIDE}`],
  [/^(?:NOAUTH|WRONGPASS)|invalid password|without any password/, 'see to the username and the password in config.io.redis'],
  [
    /^ERR unknown command/i,
    'it may be renamed, unknown to a proxy in between, or newer than this Redis: let the app reach a Redis that has it',
  ],
  [/^OOM/, 'raise its maxmemory, or let its maxmemory-policy evict something'],
  [/^READONLY/, 'it is a replica: let the app reach the master'],
  [/^MISCONF/, 'see why it cannot save to its disk, or set stop-writes-on-bgsave-error to no'],
  [/^NOREPLICAS/, 'see why its replicas are gone, or lower min-replicas-to-write'],
  [/^DENIED/, 'set a password, or protected-mode to no'],
  [/max number of clients/, 'raise its maxclients'],
];

const NOT_SENT = 'what this server emits does not reach clients of other servers';
const NOT_HEARD = 'what other servers emit does not reach clients of this server';
const NOT_ASKED = 'questions to other servers, as fetchSockets(), fail';

/** What does not work without a command. Commands that are not here, as ioredis's own `info`, are not needed. */
const EFFECTS: Readonly<Record<string, string>> = {
  publish: NOT_SENT,
  spublish: NOT_SENT,
  xadd: NOT_SENT,
  subscribe: NOT_ASKED,
  psubscribe: NOT_HEARD,
  ssubscribe: `${NOT_HEARD}, and questions to other servers fail`,
  xread: NOT_HEARD,
  xrevrange: NOT_HEARD,
  pubsub: NOT_ASKED,
};

/** Whether the command sends other servers something, which is lost where it fails. */
export function isSending(command: string): boolean {
  return EFFECTS[command] === NOT_SENT;
}

/** Whether it is what Redis has answered to this very command: where AUTH is refused, all that waits fails with that. */
export function isAnswerTo({ name }: Command, error: Error): boolean {
  return error.name === 'ReplyError' && refusedCommandOf(error) === name;
}

export function refusedCommandOf(error: Error): string | undefined {
  return (error as { command?: { name?: string } }).command?.name; // as ioredis has it
}

/** Whether an answer passes by itself, so that it is no refusal. */
export function isPassing(error: Error): boolean {
  return PASSING.test(error.message);
}

export function isNeeded(command: string): boolean {
  return command in EFFECTS;
}

export function remedyOf({ message }: Error): string {
  return REMEDIES.find(([answer]) => answer.test(message))?.[1] ?? `see ${GUIDE}`;
}

export function problemOf(command: string): string {
  return `refuses ${command.toUpperCase()}`;
}

/** @param what the command and its channel or key, for the log */
export function refusalOf(
  command: string,
  what: string,
  error: Error,
  more: Pick<Refusal, 'stopsQuestions' | 'losesMessage' | 'retry'>,
): Refusal {
  return {
    problem: problemOf(command),
    solved: `allows ${command.toUpperCase()} again`,
    effect: EFFECTS[command] ?? '',
    remedy: remedyOf(error),
    error: new Error(`${what}: ${error.message}`),
    ...more,
  };
}

/** What it means that Redis refuses a command, and what can be done about it. */
import type { RedisSettings } from '../../config/adapter';
import type { Refusal } from '../refusals';
import { Redis } from 'ioredis';
import type { Client, Command } from './client';
import { retryOf } from './probes';
import { isSubscribing } from './subscriptions';

/**
 * Answers that are no refusals. Most pass by themselves: Redis is there, and is doing something else; what has failed shows as no answer.
 * Those to EXEC follow from another one.
 */
const PASSING =
  /^(?:LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED|ERR EXEC without MULTI|EXECABORT .*previous errors)\b/;

const ELSEWHERE = /^(?:MOVED|ASK)\b/;

const GUIDE = 'egg-socket.io/docs/backends.md';

const REMEDIES: readonly [answer: RegExp, remedy: string][] = [
  [/\bNOPERM\b/, `give its user the rights listed in ${GUIDE}`],
  [/^(?:NOAUTH|WRONGPASS)|invalid password|without any password/, 'see to the username and the password in config.io.redis'],
  [
    /^ERR unknown command/i,
    'it may be renamed, unknown to a proxy in between, or newer than this Redis: let the app reach a Redis that has it',
  ],
  [/^OOM/, 'raise its maxmemory, or let its maxmemory-policy evict something'],
  [/^READONLY/, 'it is a replica: let the app reach the master'],
  [/^MISCONF/, 'see why it cannot save to its disk, or set stop-writes-on-bgsave-error to no'],
  [/^WRONGTYPE/, 'another program uses this key: give the app another streamName, or another key in config.io.redis'],
  [/^NOREPLICAS/, 'see why its replicas are gone, or lower min-replicas-to-write'],
  [/^DENIED/, 'set a password, or protected-mode to no'],
  [ELSEWHERE, 'it is one node of a Cluster: give the app config.io.redis.nodes'],
  [/^CLUSTERDOWN/, 'see CLUSTER INFO: a hash slot has no master'],
  [/max number of clients/, 'raise its maxclients'],
];

interface Effect {
  /** For the log. */
  readonly text: string;
  /** Whether other servers cannot be asked without the command. */
  readonly stopsQuestions: boolean;
}

const NOT_SENT: Effect = { text: 'what this server emits does not reach clients of other servers', stopsQuestions: false };
const NOT_HEARD: Effect = { text: 'what other servers emit does not reach clients of this server', stopsQuestions: false };
const NOT_ASKED: Effect = { text: 'questions to other servers, as fetchSockets(), fail', stopsQuestions: true };
const NOT_RECOVERED: Effect = { text: 'clients that come back are not recovered', stopsQuestions: false };

/** What does not work without a command, by adapter. Commands that are not here, as ioredis's own `info`, are not needed. */
const EFFECTS: Readonly<Record<RedisSettings['name'], Readonly<Record<string, Effect>>>> = {
  redis: { publish: NOT_SENT, subscribe: NOT_ASKED, psubscribe: NOT_HEARD, pubsub: NOT_ASKED },
  'redis-sharded': {
    spublish: { ...NOT_SENT, stopsQuestions: true },
    ssubscribe: { text: `${NOT_HEARD.text}, and questions to other servers fail`, stopsQuestions: true },
    pubsub: NOT_ASKED,
  },
  'redis-streams': {
    xadd: NOT_SENT,
    xread: NOT_HEARD,
    xrevrange: NOT_HEARD, // with which reading begins
    ...{ publish: NOT_ASKED, subscribe: NOT_ASKED, pubsub: NOT_ASKED },
    ...{ set: NOT_RECOVERED, get: NOT_RECOVERED, del: NOT_RECOVERED, multi: NOT_RECOVERED, exec: NOT_RECOVERED, xrange: NOT_RECOVERED },
  },
};

/** Commands that send other servers something; it is lost where they fail. */
const SENDING: ReadonlySet<string> = new Set(['publish', 'spublish', 'xadd']);

export function isSending(command: string): boolean {
  return SENDING.has(command);
}

/** Whether it is what Redis has answered to this very command: where AUTH is refused, all that waits fails with that. */
export function isAnswerTo({ name }: Command, error: Error): boolean {
  return error.name === 'ReplyError' && refusedCommandOf(error) === name;
}

function refusedCommandOf(error: Error): string | undefined {
  return (error as { command?: { name?: string } }).command?.name; // as ioredis has it
}

/** Whether an answer passes by itself, so that it is no refusal. That a node of a Cluster has not the slot passes with a client of the Cluster. */
export function isPassing({ message }: Error, client?: Client): boolean {
  return PASSING.test(message) && !(client instanceof Redis && ELSEWHERE.test(message));
}

function remedyOf({ message }: Error): string {
  return REMEDIES.find(([answer]) => answer.test(message))?.[1] ?? `see ${GUIDE}`;
}

export function problemOf(command: string): string {
  return `refuses ${command.toUpperCase()}`;
}

/**
 * The error for the log and for the app. Redis repeats the arguments of a command that it does not know, and ioredis keeps those of each:
 * passwords, keys of sessions, messages.
 */
export function withoutArguments(error: Error): Error {
  return error.name === 'ReplyError' ? new Error(sentenceOf(error)) : error;
}

function sentenceOf({ message }: Error): string {
  return message.replace(/,? with args beginning with.*$/is, '');
}

/** Why Redis lets nobody in. Undefined where that passes, or is no answer of Redis. */
export function refusalOfConnection(error: Error): Pick<Refusal, 'error' | 'problem' | 'remedy'> | undefined {
  if (error.name !== 'ReplyError' || isPassing(error)) return undefined;
  const name = refusedCommandOf(error) ?? 'connections';
  return { error: new Error(`${name}: ${sentenceOf(error)}`), problem: problemOf(name), remedy: remedyOf(error) };
}

/** Undefined where the adapter does not need the command. */
export function refusalOf(adapter: RedisSettings['name'], client: Client, command: Command, error: Error): Refusal | undefined {
  const name = command.name.toLowerCase(); // an adapter may write PUBSUB
  const effect = EFFECTS[adapter][name];
  if (!effect) return undefined;
  const isProbeElsewhere = name === 'spublish' && ELSEWHERE.test(error.message); // in another slot it may be allowed
  const retry = isProbeElsewhere ? undefined : retryOf(client, command);
  return {
    problem: problemOf(name),
    solved: `allows ${name.toUpperCase()} again`,
    effect: effect.text,
    stopsQuestions: effect.stopsQuestions,
    remedy: remedyOf(error),
    ...(retry && { retry }),
    error: new Error(`${[name, ...placesOf(command, effect)].join(' ')}: ${sentenceOf(error)}`),
  };
}

/** The channels or the key of a command, for the log. The key of a session has what only its client may know. */
function placesOf({ name, args }: Command, effect: Effect): string[] {
  if (effect === NOT_RECOVERED) return [];
  const places = args.flat().map(String);
  if (isSubscribing(name)) return places;
  return name === 'xread' ? places.slice(-2, -1) : places.slice(0, 1); // what follows is the message
}

/** The effect of each command that Redis refuses, and the remedy. */
import type { RedisSettings } from '../../config/adapter';
import type { Refusal } from '../refusals';
import { Redis } from 'ioredis';
import type { Client, Command } from './client';
import { isOutcome } from './outcomes';
import { retryOf } from './probes';
import { isSubscribing } from './subscriptions';

/**
 * Errors that are not refusals. Most pass by themselves: Redis is loading its data, for example; if pulses fail too, it is an outage.
 * Errors of EXEC follow from that of another command.
 */
const TEMPORARY =
  /^(?:LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED|ERR EXEC without MULTI|EXECABORT .*previous errors)\b/;

const ELSEWHERE = /^(?:MOVED|ASK)\b/;

const GUIDE = 'egg-socket.io/docs/backends.md';

const NO_SHARDS = 'it is one node of a Cluster, which redis-sharded does not support: use the adapter redis, with config.io.redis.nodes';

const REMEDIES: readonly [answer: RegExp, remedy: string][] = [
  [/\bNOPERM\b/, `give its user the rights listed in ${GUIDE}`],
  [/^(?:NOAUTH|WRONGPASS)|invalid password|without any password/, 'check the username and the password in config.io.redis'],
  [
    /^ERR unknown command/i,
    'it may be renamed, unknown to a proxy, or newer than this Redis: point config.io.redis at a Redis that has it',
  ],
  [/^OOM/, 'raise its maxmemory, or set a maxmemory-policy that evicts keys'],
  [/^READONLY/, 'it is a replica: point config.io.redis at the master'],
  [/^MISCONF/, 'find out why it cannot save to its disk, or set stop-writes-on-bgsave-error to no'],
  [/^WRONGTYPE/, 'another program uses this key: set another streamName, or another key in config.io.redis'],
  [/^NOREPLICAS/, 'find out why its replicas are gone, or lower min-replicas-to-write'],
  [/^DENIED/, 'set a password, or protected-mode to no'],
  [ELSEWHERE, 'it is one node of a Cluster: set config.io.redis.nodes'],
  [/^CLUSTERDOWN/, 'see CLUSTER INFO: a hash slot has no master'],
  [/max number of clients/, 'raise its maxclients'],
];

interface Effect {
  /** The effect for the log. */
  readonly text: string;
  /** Whether questions to other servers need the command. */
  readonly stopsQuestions: boolean;
}

const NOT_SENT: Effect = { text: 'events of this server do not reach clients of other servers', stopsQuestions: false };
const NOT_RECEIVED: Effect = { text: 'events of other servers do not reach clients of this server', stopsQuestions: false };
const NOT_ASKED: Effect = { text: 'questions to other servers, such as fetchSockets(), fail', stopsQuestions: true };
const NOT_RECOVERED: Effect = { text: 'returning clients are not recovered', stopsQuestions: false };

/** The effect of each refused command, by adapter. Other commands, such as `info` of ioredis, are not needed. */
const EFFECTS: Readonly<Record<RedisSettings['name'], Readonly<Record<string, Effect>>>> = {
  redis: { publish: NOT_SENT, subscribe: NOT_ASKED, psubscribe: NOT_RECEIVED, pubsub: NOT_ASKED },
  'redis-sharded': {
    spublish: { ...NOT_SENT, stopsQuestions: true },
    ssubscribe: { text: `${NOT_RECEIVED.text}, and questions to other servers fail`, stopsQuestions: true },
    pubsub: NOT_ASKED,
  },
  'redis-streams': {
    xadd: NOT_SENT,
    xread: NOT_RECEIVED,
    xrevrange: NOT_RECEIVED, // reading begins with it
    ...{ publish: NOT_ASKED, subscribe: NOT_ASKED, pubsub: NOT_ASKED },
    ...{ set: NOT_RECOVERED, get: NOT_RECOVERED, xrange: NOT_RECOVERED },
  },
};

/** Those of commands on the keys of outcomes. */
const EFFECTS_ON_OUTCOMES: Readonly<Record<string, Effect>> = {
  set: { text: 'events with an idempotency key are not handled', stopsQuestions: false },
  get: { text: 'events with an idempotency key that are sent again get no answer', stopsQuestions: false },
  pexpire: { text: 'events with an idempotency key that take longer than 5 s may be handled twice', stopsQuestions: false },
};

/** Commands that send a message to other servers. If one fails, its message is lost. */
const SENDING: ReadonlySet<string> = new Set(['publish', 'spublish', 'xadd']);

export function isSending(command: string): boolean {
  return SENDING.has(command);
}

/** Whether the error answers this very command: if AUTH is refused, all pending commands fail with its error. */
export function isAnswerTo({ name }: Command, error: Error): boolean {
  return error.name === 'ReplyError' && refusedCommandOf(error) === name;
}

function refusedCommandOf(error: Error): string | undefined {
  return (error as { command?: { name?: string } }).command?.name; // added by ioredis
}

/** Whether an error is not a refusal. MOVED and ASK are refusals, unless the client is one of the Cluster, which follows them. */
export function isTemporary({ message }: Error, client?: Client): boolean {
  return TEMPORARY.test(message) && !(client instanceof Redis && ELSEWHERE.test(message));
}

function remedyOf({ message }: Error, adapter?: RedisSettings['name']): string {
  if (adapter === 'redis-sharded' && ELSEWHERE.test(message)) return NO_SHARDS;
  return REMEDIES.find(([answer]) => answer.test(message))?.[1] ?? `see ${GUIDE}`;
}

export function problemOf(command: string): string {
  return `refuses ${command.toUpperCase()}`;
}

/**
 * The error for the log and for the app. Redis repeats the arguments of an unknown command, and ioredis keeps those of every failed one:
 * passwords, keys of sessions, messages.
 */
export function withoutArguments(error: Error): Error {
  return error.name === 'ReplyError' ? new Error(sentenceOf(error)) : error;
}

function sentenceOf({ message }: Error): string {
  return message.replace(/,? with args beginning with.*$/is, '');
}

/** The reason why Redis refuses connections. Undefined if the error is none of Redis, or not a refusal. */
export function refusalOfConnection(error: Error): Pick<Refusal, 'error' | 'problem' | 'remedy'> | undefined {
  if (error.name !== 'ReplyError' || isTemporary(error)) return undefined;
  const name = refusedCommandOf(error) ?? 'connections';
  return { error: new Error(`${name}: ${sentenceOf(error)}`), problem: problemOf(name), remedy: remedyOf(error) };
}

/** The refusal of a command. Undefined if the adapter does not need the command. */
export function refusalOf(adapter: RedisSettings['name'], client: Client, command: Command, error: Error): Refusal | undefined {
  const name = command.name.toLowerCase(); // an adapter may write PUBSUB
  const onOutcome = isOutcome(String(command.args[0])) ? EFFECTS_ON_OUTCOMES[name] : undefined;
  const effect = onOutcome ?? EFFECTS[adapter][name];
  if (!effect) return undefined;
  const purpose = onOutcome ? ' for idempotency keys' : ''; // the command may serve something else, too
  const isProbeElsewhere = name === 'spublish' && ELSEWHERE.test(error.message); // this node may have the slot of a probe
  const retry = isProbeElsewhere ? undefined : retryOf(client, command);
  return {
    problem: problemOf(name) + purpose,
    solved: `allows ${name.toUpperCase()}${purpose} again`,
    effect: effect.text,
    stopsQuestions: effect.stopsQuestions,
    remedy: remedyOf(error, adapter),
    ...(retry && { retry }),
    error: new Error(`${[name, ...(onOutcome ? [] : placesOf(command, effect))].join(' ')}: ${sentenceOf(error)}`),
  };
}

export function problemOfKeys(command: string): string {
  return `${problemOf(command)} for rooms with history`;
}

/** The refusal of a command for what the plugin itself keeps. It ends with the next one that Redis allows. */
export function refusalOfKeys(command: string, error: Error): Refusal {
  return {
    problem: problemOfKeys(command),
    solved: `allows ${command.toUpperCase()} for rooms with history again`,
    effect: 'events of these rooms are not kept, or cannot be read, and clients are told of gaps',
    remedy: remedyOf(error),
    error: new Error(`${command}: ${sentenceOf(error)}`),
    stopsQuestions: false,
  };
}

/** The channels or the key of a command, for the log. The key of a session is left out: it contains a secret of the client. */
function placesOf({ name, args }: Command, effect: Effect): string[] {
  if (effect === NOT_RECOVERED) return [];
  const places = args.flat().map(String);
  if (isSubscribing(name)) return places;
  return name === 'xread' ? places.slice(-2, -1) : places.slice(0, 1); // the message follows
}

/** `config.io.limits`: the public types, which a test compares with docs/limits.md, the defaults, and what is made of them. */
import type { EventsLimit, NamespacesLimit, PendingLimit, RecoveryLimit, RoomsLimit } from './limit-options';
import { type EventRate, type PerAddressLimit, readPerAddress, readPerEvent } from './rate-limits';
import { booleanAt, invalid, isSet, objectAt, readEach, type Reader, wholeNumber, withDefault } from './readers';

export type { EventsLimit, NamespacesLimit, PendingLimit, RecoveryLimit, RoomsLimit };

/** `config.io.limits` */
export interface LimitsConfig {
  /**
   * The events that one client may send, to all namespaces together. Over it, the server reads the connection more slowly, and nothing is lost. A
   * client that still sends ten times as many for 5 s is disconnected.
   * Default: `{ perSecond: 1000, burst: 5000, drop: false }`. Since 5.
   */
  events?: EventsLimit | false;
  /**
   * The events of one client, of all namespaces together, whose handlers have not ended. Over it, the server stops reading the connection until some
   * have ended.
   * Default: `{ max: 1000, drop: false }`. Since 5.
   */
  pending?: PendingLimit | false;
  /**
   * The namespaces of one client, connected or connecting. One too many is refused with `TOO_MANY_NAMESPACES`, and a name of a pattern that is too long
   * with `NAMESPACE_TOO_LONG`.
   * Default: `{ max: 100, nameLength: 200 }`. Since 5.
   */
  namespaces?: NamespacesLimit | false;
  /**
   * The rooms of one connection, in each namespace. `join()` throws an `IoError` for one too many, `TOO_MANY_ROOMS`, and for a name that is too long,
   * `ROOM_TOO_LONG`. `socketsJoin()` leaves such a connection out, with a line of log.
   * Default: `{ max: 10000, nameLength: 256 }`. Since 5.
   */
  rooms?: RoomsLimit | false;
  /**
   * The bytes that may wait for a client that reads too slowly. Each message counts 128 bytes more, and the largest one does not count. Over half of
   * it, volatile events are dropped. Over it, a client that takes nothing for 10 s is disconnected; over eight times as much, at once.
   * Default: `1000000`. Since 5.
   */
  backlog?: number | false;
  /** The most characters in the name of an event that a client sends. Over it, the connection is closed. Default: `200`. Since 5. */
  eventName?: number | false;
  /**
   * The most connections of a worker. Further clients that poll are passed on to a worker that has room; others are refused with
   * `TOO_MANY_CONNECTIONS`, and try again by themselves.
   * Default: `false`. Since 5.
   */
  connections?: number | false;
  /**
   * The most handshakes per second of a worker, of all clients together. Further ones are refused with `TOO_MANY_HANDSHAKES`, and the clients try again
   * by themselves.
   * Default: `500`. Since 5.
   */
  handshakes?: number | false;
  /**
   * What the clients of one address may cost together. Loopback, private and unknown addresses do not count, and IPv6 counts by its first 64 bits.
   * Needs the package `rate-limiter-flexible`.
   * Default: `false`. Since 5.
   */
  perAddress?: PerAddressLimit | false;
  /**
   * The most events of a name that one connection may send, by the name, such as `{ typing: { perSecond: 5 } }`. Further ones fail with
   * `TOO_MANY_EVENTS`.
   * Default: `{}`. Since 5.
   */
  perEvent?: Record<string, EventRate> | false;
  /**
   * Time in ms for an event to be handled, middleware included, and for a handler of a reserved event. After it, the event fails with `TIMEOUT`, and
   * `ctx.signal` aborts.
   * Default: `false`. Since 5.
   */
  handlerTimeout?: number | false;
  /**
   * The time in ms in which the next bytes of a packet with attachments have to come. After it, the client is disconnected; after a quarter of it if
   * other clients wait in the middle of such packets until this one is complete.
   * Default: `10000`. Since 5.
   */
  attachments?: number | false;
  /** The bytes of a client's `auth`. With more, it is refused with `AUTH_TOO_LARGE`. Default: `64000`. Since 5. */
  auth?: number | false;
  /**
   * What a worker keeps for clients that may come back, with `connectionStateRecovery`. The oldest goes first, and a client that needs it is a new
   * client. `redis-streams` has limits of its own.
   * Default: `{ sessions: 10000, namespaceBytes: 16777216, bytes: 67108864 }`. Since 5.
   */
  recovery?: RecoveryLimit | false;
}

/** `config.io.namespace['/'].limits`: those that a namespace may have in place of `config.io.limits`. */
export type NamespaceLimits = Pick<LimitsConfig, (typeof OF_NAMESPACES)[number]>;

/** `config.io.limits`, checked and complete. A limit that is off is undefined, or Infinity if it is a number. */
export interface LimitSettings {
  readonly events: Readonly<Required<EventsLimit>> | undefined;
  readonly pending: Readonly<Required<PendingLimit>> | undefined;
  readonly namespaces: Readonly<Required<NamespacesLimit>> | undefined;
  readonly rooms: Readonly<Required<RoomsLimit>> | undefined;
  readonly backlog: number;
  readonly eventName: number;
  readonly connections: number;
  readonly handshakes: number;
  /** Each is Infinity if it is not set. */
  readonly perAddress: Readonly<Required<PerAddressLimit>> | undefined;
  readonly perEvent: ReadonlyMap<string, Readonly<Required<EventRate>>>;
  readonly handlerTimeout: number;
  readonly attachments: number;
  readonly auth: number;
  readonly recovery: Readonly<Required<RecoveryLimit>> | undefined;
}

type LimitReaders = { readonly [Name in keyof LimitSettings]: Reader<LimitSettings[Name]> };

const count = wholeNumber(1);
/** Up to the longest time of a timer. */
const ms = wholeNumber(1, 2 ** 31 - 1);

/** Of each limit. */
export const LIMITS = {
  events: group<EventsLimit>({ perSecond: [count, 1000], burst: [count, 5000], drop: [booleanAt, false] }),
  pending: group<PendingLimit>({ max: [count, 1000], drop: [booleanAt, false] }),
  namespaces: group<NamespacesLimit>({ max: [count, 100], nameLength: [count, 200] }),
  rooms: group<RoomsLimit>({ max: [count, 10_000], nameLength: [count, 256] }),
  backlog: numberOrOff(1_000_000),
  eventName: numberOrOff(200),
  connections: numberOrOff(Number.POSITIVE_INFINITY),
  handshakes: numberOrOff(500),
  perAddress: readPerAddress,
  perEvent: readPerEvent,
  handlerTimeout: numberOrOff(Number.POSITIVE_INFINITY, ms),
  attachments: numberOrOff(10_000),
  auth: numberOrOff(64_000),
  recovery: group<RecoveryLimit>({ sessions: [count, 10_000], namespaceBytes: [count, 16 * 2 ** 20], bytes: [count, 64 * 2 ** 20] }),
} satisfies LimitReaders & Record<keyof LimitsConfig, unknown>;

/** The names of `NamespaceLimits`. */
const OF_NAMESPACES = ['rooms', 'eventName', 'handlerTimeout', 'perEvent'] as const satisfies readonly (keyof LimitsConfig)[];

/** @throws SetupError if a limit is unknown, or its value is wrong */
export function readLimits(place: string, value: unknown): LimitSettings {
  return readEach(place, value, LIMITS);
}

/**
 * Reads the limits of a namespace. Those that it does not have are those of all.
 * @throws SetupError as above, and for a limit that a namespace cannot have
 */
export function readNamespaceLimits(place: string, value: unknown, ofAll: LimitSettings): LimitSettings {
  const given = objectAt(place, value ?? {});
  const known: readonly string[] = OF_NAMESPACES;
  const other = Object.keys(given).find(name => Object.hasOwn(LIMITS, name) && !known.includes(name));
  if (other !== undefined) invalid(`${place}.${other}`, `in config.io.limits, since it is for all namespaces of a client together`);
  const own = Object.entries(readLimits(place, given)).filter(([name]) => isSet(given[name]));
  return { ...ofAll, ...Object.fromEntries(own) };
}

/** A limit that is a number. `false` turns it off. */
function numberOrOff(fallback: number, read = count): Reader<number> {
  return withDefault((place, value) => (value === false ? Number.POSITIVE_INFINITY : read(place, value)), fallback);
}

/** A limit of several options, each with its reader and its default. `false` turns it off. */
function group<Options>(options: {
  readonly [Name in keyof Options]-?: readonly [Reader<NonNullable<Options[Name]>>, NonNullable<Options[Name]>];
}): Reader<Readonly<Required<Options>> | undefined> {
  const readers = Object.fromEntries(
    Object.entries<readonly [Reader<unknown>, unknown]>(options).map(([name, [read, fallback]]) => [name, withDefault(read, fallback)]),
  ) as unknown as { readonly [Name in keyof Required<Options>]: Reader<Required<Options>[Name]> }; // one for each option
  return (place, value) => {
    if (value === false) return undefined;
    if (value === true) invalid(place, `an object with ${Object.keys(options).join(', ')}, or false`, value);
    return readEach(place, value, readers);
  };
}

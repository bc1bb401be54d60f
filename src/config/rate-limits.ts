/** `config.io.limits.perAddress` and `perEvent`: the public types, which a test compares with docs/limits.md, and what is made of them. */
import { invalid, isSet, objectAt, readOptions, wholeNumber } from './readers';

/** `config.io.limits.perAddress` */
export interface PerAddressLimit {
  /** The most connections of an address to a worker. Further ones are refused with `TOO_MANY_CONNECTIONS`. Default: no limit. Since 5. */
  connections?: number;
  /**
   * The most handshakes of an address in a minute, to all workers and, with Redis, all servers. Further ones are refused with `TOO_MANY_HANDSHAKES`.
   * Default: no limit. Since 5.
   */
  handshakes?: number;
  /**
   * The most events of an address in a second, to all workers and, with Redis, all servers. Further ones fail with `TOO_MANY_EVENTS`.
   * Default: no limit. Since 5.
   */
  events?: number;
}

/** `config.io.limits.perEvent['typing']` */
export interface EventRate {
  /** The most events of this name per second, on the average. Default: `10`. Since 5. */
  perSecond?: number;
  /** The number of them that may come at once after a pause. Default: as `perSecond`. Since 5. */
  burst?: number;
}

const count = wholeNumber(1);

/** Each is Infinity if it is not set. Undefined if the limit is off. @throws SetupError */
export function readPerAddress(place: string, value: unknown): Readonly<Required<PerAddressLimit>> | undefined {
  if (!isSet(value) || value === false) return undefined;
  const none = Number.POSITIVE_INFINITY;
  const readers = { connections: count, handshakes: count, events: count };
  const limit = readOptions<PerAddressLimit>(place, value, readers, { connections: none, handshakes: none, events: none });
  if (Object.values(limit).every(most => most === none)) invalid(place, 'an object with connections, handshakes or events, or false');
  return limit;
}

/** By the name of the event. @throws SetupError */
export function readPerEvent(place: string, value: unknown): ReadonlyMap<string, Readonly<Required<EventRate>>> {
  if (!isSet(value) || value === false) return new Map();
  const given = objectAt(place, value, 'an object with names of events, such as { typing: { perSecond: 5 } }, or false');
  const readers = { perSecond: count, burst: count };
  return new Map(
    Object.entries(given).map(([event, rate]) => {
      const at = `${place}['${event}']`;
      const { perSecond, burst } = readOptions<EventRate>(at, objectAt(at, rate), readers, { perSecond: 10, burst: 0 });
      return [event, { perSecond, burst: burst === 0 ? perSecond : burst }];
    }),
  );
}

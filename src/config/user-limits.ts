/** Reads `config.io.namespace[name].userLimits`. */
import { invalid, isSet, objectAt, oneOf, refuseUnknown, wholeNumber, withDefault } from './readers';
import { USER_LIMITS } from './tables';

export interface UserLimitSettings {
  /** Infinite if connections are not limited. */
  readonly connections: number;
  readonly whenFull: 'replace' | 'refuse';
  /** Per second. Infinite if events are not limited. */
  readonly events: number;
  readonly burst: number;
}

const count = wholeNumber(1);
const numberOrNone = withDefault(count, Number.POSITIVE_INFINITY);

/** @throws SetupError if an option is not valid, unknown or has no effect */
export function readUserLimits(place: string, value: unknown): UserLimitSettings {
  const given = objectAt(place, value);
  refuseUnknown(place, given, USER_LIMITS);
  const { connections, whenFull, events, burst } = given;
  if (!isSet(connections) && !isSet(events)) invalid(place, 'an object with connections, events or both');
  if (isSet(whenFull) && !isSet(connections)) invalid(`${place}.whenFull`, 'set together with connections');
  if (isSet(burst) && !isSet(events)) invalid(`${place}.burst`, 'set together with events');
  const perSecond = numberOrNone(`${place}.events`, events);
  return {
    connections: numberOrNone(`${place}.connections`, connections),
    whenFull: withDefault(oneOf('replace', 'refuse'), 'replace')(`${place}.whenFull`, whenFull),
    events: perSecond,
    burst: withDefault(count, perSecond)(`${place}.burst`, burst),
  };
}

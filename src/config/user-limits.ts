/** Reads `config.io.namespace[name].userLimits`. */
import { nearest } from '../nearest';
import { invalid, isSet, objectAt, oneOf, wholeNumber } from './readers';
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

/** @throws SetupError if an option is not valid, unknown or has no effect */
export function readUserLimits(place: string, value: unknown): UserLimitSettings {
  const given = objectAt(place, value);
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(USER_LIMITS, key)) continue;
    const guess = nearest(key, Object.keys(USER_LIMITS));
    invalid(
      place,
      `an object with ${Object.keys(USER_LIMITS).join(', ')}; it has ${key}${guess === undefined ? '' : `, did you mean ${guess}?`}`,
    );
  }
  const { connections, whenFull, events, burst } = given;
  if (!isSet(connections) && !isSet(events)) invalid(place, 'an object with connections, events or both');
  if (isSet(whenFull) && !isSet(connections)) invalid(`${place}.whenFull`, 'set together with connections');
  if (isSet(burst) && !isSet(events)) invalid(`${place}.burst`, 'set together with events');
  const perSecond = isSet(events) ? count(`${place}.events`, events) : Number.POSITIVE_INFINITY;
  return {
    connections: isSet(connections) ? count(`${place}.connections`, connections) : Number.POSITIVE_INFINITY,
    whenFull: isSet(whenFull) ? oneOf('replace', 'refuse')(`${place}.whenFull`, whenFull) : 'replace',
    events: perSecond,
    burst: isSet(burst) ? count(`${place}.burst`, burst) : perSecond,
  };
}

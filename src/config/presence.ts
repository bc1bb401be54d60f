/** Reads `presence` of a namespace. */
import type { PresenceConfig } from './options';
import { invalid, isSet, objectAt } from './readers';
import { readRoomPatterns, type RoomPatterns } from './room-patterns';
import { PRESENCE_OPTIONS } from './tables';

/** The options of a pattern, complete. */
export type PresenceSettings = Required<PresenceConfig>;

/** Undefined if it is not set. */
export function readPresence(place: string, value: unknown): RoomPatterns<PresenceSettings> | undefined {
  return isSet(value) ? readRoomPatterns(place, value, readOptions) : undefined;
}

function readOptions(place: string, value: unknown): PresenceSettings {
  const { grace, ...rest } = objectAt(place, value ?? {});
  for (const key of Object.keys(rest)) invalid(place, `an object with ${Object.keys(PRESENCE_OPTIONS).join(', ')}; it has ${key}`);
  return { grace: isSet(grace) ? PRESENCE_OPTIONS.grace(`${place}.grace`, grace) : 5000 };
}

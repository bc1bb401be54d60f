/** Reads `presence` of a namespace. */
import type { PresenceConfig } from './options';
import { isSet, readOptions } from './readers';
import { readRoomPatterns, type RoomPatterns } from './room-patterns';
import { PRESENCE_OPTIONS } from './tables';

/** The options of a pattern, complete. */
export type PresenceSettings = Required<PresenceConfig>;

const DEFAULTS = { grace: 5000 } satisfies PresenceSettings;

/** Undefined if it is not set. */
export function readPresence(place: string, value: unknown): RoomPatterns<PresenceSettings> | undefined {
  if (!isSet(value)) return undefined;
  return readRoomPatterns(place, value, (at, given) => readOptions<PresenceConfig>(at, given, PRESENCE_OPTIONS, DEFAULTS));
}

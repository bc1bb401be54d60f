/** Reads `history` of a namespace: the rooms whose events are kept. */
import type { HistoryConfig } from './options';
import { invalid, isSet, objectAt } from './readers';
import { readRoomPatterns, type RoomPatterns } from './room-patterns';
import { HISTORY_OPTIONS } from './tables';

export type HistorySettings = RoomPatterns<Required<HistoryConfig>>;

const DEFAULTS = { size: 100, ttl: 300_000, since: 'joined' } satisfies Required<HistoryConfig>;

/** @throws SetupError if an option is wrong, or two patterns match the same room */
export function readHistory(place: string, value: unknown): HistorySettings {
  return readRoomPatterns<Required<HistoryConfig>>(place, value, (place, given) => {
    const options = objectAt(place, given ?? {});
    for (const key of Object.keys(options))
      if (!Object.hasOwn(HISTORY_OPTIONS, key)) invalid(place, `an object with ${Object.keys(HISTORY_OPTIONS).join(', ')}; it has ${key}`);
    const { size, ttl, since } = options;
    return {
      size: isSet(size) ? HISTORY_OPTIONS.size(`${place}.size`, size) : DEFAULTS.size,
      ttl: isSet(ttl) ? HISTORY_OPTIONS.ttl(`${place}.ttl`, ttl) : DEFAULTS.ttl,
      since: isSet(since) ? HISTORY_OPTIONS.since(`${place}.since`, since) : DEFAULTS.since,
    };
  });
}

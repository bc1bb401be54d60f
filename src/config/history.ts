/** Reads `history` of a namespace: the rooms whose events are kept. */
import type { HistoryConfig } from './options';
import { readOptions } from './readers';
import { readRoomPatterns, type RoomPatterns } from './room-patterns';
import { HISTORY_OPTIONS } from './tables';

export type HistorySettings = RoomPatterns<Required<HistoryConfig>>;

const DEFAULTS = { size: 100, ttl: 300_000, since: 'joined' } satisfies Required<HistoryConfig>;

/** @throws SetupError if an option is wrong, or two patterns match the same room */
export function readHistory(place: string, value: unknown): HistorySettings {
  return readRoomPatterns(place, value, (at, given) => readOptions<HistoryConfig>(at, given, HISTORY_OPTIONS, DEFAULTS));
}

/** What the intakes of all connections have in common. */
import type { Socket as EngineSocket } from 'engine.io';
import type { LimitSettings } from '../config/limits';
import type { Shortage } from './allowance';
import { type Client, clientOf } from './clients';

/** See `Limits`. */
interface Reports {
  readonly settings: LimitSettings;
  readonly standstill: number;
  report(limit: Shortage, outcome: string, client: EngineSocket): void;
  endFor(connection: EngineSocket, limit: Shortage): void;
}

export interface IntakeOptions {
  readonly limits: Reports;
  warn(line: string): void;
  /** The longest message, or request with messages, in bytes. */
  readonly maxSize: number;
  /** The shorter one of the times of Engine.IO, in ms. */
  readonly heartbeat: number;
  /**
   * Refuses an event. Returns false for another message, which has to wait.
   * Undefined with a parser of the app: then nothing can be said about a message, and each counts as an event.
   */
  readonly refuse: ((client: Client, message: string, limit: Shortage) => boolean) | undefined;
}

/** Refuses an event with the option `drop`. Returns whether it has done so. */
export function refuseEvent(
  { limits, refuse }: IntakeOptions,
  connection: EngineSocket,
  message: unknown,
  shortage: Shortage | undefined,
): boolean {
  if (!shortage || !limits.settings[shortage]?.drop || typeof message !== 'string') return false;
  const client = clientOf(connection);
  if (!client || refuse?.(client, message, shortage) !== true) return false;
  limits.report(shortage, 'an event is refused', connection);
  return true;
}

/** Where a client continues that comes back. */
import type { Missed } from './entry';
import type { Stored } from './gone-clients';
import type { EventLog, Past } from './log';
import { positionIn } from './starts';
import { Stays } from './stays';

/** What a process that ends hands over: its sessions, and what it has logged for them. */
export interface Handover {
  readonly past: Past;
  readonly sessions: readonly Stored[];
}

/** Where to continue: events to be sent first, and then those of the log. */
export interface Continuation {
  readonly sent: readonly Missed[];
  readonly from: number;
  readonly stays: Stays;
  /** Whether an event of the log has not been sent before. */
  isNew(event: Missed): boolean;
}

/**
 * Where a client continues. Undefined if it has missed what is not there any more.
 * @param offset of the last event that it has got
 * @param heartbeat the longest time in ms until a vanished client is noticed
 */
export function continueAt(
  { start, stays, goneAt, rooms, former }: Stored,
  log: EventLog,
  offset: string,
  heartbeat: number,
): Continuation | undefined {
  const receivedUntil = goneAt - heartbeat;
  const followed = former?.log ?? log;
  const position = positionIn(start, followed, offset);
  if (!position || followed.lacks(position.from, receivedUntil) || stays.lack(Math.max(position.from, followed.first))) return undefined;
  if (!former) return { ...position, stays, isNew: () => true };
  if (log.lacks(former.from, receivedUntil)) return undefined;
  const missed = followed.between(position.from, followed.next, stays.filter(rooms));
  const isNew = ({ offset }: Missed): boolean => !former.offsets.has(offset);
  return { sent: [...position.sent, ...missed], from: former.from, stays: new Stays(), isNew };
}

/** The same session without the log of a former process: with all events that the client may have missed. Undefined if one is not there any more. */
export function withoutFormer(stored: Stored, log: EventLog, heartbeat: number): Stored | undefined {
  if (!stored.former) return stored;
  const continuation = continueAt(stored, log, '', heartbeat);
  if (!continuation) return undefined;
  const { sent, from, stays, isNew } = continuation;
  const since = log.between(from, log.next, stays.filter(stored.rooms)).filter(isNew);
  return { ...stored, start: { at: stored.start.at, from: log.next, sent: [...sent, ...since] }, stays: new Stays(), former: undefined };
}

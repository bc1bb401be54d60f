/** Where a client continues that comes back. */
import { debug } from '../../debug';
import type { Missed } from './entry';
import type { Former, Stored } from './gone-clients';
import type { EventLog, Past } from './log';
import { positionIn } from './starts';
import { Stays } from './stays';

/** What a process that ends hands over: sessions, and the log that they have followed. There is one for each process that has had these clients. */
export interface Bequest {
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
export function continueAt(session: Stored, log: EventLog, offset: string, heartbeat: number): Continuation | undefined {
  const continuation = find(session, log, offset, heartbeat);
  if (!continuation) debug.recovery('what the client of %s has missed is not there any more', session.sid);
  return continuation;
}

function find({ start, stays, goneAt, rooms, former }: Stored, log: EventLog, offset: string, heartbeat: number): Continuation | undefined {
  const receivedUntil = goneAt - heartbeat;
  const followed = former?.log ?? log;
  const position = positionIn(start, followed, offset);
  if (!position || followed.lacks(position.from, receivedUntil) || stays.lack(Math.max(position.from, followed.first))) return undefined;
  if (!former) return { ...position, stays, isNew: () => true };
  if (log.lacks(former.from, Number.NEGATIVE_INFINITY)) return undefined; // whenever that was: the clock of the former process may differ
  const missed = followed.between(position.from, followed.next, stays.filter(rooms));
  const isNew = ({ offset }: Missed): boolean => !former.offsets.has(offset);
  return { sent: [...position.sent, ...missed], from: former.from, stays: new Stays(), isNew };
}

/**
 * What to hand over of sessions. The log of a former process is continued by that of this one: they keep their numbers, and nothing is copied for each.
 * Those of a former process since whose end something was lost are left out.
 */
export function bequestsOf(sessions: readonly Stored[], log: EventLog, heartbeat: number): Bequest[] {
  const groups = new Map<Former | undefined, Stored[]>();
  for (const session of sessions) {
    const group = groups.get(session.former);
    if (group) group.push(session);
    else groups.set(session.former, [session]);
  }
  return [...groups].flatMap(([former, group]) => {
    const since = group.reduce((oldest, { goneAt }) => Math.min(oldest, goneAt), Number.POSITIVE_INFINITY) - heartbeat;
    const past = former ? continued(former, log, since) : log.since(since);
    return past ? [{ past, sessions: group }] : [];
  });
}

function continued({ log: former, from, offsets }: Former, log: EventLog, since: number): Past | undefined {
  if (log.lacks(from, Number.NEGATIVE_INFINITY)) return undefined;
  const { base, gap, entries } = former.since(since);
  return { base, gap, entries: [...entries, ...log.entriesFrom(from).filter(({ offset }) => !offsets.has(offset))] };
}

/**
 * What a process hands over, as text. Each event is written once. Whoever can write to the backend could write anything: what is no such text is not
 * read.
 */
import type { Answers } from '../answer';
import { isCount, isListOf, isObject, isRoom, isRoomList } from '../backend-message';
import type { Frame, PacketCodec } from '../packet-codec';
import { carry, type Carried, uncarry, unpackValues } from '../values';
import type { Entry, Missed } from './entry';
import { isPrivateId } from '../../internals/socket-io';
import { Stays, type WrittenStays } from './stays';
import type { Gone, Stored } from './gone-clients';
import type { Handover } from './stored';

/** The frames are null for a volatile event. */
type WrittenFrames = readonly Carried[] | null;

type WrittenEntry = readonly [offset: string, at: number, rooms: readonly string[], except: readonly string[], frames: WrittenFrames];

/** Events that a client was sent at the beginning of its connection: the index of each in `sent`. */
interface WrittenSession extends Gone {
  readonly goneAt: number;
  readonly start: { readonly at: number; readonly from: number; readonly sent: readonly number[] };
  readonly stays: WrittenStays;
}

interface Written {
  readonly base: number;
  /** Null if there is none. */
  readonly gap: { readonly number: number; readonly at: number | null };
  readonly entries: readonly WrittenEntry[];
  readonly sent: readonly (readonly [offset: string, frames: WrittenFrames])[];
  readonly sessions: readonly WrittenSession[];
}

/** Sessions whose data cannot be encoded are left out. */
export function write({ past, sessions }: Handover, codec: PacketCodec, answers: Answers): string {
  const indexes = new Map<string, number>();
  const sent: [offset: string, frames: WrittenFrames][] = [];
  const indexOf = ({ offset, frames }: Missed): number => {
    const index = indexes.get(offset) ?? sent.push([offset, writeFrames(frames)]) - 1;
    indexes.set(offset, index);
    return index;
  };
  const written: Written = {
    base: past.base,
    gap: { number: past.gap.number, at: past.gap.at }, // -Infinity becomes null
    entries: past.entries.map(({ offset, at, opts, frames }) => [
      offset,
      at,
      [...opts.rooms],
      [...(opts.except ?? [])],
      writeFrames(frames),
    ]),
    sessions: sessions.flatMap(({ sid, pid, rooms, data, goneAt, start, stays }) => {
      const session = { sid, pid, rooms, data, goneAt, start: { ...start, sent: start.sent.map(indexOf) }, stays: stays.toJSON() };
      return answers.ofSession(session, codec) ?? [];
    }),
    sent,
  };
  return JSON.stringify(written);
}

/** Undefined if this is not the text of a handover. */
export function read(text: string, codec: PacketCodec): Handover | undefined {
  try {
    const { base, gap, entries, sent, sessions } = JSON.parse(text) as Partial<Record<keyof Written, unknown>>;
    if (!isCount(base) || !isGap(gap) || !isListOf(entries, isEntry) || !isListOf(sent, isSent) || !isListOf(sessions, isSession))
      return undefined;
    const events = (sent as Written['sent']).map(([offset, frames]) => ({ offset, frames: readFrames(frames) })); // all checked just now
    return {
      past: {
        base: base as number,
        gap: { number: gap.number, at: gap.at ?? Number.NEGATIVE_INFINITY },
        entries: (entries as WrittenEntry[]).map(readEntry),
      },
      sessions: (sessions as WrittenSession[]).map(session => readSession(session, events, codec)),
    };
  } catch {
    return undefined; // it is no JSON, or the data of a session cannot be decoded
  }
}

function readEntry([offset, at, rooms, except, frames]: WrittenEntry): Entry {
  return { offset, at, frames: readFrames(frames), opts: { rooms: new Set(rooms), except: new Set(except) } };
}

function readSession(session: WrittenSession, events: readonly Missed[], codec: PacketCodec): Stored {
  const { sid, pid, rooms, goneAt, start, stays } = session;
  const { data } = unpackValues(session, ['data'], codec) as WrittenSession; // the same with other data
  const sent = start.sent.flatMap(index => events[index] ?? []);
  return { sid, pid, rooms, data, goneAt, start: { at: start.at, from: start.from, sent }, stays: new Stays(stays) };
}

function writeFrames(frames: readonly Frame[] | undefined): WrittenFrames {
  return frames ? frames.map(carry) : null;
}

function readFrames(frames: WrittenFrames): readonly Frame[] | undefined {
  return frames ? (frames.map(uncarry) as Frame[]) : undefined; // checked before
}

function isGap(value: unknown): value is Written['gap'] {
  return isObject(value) && typeof value['number'] === 'number' && (value['at'] === null || typeof value['at'] === 'number');
}

function isEntry(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [offset, at, rooms, except, frames] = value as unknown[];
  return typeof offset === 'string' && typeof at === 'number' && isRoomList(rooms) && isRoomList(except) && areFrames(frames);
}

function isSent(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && areFrames(value[1]);
}

function areFrames(value: unknown): boolean {
  return value === null || isListOf(value, isFrame);
}

function isFrame(value: unknown): boolean {
  return typeof value === 'string' || (isObject(value) && typeof value['base64'] === 'string');
}

function isSession(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { sid, pid, rooms, goneAt, start, stays } = value;
  if (typeof sid !== 'string' || !isPrivateId(pid) || !isRoomList(rooms) || typeof goneAt !== 'number') return false;
  if (!isObject(start) || typeof start['at'] !== 'number' || !isCount(start['from']) || !isListOf(start['sent'], isCount)) return false;
  if (!isObject(stays) || typeof stays['forgotten'] !== 'number') return false;
  return isListOf(stays['joined'], isJoined) && isListOf(stays['ended'], isStay);
}

function isJoined(value: unknown): boolean {
  return Array.isArray(value) && isRoom(value[0]) && typeof value[1] === 'number';
}

function isStay(value: unknown): boolean {
  return isObject(value) && isRoom(value['room']) && typeof value['from'] === 'number' && typeof value['until'] === 'number';
}

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
import type { Bequest } from './stored';

/** The frames are null for a volatile event. */
type WrittenFrames = readonly Carried[] | null;

type WrittenEntry = readonly [offset: string, at: number, rooms: readonly string[], except: readonly string[], frames: WrittenFrames];

/** Events that a client was sent at the beginning of its connection: the index of each in `sent`. */
interface WrittenSession extends Gone {
  readonly goneAt: number;
  readonly start: { readonly at: number; readonly from: number; readonly sent: readonly number[] };
  readonly stays: WrittenStays;
}

/** The log is the index of each of its entries. */
interface WrittenBequest {
  readonly base: number;
  /** The moment is null if there is none. */
  readonly gap: { readonly number: number; readonly at: number | null };
  readonly log: readonly number[];
  readonly sessions: readonly WrittenSession[];
}

interface Written {
  readonly bequests: readonly WrittenBequest[];
  readonly entries: readonly WrittenEntry[];
  readonly sent: readonly (readonly [offset: string, frames: WrittenFrames])[];
}

/** Sessions whose data cannot be encoded are left out. */
export function write(bequests: readonly Bequest[], codec: PacketCodec, answers: Answers): string {
  const entries = new Indexed<Entry, WrittenEntry>(({ offset, at, opts, frames }) => [
    offset,
    at,
    [...opts.rooms],
    [...(opts.except ?? [])],
    writeFrames(frames),
  ]);
  const sent = new Indexed<Missed, readonly [string, WrittenFrames]>(({ offset, frames }) => [offset, writeFrames(frames)]);
  const written: Written = {
    bequests: bequests.map(({ past: { base, gap, entries: log }, sessions }) => ({
      base,
      gap: { number: gap.number, at: gap.at }, // -Infinity becomes null
      log: log.map(entry => entries.indexOf(entry)),
      sessions: sessions.flatMap(({ sid, pid, rooms, data, goneAt, start, stays }) => {
        const begun = { ...start, sent: start.sent.map(event => sent.indexOf(event)) };
        return answers.ofSession({ sid, pid, rooms, data, goneAt, start: begun, stays: stays.toJSON() }, codec) ?? [];
      }),
    })),
    entries: entries.all,
    sent: sent.all,
  };
  return JSON.stringify(written);
}

/** Undefined if this is not the text of a handover. */
export function read(text: string, codec: PacketCodec): Bequest[] | undefined {
  try {
    const { bequests, entries, sent } = JSON.parse(text) as Partial<Record<keyof Written, unknown>>;
    if (!isListOf(bequests, isBequest) || !isListOf(entries, isEntry) || !isListOf(sent, isSent)) return undefined;
    const events = (sent as Written['sent']).map(([offset, frames]) => ({ offset, frames: readFrames(frames) })); // all checked just now
    const all = (entries as WrittenEntry[]).map(readEntry);
    return (bequests as WrittenBequest[]).map(({ base, gap, log, sessions }) => ({
      past: { base, gap: { number: gap.number, at: gap.at ?? Number.NEGATIVE_INFINITY }, entries: log.flatMap(index => all[index] ?? []) },
      sessions: sessions.map(session => readSession(session, events, codec)),
    }));
  } catch {
    return undefined; // it is no JSON, or the data of a session cannot be decoded
  }
}

/** What is written once, however often it is needed. */
class Indexed<Event extends Missed, Form> {
  readonly all: Form[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #write: (event: Event) => Form;

  constructor(write: (event: Event) => Form) {
    this.#write = write;
  }

  indexOf(event: Event): number {
    const index = this.#indexes.get(event.offset) ?? this.all.push(this.#write(event)) - 1;
    this.#indexes.set(event.offset, index);
    return index;
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

function isGap(value: unknown): boolean {
  return isObject(value) && typeof value['number'] === 'number' && (value['at'] === null || typeof value['at'] === 'number');
}

function isBequest(value: unknown): boolean {
  return (
    isObject(value) &&
    isCount(value['base']) &&
    isGap(value['gap']) &&
    isListOf(value['log'], isCount) &&
    isListOf(value['sessions'], isSession)
  );
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

/** Events that clients may have missed. */
import type { BroadcastOptions } from 'socket.io-adapter';
import type { Frame } from '../packet-codec';
import { sizeOfFrames, sizeOfNames } from './size';

/** An event as a client gets it. */
export interface Missed {
  readonly offset: string;
  /** Undefined for a volatile event, which is not sent again. */
  readonly frames: readonly Frame[] | undefined;
}

/** What a client that returns gets. */
export interface Returned {
  readonly sid: string;
  readonly rooms: readonly string[];
  readonly data: unknown;
  readonly missed: readonly Missed[];
}

/** An event that clients may have missed. */
export interface Entry extends Missed {
  readonly at: number;
  readonly opts: BroadcastOptions;
  /** The bytes that it takes. Undefined if these have to be counted. */
  readonly size?: number;
}

/** Whether the event with this number and these options is for a client. */
export type Filter = (number: number, opts: BroadcastOptions) => boolean;

const NO_ROOMS: Set<string> = new Set();

/** The most rooms that have a target at the ready. */
const MAX_ROOMS = 1000;

/** What the log keeps of the options of broadcasts. Most go to one room, or to everybody, and share one object: two sets for each were most of the log. */
export class Targets {
  readonly #everybody: BroadcastOptions = { rooms: NO_ROOMS, except: NO_ROOMS };
  readonly #byRoom = new Map<string, BroadcastOptions>();

  of({ rooms, except = NO_ROOMS }: BroadcastOptions): BroadcastOptions {
    if (except.size > 0 || rooms.size > 1) return { rooms, except };
    for (const room of rooms) return this.#byRoom.get(room) ?? this.#add(room);
    return this.#everybody;
  }

  #add(room: string): BroadcastOptions {
    if (this.#byRoom.size === MAX_ROOMS) this.#byRoom.clear();
    const target = { rooms: new Set([room]), except: NO_ROOMS };
    this.#byRoom.set(room, target);
    return target;
  }
}

/** The target of a gap. */
export const NOBODY: BroadcastOptions = { rooms: new Set(['$io:nobody']), except: new Set() };

/** Bytes that an entry takes beside its frames, roughly. */
const ENTRY_SIZE = 300;

/** The bytes that an entry takes. */
export function sizeOf(entry: Entry): number {
  if (entry.size !== undefined) return entry.size;
  const { rooms, except } = entry.opts;
  return ENTRY_SIZE + sizeOfFrames(entry.frames ?? []) + sizeOfNames(rooms) + sizeOfNames(except);
}

/** Whether a broadcast reaches a client in these rooms. */
export function isFor(rooms: readonly string[], { rooms: wanted, except }: BroadcastOptions): boolean {
  return (wanted.size === 0 || rooms.some(room => wanted.has(room))) && !rooms.some(room => except?.has(room));
}

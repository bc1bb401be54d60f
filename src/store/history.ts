/** Rooms with history: what is emitted to them is kept in a stream for each. This is what one namespace has of them. */
import { createHash } from 'node:crypto';
import type { Namespace } from 'socket.io';
import type { Appended, Content, Entry, Forwarded, Limits, Page, Position, Streams } from './streams';

/** The options of rooms with history. */
export interface HistoryOptions extends Limits {
  /** From when on a client gets events: from the first time that it is in the room, or ever. */
  readonly since: 'joined' | 'ever';
}

/** The options of rooms by name. Undefined for a room without history. */
export interface HistoryRooms {
  of(room: string): HistoryOptions | undefined;
}

/** A position as clients know it. */
export interface ClientPosition {
  readonly room: string;
  /** A part of that of the stream. Empty in an outage: nobody knows the position. */
  readonly epoch: string;
  readonly offset: number;
  /** Shows that a client has been in the room at this position. Undefined where everybody in the room gets all events. */
  readonly key?: string;
  /** The same in each room, for an event that has been emitted to several. */
  readonly id?: string;
}

/** What somebody gets that has had all events up to an offset. */
interface Part {
  /** False if events are missing between the offset and the first one here: a gap. */
  readonly recovered: boolean;
  readonly entries: readonly Entry[];
  /** That of the last event here; without one, that of the end. */
  readonly offset: number;
  /** Whether there are more events. */
  readonly more: boolean;
}

/** The event that brings an event of a room to the clients that know of history, with its position. Without an event, it only says where the room is. */
export const HISTORY_EVENT = '$io:event';

/** In place of the event in a broadcast without one: with recovery, the offset at its end would be taken for an event. */
export const NO_EVENT = null;

const SHADOW = '$io:history:';

/** What clients of a room are told in an outage. */
export function unknownPosition(room: string): ClientPosition {
  return { room, epoch: '', offset: 0 };
}

/** The event of the app in what the server sends. Empty if there is none. */
export function eventOf(data: unknown[]): unknown[] {
  if (data[0] !== HISTORY_EVENT) return data;
  return data[2] === NO_EVENT ? [] : data.slice(2);
}

/** The room of those in a room that know of history. */
export function shadowOf(room: string): string {
  return SHADOW + room;
}

/** The room of a shadow. Undefined for other rooms. */
export function roomOfShadow(shadow: string): string | undefined {
  return shadow.startsWith(SHADOW) ? shadow.slice(SHADOW.length) : undefined;
}

/** By namespace. */
const histories = new WeakMap<Namespace, History>();

/** Undefined for a namespace without rooms with history. */
export function historyOf(nsp: Namespace): History | undefined {
  return histories.get(nsp);
}

export class History {
  readonly #prefix: string;
  readonly #rooms: HistoryRooms;
  readonly #streams: Streams;
  /** The last one that waits for `begunAnew`. */
  #lastInTurn: Promise<unknown> = Promise.resolve();
  /** Decodes what is kept of an event: its name and arguments. */
  readonly decode: (content: Content) => unknown[];

  /** @param rooms the options of each room that has a history */
  constructor(nsp: Namespace, rooms: HistoryRooms, streams: Streams, decode: (content: Content) => unknown[]) {
    this.#prefix = `${nsp.name.length}:${nsp.name}:`; // both names may have any character
    this.#rooms = rooms;
    this.#streams = streams;
    this.decode = decode;
    histories.set(nsp, this);
  }

  /** Undefined for a room without history. */
  optionsOf(room: string): HistoryOptions | undefined {
    return this.#rooms.of(room);
  }

  /** Keeps an event of a room with history. Returns its position. */
  append(room: string, content: Content, id: string | undefined): Appended | Promise<Appended> {
    return this.#streams.append(this.#prefix + room, { content, id }, this.#limitsOf(room));
  }

  /** Whether the events are kept on the way to the other processes. */
  get canForward(): boolean {
    return this.#streams.appendAndForward !== undefined;
  }

  /** Keeps an event, and has it forwarded to all other processes: see `Streams.appendAndForward`. */
  appendAndForward(content: Content, id: string | undefined, to: Forwarded, settle: (position: Appended | undefined) => void): boolean {
    return this.#streams.appendAndForward?.(this.#prefix + to.room, { content, id }, this.#limitsOf(to.room), to, settle) ?? false;
  }

  /** Reads the history of a room: see `Streams.read`. */
  read(room: string, after: number, count: number): Page | Promise<Page> {
    return this.#streams.read(this.#prefix + room, after, count, this.#limitsOf(room));
  }

  /**
   * Resolves with the position of a room when its stream has begun anew that lacks an event. Rejects if it cannot be read. Rooms take turns: many
   * may have begun anew at once.
   */
  async begunAnew(room: string): Promise<Position> {
    await this.#streams.untilRestarted(this.#prefix + room);
    const page = this.#lastInTurn.then(async () => this.read(room, 0, 0));
    this.#lastInTurn = page.catch(() => {}); // the caller handles it
    return page;
  }

  /** What clients of the room are told of a position. @param id that of the event, if it has one */
  positionFor(room: string, { epoch, offset }: Position, id?: string): ClientPosition {
    const position = { room, epoch: nameOf(epoch), offset, ...(id !== undefined && { id }) };
    return this.#rooms.of(room)?.since === 'ever' ? position : { ...position, key: this.#keyOf(room, epoch, offset) };
  }

  /** Whether a client of the room can have been told of a position in this epoch. */
  isKnown(epoch: string, given: ClientPosition): boolean {
    if (given.epoch !== nameOf(epoch)) return false;
    return this.#rooms.of(given.room)?.since === 'ever' || given.key === this.#keyOf(given.room, epoch, given.offset);
  }

  /** A hash suffices: nobody knows the whole epoch, and so nothing that could be continued. */
  #keyOf(room: string, epoch: string, offset: number): string {
    return createHash('sha256').update(`${epoch}:${offset}:${this.#prefix}${room}`).digest('base64url').slice(0, 16);
  }

  /** @throws TypeError for a room without history */
  #limitsOf(room: string): Limits {
    const limits = this.#rooms.of(room);
    if (!limits) throw new TypeError(`room '${room}' has no history`);
    return limits;
  }
}

/** What of a page follows an offset, or comes before it, too. @param isKnown whether it is one of this epoch */
export function partAfter({ offset: end, entries }: Page, offset: number, isKnown: boolean): Part {
  const isThere = isKnown && offset <= end;
  const known = isThere ? entries : [];
  const last = known.at(-1)?.offset ?? end;
  const first = known[0]?.offset ?? end + 1;
  return { recovered: isThere && first <= offset + 1, entries: known, offset: last, more: last < end };
}

/** The part of an epoch that clients know. The rest is a secret. */
export function nameOf(epoch: string): string {
  return epoch.slice(0, epoch.indexOf('.'));
}

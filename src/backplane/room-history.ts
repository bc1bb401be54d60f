/** `nsp.history(room)`: what is kept of a room, for the server itself. */
import type { Namespace } from 'socket.io';
import type { Arguments } from '../events';
import { mistakeOf } from '../errors';
import { addToNamespaces } from '../internals/namespace-class';
import { historyOf, nameOf, partAfter } from '../store/history';
import type { EventsMap } from '../types';

/** The method of servers and namespaces for rooms with history. */
export interface HasHistory<EmitEvents extends EventsMap> {
  /**
   * The history of a room in this namespace.
   * @throws TypeError if no pattern in the namespace's option `history` matches the name of the room
   * @example const { events } = await app.io.of('/chat').history('room:1').read({ last: 20 });
   */
  history(room: string): RoomHistory<EmitEvents>;
}

/** The history of a room. Nobody need be in the room. */
export interface RoomHistory<EmitEvents extends EventsMap> {
  /**
   * Reads events that are kept, oldest first: by default all of them, at most 100 at once.
   * Rejects with an `OutageError` if the place where they are kept cannot be reached.
   * @throws TypeError if `limit` or `last` is not a whole number from 1 on
   */
  read(options?: HistoryQuery): Promise<HistoryPage<EmitEvents>>;
}

/** Which events to read. */
export interface HistoryQuery {
  /** Only events after this position: that of an earlier page. Default: from the oldest event on. */
  since?: HistoryPosition;
  /** Only the last so many events. Has no effect beside `since`. Default: all. */
  last?: number;
  /** The largest number of events in this page, up to 1000. A page of large events is shorter. Default: `last`, or else `100`. */
  limit?: number;
}

/** A place in the history of a room. */
export interface HistoryPosition {
  /** Changes when events have been lost, such as with the process that kept them. */
  readonly epoch: string;
  /** The number of an event. 0: before the first one. */
  readonly offset: number;
}

/** A part of the history of a room. Its position is that of its last event. */
export interface HistoryPage<EmitEvents extends EventsMap> extends HistoryPosition {
  /** False if events are missing between `since` and the first one here: they are not kept any more, or `since` is of another epoch. */
  readonly recovered: boolean;
  readonly events: HistoryEvent<EmitEvents>[];
  /** Whether there are later events. They come with the position of this page as `since`. */
  readonly more: boolean;
}

/** An event that has been emitted to the room. */
export type HistoryEvent<EmitEvents extends EventsMap> = {
  readonly [Event in keyof EmitEvents & string]: {
    readonly offset: number;
    readonly event: Event;
    /** As clients decode them. */
    readonly args: Arguments<EmitEvents[Event]>;
  };
}[keyof EmitEvents & string];

const LIMIT = 100;
const MAX_LIMIT = 1000;

/** Gives a namespace the method. */
export function addRoomHistories(nsp: Namespace): void {
  addToNamespaces(nsp, { history: roomHistory });
}

function roomHistory(this: Namespace, room: string): RoomHistory<EventsMap> {
  const history = historyOf(this);
  if (!history?.optionsOf(room))
    throw mistakeOf('IO_ROOM_UNMATCHED', `no pattern of config.io.namespace['${this.name}'].history matches the room '${room}'`);
  return {
    async read({ since, last, limit } = {}) {
      const start = last === undefined ? 0 : -wholeNumber('last', last);
      const count = Math.min(wholeNumber('limit', limit ?? (since ? LIMIT : (last ?? LIMIT))), MAX_LIMIT);
      const offset = since && Number.isSafeInteger(since.offset) && since.offset >= 0 ? since.offset : 0;
      const page = await history.read(room, since ? offset : start, count);
      const epoch = nameOf(page.epoch);
      const isKnown = !since || (since.epoch === epoch && since.offset === offset);
      const part = partAfter(page, since ? offset : (page.entries[0]?.offset ?? page.offset + 1) - 1, isKnown);
      const events = part.entries.map(({ offset, content }) => {
        const [event, ...args] = history.decode(content);
        return { offset, event: String(event), args };
      });
      return { recovered: part.recovered, epoch, offset: part.offset, events, more: part.more };
    },
  };
}

function wholeNumber(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw mistakeOf('IO_HISTORY_INVALID', `${name} must be a whole number from 1 on`);
  return value;
}

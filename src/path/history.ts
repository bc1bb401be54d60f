/** Rooms with history, on the way of a client that knows of them: it is told where each room is that it joins, and asks for what it has missed. */
import type { Socket } from 'socket.io';
import { helloOf } from './client-hello';
import { announce } from './room-positions';
import { IoError, OutageError } from '../errors';
import { toError } from '../thrown';
import { type ClientPosition, type History, historyOf, partAfter, roomOfShadow, shadowOf } from '../store/history';
import type { Page } from '../store/streams';
import { writeBufferOf } from '../internals/engine-io';
import { socketInternals } from '../internals/socket-io';

/** The event by which clients ask. */
export const ASK_EVENT = '$io:history';

/** The largest number of events in an answer. */
const PAGE = 100;

/** What a client gets that asks. */
interface Answer {
  /** False if events are missing between the client's position and the first one here: a gap. */
  readonly recovered: boolean;
  /** That of the last event here; without one, that of the end. */
  readonly position: ClientPosition;
  /** `[offset, id, event, ...args]` of each, in order. */
  readonly events: readonly unknown[][];
  /** Whether there are more. */
  readonly more: boolean;
}

/** The number of packets that may wait for a client that asks: it has to read what it has asked for before. */
const MAX_UNSENT = 10;

/** Those whose question is being answered. A client that does not read, and asks on, would fill the memory with answers. */
const asking = new WeakSet<Socket>();

/** Created once, since a client can cause many, and so frozen. */
const TOO_MANY_QUESTIONS = new IoError('TRY_AGAIN', 'Ask again when the last question has been answered', { status: 429 });
Object.freeze(TOO_MANY_QUESTIONS);

/** Makes sockets of clients that know of history join and leave the shadows of rooms, too. */
export function addShadows(prototype: Socket): void {
  const { join, leave } = prototype as Record<'join' | 'leave', (this: Socket, ...args: unknown[]) => void | Promise<void>>; // with the callback of Socket.IO 2
  Object.assign(prototype, {
    join(this: Socket, rooms: string | string[], ...more: unknown[]): void | Promise<void> {
      const history = historyFor(this);
      const kept = history ? [rooms].flat().filter(room => room !== this.id && !this.rooms.has(room) && history.optionsOf(room)) : [];
      if (!history || kept.length === 0) return join.call(this, rooms, ...more);
      const joined = join.call(this, [...[rooms].flat(), ...kept.map(shadowOf)], ...more);
      if (this.connected) announceTo(this, history, kept, joined);
      return joined;
    },
    leave(this: Socket, room: string, ...more: unknown[]): void | Promise<void> {
      if (historyFor(this)?.optionsOf(room)) void leave.call(this, shadowOf(room));
      return leave.call(this, room, ...more);
    },
  });
}

/** @param joined a promise if the events of other servers arrive only then, as with `redis-sharded`: a position before that would hide some of them */
function announceTo(socket: Socket, history: History, rooms: readonly string[], joined: unknown): void {
  const tell = (): void => {
    for (const room of rooms) void announce(history, room, () => [socket]);
  };
  if (joined instanceof Promise) joined.then(tell, tell);
  else tell();
}

/** Tells a client that has just connected where the rooms are that it is in. A recovered one may have had another hello: its shadows follow this one. */
export function announceRooms(socket: Socket): void {
  const history = historyOf(socket.nsp);
  if (!history) return;
  const { adapter } = socketInternals(socket);
  if (!historyFor(socket)) {
    for (const room of allRoomsOf(socket)) if (roomOfShadow(room) !== undefined) void adapter.del(socket.id, room);
    return;
  }
  const kept = socket.recovered ? [...socket.rooms].filter(room => room !== socket.id && history.optionsOf(room)) : [];
  const joined = adapter.addAll(socket.id, new Set(kept.map(shadowOf))); // without new rooms, it waits for those that middleware has joined
  const rooms = [...allRoomsOf(socket)].map(roomOfShadow).filter(room => room !== undefined);
  announceTo(socket, history, rooms, joined);
}

/** Answers a client that asks for what it has missed in a room. @throws IoError for what it may not ask */
export function answerHistory(socket: Socket, [since]: readonly unknown[]): Answer | Promise<Answer> {
  const history = historyFor(socket);
  const { room } = fieldsOf(since);
  if (typeof room !== 'string' || !history || !allRoomsOf(socket).has(shadowOf(room)))
    throw new IoError('NOT_IN_ROOM', 'You are not in this room, or it has no history', { status: 403 });
  const given = readPosition(room, since);
  if (asking.has(socket) || writeBufferOf(socket.conn).length >= MAX_UNSENT) throw TOO_MANY_QUESTIONS;
  const answer = (page: Page): Answer => {
    if (!socket.rooms.has(room)) throw new IoError('NOT_IN_ROOM', 'You have left this room', { status: 403 });
    return answerOf(history, given, page);
  };
  const page = history.read(room, Math.max(given.offset, 0), PAGE);
  if (!(page instanceof Promise)) return answer(page);
  asking.add(socket);
  return page.then(answer, refuseInOutage).finally(() => asking.delete(socket));
}

function answerOf(history: History, given: ClientPosition, page: Page): Answer {
  const { room } = given;
  const { epoch } = page;
  const since = given.offset < 0 ? -1 - given.offset : given.offset; // what was not kept any more when it joined is no gap
  const { recovered, entries, offset, more } = partAfter(page, since, history.isKnown(epoch, given));
  return {
    recovered,
    position: history.positionFor(room, { epoch, offset }),
    events: entries.map(({ offset, id = null, content }) => [offset, id, ...history.decode(content)]),
    more,
  };
}

/** @throws IoError if a client has sent something else */
function readPosition(room: string, since: unknown): ClientPosition {
  const { epoch, offset, key = '' } = fieldsOf(since);
  const isValid = isShort(epoch) && isShort(key) && typeof offset === 'number' && Number.isSafeInteger(offset);
  if (!isValid) throw new IoError('INVALID_ARGUMENT', 'The position must be one that you were given');
  return { room, epoch, offset, key };
}

/** Any value has any fields. */
function fieldsOf(value: unknown): Record<string, unknown> {
  return Object(value) as Record<string, unknown>;
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 100;
}

function refuseInOutage(thrown: unknown): never {
  if (!(thrown instanceof OutageError)) throw toError(thrown);
  throw new IoError('TRY_AGAIN', 'The history cannot be read at the moment', { status: 503, cause: thrown });
}

/** Undefined if the namespace has no history, or the client does not know of it. */
function historyFor(socket: Socket): History | undefined {
  const history = historyOf(socket.nsp);
  return history && helloOf(socket)?.history ? history : undefined;
}

/** With the shadows, which `socket.rooms` does not show to the app. */
function allRoomsOf(socket: Socket): ReadonlySet<string> {
  return socketInternals(socket).adapter.socketRooms(socket.id) ?? new Set();
}

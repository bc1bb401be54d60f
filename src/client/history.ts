/** Rooms with history, at the client's end: the app's listeners get what was missed, in order and once, and the app is told of gaps. */
import { sayHello, type Socket } from './hello';
import type { Answer, Position, Refusal, Room } from './room';

export interface HistoryOptions {
  /**
   * `'ever'`: in rooms whose `since` in the config of the server is `'ever'`, also what is kept from before the client joined them.
   * Default: `'joined'`.
   */
  since?: 'joined' | 'ever';
  /** Called where events of a room have been lost that the client should have got: after those before them, and before those after them. */
  onGap?: (room: string) => void;
}

/** Time in ms to wait for events that others have overtaken, before the server is asked for them. */
const PATIENCE = 100;
/** If the server cannot answer, it is asked again after twice as long, up to this. */
const LONGEST_DELAY = 10_000;
const TIMEOUT = 10_000;
/** How many events are remembered, so as not to deliver them twice. */
const MEMORY = 5000;

/**
 * Makes a socket of the official client get what it misses in rooms with history. Its listeners hear missed events as if they came now. To be called
 * once for a socket, before it connects: right after `io()`.
 *
 * @example history(socket, { onGap: room => console.log(`something is missing in ${room}`) });
 */
export function history(socket: Socket, { since, onGap }: HistoryOptions = {}): void {
  const rooms = new Map<string, Room>();
  const delivered = new Set<string>();
  /** The rooms that the server is to be asked about. */
  const wanted = new Set<Room>();
  /** The position that the server has been asked about, until it answers: one at a time. */
  let question: Position | undefined;
  /** Until the server is asked about events that are missing, and about what it could not answer. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Longer after each question that the server could not answer. */
  let delay = PATIENCE;

  sayHello(socket, { history: true });
  socket.on('$io:event', take);
  socket.on('disconnect', startAnew); // in Node, a timer would keep the process
  socket.on('connect', startAnew); // alone when the client moves

  /** The server says again where the rooms are. */
  function startAnew(): void {
    question = undefined;
    wanted.clear();
    clearTimeout(timer);
    timer = undefined;
    delay = PATIENCE;
  }

  /** @param event none, or null first, where the server only says where the room is */
  function take(position: Position, ...event: unknown[]): void {
    const { room: name, epoch, offset, key } = position;
    const hasEvent = event.length > 0 && event[0] !== null; // with recovery, an offset comes after the null
    let room = rooms.get(name);
    if (!room || (room.at.epoch !== epoch && (epoch || hasEvent))) {
      const isNew = since === 'ever' && !key && (!room || room.at.offset < 0);
      if (room) {
        close(room);
        if (epoch) gap(name); // an outage is a gap when it ends
      }
      const before = hasEvent ? offset - 1 : offset;
      room = { at: { ...position, offset: isNew ? -1 - before : before }, held: {} };
      rooms.set(name, room);
    }
    if (hasEvent) room.held[offset] = [position, event];
    else if (epoch !== room.at.epoch || offset !== room.at.offset) {
      wanted.add(room);
      askAll();
    }
    if (advance(room) && !wanted.has(room)) timer ??= setTimeout(askAll, delay);
  }

  /** Delivers what is held, up to the next gap. Returns whether there is one. */
  function advance(room: Room): boolean {
    for (const [position, event] of Object.values(room.held)) {
      const { epoch, offset, id } = position;
      if (offset > room.at.offset + 1) return true;
      delete room.held[offset];
      if (offset > room.at.offset) room.at = position;
      deliver(event, id ?? [position.room, epoch, offset].join());
    }
    return false;
  }

  /** Delivers what is held, though nobody knows any more what is missing. */
  function close(room: Room): void {
    const { room: name } = room.at;
    rooms.delete(name);
    wanted.delete(room);
    if (advance(room)) gap(name);
    room.at.offset = Infinity;
    advance(room);
  }

  function gap(room: string): void {
    run(() => onGap?.(room));
  }

  /** Asks about what is wanted, and about rooms in which events are missing. */
  function askAll(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const room of rooms.values()) if (advance(room)) wanted.add(room);
    ask();
  }

  function ask(): void {
    const [room] = wanted;
    if (!room || question || timer || !socket.connected) return;
    const { at } = room;
    question = at;
    socket.timeout(TIMEOUT).emit('$io:history', at, (_: unknown, answer: Answer | Refusal = { error: {} }) => {
      if (question !== at) return;
      question = undefined;
      if (wanted.delete(room)) learn(room, answer); // else it has begun anew
      ask();
    });
  }

  function learn(room: Room, answer: Answer | Refusal): void {
    if (answer.error) {
      if (answer.error.code === 'NOT_IN_ROOM') close(room);
      else {
        // in an outage, or since this user has sent too many events: it passes
        wanted.add(room);
        delay = Math.min(2 * delay, LONGEST_DELAY);
        timer ??= setTimeout(askAll, delay);
      }
      return;
    }
    const { recovered, position, events, more } = answer;
    delay = PATIENCE;
    if (more) wanted.add(room);
    for (const [offset, id, ...event] of events) room.held[offset] = [{ ...position, offset, id }, event];
    if (position.epoch === room.at.epoch) {
      if (!recovered) gap(position.room);
      if (!recovered || position.offset > room.at.offset) room.at = position; // others may have come since the server looked
      take(room.at);
    } else take(position);
  }

  /** Calls the listeners of the app. @param id the same for an event that has come before, maybe by another room */
  function deliver(event: unknown[], id: string): void {
    if (delivered.has(id)) return;
    delivered.add(id);
    const [oldest] = delivered;
    if (delivered.size > MEMORY) delivered.delete(oldest as string);
    const [name, ...args] = event as [string, ...never[]]; // of the types that the app declares
    for (const listener of [...socket.listenersAny()]) run(() => listener.apply(socket, event as never[])); // as above
    for (const listener of [...socket.listeners(name)]) run(() => listener.apply(socket, args));
  }
}

/** Calls a function of the app. What it throws is an uncaught error of the page, as ever, but stops nothing here. */
function run(call: () => void): void {
  try {
    call();
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}

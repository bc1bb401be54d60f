/** Rooms with history, at the client's end: the app's listeners get what was missed, in order and once, and the app is told of gaps. */
import { sayHello, type Socket } from './hello';
import type { Answer, Event, Position, Room } from './room';

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
/** Time in ms after which the server is asked again. It doubles each time. */
const RETRY_DELAY = 1000;
const LONGEST_DELAY = 30_000;
const TIMEOUT = 10_000;
/** How many events are remembered, so as not to deliver them twice. */
const MEMORY = 1000;

/**
 * Makes a socket of the official client get what it misses in rooms with history. Its listeners hear missed events as if they came now. To be called
 * once for a socket, before it connects: right after `io()`.
 *
 * @example history(socket, { onGap: room => console.log(`something is missing in ${room}`) });
 */
export function history(socket: Socket, { since, onGap }: HistoryOptions = {}): void {
  const rooms = new Map<string, Room>();
  const ids = new Set<string>();
  /** The rooms that the server is to be asked about. */
  const wanted = new Map<string, Room>();
  /** The question that it has not answered: one at a time. */
  let question: { readonly room: Room } | undefined;

  sayHello(socket, { history: true });
  socket.on('$io:event', (position: Position, ...event: unknown[]) => take(position, event as [] | Event)); // from the server
  socket.on('disconnect', () => {
    question = undefined;
    wanted.clear();
    for (const room of rooms.values()) clearTimeout(room.timer);
  });

  function take(position: Position, event: [] | Event): void {
    const { room: name, epoch, offset } = position;
    const room = rooms.get(name);
    const send = (): void => deliver(event, position.id);
    if (epoch === undefined) {
      if (!room) rooms.set(name, newRoom(position, true));
      else if (event.length > 0) room.isBroken = true;
      send();
    } else if (!room) begin(position, send, event.length > 0);
    else if (room.isBroken || room.at.epoch !== epoch) {
      flush(room);
      begin(position, () => (gap(name), send()), event.length > 0);
    } else if (event.length === 0) {
      if (offset !== room.at.offset) ask(name, room);
    } else if (!room.seen.has(offset)) {
      if (offset <= room.at.offset) pass(room, offset, send);
      else {
        room.held.set(offset, () => (pass(room, offset, send), (room.at = position)));
        advance(name, room);
      }
    }
  }

  /** A room that is new here, or begins anew after a gap. */
  function begin(position: Position, send: () => void, hasEvent: boolean): void {
    const { room: name, offset } = position;
    const isOld = rooms.get(name)?.at.epoch !== undefined;
    const room = newRoom(position);
    clearTimeout(rooms.get(name)?.timer);
    rooms.set(name, room);
    if (!isOld && since === 'ever' && position.key === undefined && offset > 0) {
      room.at = { ...position, offset: 0 };
      room.isNew = true;
      if (hasEvent) room.held.set(offset, () => (pass(room, offset, send), (room.at = position)));
      ask(name, room);
    } else if (hasEvent) pass(room, offset, send);
    else send();
  }

  /** Delivers an event, unless that has been done. */
  function pass({ seen }: Room, offset: number, send: () => void): void {
    if (seen.has(offset)) return;
    remember(seen, offset);
    send();
  }

  /** Delivers what follows without a gap. If there is one, the server is asked after a while. */
  function advance(name: string, room: Room): void {
    clearTimeout(room.timer);
    for (const offset of room.held.keys()) if (offset <= room.at.offset) room.held.delete(offset);
    for (let next; (next = room.held.get(room.at.offset + 1));) {
      room.held.delete(room.at.offset + 1);
      next();
    }
    if (room.held.size > 0) askLater(name, room, PATIENCE);
  }

  /** Delivers what is held, up to an offset, in order: nobody knows any more what is missing between. */
  function flush({ held }: Room, end = Infinity): void {
    for (const offset of [...held.keys()].sort((one, other) => one - other)) {
      if (offset >= end) return;
      held.get(offset)?.();
      held.delete(offset);
    }
  }

  function gap(name: string): void {
    if (onGap) run(() => onGap(name));
  }

  function ask(name: string, room: Room): void {
    if (question?.room !== room) wanted.set(name, room);
    askNext();
  }

  function askNext(): void {
    const [[name, room] = []] = wanted;
    if (question || !room || name === undefined || !socket.connected) return;
    wanted.delete(name);
    if (rooms.get(name) !== room) return askNext(); // it has begun anew
    const { epoch, offset, key } = room.at;
    const asked = (question = { room });
    socket.timeout(TIMEOUT).emit('$io:history', name, { epoch, offset, key }, (failure: unknown, answer: Answer) => {
      if (question !== asked) return; // the connection has ended
      question = undefined;
      if (rooms.get(name) === room) {
        if (!failure && !answer.error) learn(name, room, answer);
        else if (!failure && answer.error?.code === 'NOT_IN_ROOM') forget(name, room);
        else {
          askLater(name, room, room.delay); // in an outage, or since this user has sent too many events: it passes
          room.delay = Math.min(2 * room.delay, LONGEST_DELAY);
        }
      }
      askNext();
    });
  }

  function askLater(name: string, room: Room, delay: number): void {
    clearTimeout(room.timer);
    room.timer = setTimeout(() => ask(name, room), delay);
  }

  /** This client has left the room. */
  function forget(name: string, room: Room): void {
    rooms.delete(name);
    clearTimeout(room.timer);
    if (room.held.size > 0) gap(name);
    flush(room);
  }

  function learn(name: string, room: Room, { recovered, events, more, epoch, offset, key }: Answer): void {
    room.delay = RETRY_DELAY;
    if (!recovered) {
      if (epoch !== room.at.epoch) {
        flush(room);
        room.seen.clear();
      }
      if (!room.isNew) gap(name);
      flush(room, events[0]?.[0] ?? offset + 1);
    }
    room.isNew = false;
    for (const [offset, id, ...event] of events) pass(room, offset, () => deliver(event, id));
    if (!recovered || offset > room.at.offset) room.at = { epoch, offset, ...(key !== undefined && { key }) };
    advance(name, room);
    if (more) ask(name, room);
  }

  /** Calls the listeners of the app. An event that has come by another room as well is delivered once. */
  function deliver([name, ...args]: [] | Event, id?: string | null): void {
    if (name === undefined || (id && ids.has(id))) return;
    if (id) remember(ids, id);
    for (const listener of [...socket.listenersAny()]) run(() => listener.apply(socket, [name, ...args] as never[])); // of the types that the app declares
    for (const listener of [...socket.listeners(name)]) run(() => listener.apply(socket, args as never[]));
  }
}

function newRoom(at: Position, isBroken = false): Room {
  return { at, seen: new Set(), held: new Map(), isBroken, isNew: false, delay: RETRY_DELAY };
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

function remember<Value>(memory: Set<Value>, value: Value): void {
  memory.add(value);
  if (memory.size > MEMORY) for (const oldest of memory) if (memory.delete(oldest)) return;
}

/** Rooms with history, at the client's end: the app's listeners get what was missed, in order and once, and the app is told of gaps. */
import { sayHello, type Socket } from './hello';
import { type Answer, type Event, type Position, remember, type Room } from './room';

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
  const wanted = new Set<Room>();
  /** The question about the first of them, until it is answered, or the client disconnects or connects: one at a time. */
  let question: object | undefined;

  sayHello(socket, { history: true });
  socket.on('$io:event', (position: Position, ...event: unknown[]) => take(position, event.length ? (event as Event) : undefined)); // from the server
  socket.on('disconnect', startAnew); // in Node, a timer would keep the process
  socket.on('connect', startAnew); // alone when the client moves

  /** The server says again where the rooms are. */
  function startAnew(): void {
    question = undefined;
    wanted.clear();
    for (const { timer } of rooms.values()) clearTimeout(timer);
  }

  function take(position: Position, event: Event | undefined): void {
    const { room: name, epoch, offset } = position;
    const known = rooms.get(name);
    if (epoch === undefined) {
      if (!known) begin(position, offset, false).isBroken = true;
      else if (event) known.isBroken = true;
      else if (!known.isBroken) askLater(known, known.delay); // the server does not know whether anything is missing
      if (event) deliver(event, position.id);
      return;
    }
    let room = known;
    if (!room || room.isBroken || room.at.epoch !== epoch) {
      const isNew = since === 'ever' && !room?.at.epoch && position.key === undefined;
      if (room) {
        clearTimeout(room.timer);
        flush(room, Infinity);
        if (!isNew) gap(room);
      }
      room = begin(position, isNew ? 0 : event ? offset - 1 : offset, isNew);
    }
    if (!event) {
      if (offset !== room.at.offset) ask(room);
    } else if (offset > room.at.offset) {
      room.held.set(offset, [position, event]);
      advance(room);
    } else pass(room, offset, event, position.id);
  }

  /** A room that is new here, or begins anew after a gap. */
  function begin(position: Position, offset: number, isNew: boolean): Room {
    const room = {
      name: position.room,
      at: { ...position, offset },
      seen: new Set<number>(),
      held: new Map(),
      isBroken: false,
      isNew,
      delay: RETRY_DELAY,
    };
    rooms.set(position.room, room);
    return room;
  }

  /** Delivers an event, unless that has been done. */
  function pass({ seen }: Room, offset: number, event: Event, id: string | null | undefined): void {
    if (seen.has(offset)) return;
    remember(seen, offset);
    deliver(event, id);
  }

  /** Delivers what follows without a gap. If there is one, the server is asked after a while. */
  function advance(room: Room): void {
    flush(room, 0);
    clearTimeout(room.timer);
    if (room.held.size) askLater(room, PATIENCE);
  }

  /** Delivers what is held, in order: to the next gap, and up to an offset even if nobody knows any more what is missing. */
  function flush(room: Room, end: number): void {
    for (const [offset, [position, event]] of [...room.held].sort(([one], [other]) => one - other)) {
      if (offset >= end && offset > room.at.offset + 1) return;
      room.held.delete(offset);
      if (offset > room.at.offset) room.at = position;
      pass(room, offset, event, position.id);
    }
  }

  function gap({ name }: Room): void {
    run(() => onGap?.(name));
  }

  function ask(room: Room): void {
    wanted.add(room);
    askNext();
  }

  function askNext(): void {
    const [room] = wanted;
    if (!room || question || !socket.connected) return;
    const { epoch, offset, key } = room.at;
    const asked = (question = {});
    socket.timeout(TIMEOUT).emit('$io:history', room.name, { epoch, offset, key }, (failure: unknown, answer: Answer) => {
      if (question !== asked) return;
      question = undefined;
      wanted.delete(room);
      const code = failure ? '' : answer.error?.code;
      if (rooms.get(room.name) !== room) {
        // it has begun anew
      } else if (code === undefined) learn(room, answer);
      else if (code === 'NOT_IN_ROOM') forget(room);
      else {
        askLater(room, room.delay); // in an outage, or since this user has sent too many events: it passes
        room.delay = Math.min(2 * room.delay, LONGEST_DELAY);
      }
      askNext();
    });
  }

  function askLater(room: Room, delay: number): void {
    clearTimeout(room.timer);
    room.timer = setTimeout(() => ask(room), delay);
  }

  /** This client has left the room. */
  function forget(room: Room): void {
    rooms.delete(room.name);
    clearTimeout(room.timer);
    if (room.held.size) gap(room);
    flush(room, Infinity);
  }

  function learn(room: Room, { recovered, events, more, epoch, offset, key }: Answer): void {
    room.delay = RETRY_DELAY;
    if (!recovered) {
      if (epoch !== room.at.epoch) {
        flush(room, Infinity);
        room.seen.clear();
      }
      if (!room.isNew) gap(room);
      flush(room, events[0]?.[0] ?? offset + 1);
    }
    room.isNew = false;
    for (const [offset, id, ...event] of events) pass(room, offset, event, id);
    if (!recovered || offset > room.at.offset) room.at = { epoch, offset, key };
    advance(room);
    if (more) ask(room);
  }

  /** Calls the listeners of the app. An event that has come by another room as well is delivered once. */
  function deliver([name, ...args]: Event, id?: string | null): void {
    if (id) {
      if (ids.has(id)) return;
      remember(ids, id);
    }
    for (const listener of [...socket.listenersAny()]) run(() => listener.apply(socket, [name, ...args] as never[])); // of the types that the app declares
    for (const listener of [...socket.listeners(name)]) run(() => listener.apply(socket, args as never[]));
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

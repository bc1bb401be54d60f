/**
 * The calls of Socket.IO 2 that its official guides taught and that are gone from Socket.IO 4. Each still works,
 * and warns once with the call to use instead. They are put on the objects that this plugin sets up; no prototype is changed.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Namespace, type Server, Socket } from 'socket.io';
import type { Adapter, Room } from 'socket.io-adapter';
import type { Logger } from './egg';
import { messageOf, SetupError } from './errors';
import { keyedMap, keyedSet } from './keyed-tables';

type Callback<Result = void> = (error: unknown, result?: Result) => void;

/** All sockets, those of a namespace, or some of them. */
interface Many {
  fetchSockets(): Promise<readonly { readonly id: string; readonly rooms: Iterable<Room> }[]>;
}

export class Deprecations {
  readonly #logger: Logger;
  readonly #warned = new Set<string>();
  /** Shared by all sockets: a connection pays for references, not for functions. */
  readonly #socketMembers: PropertyDescriptorMap;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#socketMembers = this.#membersOfSockets();
  }

  /** `io.nsps`, `io.clients(callback)` and `io.json`; `io.origins()` and `io.set()` are gone for good. */
  ofServer(io: Server): void {
    const gone = (old: string, use: string) => (): never => {
      throw new SetupError('IO_CONFIG_REMOVED', `${old} is of Socket.IO 2; use ${use}`);
    };
    Object.defineProperties(io, {
      origins: { configurable: true, value: gone('app.io.origins()', 'config.io.init.cors.origin') },
      set: { configurable: true, value: gone('app.io.set()', 'config.io.init, and config.io.init.cors.origin for origins') },
      nsps: {
        configurable: true,
        get: (): Record<string, Namespace> => {
          this.#warn('io.nsps[name]', 'io.of(name)');
          return Object.fromEntries(io._nsps);
        },
      },
      ...this.#ofMany('io', io.of('/')),
    });
  }

  /** `nsp.clients(callback)`, `nsp.connected[id]`, `nsp.sockets[id]` and `nsp.json`. */
  ofNamespace(nsp: Namespace): void {
    Object.defineProperties(nsp, {
      ...this.#ofMany('nsp', nsp),
      sockets: {
        configurable: true,
        enumerable: true,
        writable: true,
        value: keyedMap(nsp.sockets, {
          read: (_id, socket: Socket) => socket,
          onRead: this.#onRead('nsp.sockets', 'nsp.sockets.get(id)'),
        }),
      },
    });
  }

  /** `nsp.in(room).clients(callback)`, `.connected[id]` and `.json`, on the prototype of all operators of a namespace. */
  ofOperators(operators: object, nsp: Namespace): void {
    Object.defineProperties(operators, this.#ofMany('nsp.in(room)', nsp));
  }

  /**
   * `adapter.clients(rooms, callback)`, `clientRooms`, `allRooms`, `remoteJoin`, `remoteLeave`, `remoteDisconnect`, `rooms[room]` and `sids[id]`;
   * `customRequest` and `customHook` are gone for good.
   */
  ofAdapter(adapter: Adapter): void {
    const nsp = adapter.nsp as Namespace; // declared as any
    const allRooms: unknown = Reflect.get(adapter, 'allRooms'); // of Redis; it takes no callback any more
    const gone = (old: string) => (): never => {
      throw new SetupError(
        'IO_CONFIG_REMOVED',
        `adapter.${old} is of Socket.IO 2; use nsp.serverSideEmitWithAck(event, ...) and nsp.on(event, ...)`,
      );
    };
    Object.assign(adapter, {
      clients: (rooms: unknown, callback?: Callback<string[]>): void => {
        this.#warn('adapter.clients(rooms, callback)', 'await nsp.in(rooms).fetchSockets()');
        const [wanted, answered] = typeof rooms === 'function' ? [undefined, rooms as Callback<string[]>] : [rooms, callback];
        this.#answer(answered, () => idsOf(nsp.in(roomsOf(wanted))));
      },
      clientRooms: (id: string, callback?: Callback<string[] | null>): void => {
        this.#warn('adapter.clientRooms(id, callback)', '(await nsp.in(id).fetchSockets())[0]?.rooms');
        this.#answer(callback, async () => {
          const [socket] = await nsp.in(id).fetchSockets();
          return socket ? [...socket.rooms] : null;
        });
      },
      allRooms: (callback?: Callback<string[]>): unknown => {
        if (!callback && typeof allRooms === 'function') return Reflect.apply(allRooms, adapter, []) as unknown;
        this.#warn('adapter.allRooms(callback)', 'the rooms of await nsp.fetchSockets()');
        this.#answer(callback, async () => [...new Set((await nsp.fetchSockets()).flatMap(({ rooms }) => [...rooms]))]);
        return undefined;
      },
      remoteJoin: (id: string, room: string, callback?: Callback): void => {
        this.#warn('adapter.remoteJoin(id, room, callback)', 'nsp.in(id).socketsJoin(room)');
        this.#answer(callback, () => nsp.in(id).socketsJoin(room));
      },
      remoteLeave: (id: string, room: string, callback?: Callback): void => {
        this.#warn('adapter.remoteLeave(id, room, callback)', 'nsp.in(id).socketsLeave(room)');
        this.#answer(callback, () => nsp.in(id).socketsLeave(room));
      },
      remoteDisconnect: (id: string, close: boolean, callback?: Callback): void => {
        this.#warn('adapter.remoteDisconnect(id, close, callback)', 'nsp.in(id).disconnectSockets(close)');
        this.#answer(callback, () => nsp.in(id).disconnectSockets(close));
      },
      rooms: keyedMap(adapter.rooms, {
        read: (_room, ids: Set<string>) => ({
          length: ids.size,
          get sockets() {
            return asKeys(ids); // there may be many, and most ask for their number
          },
        }),
        onRead: this.#onRead('adapter.rooms', 'adapter.rooms.get(room)?.size'),
      }),
      sids: keyedMap(adapter.sids, {
        read: (_id, rooms: Set<Room>) => asKeys(rooms),
        onRead: this.#onRead('adapter.sids', 'adapter.sids.get(id)'),
      }),
    });
    Object.defineProperties(adapter, {
      customRequest: { configurable: true, value: gone('customRequest()') },
      customHook: { configurable: true, set: gone('customHook') },
    });
  }

  /** The callback of `socket.join(room, callback)` and `socket.leave(room, callback)`; `socket.rooms[room]`, `socket.json` and `socket.error()`. */
  ofSocket(socket: Socket): void {
    Object.defineProperties(socket, this.#socketMembers);
  }

  /** What is alike of a server, a namespace and a part of it. */
  #ofMany(old: string, nsp: Namespace): PropertyDescriptorMap & ThisType<Many> {
    const warn = (member: string, use: string): void => this.#warn(`${old}.${member}`, use);
    const answer = this.#answer.bind(this);
    return {
      clients: {
        configurable: true,
        value(callback: Callback<string[]>): unknown {
          warn('clients(callback)', `await ${old}.fetchSockets()`);
          answer(callback, () => idsOf(this));
          return this;
        },
      },
      connected: {
        configurable: true,
        get(): Record<string, Socket> {
          warn('connected[id]', 'nsp.sockets.get(id)');
          return Object.fromEntries(nsp.sockets);
        },
      },
      json: {
        configurable: true,
        get(): unknown {
          warn('json', `${old} alone: everything is JSON unless it is binary`);
          return this;
        },
      },
    };
  }

  #membersOfSockets(): PropertyDescriptorMap & ThisType<Socket> {
    const warn = this.#warn.bind(this);
    const answer = this.#answer.bind(this);
    const warnOfRoom = (): void => this.#warnOfRoom();
    const views = new WeakMap<Set<Room>, Set<Room>>();
    const onRead = this.#onRead('socket.rooms', 'socket.rooms.has(room)');
    const withCallback = (name: 'join' | 'leave'): PropertyDescriptor & ThisType<Socket> => ({
      configurable: true,
      writable: true,
      value(room: unknown, callback?: Callback): unknown {
        if (typeof room !== 'string' && name === 'join' && !isNames(room)) warnOfRoom();
        const done = Socket.prototype[name].call(this, room as Room); // of whatever type, it is a key
        if (callback) {
          warn(`socket.${name}(room, callback)`, `await socket.${name}(room)`);
          answer(callback, () => done);
        }
        return done ?? this; // Socket.IO 2 returned the socket: for `join(room).emit(event)`
      },
    });
    return {
      join: withCallback('join'),
      leave: withCallback('leave'),
      rooms: {
        configurable: true,
        get(): Set<Room> {
          const adapter = Reflect.get(this, 'adapter') as Adapter; // private
          const rooms = adapter.socketRooms(this.id) ?? new Set();
          let view = views.get(rooms);
          if (!view) views.set(rooms, (view = keyedSet(rooms, { read: room => room, onRead })));
          return view;
        },
      },
      json: {
        configurable: true,
        get(): Socket {
          warn('socket.json', 'socket alone: everything is JSON unless it is binary');
          return this;
        },
      },
      error: {
        configurable: true,
        value(error: unknown): void {
          warn('socket.error(error)', "socket.emit('error', error)");
          this.emit('error', error);
        },
      },
    };
  }

  /** @param table as `nsp.sockets` */
  #onRead(table: string, use: string): (how: 'key' | 'keys') => void {
    return how => (how === 'key' ? this.#warn(`${table}[key]`, use) : this.#warn(`Object.keys(${table})`, `[...${table}.keys()]`));
  }

  #warnOfRoom(): void {
    if (this.#warned.has('rooms')) return;
    this.#warned.add('rooms');
    const problem =
      'a socket joins a room whose name is not a string; that is another room than the one of the same name as a string, which was not so in Socket.IO 2: use strings everywhere, as socket.join(String(id))';
    this.#logger.warn(messageOf('IO_ROOM_NOT_STRING', problem));
  }

  /** A plugin has put itself in the place of the method by which a socket gets the events of its client. */
  warnOfOnevent(): void {
    if (this.#warned.has('onevent')) return;
    this.#warned.add('onevent');
    const problem =
      'something has replaced socket.onevent, as socketio-wildcard and its like do: routes and packet middleware may not be reached any more; remove it, and use socket.onAny(listener) or packet middleware';
    this.#logger.warn(messageOf('IO_ONEVENT_REPLACED', problem));
  }

  /** A member of `app.io` that egg-socket.io 4.1.6 named differently is read. */
  warnOfName(old: string, use: string): void {
    this.#warn(old, use, 'egg-socket.io 4');
  }

  #warn(old: string, use: string, of = 'Socket.IO 2'): void {
    if (this.#warned.has(old)) return;
    this.#warned.add(old);
    this.#logger.warn(messageOf('IO_DEPRECATED', `${old} is of ${of}; use ${use}`));
  }

  #answer<Result>(callback: Callback<Result> | undefined, work: () => Promise<Result> | Result): void {
    // an async function, so that a throw of the callback is told apart from that of the work, and neither is lost
    const answer = async (): Promise<void> => {
      let result: Result;
      try {
        result = await work();
      } catch (error) {
        if (!callback) throw error;
        callback(error);
        return;
      }
      callback?.(null, result);
    };
    answer().catch((error: unknown) => this.#logger.error('[egg-socket.io] the callback of a deprecated call failed:', error));
  }
}

/** What to say of an error that an old idiom is the reason of. Node's message has the idiom. */
export function adviceFor({ name, message }: Error): string | undefined {
  const isChain = name === 'TypeError' && /\b(emit|send|write|join|leave)\(\.\.\.\)\.\w+ is not a function/.test(message);
  return isChain
    ? 'since Socket.IO 3 emit(), send(), join() and leave() of a socket return no socket; write a statement for each'
    : undefined;
}

/** As then, not before the next turn: a socket that joins a room in connection middleware and asks who is there has connected by then. */
async function idsOf(many: Many): Promise<string[]> {
  await nextTurn();
  return (await many.fetchSockets()).map(({ id }) => id);
}

/** What `adapter.clients()` took for rooms: an array that is empty meant all sockets, and so did all that has no length. */
function roomsOf(rooms: unknown): Room[] {
  if (Array.isArray(rooms)) return rooms as Room[];
  return typeof rooms === 'string' && rooms !== '' ? [rooms] : [];
}

function isNames(room: unknown): boolean {
  return Array.isArray(room) && room.every(name => typeof name === 'string');
}

/** The form that sets of names had in Socket.IO 2. */
function asKeys(names: ReadonlySet<string>): Record<string, true> {
  return Object.fromEntries([...names].map(name => [name, true]));
}

/**
 * The calls of Socket.IO 2 that its official guides taught and that are gone from Socket.IO 4. Each still works,
 * and warns once with the call to use instead. They are put on the objects that this plugin sets up; no prototype is changed.
 */
import { type Namespace, type Server, Socket } from 'socket.io';
import type { Adapter, Room } from 'socket.io-adapter';
import type { Logger } from '../egg';
import { keepOldCalls } from './adapter';
import { type Callback, DeprecationLog } from './deprecation-log';
import { SetupError } from '../errors';
import { idsOf, type Many } from './old-ids';
import { keyedMap, keyedSet } from './keyed-tables';
import { socketInternals } from '../internals/socket-io';

export class Deprecations {
  readonly #log: DeprecationLog;
  /** Shared by all sockets: a connection pays for references, not for functions. */
  readonly #socketMembers: PropertyDescriptorMap;

  constructor(logger: Logger) {
    this.#log = new DeprecationLog(logger);
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
          this.#log.warn('io.nsps[name]', 'io.of(name)');
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
          onRead: this.#log.onRead('nsp.sockets', 'nsp.sockets.get(id)'),
        }),
      },
    });
  }

  /** `nsp.in(room).clients(callback)`, `.connected[id]` and `.json`, on the prototype of all operators of a namespace. */
  ofOperators(operators: object, nsp: Namespace): void {
    Object.defineProperties(operators, this.#ofMany('nsp.in(room)', nsp));
  }

  /** The calls and tables of an adapter. */
  ofAdapter(adapter: Adapter): void {
    keepOldCalls(adapter, this.#log);
  }

  /** A member of `app.io` that egg-socket.io 4.1.6 named differently is read. */
  warnOfName(old: string, use: string): void {
    this.#log.warn(old, use, 'egg-socket.io 4');
  }

  /** A plugin has put itself in the place of the method by which a socket gets the events of its client. */
  warnOfOnevent(): void {
    this.#log.warnOfOnevent();
  }

  /** The callback of `socket.join(room, callback)` and `socket.leave(room, callback)`; `socket.rooms[room]`, `socket.json` and `socket.error()`. */
  ofSocket(socket: Socket): void {
    Object.defineProperties(socket, this.#socketMembers);
  }

  /** What is alike of a server, a namespace and a part of it. */
  #ofMany(old: string, nsp: Namespace): PropertyDescriptorMap & ThisType<Many> {
    const warn = (member: string, use: string): void => this.#log.warn(`${old}.${member}`, use);
    const answer = this.#log.answer.bind(this.#log);
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
    const warn = this.#log.warn.bind(this.#log);
    const answer = this.#log.answer.bind(this.#log);
    const warnOfRoom = (): void => this.#log.warnOfRoom();
    const views = new WeakMap<Set<Room>, Set<Room>>();
    const onRead = this.#log.onRead('socket.rooms', 'socket.rooms.has(room)');
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
          const adapter = socketInternals(this).adapter;
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
}

/** What to say of an error that an old idiom is the reason of. Node's message has the idiom. */
export function adviceFor({ name, message }: Error): string | undefined {
  const isChain = name === 'TypeError' && /\b(emit|send|write|join|leave)\(\.\.\.\)\.\w+ is not a function/.test(message);
  return isChain
    ? 'since Socket.IO 3 emit(), send(), join() and leave() of a socket return no socket; write a statement for each'
    : undefined;
}

function isNames(room: unknown): boolean {
  return Array.isArray(room) && room.every(name => typeof name === 'string');
}

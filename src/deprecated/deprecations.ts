/**
 * Calls that the guides of Socket.IO 2 documented and that Socket.IO 4 lacks. Each still works, and logs its replacement once.
 * They are defined on the objects that this plugin sets up; no prototype of Socket.IO is changed.
 */
import { type Namespace, type Server, Socket } from 'socket.io';
import type { Adapter, Room } from 'socket.io-adapter';
import type { Logger } from '../egg';
import { oldTables, type OldTables, withOldCalls } from './adapter';
import { type Callback, DeprecationLog } from './deprecation-log';
import { SetupError } from '../errors';
import { idsOf, type Many } from './old-ids';
import { ownRoomsOf } from '../rooms';
import { keyedMaps, keyedSet } from './keyed-tables';
import { sharedPrototypeOf } from '../internals/namespace-class';
import { operatorInternals, socketInternals } from '../internals/socket-io';

export class Deprecations {
  readonly #log: DeprecationLog;
  readonly #tables: OldTables;
  /** The prototypes of adapters with old calls, by those without. */
  readonly #adapters = new WeakMap<object, object>();
  readonly #sockets: (table: Map<string, Socket>) => Map<string, Socket>;

  constructor(logger: Logger) {
    this.#log = new DeprecationLog(logger);
    this.#tables = oldTables(this.#log);
    this.#sockets = keyedMaps({ read: (_id, socket) => socket, onRead: this.#log.onRead('nsp.sockets', 'nsp.sockets.get(id)') });
  }

  /** Adds `io.nsps`, `io.clients(callback)` and `io.json`. `io.origins()` and `io.set()` throw. */
  addToServer(io: Server): void {
    const gone = (old: string, use: string) => (): never => {
      throw new SetupError('IO_CONFIG_REMOVED', `${old} was removed in Socket.IO 3; use ${use}`);
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
      ...this.#membersOfMany('io', () => io.of('/')),
    });
  }

  /** Adds `nsp.clients(callback)`, `nsp.connected[id]`, `nsp.sockets[id]` and `nsp.json`. */
  addToNamespace(nsp: Namespace): void {
    Object.assign(nsp, { sockets: this.#sockets(nsp.sockets) });
    this.#addToMany(sharedPrototypeOf(nsp), 'nsp', own => own as Namespace);
  }

  /** Adds `nsp.in(room).clients(callback)`, `.connected[id]` and `.json` to the prototype of operators. */
  addToOperators(operators: object): void {
    this.#addToMany(operators, 'nsp.in(room)', own => operatorInternals(own).adapter.nsp as Namespace); // declared as any
  }

  /** Adds the calls and tables of an adapter, `rooms[room]` and `sids[id]`. To be called when it has its other methods: see `sharedPrototypeOf`. */
  addToAdapter(adapter: Adapter): void {
    Object.assign(adapter, { rooms: this.#tables.rooms(adapter.rooms), sids: this.#tables.sids(adapter.sids) });
    const original = Object.getPrototypeOf(adapter) as object;
    let prototype = this.#adapters.get(original);
    if (!prototype) {
      prototype = withOldCalls(original, this.#log);
      this.#adapters.set(original, prototype).set(prototype, prototype); // an app may give an adapter again
    }
    Object.setPrototypeOf(adapter, prototype);
  }

  /** Warns of a member of `app.io` that had another name in egg-socket.io 4.1.6. */
  warnOfName(old: string, use: string): void {
    this.#log.warn(old, use);
  }

  /** Warns that a package has replaced `socket.onevent`. */
  warnOfOnevent(): void {
    this.#log.warnOfOnevent();
  }

  /** Adds callbacks to `socket.join()` and `socket.leave()`, and `socket.rooms[room]`, `socket.json` and `socket.error()`, to the prototype of sockets. */
  addToSockets(prototype: Socket): void {
    Object.defineProperties(prototype, this.#membersOfSockets());
  }

  #addToMany(prototype: object, old: string, namespaceOf: (many: Many) => Namespace): void {
    if (!Object.hasOwn(prototype, 'connected')) Object.defineProperties(prototype, this.#membersOfMany(old, namespaceOf)); // else another namespace of the server has done so
  }

  /** The members that a server, a namespace and an operator share. */
  #membersOfMany(old: string, namespaceOf: (many: Many) => Namespace): PropertyDescriptorMap & ThisType<Many> {
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
          return Object.fromEntries(namespaceOf(this).sockets);
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
        const done = Socket.prototype[name].call(this, room as Room); // any type works as a key
        if (callback) {
          warn(`socket.${name}(room, callback)`, `await socket.${name}(room)`);
          answer(callback, () => done);
        }
        return done ?? this; // Socket.IO 2 returned the socket, as for `join(room).emit(event)`
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
          const shown = ownRoomsOf(rooms);
          let view = views.get(shown);
          if (!view) views.set(shown, (view = keyedSet(shown, { read: room => room, onRead })));
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

/** Advice for an error that is caused by chained calls of Socket.IO 2. Node's message contains the call. */
export function adviceFor({ name, message }: Error): string | undefined {
  const isChain = name === 'TypeError' && /\b(emit|send|write|join|leave)\(\.\.\.\)\.\w+ is not a function/.test(message);
  return isChain ? 'since Socket.IO 3, emit(), send(), join() and leave() do not return the socket; write a statement for each' : undefined;
}

function isNames(room: unknown): boolean {
  return Array.isArray(room) && room.every(name => typeof name === 'string');
}

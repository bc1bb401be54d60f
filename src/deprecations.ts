/**
 * The calls of Socket.IO 2 that its official guides taught and that are gone from Socket.IO 4. Each still works,
 * and warns once with the call to use instead. They are put on the objects that this plugin sets up; no prototype is changed.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Namespace, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type { Logger } from './egg';

type Callback<Result = void> = (error: unknown, result?: Result) => void;

export class Deprecations {
  readonly #logger: Logger;
  readonly #warned = new Set<string>();
  readonly #socketMethods: object;

  constructor(logger: Logger) {
    this.#logger = logger;
    // shared by all sockets: a connection pays for two references, not for two functions
    this.#socketMethods = {
      join: this.#withCallback('join'),
      leave: this.#withCallback('leave'),
    };
  }

  /** `nsp.clients(callback)` and `nsp.connected[id]`. */
  ofNamespace(nsp: Namespace): void {
    Object.defineProperties(nsp, {
      clients: {
        configurable: true,
        value: (callback: Callback<string[]>): Namespace => {
          this.#warn('nsp.clients(callback)', 'await nsp.fetchSockets()');
          this.#answer(callback, () => idsOf(() => nsp.fetchSockets()));
          return nsp;
        },
      },
      connected: {
        configurable: true,
        get: (): Record<string, Socket> => {
          this.#warn('nsp.connected[id]', 'nsp.sockets.get(id)');
          return Object.fromEntries(nsp.sockets);
        },
      },
    });
  }

  /** `adapter.clients(rooms, callback)`, and `remoteJoin`, `remoteLeave` and `remoteDisconnect(id, ..., callback)`. */
  ofAdapter(adapter: Adapter): void {
    const nsp = adapter.nsp as Namespace; // declared as any
    Object.assign(adapter, {
      clients: (rooms: string[] | Callback<string[]>, callback?: Callback<string[]>): void => {
        this.#warn('adapter.clients(rooms, callback)', 'await nsp.in(rooms).fetchSockets()');
        const [wanted, answered] = typeof rooms === 'function' ? [[], rooms] : [rooms, callback];
        this.#answer(answered, () => idsOf(() => nsp.in(wanted).fetchSockets()));
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
    });
  }

  /** The callback of `socket.join(room, callback)` and `socket.leave(room, callback)`. */
  ofSocket(socket: Socket): void {
    Object.assign(socket, this.#socketMethods);
  }

  #withCallback(name: 'join' | 'leave'): unknown {
    const warn = (): void => this.#warn(`socket.${name}(room, callback)`, `await socket.${name}(room)`);
    const answer = (callback: Callback, done: Promise<void> | void): void => this.#answer(callback, () => done);
    return function (this: Socket, room: string, callback?: Callback): Promise<void> | void {
      const done = Socket.prototype[name].call(this, room);
      if (callback) {
        warn();
        answer(callback, done);
      }
      return done;
    };
  }

  #warn(old: string, use: string): void {
    if (this.#warned.has(old)) return;
    this.#warned.add(old);
    this.#logger.warn(`[egg-socket.io] IO_DEPRECATED: ${old} is of Socket.IO 2; use ${use} (docs/errors.md#io_deprecated)`);
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

/** As then, not before the next turn: a socket that joins a room in connection middleware and asks who is there has connected by then. */
async function idsOf(fetchSockets: () => Promise<{ readonly id: string }[]>): Promise<string[]> {
  await nextTurn();
  return (await fetchSockets()).map(({ id }) => id);
}

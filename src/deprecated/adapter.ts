/** Methods and tables that adapters had in Socket.IO 2. */
import type { Namespace } from 'socket.io';
import type { Room } from 'socket.io-adapter';
import type { Callback, DeprecationLog } from './deprecation-log';
import { SetupError } from '../errors';
import { idsOf } from './old-ids';
import { keyedMaps } from './keyed-tables';

/** What makes the tables of adapters readable by key. */
export type OldTables = ReturnType<typeof oldTables>;

export function oldTables(log: DeprecationLog): Record<'rooms' | 'sids', (table: Map<string, Set<string>>) => Map<string, Set<string>>> {
  return {
    rooms: keyedMaps({
      read: (_room, ids) => ({
        length: ids.size,
        get sockets() {
          return asKeys(ids); // on demand: there may be many, and most code reads only `length`
        },
      }),
      onRead: log.onRead('adapter.rooms', 'adapter.rooms.get(room)?.size'),
    }),
    sids: keyedMaps({
      read: (_id, rooms) => asKeys(rooms),
      onRead: log.onRead('adapter.sids', 'adapter.sids.get(id)'),
    }),
  };
}

/**
 * `adapter.clients(rooms, callback)`, `clientRooms`, `allRooms`, `remoteJoin`, `remoteLeave` and `remoteDisconnect`; `customRequest` and `customHook`
 * throw.
 * @param original the prototype of the adapters
 * @returns a prototype derived from it, which all namespaces share
 */
export function withOldCalls(original: object, log: DeprecationLog): object {
  const allRooms: unknown = Reflect.get(original, 'allRooms'); // the Redis adapter's, which takes no callback any more
  const gone = (old: string) => (): never => {
    throw new SetupError(
      'IO_CONFIG_REMOVED',
      `adapter.${old} was removed in Socket.IO 3; use nsp.serverSideEmitWithAck(event, ...) and nsp.on(event, ...)`,
    );
  };
  const calls: Record<string, (...args: never[]) => unknown> & ThisType<{ readonly nsp: Namespace }> = {
    clients(rooms: unknown, callback?: Callback<string[]>): void {
      log.warn('adapter.clients(rooms, callback)', 'await nsp.in(rooms).fetchSockets()');
      const [wanted, answered] = typeof rooms === 'function' ? [undefined, rooms as Callback<string[]>] : [rooms, callback];
      log.answer(answered, () => idsOf(this.nsp.in(roomsOf(wanted))));
    },
    clientRooms(id: string, callback?: Callback<string[] | null>): void {
      log.warn('adapter.clientRooms(id, callback)', '(await nsp.in(id).fetchSockets())[0]?.rooms');
      log.answer(callback, async () => {
        const [socket] = await this.nsp.in(id).fetchSockets();
        return socket ? [...socket.rooms] : null;
      });
    },
    allRooms(callback?: Callback<string[]>): unknown {
      if (!callback && typeof allRooms === 'function') return Reflect.apply(allRooms, this, []) as unknown;
      log.warn('adapter.allRooms(callback)', 'the rooms of await nsp.fetchSockets()');
      log.answer(callback, async () => [...new Set((await this.nsp.fetchSockets()).flatMap(({ rooms }) => [...rooms]))]);
      return undefined;
    },
    remoteJoin(id: string, room: string, callback?: Callback): void {
      log.warn('adapter.remoteJoin(id, room, callback)', 'nsp.in(id).socketsJoin(room)');
      log.answer(callback, () => this.nsp.in(id).socketsJoin(room));
    },
    remoteLeave(id: string, room: string, callback?: Callback): void {
      log.warn('adapter.remoteLeave(id, room, callback)', 'nsp.in(id).socketsLeave(room)');
      log.answer(callback, () => this.nsp.in(id).socketsLeave(room));
    },
    remoteDisconnect(id: string, close: boolean, callback?: Callback): void {
      log.warn('adapter.remoteDisconnect(id, close, callback)', 'nsp.in(id).disconnectSockets(close)');
      log.answer(callback, () => this.nsp.in(id).disconnectSockets(close));
    },
  };
  return Object.defineProperties(Object.assign(Object.create(original) as object, calls), {
    customRequest: { configurable: true, value: gone('customRequest()') },
    customHook: { configurable: true, set: gone('customHook') },
  });
}

/** Interprets the rooms of `adapter.clients()` like Socket.IO 2: an empty array, and any value without a length, means all sockets. */
function roomsOf(rooms: unknown): Room[] {
  if (Array.isArray(rooms)) return rooms as Room[];
  return typeof rooms === 'string' && rooms !== '' ? [rooms] : [];
}

/** A set of names in the form of Socket.IO 2. */
function asKeys(names: ReadonlySet<string>): Record<string, true> {
  return Object.fromEntries([...names].map(name => [name, true]));
}

/** Keeps the app from adding sockets to reserved rooms, and from removing them: it may have the name of the room from a client. */
import type { Adapter, BroadcastOptions, Room } from 'socket.io-adapter';
import { refuseReserved } from '../../rooms';

/** Makes `socketsJoin()` and `socketsLeave()` throw for reserved rooms. What other servers send does not come by here. */
export function refuseReservedRooms(adapter: Adapter): void {
  const { addSockets, delSockets } = adapter;
  Object.assign(adapter, {
    addSockets(opts: BroadcastOptions, rooms: Room[]): unknown {
      refuseReserved(rooms);
      return addSockets.call(adapter, opts, rooms) as unknown; // a promise, with some adapters
    },
    delSockets(opts: BroadcastOptions, rooms: Room[]): unknown {
      refuseReserved(rooms);
      return delSockets.call(adapter, opts, rooms) as unknown; // as above
    },
  });
}

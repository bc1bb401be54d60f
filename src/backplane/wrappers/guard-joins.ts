/** `socketsJoin()` and `socketsLeave()`: what the app may not join and leave, which may have the name of a room from a client. */
import type { Adapter, BroadcastOptions, Room } from 'socket.io-adapter';
import { joins } from '../../limits/rooms';
import { refuseReserved } from '../../rooms';
import { recoveryInternals } from '../../internals/adapters';
import type { Deliver } from '../recovery/returning-clients';

/**
 * Makes both throw for reserved rooms; what other servers send does not come by here. Sockets that reach their limit of rooms are left out: an error
 * would keep the others out, and one that another server causes would end the process.
 */
export function guardJoins(adapter: Adapter): void {
  const { addSockets, delSockets } = adapter;
  const apply = recoveryInternals(adapter).apply.bind(adapter);
  Object.assign(adapter, {
    addSockets(opts: BroadcastOptions, rooms: Room[]): unknown {
      refuseReserved(rooms);
      return addSockets.call(adapter, opts, rooms) as unknown; // a promise, with some adapters
    },
    delSockets(opts: BroadcastOptions, rooms: Room[]): unknown {
      refuseReserved(rooms);
      return delSockets.call(adapter, opts, rooms) as unknown; // as above
    },
    /** Calls all sockets that are meant, also for other servers. */
    apply(opts: BroadcastOptions, deliver: Deliver): void {
      const before = joins.of;
      try {
        apply(opts, socket => {
          joins.of = socket; // only this one: listeners of the app may be called here, and make others join
          deliver(socket);
        });
      } finally {
        joins.of = before;
      }
    },
  });
}

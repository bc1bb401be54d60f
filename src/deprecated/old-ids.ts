/** What `clients(callback)` of Socket.IO 2 brought. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Room } from 'socket.io-adapter';

/** All sockets, those of a namespace, or some of them. */
export interface Many {
  fetchSockets(): Promise<readonly { readonly id: string; readonly rooms: Iterable<Room> }[]>;
}

/** As then, not before the next turn: a socket that joins a room in connection middleware and asks who is there has connected by then. */
export async function idsOf(many: Many): Promise<string[]> {
  await nextTurn();
  return (await many.fetchSockets()).map(({ id }) => id);
}

/** The result of `clients(callback)` in Socket.IO 2. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Room } from 'socket.io-adapter';

/** A server, a namespace or an operator. */
export interface Many {
  fetchSockets(): Promise<readonly { readonly id: string; readonly rooms: Iterable<Room> }[]>;
}

/** Resolves in the next turn of the event loop, like Socket.IO 2: by then, a socket that calls `clients()` in connection middleware has connected. */
export async function idsOf(many: Many): Promise<string[]> {
  await nextTurn();
  return (await many.fetchSockets()).map(({ id }) => id);
}

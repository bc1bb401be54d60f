/** `join()` and `leave()` of sockets: what the app may not join, which may have the name of a room from a client. */
import type { Socket } from 'socket.io';
import { forgetCount, joins, refusalOfJoin } from '../limits/rooms';
import { refuseReserved } from '../rooms';
import type { Connection } from './connection';
import { addShadows } from './history';
import { socketInternals } from '../internals/socket-io';

type Method = (this: Socket, ...args: unknown[]) => void | Promise<void>; // with the callback of Socket.IO 2

const NONE: ReadonlySet<string> = new Set();

/** Makes the methods throw for reserved rooms, and `join()` for what is too much. @param prototype that of sockets of connections, with all other members */
export function guardRooms(prototype: Socket, connectionOf: (socket: Socket) => Connection): void {
  addShadows(prototype); // before the reserved names are refused, since it joins such rooms
  const { join, leave } = prototype as Record<'join' | 'leave', Method>; // as above
  Object.assign(prototype, {
    join(this: Socket, ...args: unknown[]): void | Promise<void> {
      refuseReserved(args[0]);
      if (mayJoin(this, connectionOf(this), args[0])) return join.apply(this, args);
    },
    leave(this: Socket, ...args: unknown[]): void | Promise<void> {
      refuseReserved(args[0]);
      forgetCount(roomsOf(this));
      return leave.apply(this, args);
    },
  });
}

/** @throws IoError if the app has called `join()`; a socket that is to join with others is left out */
function mayJoin(socket: Socket, { namespace }: Connection, rooms: unknown): boolean {
  const { limits, runtime } = namespace;
  if (!limits.rooms) return true;
  const refusal = refusalOfJoin(rooms, limits.rooms, roomsOf(socket), socket.id);
  if (!refusal) return true;
  const isOfMany = joins.of === socket;
  runtime.limits.report('rooms', isOfMany ? 'it is left out of socketsJoin()' : 'join() throws', socket, namespace);
  if (isOfMany) return false;
  throw refusal;
}

/** With the reserved ones. */
function roomsOf(socket: Socket): ReadonlySet<string> {
  return socketInternals(socket).adapter.socketRooms(socket.id) ?? NONE;
}

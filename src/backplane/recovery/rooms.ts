/** The rooms of sockets that are connecting, or that have gone. */
import { type Namespace, Socket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { Gone } from './gone-clients';
import { namespaceInternals, socketInternals } from '../../internals/socket-io';
import { isRoomOfOwner, isRoomOfUser } from '../../rooms';

/**
 * Lets a socket leave its rooms and its namespace. One that was coming back leaves no rooms, since those of its id may be a socket's that is
 * connected or has come later.
 */
export function leaveRooms(socket: Socket, nsp: Namespace, isComingBack: boolean): void {
  const { _preConnectSockets: preConnectSockets } = namespaceInternals(nsp);
  if (!isComingBack) Socket.prototype._cleanup.call(socket);
  else if (preConnectSockets.get(socket.id) === socket) {
    if (nsp.sockets.has(socket.id)) preConnectSockets.delete(socket.id);
    else nsp._remove(socket); // which removes an empty child as well
  }
  Object.assign(socket, { join: () => {}, leave: () => {} });
}

/** The session of a connected socket, as Socket.IO would pass it at its disconnection. */
export function goneOf(socket: Socket, pid: string): Gone {
  return { sid: socket.id, pid, rooms: roomsOf(socket.nsp.adapter, { sid: socket.id, rooms: [] }), data: { ...(socket.data as object) } }; // any, and an object by default
}

/** All rooms of a socket. Those in a session are of `socket.rooms`, which does not show that of its user. */
export function roomsOf(adapter: Adapter, { sid, rooms }: Pick<Gone, 'sid' | 'rooms'>): string[] {
  return [...(adapter.socketRooms(sid) ?? rooms)];
}

/** Whose socket it is: the rooms of its user and of its owner. Undefined if it is nobody's. */
export function holderOf(socket: Socket): string | undefined {
  const rooms = [...(socketInternals(socket).adapter.socketRooms(socket.id) ?? [])];
  return (
    rooms
      .filter(room => isRoomOfUser(room) || isRoomOfOwner(room))
      .sort()
      .join(' ') || undefined
  );
}

/** Ends the socket of a client that has come back as a new one, unless it is somebody else's. */
export function endGhost(ghost: Socket | undefined, holder: string | undefined): void {
  if (ghost && holderOf(ghost) === holder) endNow(ghost);
}

/** Ends a socket at once, without waiting for its transport. */
export function endNow(socket: Socket): void {
  socketInternals(socket)._onclose('forced close');
  socket.conn.close(true);
}

/** The members of `withRoomsOfItsOwn` that concern its own rooms. */
const OWN: ReadonlySet<unknown> = new Set(['rooms', 'sids', 'addAll', 'del', 'delAll', 'socketRooms']);

/** An adapter for a socket that is not connected yet: it has rooms of its own, and the rest of the other one. */
export function withRoomsOfItsOwn(adapter: Adapter): Adapter {
  const own = Object.assign(Object.create(Adapter.prototype) as Adapter, { rooms: new Map(), sids: new Map(), emit: () => false });
  return new Proxy(adapter, {
    get(target, member) {
      const from = OWN.has(member) ? own : target; // its methods may have private fields
      const value: unknown = Reflect.get(from, member);
      return typeof value === 'function' ? (value.bind(from) as unknown) : value; // typed as any
    },
  });
}

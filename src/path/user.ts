/** The user of a connection: `socket.user`, which the app sets in connection middleware. */
import type { Socket } from 'socket.io';
import { isRoomOfUser, refuseReserved, roomOfUser, userError, userIdOf } from '../rooms';
import type { SocketUser } from '../socket-user';
import { toError } from '../thrown';
import { socketInternals } from '../internals/socket-io';

/** The part of a connection that is used here. */
interface Owner {
  readonly socket: Socket;
  /** Whether middleware has admitted the client, and it has not gone. */
  readonly isAdmitted: boolean;
  readonly isConnecting: boolean;
  /** Also a value that cannot be a user: apps had a property of this name before. */
  user: SocketUser | undefined;
  log(level: 'warn' | 'error', what: string, error: Error): void;
}

/** The users who have a room. */
const reachable = new WeakSet<SocketUser>();

/**
 * Gives sockets the member `user`. Their `join()` and `leave()` then throw for the rooms of users and the like: an app may have the name of a room
 * from a client.
 * @param prototype that of sockets of connections, with all other members
 */
export function addUser(prototype: Socket, connectionOf: (socket: Socket) => Owner): void {
  Object.defineProperty(prototype, 'user', {
    get(this: Socket): SocketUser | undefined {
      return connectionOf(this).user;
    },
    set(this: Socket, user: unknown) {
      setUser(connectionOf(this), user);
    },
  });
  for (const name of ['join', 'leave'] as const) {
    const method = prototype[name] as (this: Socket, ...args: unknown[]) => void | Promise<void>; // with the callback of Socket.IO 2
    prototype[name] = function (this: Socket, ...args: unknown[]) {
      refuseReserved(args[0]);
      return method.apply(this, args);
    };
  }
}

/**
 * Sets the user of a connection, which joins the user's room. A value that cannot be a user, or comes late, is only kept, with a warning: so apps
 * go on that had a property of this name before.
 * @throws TypeError if the connection has another user already
 */
function setUser(connection: Owner, given: unknown): void {
  const { user: former } = connection;
  const hasRoom = former !== undefined && reachable.has(former);
  let user: SocketUser;
  try {
    user = userFrom(given);
    if (hasRoom && former.id !== user.id)
      throw userError('IO_USER_CHANGED', 'socket.user has another id already, and a connection has one user for life');
    if (!hasRoom && connection.isAdmitted)
      throw userError(
        'IO_USER_LATE',
        'socket.user was set after the client had been admitted; set it in connection middleware, before next()',
      );
  } catch (thrown) {
    if (hasRoom) throw thrown;
    connection.user = given as SocketUser; // as the app has it
    connection.log('warn', 'socket.user is kept, but app.io.user() does not reach the client', toError(thrown));
    return;
  }
  connection.user = user;
  reachable.add(user);
  if (!hasRoom && connection.isConnecting) join(connection, roomOfUser(user.id));
}

/** To be called when middleware has admitted the client: a recovered one leaves the room of a user that it no longer is. */
export function leaveFormerUser({ socket, user }: Owner): void {
  const { adapter } = socketInternals(socket);
  const own = user && reachable.has(user) ? roomOfUser(user.id) : undefined;
  for (const room of adapter.socketRooms(socket.id) ?? []) if (isRoomOfUser(room) && room !== own) void adapter.del(socket.id, room);
}

function userFrom(given: unknown): SocketUser {
  if (typeof given !== 'object' || given === null) return Object.freeze({ id: userIdOf(given) });
  const { id } = given as { id?: unknown }; // maybe a getter of a model
  return Object.freeze({ ...given, id: userIdOf(id) });
}

/** Not by `socket.join()`, which refuses the name. */
function join(connection: Owner, room: string): void {
  const { socket } = connection;
  const joined = socketInternals(socket).adapter.addAll(socket.id, new Set([room])); // a promise, with some adapters
  joined?.catch((thrown: unknown) => connection.log('error', 'joining the room of the user failed', toError(thrown)));
}

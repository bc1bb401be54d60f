/** The user of a connection: `socket.user`, which the app sets in connection middleware. */
import type { Socket } from 'socket.io';
import { mistakeOf } from '../errors';
import { isRoomOfUser, roomOfUser, userIdOf } from '../rooms';
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
  /** The room of the user. Undefined if the connection is in none. */
  userRoom: string | undefined;
  readonly namespace: { readonly runtime: { startAnew(socket: Socket): void } };
  log(level: 'warn' | 'error', what: string, error: Error): void;
}

/** Gives sockets the member `user`. @param prototype that of sockets of connections */
export function addUser(prototype: Socket, connectionOf: (socket: Socket) => Owner): void {
  Object.defineProperty(prototype, 'user', {
    get(this: Socket): SocketUser | undefined {
      return connectionOf(this).user;
    },
    set(this: Socket, user: unknown) {
      setUser(connectionOf(this), user);
    },
  });
}

/**
 * Sets the user of a connection, which joins the user's room. A value that cannot be a user, or comes late, is only kept, with a warning: so apps
 * go on that had a property of this name before.
 * @throws TypeError if the connection has another user already
 */
function setUser(connection: Owner, given: unknown): void {
  const { userRoom } = connection;
  if (userRoom !== undefined) {
    const user = userFrom(given);
    if (roomOfUser(user.id) !== userRoom)
      throw mistakeOf('IO_USER_CHANGED', 'socket.user has another id already, and a connection has one user for life');
    connection.user = user;
    return;
  }
  const user = acceptUser(connection, given);
  connection.user = user ?? (given as SocketUser); // as the app has it
  if (!connection.isConnecting) return;
  connection.userRoom = user && roomOfUser(user.id);
  startAnewIfOther(connection);
  joinRoom(connection);
}

/** Undefined for nobody, and, with a warning, for a value that cannot be a user or comes late. */
function acceptUser(connection: Owner, given: unknown): SocketUser | undefined {
  if (given === undefined || given === null) return undefined;
  try {
    const user = userFrom(given);
    if (!connection.isAdmitted) return user;
    const problem = 'socket.user was set after the client had been admitted; set it in connection middleware, before next()';
    throw mistakeOf('IO_USER_LATE', problem);
  } catch (thrown) {
    connection.log('warn', 'socket.user is kept, but app.io.user() does not reach the client', toError(thrown));
    return undefined;
  }
}

/** Makes a client that would be recovered as another user, or as nobody, a new one: what the former user has missed is not its own. */
export function startAnewIfOther(connection: Owner): void {
  const { socket, userRoom } = connection;
  if (!socket.recovered) return;
  const rooms = socketInternals(socket).adapter.socketRooms(socket.id) ?? [];
  if ([...rooms].find(isRoomOfUser) !== userRoom) connection.namespace.runtime.startAnew(socket);
}

/** @throws TypeError if it cannot be a user */
function userFrom(given: unknown): SocketUser {
  const isObject = typeof given === 'object' && given !== null;
  const id = userIdOf(isObject ? Reflect.get(given, 'id') : given); // maybe a getter of a model
  return Object.freeze({ ...(isObject && given), id });
}

/** Not by `socket.join()`, which refuses the name. */
function joinRoom(connection: Owner): void {
  const { socket, userRoom } = connection;
  if (userRoom === undefined) return;
  const joined = socketInternals(socket).adapter.addAll(socket.id, new Set([userRoom])); // a promise, with some adapters
  joined?.catch((thrown: unknown) => connection.log('error', 'joining the room of the user failed', toError(thrown)));
}

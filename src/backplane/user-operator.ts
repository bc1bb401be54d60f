/** `nsp.user(id)`: the connections of a user in a namespace, on all workers and servers. */
import type { DefaultEventsMap, Namespace } from 'socket.io';
import { addToNamespaces } from '../internals/namespace-class';
import { exceptRoom, toRoom } from '../internals/socket-io';
import { roomOfUser, userIdOf } from '../rooms';
import type { EventsMap } from '../types';
import type { Answer, Asking, QuestionArgs, QuestionName } from './operators';

/** What `nsp.to(room)` returns. */
type Operator<EmitEvents extends EventsMap, SocketData> = ReturnType<
  Namespace<DefaultEventsMap, EmitEvents, DefaultEventsMap, SocketData>['to']
>;

/** The methods of servers and namespaces for users. */
export interface Users<EmitEvents extends EventsMap, SocketData> {
  /**
   * The connections of a user in this namespace, on all workers and servers: those whose connection middleware has set `socket.user` to this id.
   * @param id `7` and `'7'` are the same user
   * @throws TypeError if this cannot be the id of a user
   * @example app.io.of('/chat').user(7).emit('mail', 'lunch?');
   */
  user(id: string | number): UserOperator<EmitEvents, SocketData>;

  /**
   * All clients but the connections of a user. It can be limited to rooms: `exceptUser(7).to('lobby')`.
   * @throws TypeError if this cannot be the id of a user
   */
  exceptUser(id: string | number): Operator<EmitEvents, SocketData>;
}

/**
 * The connections of a user in a namespace. Nobody may be there: then emits reach nobody. While other workers or servers cannot be reached, emits and
 * calls without an answer take effect on this one, and calls with an answer reject with an `OutageError`.
 */
export interface UserOperator<EmitEvents extends EventsMap, SocketData> extends Asking<EmitEvents> {
  /** Emits to all connections of the user. */
  readonly emit: Operator<EmitEvents, SocketData>['emit'];

  /**
   * Emits to all connections of the user, and resolves with the acknowledgement of each of them: `[]` if there are none.
   * Rejects if one of them takes longer than 5 s; `responses` of the error has the acknowledgements so far. Call `timeout(ms)` first for
   * another time-out.
   */
  emitWithAck<Event extends QuestionName<EmitEvents>>(
    event: Event,
    ...args: QuestionArgs<EmitEvents, Event>
  ): Promise<Answer<EmitEvents, Event>[]>;

  /** As `emit`, but not to connections in these rooms: `user(id).except(ctx.socket.id)` is the user's other devices. */
  readonly except: Operator<EmitEvents, SocketData>['except'];

  /** The time in ms for clients to acknowledge the following emit. Default: 5000. */
  readonly timeout: Operator<EmitEvents, SocketData>['timeout'];

  /** The following emit is lost for a connection that is not ready for it. */
  readonly volatile: Operator<EmitEvents, SocketData>['volatile'];

  /** Only the connections to this process. */
  readonly local: Operator<EmitEvents, SocketData>['local'];

  /** The connections: sockets of this process, and descriptions of those of other workers and servers. Rejects in an outage. */
  readonly fetchSockets: Operator<EmitEvents, SocketData>['fetchSockets'];

  /** Whether the user has a connection. If there is none to this process, the others are asked; rejects if these cannot be reached. */
  isOnline(): Promise<boolean>;

  /** Makes all connections of the user join a room, or several. Later connections do not join it. @throws IoError RESERVED_ROOM */
  join(rooms: string | string[]): void;

  /** Makes all connections of the user leave a room, or several. @throws IoError RESERVED_ROOM */
  leave(rooms: string | string[]): void;

  /**
   * Disconnects the user everywhere. Clients do not reconnect by themselves then.
   * @param close whether their connections are closed, with all namespaces. Default: `false`, only this namespace.
   */
  disconnect(close?: boolean): void;
}

const METHODS = {
  user(this: Namespace, id: unknown): object {
    return operatorOf(this, roomOfUser(userIdOf(id)));
  },
  exceptUser(this: Namespace, id: unknown): object {
    return exceptRoom(this, roomOfUser(userIdOf(id)));
  },
};

/** Gives a namespace the methods. */
export function addUsers(nsp: Namespace): void {
  addToNamespaces(nsp, METHODS);
}

/** Socket.IO's operator for the room, with more methods. */
function operatorOf(nsp: Namespace, room: string): object {
  const operator = toRoom(nsp, room);
  return Object.assign(operator, {
    async isOnline(): Promise<boolean> {
      const here = nsp.adapter.rooms.get(room) ?? [];
      return [...here].some(id => nsp.sockets.has(id)) || (await operator.fetchSockets()).length > 0;
    },
    join: (rooms: string | string[]) => operator.socketsJoin(rooms),
    leave: (rooms: string | string[]) => operator.socketsLeave(rooms),
    disconnect: (close = false) => operator.disconnectSockets(close),
  });
}

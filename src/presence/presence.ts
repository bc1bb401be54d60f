/** `nsp.presence(room)`: who is in a room, on all workers and servers. */
import type { Namespace } from 'socket.io';
import type { Present } from './changes';
import { encodeMeta, type GivenMeta } from './meta';
import { mistakeOf } from '../errors';
import type { PresenceRoom } from './room';
import { namespaceInternals } from '../internals/socket-io';

/** The method of servers and namespaces for presence. */
export interface HasPresence {
  /**
   * Who is in a room of this namespace, on all workers and servers. The room has to match a pattern of `presence` in the config of the namespace.
   * @throws TypeError IO_ROOM_UNMATCHED if it does not
   * @example app.io.of('/chat').presence('room:7').list() // [{ id: 'anna', meta: { name: 'Anna' } }]
   */
  presence(room: string): Presence;
}

/** Who is in a room. All methods read or change what this process knows, and nothing waits: HTTP controllers can use them as well. */
export interface Presence {
  /** The users who are present, in no particular order. A connection without a user counts as one with the id of its socket. */
  list(): Present[];

  /** The number of users who are present. */
  count(): number;

  /** Whether a user is present. @param id `7` and `'7'` are the same user */
  has(id: string | number): boolean;

  /**
   * Sets what others may know of the user of a connection, such as a name. The connection has to be in the room, and to this process. With several
   * connections, the value counts that was set last by one that is still there. Does nothing if the client has disconnected.
   * @param meta at most 4096 bytes as JSON
   * @throws TypeError IO_PRESENCE_META_INVALID if it is larger, or JSON has no such value
   * @throws TypeError IO_PRESENCE_ABSENT if the connection is not in the room, or middleware has not yet let it in
   * @example app.io.presence(room).set(ctx.socket, { name: ctx.socket.user.name });
   */
  set(socket: { readonly id: string; readonly connected?: boolean }, meta: GivenMeta): void;
}

/** @param find the room, if anybody is there */
export function presenceOf(nsp: Namespace, room: string, find: () => PresenceRoom | undefined): Presence {
  return {
    list: () => find()?.list() ?? [],
    count: () => find()?.count ?? 0,
    has: id => find()?.has(String(id)) ?? false,
    set(socket, meta) {
      const json = encodeMeta(meta);
      const present = find();
      if (present?.hasSocket(socket.id)) present.setMeta(socket.id, json);
      else if (socket.connected !== false || namespaceInternals(nsp)._preConnectSockets.get(socket.id) === socket)
        throw mistakeOf(
          'IO_PRESENCE_ABSENT',
          `presence('${room}').set(): the connection is not in this room of '${nsp.name}', or not here`,
        );
    },
  };
}

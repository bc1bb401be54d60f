/** The messages between adapters of Socket.IO, as far as the wrappers write or count them. */
import { type BroadcastOptions, MessageType } from 'socket.io-adapter';

/** The types of messages to count when they are lost. A lost heartbeat does not matter. */
const MISSED: ReadonlySet<unknown> = new Set([
  MessageType.BROADCAST,
  MessageType.SOCKETS_JOIN,
  MessageType.SOCKETS_LEAVE,
  MessageType.DISCONNECT_SOCKETS,
  MessageType.SERVER_SIDE_EMIT,
]);

export function isMissed({ type }: { type?: unknown }): boolean {
  return MISSED.has(type);
}

/** The same options, limited to the sockets of this server. */
export function locally(opts: BroadcastOptions): BroadcastOptions {
  return { ...opts, flags: { ...opts.flags, local: true } };
}

/** Options in the form that other servers read. */
export function encoded({ rooms, except = new Set(), flags = {} }: BroadcastOptions): object {
  return { rooms: [...rooms], except: [...except], flags };
}

/** What adapters of Socket.IO tell each other, as far as the wrappers write or count it. */
import { type BroadcastOptions, MessageType } from 'socket.io-adapter';

/** Messages that others miss if they do not arrive, which is not so of a heartbeat. */
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

/** For the sockets of this server alone. */
export function locally(opts: BroadcastOptions): BroadcastOptions {
  return { ...opts, flags: { ...opts.flags, local: true } };
}

/** As other servers read it. */
export function encoded({ rooms, except = new Set(), flags = {} }: BroadcastOptions): object {
  return { rooms: [...rooms], except: [...except], flags };
}

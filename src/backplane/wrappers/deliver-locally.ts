/** Delivers broadcasts to local clients at once, without waiting for other servers. */
import { Adapter, type BroadcastOptions, MessageType, type Room } from 'socket.io-adapter';
import type { Backplane } from '../backplane';
import { encoded, locally } from '../cluster-message';
import type { Event } from '../packet-codec';
import { type ClusterInternals, clusterInternals } from '../../internals/adapters';

/** Time in ms between two looks whether broadcasts still wait for their offsets. */
const OFFSET_INTERVAL = 100;
/**
 * The looks without any answer after which broadcasts go without their offsets. They are counted, so that a busy process does not mistake its own
 * delay for one of the backend. A client that reconnects sends the last offset, to get the missed messages: what came without one it gets again, or
 * it is a new client.
 */
const OFFSET_LOOKS = 5;

type Broadcast = (packet: Event, opts: BroadcastOptions) => void;

/** Limits `broadcast` to the clients of this server: it delivers at once, and throws if a value cannot be encoded. */
export function broadcastHere(adapter: Adapter): void {
  Object.assign(adapter, {
    broadcast: (packet: Event, opts: BroadcastOptions): void => Adapter.prototype.broadcast.call(adapter, packet, opts),
  });
}

/**
 * Adapters that extend Socket.IO's ClusterAdapter publish first, wait, and then deliver to the clients of this server. This makes an adapter
 * deliver at once, and in order. Its `broadcast` must already be limited to the clients of this server.
 * @param withOffsets whether the backend gives each broadcast an offset, which the clients of this server need for connection state recovery
 */
export function deliverLocallyFirst(adapter: Adapter, backplane: Backplane, withOffsets = false): void {
  const inside = clusterInternals(adapter);
  const base = {
    broadcast: adapter.broadcast.bind(adapter) as Broadcast,
    addSockets: adapter.addSockets.bind(adapter),
    delSockets: adapter.delSockets.bind(adapter),
    disconnectSockets: adapter.disconnectSockets.bind(adapter),
  };
  const publish = (type: MessageType, opts: BroadcastOptions, data: object): void => {
    if (!opts.flags?.local) inside.publish({ type, data: { opts: encoded(opts), ...data } });
  };
  Object.assign(adapter, {
    broadcast(packet: Event, opts: BroadcastOptions): void {
      base.broadcast(packet, opts);
      publish(MessageType.BROADCAST, opts, { packet });
    },
    async addSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
      publish(MessageType.SOCKETS_JOIN, opts, { rooms });
      return base.addSockets(locally(opts), rooms);
    },
    async delSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
      publish(MessageType.SOCKETS_LEAVE, opts, { rooms });
      return base.delSockets(locally(opts), rooms);
    },
    async disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
      publish(MessageType.DISCONNECT_SOCKETS, opts, { close });
      return base.disconnectSockets(locally(opts), close);
    },
    ...(withOffsets && { broadcast: inOrder(base.broadcast, inside, backplane) }),
  });
}

/**
 * Makes broadcasts wait for their offsets, in order. While the backend does not answer, they do not wait:
 * a client that reconnects later does not get the messages that it has missed since.
 */
function inOrder(broadcast: Broadcast, inside: ClusterInternals, backplane: Backplane): Broadcast {
  let last: Promise<void> | undefined;
  /** Of the broadcasts that wait for their offsets: each makes one go without. */
  const waiting = new Set<() => void>();
  /** Looks since the latest answer. */
  let unanswered = 0;
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    timer = undefined;
    unanswered = waiting.size === 0 ? 0 : unanswered + 1;
    if (unanswered >= OFFSET_LOOKS) for (const goWithout of waiting) goWithout();
    else if (unanswered > 0) timer = setTimeout(look, OFFSET_INTERVAL);
  };

  const offsetOf = async (packet: Event, opts: BroadcastOptions): Promise<string | undefined> =>
    new Promise(resolve => {
      const end = (offset?: string): void => {
        waiting.delete(goWithout);
        resolve(offset);
      };
      const goWithout = (): void => end();
      inside.publishAndReturnOffset({ type: MessageType.BROADCAST, data: { packet, opts: encoded(opts) } }).then(
        offset => {
          unanswered = 0;
          end(offset);
        },
        goWithout, // already counted as lost
      );
      if (unanswered >= OFFSET_LOOKS || backplane.isDown) {
        goWithout();
        return;
      }
      waiting.add(goWithout);
      timer ??= setTimeout(look, OFFSET_INTERVAL);
    });

  return (packet, opts) => {
    const offset = opts.flags?.local ? undefined : offsetOf(packet, opts);
    const before = last;
    const turn = (async () => {
      await before;
      const value = await offset;
      if (value !== undefined) inside.addOffsetIfNecessary(packet, opts, value);
      broadcast(packet, opts);
    })();
    last = turn.catch((error: unknown) => backplane.logger.error('[egg-socket.io] a broadcast failed:', error));
  };
}

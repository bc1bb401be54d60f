/** Broadcasts that are encoded before anybody has got them. */
import type { Namespace } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { toError } from '../../errors';
import { refusalOf } from '../refused-event';
import { type Event, PacketCodec } from '../packet-codec';
import { closeArguments } from '../values';

type Broadcast = (packet: Event, opts: BroadcastOptions, ...callbacks: unknown[]) => unknown;

/** The methods below see packets that are encoded already, and arguments as clients would decode them. What cannot be sent throws, and reaches nobody. */
export function encodeOnce(adapter: Adapter, nsp: Namespace): void {
  const codec = new PacketCodec(nsp);
  const serverSideEmit = adapter.serverSideEmit.bind(adapter);
  codec.setEncoder(adapter);
  changeBroadcasts(adapter, packet => codec.encodeEvent(packet));
  Object.assign(adapter, {
    serverSideEmit(args: unknown[]): unknown {
      let closed;
      try {
        closed = closeArguments(args, codec);
      } catch (error) {
        throw refusalOf(args[0], toError(error));
      }
      return serverSideEmit(closed);
    },
  });
}

/** What cannot be sent throws, and reaches nobody. For an adapter of the app's own: it may read packets as it likes, and encodes them anew. */
export function refuseFirst(adapter: Adapter, nsp: Namespace): void {
  const codec = new PacketCodec(nsp);
  changeBroadcasts(adapter, packet => {
    codec.encodeEvent(packet);
    return packet;
  });
}

function changeBroadcasts(adapter: Adapter, change: (packet: Event) => Event): void {
  const broadcast = adapter.broadcast.bind(adapter) as Broadcast;
  const broadcastWithAck = adapter.broadcastWithAck.bind(adapter) as Broadcast;
  Object.assign(adapter, {
    broadcast: (packet: Event, opts: BroadcastOptions): unknown => broadcast(change(packet), opts),
    broadcastWithAck: (packet: Event, opts: BroadcastOptions, onClients: unknown, onAnswer: unknown): unknown =>
      broadcastWithAck(change(packet), opts, onClients, onAnswer),
  });
}

/** Encodes broadcasts before any client gets them. */
import type { Namespace } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { toError } from '../../thrown';
import { refusalOf } from '../../encoder';
import { type Event, PacketCodec } from '../packet-codec';
import { packArguments } from '../values';

type Broadcast = (packet: Event, opts: BroadcastOptions, ...callbacks: unknown[]) => unknown;

/** Passes encoded packets, and arguments as clients would decode them, to the wrapped methods. Throws if something cannot be encoded, before anybody gets it. */
export function encodeOnce(adapter: Adapter, nsp: Namespace): void {
  const codec = new PacketCodec(nsp);
  const serverSideEmit = adapter.serverSideEmit.bind(adapter);
  codec.setEncoder(adapter);
  changeBroadcasts(adapter, packet => codec.encodeEvent(packet));
  Object.assign(adapter, {
    serverSideEmit(args: unknown[]): unknown {
      let closed;
      try {
        closed = packArguments(args, codec);
      } catch (error) {
        throw refusalOf(args[0], toError(error));
      }
      return serverSideEmit(closed);
    },
  });
}

/** Throws if a packet cannot be encoded, before anybody gets it. For adapters of the app: they get the original packet, and encode it themselves. */
export function refuseFirst(adapter: Adapter, nsp: Namespace): void {
  const codec = new PacketCodec(nsp);
  changeBroadcasts(adapter, packet => {
    codec.encodeEvent(packet);
    return packet;
  });
}

/** Calls back with the event and arguments of each broadcast of this process, which throws what it does not let pass. */
export function checkBroadcasts(adapter: Adapter, check: (packet: readonly unknown[]) => void): void {
  changeBroadcasts(adapter, packet => {
    check(packet.data);
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

/** An emit to one client that is here. It needs none of the other wrappers, whose cost is that of a broadcast. */
import type { Namespace, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { clientInternals, socketInternals } from '../../internals/socket-io';
import { type Event, type Frame, PacketCodec } from '../packet-codec';
import type { LoggedSource } from '../recovery/logged-source';

const NOBODY: Set<string> = new Set();

type Broadcast = (packet: Event, opts: BroadcastOptions) => unknown;

/** Logs such an emit for its client, which may miss it, and sends it. */
export function emitToOne(adapter: Adapter, { sessions, clients, offsets }: LoggedSource): void {
  const nsp = adapter.nsp as Namespace; // declared as any
  const codec = new PacketCodec(nsp);
  const broadcast = adapter.broadcast.bind(adapter) as Broadcast;
  /** One for all emits to a client: the log keeps them for minutes. */
  const targets = new WeakMap<Socket, BroadcastOptions>();
  const addTarget = (socket: Socket): BroadcastOptions => {
    const target: BroadcastOptions = { rooms: new Set([socket.id]), except: NOBODY };
    targets.set(socket, target);
    return target;
  };
  const send = (packet: Event, opts: BroadcastOptions, socket: Socket): void => {
    const offset = offsets.next();
    packet.data.push(offset);
    const { frames } = codec.encodeEvent(packet);
    const kept = opts.flags?.volatile ? undefined : frames;
    sessions.add({ at: Date.now(), offset, frames: kept, opts: targets.get(socket) ?? addTarget(socket) });
    deliver(socket, packet, frames, opts);
    if (clients.isWaiting) clients.keep({ opts, offset, deliver: to => deliver(to, packet, frames, opts), frames: kept });
  };
  Object.assign(adapter, {
    broadcast(packet: Event, opts: BroadcastOptions): unknown {
      const socket = packet.id === undefined ? targetOf(opts) : undefined;
      return socket ? send(packet, opts, socket) : broadcast(packet, opts);
    },
  });

  /** The only member of the only room. */
  function targetOf({ rooms, except, flags }: BroadcastOptions): Socket | undefined {
    if (!flags?.local || rooms.size !== 1 || (except && except.size > 0)) return undefined;
    const [id = ''] = rooms;
    const members = adapter.rooms.get(id);
    return members?.size === 1 && members.has(id) ? nsp.sockets.get(id) : undefined;
  }
}

function deliver(socket: Socket, packet: Event, frames: readonly Frame[], { flags }: BroadcastOptions): void {
  socketInternals(socket).notifyOutgoingListeners(packet);
  clientInternals(socket.client).writeToEngine(frames, { preEncoded: true, volatile: flags?.volatile, compress: flags?.compress });
}

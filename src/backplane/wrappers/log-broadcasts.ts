/** Gives each event an offset, and logs those that clients may have missed. */
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { adapterInternals, recoveryInternals, redisInternals } from '../../internals/adapters';
import { EncodedPacket, type Event, type Frame } from '../packet-codec';
import { Targets } from '../recovery/entry';
import type { LoggedSource } from '../recovery/logged-source';
import { offsetOf, type Offsets } from '../recovery/offsets';
import type { Deliver } from '../recovery/returning-clients';
import { emitToOne } from './emit-to-one';

/** What is being broadcast. */
interface Broadcast {
  /** Undefined for an event that wants an answer: it is not sent again. */
  readonly offset: string | undefined;
  readonly frames: readonly Frame[];
}

/** Gives the events of this process their offsets, before other servers get them. They have been encoded. */
export function addOffsets(adapter: Adapter, offsets: Offsets): void {
  const broadcast = adapter.broadcast.bind(adapter) as (packet: Event, opts: BroadcastOptions) => unknown;
  Object.assign(adapter, {
    broadcast(packet: Event, opts: BroadcastOptions): unknown {
      if (packet instanceof EncodedPacket && !packet.isQuestion && packet.offset === undefined) packet.append(offsets.next());
      return broadcast(packet, opts);
    },
  });
}

/** Sees each broadcast of this process or another one at the moment when it is delivered to local clients. */
export function logBroadcasts(adapter: Adapter, source: LoggedSource): void {
  const { sessions, clients, offsets } = source;
  const inside = adapterInternals(adapter);
  const { encoder } = inside;
  const apply = recoveryInternals(adapter).apply.bind(adapter);
  const targets = new Targets();
  /** Set between the two calls below, which the adapter makes for a broadcast, one right after the other. */
  let broadcast: Broadcast | undefined;

  inside.encoder = {
    encode(packet: Event): unknown {
      broadcast = undefined;
      const isQuestion = packet.id !== undefined || (packet instanceof EncodedPacket && packet.isQuestion);
      const offset = isQuestion ? undefined : (offsetOf(packet) ?? appendTo(packet, offsets.next())); // of a server that gives none: it counts here only
      const frames = encoder.encode(packet) as readonly Frame[]; // those of all parsers are lists
      broadcast = { offset, frames };
      return frames;
    },
  };

  Object.assign(adapter, {
    apply(opts: BroadcastOptions, deliver: Deliver): void {
      const current = broadcast;
      broadcast = undefined;
      if (!current) {
        apply(opts, deliver);
        return;
      }
      const { offset } = current;
      const frames = offset === undefined || opts.flags?.volatile ? undefined : current.frames;
      if (offset !== undefined && sessions.isNeeded) sessions.add({ at: Date.now(), offset, frames, opts: targets.of(opts) });
      apply(opts, deliver);
      clients.keep({ opts, offset, deliver, frames });
    },
  });
  emitToOne(adapter, source); // last: it passes by all others
}

/** Makes the official adapter for Redis read the events to rooms whose clients may return. */
export function hearRoomsOfGone(adapter: Adapter, { sessions, clients }: LoggedSource): void {
  const inside = redisInternals(adapter);
  const hasRoom = inside.hasRoom.bind(adapter);
  Object.assign(adapter, { hasRoom: (room: string): boolean => hasRoom(room) || sessions.hasGone || clients.isWaiting });
}

function appendTo(packet: Event, offset: string): string {
  if (packet instanceof EncodedPacket) packet.append(offset);
  else packet.data.push(offset);
  return offset;
}

/**
 * Keeps what is emitted to rooms with history. Clients that know of history are in the room's shadow as well: they get a copy of the event with its
 * position, as soon as that is known. Everybody else gets the event as ever, at once. The agent is on the way to the other workers: it forwards the
 * event with its position, and each worker makes both for its own clients.
 */
import { randomBytes } from 'node:crypto';
import type { Namespace } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import type { Logger } from '../../egg';
import type { Limits } from '../../limits/limits';
import { toError } from '../../thrown';
import { type History, HISTORY_EVENT, NO_EVENT, shadowOf, unknownPosition } from '../../store/history';
import { MAX_INCOMPLETE } from '../../store/remote-streams';
import type { Appended, Position } from '../../store/streams';
import { locally } from '../cluster-message';
import { type EncodedPacket, type Frame, PacketCodec } from '../packet-codec';
import { isForAny, positioned, toShadow } from '../positioned-event';
import type { Offsets } from '../recovery/offsets';
import { PacketType } from '../../protocol';

type Broadcast = (packet: EncodedPacket, opts: BroadcastOptions) => unknown;

/** An emit to rooms with history. */
interface Kept {
  readonly frames: readonly Frame[];
  readonly flags: BroadcastOptions['flags'];
  /** Set if there are several rooms. */
  readonly id: string | undefined;
}

/** How the clients of this process get an event with its position. The other processes have it. */
interface Here {
  /** The offset of this copy in connection state recovery, which is the same in all processes. Undefined without recovery. */
  readonly offset: string | undefined;
  /** Whether there were any such clients: those that have joined since have not missed the event. */
  readonly isAwaited: boolean;
}

/**
 * To be put on an adapter that gets packets that are encoded.
 * @param offsets those of connection state recovery. Undefined without it, and where the backend has them.
 */
export function keepHistory(
  adapter: Adapter,
  nsp: Namespace,
  history: History,
  { logger, limits, offsets }: { logger: Logger; limits: Limits | undefined; offsets: Offsets | undefined },
): void {
  const codec = new PacketCodec(nsp);
  const broadcast = adapter.broadcast.bind(adapter) as Broadcast;

  /**
   * @param position undefined if nobody knows it
   * @param here undefined if it is for the clients of all processes
   */
  const deliver = (room: string, { frames, flags, id }: Kept, position: Position | undefined, here?: Here): void => {
    if (here?.isAwaited === false) return;
    // without an offset, only the id tells it from others
    const told = position ? history.positionFor(room, position, id) : { ...unknownPosition(room), id: id ?? newId() };
    const opts = toShadow(room, flags);
    broadcast(positioned(codec, nsp.name, frames, told, here?.offset), here ? locally(opts) : opts);
  };

  /** The rooms whose streams lack an event. Beyond these, clients are told with the next event, or when their server tells them after an outage. */
  const incomplete = new Set<string>();

  /** Tells clients of all servers that something is missing, as soon as the stream has begun anew. */
  const announceGap = async (room: string): Promise<void> => {
    if (incomplete.has(room) || incomplete.size >= MAX_INCOMPLETE) return;
    incomplete.add(room);
    const position = await history.begunAnew(room).catch(() => {}); // the next outage is over later
    incomplete.delete(room);
    if (!position) return;
    const data = [HISTORY_EVENT, history.positionFor(room, position), NO_EVENT];
    broadcast(codec.encodeEvent({ type: PacketType.EVENT, nsp: nsp.name, data }), { rooms: new Set([shadowOf(room)]), except: new Set() });
  };

  const finish = (room: string, event: Kept, position: Appended, here?: Here): void => {
    if (position.hasEvicted) limits?.report('history', 'the rooms go first that have had no event for longest');
    deliver(room, event, position, here);
  };

  const lose = async (room: string, event: Kept, here?: Here): Promise<void> => {
    deliver(room, event, undefined, here);
    await announceGap(room);
  };

  const fail = (thrown: unknown): void => logger.error('[egg-socket.io] an emit to a room with history failed:', toError(thrown));

  const keep = (room: string, event: Kept): void => {
    const appended = history.append(room, event.frames, event.id);
    if (appended instanceof Promise)
      appended
        .then(
          position => finish(room, event, position),
          async () => lose(room, event),
        )
        .catch(fail);
    else finish(room, event, appended);
  };

  /**
   * Has an event kept and forwarded. Returns false if that cannot be done.
   * @param target those who get it without its position, unless they get it with that of another room
   */
  const forward = (packet: EncodedPacket, room: string, event: Kept, target: BroadcastOptions | undefined): boolean => {
    const { frames, flags, id } = event;
    if (offsets && packet.offset === undefined) packet.append(offsets.next());
    const offset = offsets?.next();
    const here = { offset, isAwaited: isForAny(adapter, room, offset) };
    const to = {
      nsp: nsp.name,
      room,
      ...(flags && { flags }),
      ...(target && { rooms: [...target.rooms], except: [...(target.except ?? [])] }),
      ...(packet.offset !== undefined && offset !== undefined && { offsets: [packet.offset, offset] as const }),
      isAwaited: here.isAwaited,
    };
    return history.appendAndForward(frames, id, to, position => {
      try {
        if (position) finish(room, event, position, here);
        else lose(room, event, here).catch(fail);
      } catch (error) {
        fail(error);
      }
    });
  };

  Object.assign(adapter, {
    broadcast(packet: EncodedPacket, opts: BroadcastOptions): unknown {
      const rooms = roomsKept(history, opts).filter(room => !nsp.sockets.has(room)); // not a client's own room
      if (rooms.length === 0) return broadcast(packet, opts);
      const id = rooms.length > 1 ? newId() : undefined;
      const kept: Kept = { frames: packet.frames, flags: opts.flags, id }; // as they are now: they get the offset of recovery
      const target = { ...opts, except: new Set(rooms.map(shadowOf)) };
      const left = new Set(rooms);
      if (history.canForward)
        for (const room of rooms) if (forward(packet, room, kept, left.size === rooms.length ? target : undefined)) left.delete(room);
      const result = broadcast(packet, left.size < rooms.length ? locally(target) : target);
      for (const room of left) keep(room, kept);
      return result;
    },
  });
}

function newId(): string {
  return randomBytes(9).toString('base64url');
}

/** The rooms in which an emit is kept. None if it is not for all of a room, or may be lost anyway. */
function roomsKept(history: History, { rooms, except, flags }: BroadcastOptions): string[] {
  if (rooms.size === 0 || (except && except.size > 0) || flags?.volatile || flags?.local) return [];
  return [...rooms].filter(room => history.optionsOf(room));
}

/**
 * Keeps what is emitted to rooms with history. Clients that know of history are in the room's shadow as well: they get a copy of the event with its
 * position, as soon as that is known. Everybody else gets the event as ever, at once.
 */
import { randomBytes } from 'node:crypto';
import type { Namespace } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import type { Logger } from '../../egg';
import type { Limits } from '../../limits/limits';
import { toError } from '../../thrown';
import { type ClientPosition, type History, HISTORY_EVENT, shadowOf } from '../../store/history';
import { MAX_INCOMPLETE } from '../../store/remote-streams';
import { EncodedPacket, type Frame, PacketCodec } from '../packet-codec';
import { PacketType } from '../../protocol';

type Broadcast = (packet: EncodedPacket, opts: BroadcastOptions) => unknown;

/** An emit to rooms with history. */
interface Kept {
  readonly frames: readonly Frame[];
  readonly flags: BroadcastOptions['flags'];
  /** Set if there are several rooms. */
  readonly id: string | undefined;
}

/** To be put on an adapter that gets packets that are encoded. */
export function keepHistory(adapter: Adapter, nsp: Namespace, history: History, logger: Logger, limits: Limits | undefined): void {
  const codec = new PacketCodec(nsp);
  const broadcast = adapter.broadcast.bind(adapter) as Broadcast;

  const deliver = (room: string, { frames, flags }: Kept, position: Partial<ClientPosition>): void => {
    const copy = new EncodedPacket(codec, nsp.name, withPosition(codec, nsp.name, frames, position));
    broadcast(copy, { rooms: new Set([shadowOf(room)]), except: new Set(), ...(flags && { flags }) });
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
    const data = [HISTORY_EVENT, history.positionFor(room, position)];
    broadcast(codec.encodeEvent({ type: PacketType.EVENT, nsp: nsp.name, data }), { rooms: new Set([shadowOf(room)]), except: new Set() });
  };

  const keep = (room: string, event: Kept): void => {
    const { frames, id } = event;
    const appended = history.append(room, frames, id);
    const sameEvent = id !== undefined && { id };
    const finish = (position: Awaited<typeof appended>): void => {
      if (position.hasEvicted) limits?.report('history', 'the rooms go first that have had no event for longest');
      deliver(room, event, { ...history.positionFor(room, position), ...sameEvent });
    };
    if (!(appended instanceof Promise)) {
      finish(appended);
      return;
    }
    const fail = (thrown: unknown): void => logger.error('[egg-socket.io] an emit to a room with history failed:', toError(thrown));
    const lose = async (): Promise<void> => {
      deliver(room, event, { room, ...sameEvent });
      await announceGap(room);
    };
    appended.then(finish, lose).catch(fail);
  };

  Object.assign(adapter, {
    broadcast(packet: EncodedPacket, opts: BroadcastOptions): unknown {
      const rooms = roomsKept(history, opts).filter(room => !nsp.sockets.has(room)); // not a client's own room
      if (rooms.length === 0) return broadcast(packet, opts);
      const { frames } = packet; // as they are now: an adapter may append the offset of recovery
      const { flags } = opts;
      const result = broadcast(packet, { ...opts, except: new Set(rooms.map(shadowOf)) });
      const id = rooms.length > 1 ? randomBytes(9).toString('base64url') : undefined;
      for (const room of rooms) keep(room, { frames, flags, id });
      return result;
    },
  });
}

/** The rooms in which an emit is kept. None if it is not for all of a room, or may be lost anyway. */
function roomsKept(history: History, { rooms, except, flags }: BroadcastOptions): string[] {
  if (rooms.size === 0 || (except && except.size > 0) || flags?.volatile || flags?.local) return [];
  return [...rooms].filter(room => history.optionsOf(room));
}

/** The frames of the event for clients that know of history: its name and the position come first. */
function withPosition(codec: PacketCodec, nsp: string, frames: readonly Frame[], position: object): readonly Frame[] {
  const [head, ...attachments] = frames;
  if (!codec.isDefault || typeof head !== 'string') {
    const data = [HISTORY_EVENT, position, ...(codec.decode(frames).data as unknown[])]; // an event has an array
    return codec.encodeEvent({ type: PacketType.EVENT, nsp, data }).frames;
  }
  const start = head.indexOf('[', nsp === '/' ? 0 : head.indexOf(`${nsp},`) + nsp.length) + 1; // a namespace may have a bracket in its name
  return [`${head.slice(0, start)}"${HISTORY_EVENT}",${JSON.stringify(position)},${head.slice(start)}`, ...attachments];
}

/** An event of a room with history as those get it that know of history: with its position, by way of the room's shadow. */
import type { Adapter, BroadcastFlags, BroadcastOptions } from 'socket.io-adapter';
import { PacketType } from '../protocol';
import { type ClientPosition, HISTORY_EVENT, shadowOf } from '../store/history';
import { EncodedPacket, type Frame, type PacketCodec } from './packet-codec';

/** @param offset that of connection state recovery, if it is known already */
export function positioned(
  codec: PacketCodec,
  nsp: string,
  frames: readonly Frame[],
  position: ClientPosition,
  offset?: string,
): EncodedPacket {
  const packet = new EncodedPacket(codec, nsp, withPosition(codec, nsp, frames, position));
  if (offset !== undefined) packet.append(offset);
  return packet;
}

/**
 * Whether this process has to deliver it: there are clients that know of history, or with recovery there may be some that come back.
 * @param offset undefined without recovery
 */
export function isForAny({ rooms }: Adapter, room: string, offset: string | undefined): boolean {
  return offset !== undefined || rooms.has(shadowOf(room));
}

export function toShadow(room: string, flags: BroadcastFlags | undefined): BroadcastOptions {
  return { rooms: new Set([shadowOf(room)]), except: new Set(), ...(flags && { flags }) };
}

/** The frames of the event for clients that know of history: its name and the position come first. */
function withPosition(codec: PacketCodec, nsp: string, frames: readonly Frame[], position: ClientPosition): readonly Frame[] {
  const [head, ...attachments] = frames;
  if (!codec.isDefault || typeof head !== 'string') {
    const data = [HISTORY_EVENT, position, ...(codec.decode(frames).data as unknown[])]; // an event has an array
    return codec.encodeEvent({ type: PacketType.EVENT, nsp, data }).frames;
  }
  const start = head.indexOf('[', nsp === '/' ? 0 : head.indexOf(`${nsp},`) + nsp.length) + 1; // a namespace may have a bracket in its name
  return [`${head.slice(0, start)}"${HISTORY_EVENT}",${JSON.stringify(position)},${head.slice(start)}`, ...attachments];
}

/** A broadcast as it travels to other servers: those of this plugin, plain ones of Socket.IO, and what else reads a backend. */
import { isObject } from './backend-message';
import { isCarried, isTextCarried, makeReadable } from './carried';
import { InvalidMessage } from './inbox';
import type { EncodedPacket, PacketCodec } from './packet-codec';
import { PacketType } from '../protocol';

/** Whom it is for, as it is written. */
interface Target {
  readonly rooms: readonly unknown[];
}

/** The fields of an official message that hold a broadcast. */
interface BroadcastFields {
  readonly packet: { readonly type: number; readonly nsp: string; readonly data: readonly unknown[] };
  readonly opts: Target;
}

/** The event in whose place frames stand. No app has one of this name. */
const ENCODED = 'egg-socket.io encoded';

/** No app has a room of this name. */
const NOBODY = 'egg-socket.io nobody';

/**
 * The fields as others read them, where they can. Where these could get something else, `encoded` stands beside them, which servers of this
 * plugin take instead: others do not know it.
 * @param interop whether other servers than those of this plugin are to read it
 * @param isLater whether they are written later, when the app may have changed its values
 */
export function fieldsOf(
  packet: EncodedPacket,
  opts: Target,
  interop: boolean,
  isLater = false,
): BroadcastFields & { readonly encoded?: BroadcastFields } {
  const { nsp, frames } = packet;
  const fields = (data: readonly unknown[], target = opts): BroadcastFields => ({
    packet: { type: PacketType.EVENT, nsp, data },
    opts: target,
  });
  if (!interop) return fields([ENCODED, ...frames]);
  const isChecked = isTextCarried(packet.json);
  if (!isLater && isCarried(packet.data, isChecked)) return fields(packet.data);
  const data = packet.decode();
  if (isCarried(data, isChecked)) return fields(data);
  return { ...(makeReadable(data) ? fields(data) : fields([''], toNobody(opts))), encoded: fields([ENCODED, ...frames]) };
}

/** The fields that have come, with the packet as it was encoded, where it has come so. @throws InvalidMessage where clients could not read it */
export function openFields<Fields extends object>(fields: Fields, codec: PacketCodec): Fields {
  const { encoded } = fields as { encoded?: unknown }; // whatever has come
  if (encoded !== undefined && encoded !== null) {
    if (!isObject(encoded)) throw new InvalidMessage();
    const { packet, opts } = encoded;
    return openFields({ ...fields, packet, opts, encoded: undefined }, codec);
  }
  const { packet } = fields as { packet?: unknown }; // whatever has come
  if (!isObject(packet) || !Array.isArray(packet['data']) || packet['data'][0] !== ENCODED) return fields;
  return { ...fields, packet: codec.read(packet['data'].slice(1)) };
}

/** The values of an event that a client has missed, with its offset. @throws InvalidMessage where clients could not read it */
export function openMissed(data: unknown[], codec: PacketCodec): unknown[] {
  return data[0] === ENCODED ? [...codec.read(data.slice(1, -1)).data, data.at(-1)] : data;
}

/** Others read the message, and find nobody for it. It takes the same way as to those who are meant: `redis-sharded` has channels for rooms. */
function toNobody(opts: Target): Target {
  const { rooms } = opts;
  return rooms.length === 1 ? { ...opts, ...{ except: rooms } } : { ...opts, rooms: [NOBODY, NOBODY] };
}

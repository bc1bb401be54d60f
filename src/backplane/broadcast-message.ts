/** The form of broadcasts for other servers: those of this plugin, plain Socket.IO servers, and other readers of a backend. */
import { isObject } from './backend-message';
import { isCarried, isTextCarried, makeReadable } from './carried';
import { InvalidMessage } from './inbox';
import type { EncodedPacket, PacketCodec } from './packet-codec';
import { PacketType } from '../protocol';

/** The target of a broadcast, as it is published. */
interface Target {
  readonly rooms: readonly unknown[];
}

/** The fields of an official message that hold a broadcast. */
interface BroadcastFields {
  readonly packet: { readonly type: number; readonly nsp: string; readonly data: readonly unknown[] };
  readonly opts: Target;
}

/** The name of the event that stands for an encoded packet: its arguments are the frames. No app uses this name. */
const ENCODED = 'egg-socket.io encoded';

/** The name of a room that no app uses. */
const NOBODY = 'egg-socket.io nobody';

/**
 * The fields in the official form. If the values could change on the way, `encoded` is added: servers of this plugin read it instead, and
 * others ignore it.
 * @param interop whether servers without this plugin can read the message
 * @param isLater whether the message is encoded later, when the app may have changed the values
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
  if (!isLater && (packet.isPlain ? isChecked : !packet.json && isCarried(packet.data, false))) return fields(packet.data);
  const data = packet.decode();
  if (isCarried(data, isChecked)) return fields(data);
  return { ...(makeReadable(data) ? fields(data) : fields([''], toNobody(opts))), encoded: fields([ENCODED, ...frames]) };
}

/** Reverses `fieldsOf`: returns the fields with the encoded packet, if there is one. @throws InvalidMessage if clients could not read it */
export function unpackFields<Fields extends object>(fields: Fields, codec: PacketCodec): Fields {
  const { encoded } = fields as { encoded?: unknown }; // any value
  if (encoded !== undefined && encoded !== null) {
    if (!isObject(encoded)) throw new InvalidMessage();
    const { packet, opts } = encoded;
    return unpackFields({ ...fields, packet, opts, encoded: undefined }, codec);
  }
  const { packet } = fields as { packet?: unknown }; // any value
  if (!isObject(packet) || !Array.isArray(packet['data']) || packet['data'][0] !== ENCODED) return fields;
  return { ...fields, packet: codec.read(packet['data'].slice(1).map(bytesOfBson)) };
}

/** The values of a missed event, with its offset. @throws InvalidMessage if clients could not read it */
export function unpackMissed(data: unknown[], codec: PacketCodec): unknown[] {
  if (data[0] === ENCODED) return [...codec.read(data.slice(1, -1)).data, data.at(-1)];
  try {
    codec.encodeEvent({ type: PacketType.EVENT, nsp: '', data }); // servers without this plugin do not check what they emit
  } catch {
    throw new InvalidMessage();
  }
  return data;
}

/** A target without sockets, for servers that cannot read the packet. The channel stays the same: `redis-sharded` has channels for rooms. */
function toNobody(opts: Target): Target {
  const { rooms } = opts;
  return rooms.length === 1 ? { ...opts, ...{ except: rooms } } : { ...opts, rooms: [NOBODY, NOBODY] };
}

/** The driver of MongoDB wraps bytes in an object. */
function bytesOfBson(frame: unknown): unknown {
  return isObject(frame) && frame['_bsontype'] === 'Binary' ? frame['buffer'] : frame;
}

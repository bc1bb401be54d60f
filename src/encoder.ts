/** The encoder for packets to clients, which throws at the caller what they could not read, and the errors that say why. */
import { messageOf, oneLine, type RuntimeCode } from './errors';
import { toError } from './thrown';
import { type Packet, PacketType } from './protocol';

/** The encoder of a server: Socket.IO's own, or that of `init.parser`. */
export interface Encoder {
  encode(packet: Packet): unknown[];
}

/** The number of binary values that the official client accepts in one packet. */
export const MAX_ATTACHMENTS = 10;

const CODE: RuntimeCode = 'IO_EMIT_INVALID';

/** In the text, in place of a binary value. Inside a JSON string, quotation marks are escaped. */
const PLACEHOLDER = '"_placeholder":true';

/** Encodes what is sent to one client: `socket.emit()`, and acknowledgements. Broadcasts are checked where they are encoded for all clients. */
export class CheckedEncoder implements Encoder {
  readonly #encoder: Encoder;
  readonly #isDefault: boolean;

  /** @param isDefault whether it is Socket.IO's own */
  constructor(encoder: Encoder, isDefault: boolean) {
    this.#encoder = encoder;
    this.#isDefault = isDefault;
  }

  /** @throws TypeError or RangeError if an event or an acknowledgement cannot be encoded, or the client could not read it */
  encode(packet: Packet): unknown[] {
    const { type } = packet;
    if (type !== PacketType.EVENT && type !== PacketType.ACK) return this.#encoder.encode(packet);
    const isEvent = type === PacketType.EVENT;
    const event = (packet.data as unknown[])[0]; // both have a list
    try {
      if (isEvent) checkName(event);
      const frames = this.#encoder.encode(packet);
      if (frames.length > 1 && this.#isDefault) checkAttachments(frames.map(checkFrame), MAX_ATTACHMENTS);
      return frames;
    } catch (error) {
      throw isEvent ? refusalOf(event, toError(error)) : errorOf('an acknowledgement cannot be sent', toError(error));
    }
  }
}

/** @throws TypeError if clients could not read the name of an event */
function checkName(event: unknown): void {
  if (typeof event !== 'string' && typeof event !== 'number') throw new TypeError('the name of an event must be a string or a number');
}

/** @throws TypeError if a frame is neither text nor bytes */
function checkFrame(frame: unknown): string | ArrayBuffer | ArrayBufferView {
  if (typeof frame === 'string' || frame instanceof ArrayBuffer || ArrayBuffer.isView(frame)) return frame;
  throw new TypeError('a Blob cannot be sent; send `await blob.arrayBuffer()`');
}

/**
 * Checks the frames of Socket.IO's own encoder: a text with placeholders, and the binary values.
 * @throws if clients could not put them together
 */
export function checkAttachments(frames: readonly unknown[], maxAttachments: number): void {
  const count = frames.length - 1;
  if (count > maxAttachments)
    throw new RangeError(
      `it has ${count} binary values, and clients accept at most ${maxAttachments} in one event; put them into one Buffer, or emit several events`,
    );
  const text = String(frames[0]);
  let placeholders = 0;
  for (let at = text.indexOf(PLACEHOLDER); at !== -1; at = text.indexOf(PLACEHOLDER, at + 1)) placeholders++;
  if (placeholders > count)
    throw new TypeError('clients would mistake its object with `_placeholder: true` for a binary value; rename the key');
}

/** The error for the caller. */
export function refusalOf(event: unknown, cause: Error): Error {
  return errorOf(`event '${oneLine(String(event))}' cannot be emitted`, cause);
}

function errorOf(problem: string, cause: Error): Error {
  const Kind = cause instanceof RangeError ? RangeError : TypeError;
  return Object.assign(new Kind(messageOf(CODE, `${problem}: ${reasonOf(cause)}`), { cause }), { code: CODE });
}

/** The reason why a value cannot be encoded. */
export function reasonOf(thrown: unknown): string {
  const { message } = toError(thrown);
  return thrown instanceof RangeError && message.includes('call stack') ? 'it is nested too deep, or in a circle' : oneLine(message);
}

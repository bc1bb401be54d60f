/** The error for an event that cannot be emitted, since clients of Socket.IO could not read it. */
import { messageOf, oneLine, type RuntimeCode, toError } from '../errors';

/** The number of binary values that the official client accepts in one packet. */
export const MAX_ATTACHMENTS = 10;

const CODE: RuntimeCode = 'IO_EMIT_INVALID';

/** In the text, in place of a binary value. Inside a JSON string, quotation marks are escaped. */
const PLACEHOLDER = '"_placeholder":true';

/**
 * Checks the frames of Socket.IO's own encoder: a text with placeholders, and the binary values.
 * @throws if clients could not put them together
 */
export function checkAttachments(frames: readonly (string | Uint8Array)[], maxAttachments: number): void {
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
  const Kind = cause instanceof RangeError ? RangeError : TypeError;
  const message = messageOf(CODE, `event '${oneLine(String(event))}' cannot be emitted: ${reasonOf(cause)}`);
  return Object.assign(new Kind(message, { cause }), { code: CODE });
}

/** The reason why a value cannot be encoded. */
export function reasonOf(thrown: unknown): string {
  const { message } = toError(thrown);
  return thrown instanceof RangeError && message.includes('call stack') ? 'it is nested too deep, or in a circle' : oneLine(message);
}

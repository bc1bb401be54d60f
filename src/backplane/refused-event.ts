/** Events that reach nobody, since clients of Socket.IO could not read them: what the caller gets. */
import { messageOf, oneLine, type RuntimeCode, toError } from '../errors';

/** Binary values that the official client takes in one packet. */
export const MAX_ATTACHMENTS = 10;

/** What Socket.IO's own encoder has taken out of a packet, beside the text in which each has a placeholder. */
export function checkAttachments([text, ...attachments]: readonly (string | Uint8Array)[], maxAttachments: number): void {
  if (attachments.length > maxAttachments)
    throw new RangeError(
      `it has ${attachments.length} binary values, and clients take no more than ${maxAttachments} in one event; put them into one Buffer, or emit several events`,
    );
  // within a string of JSON, quotation marks have a backslash before them
  if (String(text).split('"_placeholder":true').length - 1 > attachments.length)
    throw new TypeError('clients would take its object with `_placeholder: true` for one of its binary values; rename the key');
}

const CODE: RuntimeCode = 'IO_EMIT_INVALID';

/** What the caller gets in place of an event that reaches nobody. */
export function refusalOf(event: unknown, cause: Error): Error {
  const Kind = cause instanceof RangeError ? RangeError : TypeError;
  const message = messageOf(CODE, `event '${oneLine(String(event))}' cannot be emitted: ${reasonOf(cause)}`);
  return Object.assign(new Kind(message, { cause }), { code: CODE });
}

/** Why something cannot be encoded. */
export function reasonOf(thrown: unknown): string {
  const { message } = toError(thrown);
  return thrown instanceof RangeError && message.includes('call stack') ? 'it is nested too deep, or in a circle' : oneLine(message);
}

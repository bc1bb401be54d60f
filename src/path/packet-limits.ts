/** Packets that no proper client sends. */
import type { Connection } from './connection';

/** The largest id of an acknowledgement, with 15 digits: a larger number may not be exact. */
const MAX_ID = 999_999_999_999_999;

/** Ends the connection if the id of the acknowledgement or the name of the event is too long. Returns whether it is. */
export function endForExcess({ namespace: { limits, runtime }, socket }: Connection, id: unknown, event?: unknown): boolean {
  const isTooLarge = typeof id === 'number' && !(id <= MAX_ID); // with a parser of the app, also NaN
  const isTooLong = typeof event === 'string' && event.length > limits.eventName;
  if (!isTooLarge && !isTooLong) return false;
  runtime.limits.endFor(socket.conn, isTooLarge ? 'ackId' : 'eventName');
  return true;
}

/** Packets that no proper client sends. */
import { Bucket } from '../limits/bucket';
import type { Connection } from './connection';
import { refuseOverLimit } from './refused-events';

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

/** Of each connection, by the name of the event. */
const buckets = new WeakMap<Connection, Map<string, Bucket>>();

/** Refuses an event if the address of the client, or the connection with this name, has sent too many. Returns whether it does so. */
export function refuseOverRate(connection: Connection, packet: unknown[]): boolean {
  const { namespace, socket } = connection;
  const { addresses } = namespace.runtime.limits;
  if (addresses?.takeEvent(socket.conn) === false) refuseOverLimit(connection, packet, 'perAddress');
  else if (namespace.limits.perEvent.size > 0 && !takeOf(connection, packet[0])) refuseOverLimit(connection, packet, 'perEvent');
  else return false;
  return true;
}

function takeOf(connection: Connection, event: unknown): boolean {
  const rate = typeof event === 'string' ? connection.namespace.limits.perEvent.get(event) : undefined;
  if (!rate || typeof event !== 'string') return true;
  let ofConnection = buckets.get(connection);
  if (!ofConnection) buckets.set(connection, (ofConnection = new Map<string, Bucket>()));
  let bucket = ofConnection.get(event);
  if (!bucket) ofConnection.set(event, (bucket = new Bucket(rate.perSecond, rate.burst, performance.now())));
  return bucket.take();
}

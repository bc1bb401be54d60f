/** Packets that no proper client sends. */
import type { Socket as EngineSocket } from 'engine.io';
import { Bucket } from '../limits/bucket';
import type { Connection } from './connection';
import { MAX_DIGITS } from './event-decoder';
import { refuseOverLimit } from './refused-events';

/** The largest id of an acknowledgement: a larger number may not be exact. */
const MAX_ID = 10 ** MAX_DIGITS - 1;

/** Ends the connection if the id of the acknowledgement or the name of the event is too long. Returns whether it is. */
export function endForExcess({ namespace, socket }: Connection, id: unknown, event?: unknown): boolean {
  const isTooLarge = typeof id === 'number' && !(id <= MAX_ID); // with a parser of the app, also NaN
  const isTooLong = typeof event === 'string' && event.length > namespace.limits.eventName;
  if (!isTooLarge && !isTooLong) return false;
  namespace.runtime.limits.endFor(socket.conn, isTooLarge ? 'ackId' : 'eventName', namespace);
  return true;
}

/** The most buckets of a connection. A client may enter and leave any number of namespaces. */
const MAX_BUCKETS = 1000;

/** Of each connection of a client, which may leave a namespace and come back, by namespace and event. */
const buckets = new WeakMap<EngineSocket, Map<string, Bucket>>();

/** Refuses an event if the address of the client, or the connection with this name, has sent too many. Returns whether it does so. */
export function refuseOverRate(connection: Connection, packet: unknown[]): boolean {
  const { addresses } = connection.namespace.runtime.limits;
  if (addresses?.takeEvent(connection.socket.conn) !== false) return refuseOverNameRate(connection, packet);
  refuseOverLimit(connection, packet, 'perAddress');
  return true;
}

/** The same for the name alone. */
export function refuseOverNameRate(connection: Connection, packet: unknown[]): boolean {
  if (connection.namespace.limits.perEvent.size === 0 || takeOf(connection, packet[0])) return false;
  refuseOverLimit(connection, packet, 'perEvent');
  return true;
}

function takeOf({ namespace, socket }: Connection, event: unknown): boolean {
  const name = typeof event === 'number' ? String(event) : event; // has the same route
  const rate = typeof name === 'string' ? namespace.limits.perEvent.get(name) : undefined;
  if (!rate) return true;
  let ofConnection = buckets.get(socket.conn);
  if (!ofConnection) buckets.set(socket.conn, (ofConnection = new Map<string, Bucket>()));
  const key = `${socket.nsp.name},${String(name)}`; // no name of a namespace has a comma: Socket.IO ends it there
  let bucket = ofConnection.get(key);
  if (!bucket) {
    const [oldest] = ofConnection.keys();
    if (oldest !== undefined && ofConnection.size >= MAX_BUCKETS) ofConnection.delete(oldest);
    ofConnection.set(key, (bucket = new Bucket(rate.perSecond, rate.burst, performance.now())));
  }
  return bucket.take();
}

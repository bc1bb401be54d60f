/** Events of clients that are refused before they have a context. */
import type { Connection } from './connection';
import { IoError } from '../errors';
import type { LimitKind } from '../limits/limits';
import { errorToAnswer } from './onerror';
import { ackOf, answer, logFailure, reportFailure } from './packet-failure';
import { RESERVED_EVENTS } from './router';

/** The errors of clients that emit an event which only the server may fire. All errors here are created once, since a client can cause many, and so frozen. */
const RESERVED = new Map<unknown, IoError>(
  [...RESERVED_EVENTS].map(event => [event, Object.freeze(new IoError('RESERVED_EVENT', `'${event}' is an event of the server`))]),
);

/** More than a user or a connection may send. */
export const TOO_MANY_EVENTS = Object.freeze(new IoError('TOO_MANY_EVENTS', 'Too many events', { status: 429 }));

/** Refuses an event of the server. Returns whether it is one. */
export function refuseReserved(connection: Connection, packet: unknown[]): boolean {
  const error = RESERVED.get(packet[0]);
  if (!error) return false;
  connection.namespace.runtime.packetWatch?.write(connection, packet[0], error.code);
  const answered = errorToAnswer(connection, error, undefined, packet);
  logFailure(connection, packet[0], error, answered);
  if (ackOf(packet)) answer(connection, packet[0], answered, ackOf(packet));
  return true;
}

/** Refuses an event of a user who has sent too many. No function of the app is called, and the log gets a line a minute. */
export function refuseExcess(connection: Connection, packet: unknown[]): void {
  const { namespace, user } = connection;
  namespace.runtime.refusals.warnOfUser('too many events', namespace.name, user?.id);
  refuse(connection, packet);
}

/** Refuses an event that is over a limit of `config.io.limits`. */
export function refuseOverLimit(connection: Connection, packet: unknown[], kind: LimitKind): void {
  const { namespace, socket } = connection;
  namespace.runtime.limits.report(kind, 'events are refused', socket, namespace);
  refuse(connection, packet);
}

/** Refuses an event for which too many others of its connection wait. */
export function refuseWaiting(connection: Connection, packet: unknown[]): void {
  const { namespace, socket } = connection;
  namespace.runtime.limits.report('ordered', 'events are refused', socket, namespace);
  namespace.runtime.packetWatch?.write(connection, packet[0], TOO_MANY_EVENTS.code);
  reportFailure(connection, packet, TOO_MANY_EVENTS, { place: 'events that had to wait failed' });
}

function refuse(connection: Connection, packet: unknown[]): void {
  connection.namespace.runtime.packetWatch?.write(connection, packet[0], TOO_MANY_EVENTS.code);
  answer(connection, packet[0], TOO_MANY_EVENTS, ackOf(packet));
}

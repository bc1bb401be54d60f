/** Messages of clients by the limits `events` and `pending`: what a connection has to do with them, and how an event is refused. */
import { IoError } from '../errors';
import { namespacesOf } from '../internals/socket-io';
import { type Client, introduce } from '../limits/clients';
import { intakeOf } from '../limits/intakes';
import { acknowledgementOf } from './acknowledgement';
import type { Connection } from './connection';
import { decodeEvent } from './event-decoder';
import { answer } from './packet-failure';
import { TOO_MANY_EVENTS } from './refused-events';
import { connectionOf } from './socket';

const ERRORS = {
  events: TOO_MANY_EVENTS,
  pending: Object.freeze(new IoError('BUSY', 'Too many events are being handled', { status: 429 })),
};

/** To be called for each new connection: its handlers count for the limit `pending`, and its client is told of a limit that ends it. */
export function takeIntake({ handlers, socket }: Connection): void {
  introduce(socket.client);
  const intake = intakeOf(socket.conn);
  if (intake) handlers.intake = intake;
}

/** Refuses an event that is over a limit. Returns false for any other message, and for an event with bytes. */
export function refuseMessage(client: Client, message: string, limit: keyof typeof ERRORS): boolean {
  const packet = decodeEvent(Buffer.from(`4${message}`)); // of Engine.IO
  const socket = packet && namespacesOf(client).get(packet.nsp);
  if (!socket) return false;
  const connection = connectionOf(socket);
  const ack = packet.id === undefined ? undefined : acknowledgementOf(connection, packet.id, packet.data);
  connection.namespace.runtime.packetWatch?.write(connection, packet.data[0], ERRORS[limit].code);
  answer(connection, packet.data[0], ERRORS[limit], ack);
  return true;
}

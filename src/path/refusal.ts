/** How a client is told that it may not connect to a namespace. */
import type { ExtendedError, Socket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { Deprecations } from '../deprecated/deprecations';
import type { ErrorAnswer } from '../errors';
import { namespaceInternals } from '../internals/socket-io';

/** An error that tells a client why it is refused, in Socket.IO's way. */
export function refusalTo(socket: Socket, { message, ...data }: ErrorAnswer): ExtendedError {
  const error: ExtendedError = new Error(message);
  // to a client of protocol 3 Socket.IO would send the data in place of the message
  if (socket.conn.protocol !== 3) error.data = data;
  return error;
}

/** Sends a refusal as Socket.IO does. */
export function sendRefusal(socket: Socket, { message, data }: ExtendedError): void {
  const send = (details: unknown): void => socket._error(socket.conn.protocol === 3 ? details || message : { message, data: details });
  try {
    send(data);
  } catch {
    send(undefined); // data that cannot be encoded, as a circular structure
  }
}

/**
 * Takes a socket that will never be connected out of Socket.IO's tables. Middleware may still use it, and a newer socket may have its id:
 * so it gets an adapter of its own, in whose rooms nobody else is.
 */
export function withdraw(socket: Socket, deprecations: Deprecations): void {
  const connecting = namespaceInternals(socket.nsp)._preConnectSockets;
  const holder = connecting.get(socket.id);
  socket._cleanup();
  if (holder && holder !== socket) connecting.set(socket.id, holder); // a newer one of the same id
  const adapter = new Adapter(socket.nsp);
  deprecations.ofAdapter(adapter);
  Object.assign(socket, { adapter });
}

/** Refusals of clients that may not connect to a namespace. */
import type { ExtendedError, Socket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import { debug } from '../debug';
import type { Deprecations } from '../deprecated/deprecations';
import { type ErrorAnswer, quoted } from '../errors';
import { namespaceInternals } from '../internals/socket-io';
import { AbsentNamespace } from './parents';
import type { ConnectionWatch } from './watch';

/** The connection that is refused. */
interface Refused {
  readonly socket: Socket;
  readonly namespace: { readonly runtime: { readonly connectionWatch: Pick<ConnectionWatch, 'refuse'> | undefined } };
}

/** The answer as an error of the form that Socket.IO sends with `connect_error`. */
export function refusalTo({ socket, namespace }: Refused, { message, ...data }: ErrorAnswer): ExtendedError {
  namespace.runtime.connectionWatch?.refuse(socket, data.code);
  const error: ExtendedError = new Error(message);
  // Socket.IO would send the data instead of the message to a client of protocol 3
  if (socket.conn.protocol !== 3) error.data = data;
  return error;
}

/** Sends a refusal like Socket.IO. */
export function sendRefusal({ socket, namespace }: Refused, { message, data }: ExtendedError): void {
  const { code } = (data ?? {}) as { code?: unknown }; // of a function of `nsp.use()`, whose data can be anything
  debug.refused('%s: it gets %s: %s', inDebug(socket), typeof code === 'string' ? code : 'no code', message);
  namespace.runtime.connectionWatch?.refuse(socket, typeof code === 'string' ? code : 'CONNECTION_REFUSED');
  const send = (details: unknown): void => socket._error(socket.conn.protocol === 3 ? details || message : { message, data: details });
  try {
    send(data);
  } catch {
    send(undefined); // the data cannot be encoded, such as a circular structure
  }
}

/** The client as the debugging log has it. It has chosen the name of its namespace, which need not exist. */
export function inDebug({ id, nsp }: Socket): string {
  return `${id} in namespace ${quoted(nsp.name)}`;
}

/**
 * Removes a socket that will never be connected from Socket.IO's tables. Middleware may still use it, and a newer socket may have its id,
 * so it gets an adapter of its own, whose rooms have no other members.
 */
export function withdraw(socket: Socket, deprecations: Deprecations): void {
  const connecting = namespaceInternals(socket.nsp)._preConnectSockets;
  const holder = connecting.get(socket.id);
  socket._cleanup();
  if (holder && holder !== socket) connecting.set(socket.id, holder); // a newer socket with the same id
  if (socket.nsp instanceof AbsentNamespace) return; // no code of the app has it
  const adapter = new Adapter(socket.nsp);
  deprecations.addToAdapter(adapter);
  Object.assign(socket, { adapter });
}

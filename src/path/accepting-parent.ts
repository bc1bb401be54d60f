/** The parent that has accepted a client of a child: its listeners run as well. */
import type { Socket } from 'socket.io';
import { callNamespaceListeners, type Namespace } from './namespace';
import type { Parents } from './parents';
import { connectionOf } from './socket';

/** Makes a namespace ask the parents for each client, and run the listeners of the one that accepts it. @param parent the one whose pattern it matches */
export function askParents(namespace: Namespace, parents: Parents, parent: Namespace | undefined): void {
  namespace.nsp.on('connect', onConnect).on('connection', onConnection);
  Object.assign(namespace, { parents, parent });
  namespace.setOwnFunctions();
}

function onConnect(socket: Socket): void {
  runListeners('connect', socket);
}

function onConnection(socket: Socket): void {
  runListeners('connection', socket);
}

function runListeners(event: 'connect' | 'connection', socket: Socket): void {
  const { namespace } = connectionOf(socket);
  if (namespace.nsp === socket.nsp) return;
  callNamespaceListeners(socket.nsp, namespace.runtime, event, namespace.nsp.listeners(event), [socket]);
}

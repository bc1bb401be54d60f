/** What the plugin knows of one namespace: its routes and its middleware. */
import type { Namespace as SocketIoNamespace } from 'socket.io';
import { receiveConnection, refusalTo } from './connection';
import type { SocketContext } from './context';
import { refusalFor, toError } from './errors';
import { callListeners } from './listeners';
import type { Layer } from './onion';
import { Router } from './router';
import type { Server } from './server';
import { isBypassed } from './socket';

export class Namespace {
  readonly name: string;
  readonly server: Server;
  readonly router: Router;
  connectionMiddleware: readonly Layer<SocketContext>[] = [];
  packetMiddleware: readonly Layer<SocketContext>[] = [];

  constructor(server: Server, nsp: SocketIoNamespace) {
    this.name = nsp.name;
    this.server = server;
    this.router = new Router(nsp.name, message => server.logger.warn(message));
    nsp.use((socket, next) => void receiveConnection(this, socket, next));
    nsp.on('connection', socket => {
      const connection = server.arrivals.of(socket);
      if (connection) server.arrivals.delete(connection);
      if (connection?.isDismissed) socket.disconnect();
      if (isBypassed(socket)) server.deprecations.warnOfOnevent();
    });
    guardUse(nsp, server);
    guardListeners(nsp, server);
  }
}

/**
 * What listeners of a namespace throw, those of `connection` or of another server's `serverSideEmit()`, is logged.
 * Where Socket.IO calls them, it would end the process.
 */
function guardListeners(nsp: SocketIoNamespace, server: Server): void {
  const emit = (event: string, ...args: unknown[]): boolean => {
    const listeners = nsp.rawListeners(event);
    callListeners(nsp, listeners, args, thrown => {
      const [socket] = args as [{ id?: string }?]; // the one that has connected
      const what = `listener of ${JSON.stringify(event)} failed`;
      server.failures.log({ level: 'error', what, namespace: nsp.name, socket: socket?.id, error: toError(thrown) });
    });
    return listeners.length > 0;
  };
  Object.assign(nsp, { emitReserved: emit, _onServerSideEmit: (args: [event: string, ...args: unknown[]]) => emit(...args) });
}

/**
 * What the app itself gives to `nsp.use()` runs after the connection's onion has admitted a client, and may still refuse it.
 * Where it fails, Socket.IO would leave the client without an answer.
 */
export function guardUse(nsp: SocketIoNamespace, server: Server): void {
  const use = nsp.use.bind(nsp);
  nsp.use = fn =>
    use((socket, next) => {
      let hasAnswered = false;
      const answer: typeof next = error => {
        hasAnswered = true;
        if (error) server.arrivals.of(socket)?.leave();
        next(error);
      };
      const fail = (thrown: unknown): void => {
        const error = toError(thrown);
        server.failures.log({ level: 'error', what: 'middleware of use() failed', namespace: nsp.name, socket: socket.id, error });
        if (!hasAnswered) answer(refusalTo(socket, refusalFor(error, server.reveal)));
      };
      (async () => fn(socket, answer))().catch(fail);
    });
}

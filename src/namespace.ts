/** What the plugin knows of one namespace: its routes and its middleware. */
import type { Namespace as SocketIoNamespace } from 'socket.io';
import { receiveConnection, refusalTo } from './connection';
import type { SocketContext } from './context';
import { refusalFor, toError } from './errors';
import type { Layer } from './onion';
import { Router } from './router';
import type { Server } from './server';

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
    });
    this.#watchLaterMiddleware(nsp);
  }

  /** What the app itself gives to `nsp.use()` runs after the connection's onion has admitted a client, and may still refuse it. */
  #watchLaterMiddleware(nsp: SocketIoNamespace): void {
    const { arrivals, reveal } = this.server;
    const use = nsp.use.bind(nsp);
    nsp.use = fn =>
      use((socket, next) => {
        let hasAnswered = false;
        const answer: typeof next = error => {
          hasAnswered = true;
          if (error) arrivals.of(socket)?.leave();
          next(error);
        };
        // Socket.IO would leave the client without an answer
        const fail = (thrown: unknown): void => {
          const error = toError(thrown);
          arrivals.of(socket)?.log('error', 'middleware of nsp.use() failed', error);
          if (!hasAnswered) answer(refusalTo(socket, refusalFor(error, reveal)));
        };
        (async () => fn(socket, answer))().catch(fail);
      });
  }
}

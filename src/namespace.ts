/** What the plugin knows of one namespace: its routes and its middleware. */
import type { Namespace as SocketIoNamespace } from 'socket.io';
import { receiveConnection } from './connection';
import type { SocketContext } from './context';
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
    const use = nsp.use.bind(nsp);
    nsp.use = fn =>
      use((socket, next) =>
        fn(socket, error => {
          if (error) this.server.arrivals.of(socket)?.leave();
          next(error);
        }),
      );
  }
}

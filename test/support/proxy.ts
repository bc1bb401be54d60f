/** A network between a client and a server, which can be cut. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface Proxy {
  readonly url: string;
  readonly port: number;
  /** Where connections lead that are made from now on. */
  lead(port: number): void;
  /** Ends all connections, and lets none through until it leads somewhere again. */
  cut(): void;
  /** Takes all connections away from the clients; the server is told nothing, as when a phone loses its network. */
  vanish(): void;
  /** Of each connection, the port at which the server sees it. */
  ports(): readonly (number | undefined)[];
  /** Carries nothing more of the connection of such a port. Neither end is told. */
  drop(port: number): void;
}

export interface ProxyOptions {
  /** Ends a connection on which nothing has come for so long, in ms. Default: never. */
  readonly idleTimeout?: number;
}

export async function startProxy(t: TestContext, port: number, { idleTimeout = 0 }: ProxyOptions = {}): Promise<Proxy> {
  let target: number | undefined = port;
  const sockets = new Set<Socket>();
  const clients = new Map<Socket, Socket>();
  // an end goes on to the other side like all else, unless the connection has been dropped
  const server = createServer({ allowHalfOpen: true }, client => {
    if (target === undefined) {
      client.destroy();
      return;
    }
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    clients.set(client, upstream);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.setTimeout(idleTimeout, () => from.destroy());
      from.on('error', () => {}); // it closes as well
      from.on('close', () => {
        sockets.delete(from);
        if (clients.delete(from) || from === upstream) to.destroy(); // unless it has vanished
      });
      from.pipe(to);
    }
  });
  const cut = (): void => {
    target = undefined;
    for (const socket of sockets) socket.destroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: ownPort } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://127.0.0.1:${ownPort}`,
    port: ownPort,
    lead: port => (target = port),
    cut,
    vanish: () => {
      for (const [client, upstream] of clients) {
        clients.delete(client);
        client.unpipe(upstream);
        upstream.unpipe(client);
        upstream.resume();
        client.destroy();
      }
    },
    ports: () => [...clients.values()].map(({ localPort }) => localPort),
    drop: port => {
      for (const [client, upstream] of clients) {
        if (upstream.localPort !== port) continue;
        for (const [from, to] of [
          [client, upstream],
          [upstream, client],
        ] as const) {
          from.unpipe(to);
          from.resume();
        }
      }
    },
  };
}

/** A free port, for servers that cannot be told to take any. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Resolves to a port that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  server.close();
  await once(server, 'close');
  return port;
}

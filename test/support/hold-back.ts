/** A network to Redis that is slow where a test wants it. */
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

interface HeldNetwork {
  readonly port: number;
  isHolding(): boolean;
  release(): void;
}

/** A network to a Redis that holds back one command, and what its connection sends after it. */
export async function holdBack(t: TestContext, port: number, command: string): Promise<HeldNetwork> {
  const held: (() => void)[] = [];
  const sockets: Socket[] = [];
  const network = createServer(client => {
    const redis = createConnection({ host: '127.0.0.1', port });
    sockets.push(client, redis);
    for (const socket of [client, redis]) socket.on('error', () => {}); // it closes as well
    redis.pipe(client);
    client.on('data', (bytes: Buffer) => {
      if (!bytes.includes(command)) {
        redis.write(bytes);
        return;
      }
      client.pause();
      held.push(() => {
        redis.write(bytes);
        client.resume();
      });
    });
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    network.close();
  });
  network.listen(0, '127.0.0.1');
  await once(network, 'listening');
  return {
    port: (network.address() as AddressInfo).port, // it listens on TCP
    isHolding: () => held.length > 0,
    release: () => {
      for (const go of held) go();
    },
  };
}

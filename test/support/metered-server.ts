/** The process of a MeteredServer. */
import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { Server } from 'socket.io';
import type { Reading } from './meter';

interface Egg {
  start(options: object): Promise<{ callback(): RequestListener; emit(event: string, server: HttpServer): void }>;
}

const meters = { promises: 0, writes: 0 };
const promiseHook = createHook({
  init(_id, type) {
    if (type === 'PROMISE') meters.promises++;
  },
});

void main(process.argv[2], process.argv[3]);

async function main(baseDir: string | undefined, framework: string | undefined): Promise<void> {
  const server = baseDir && framework ? await startEgg(baseDir, framework) : startSocketIo();
  server.on('connection', countWrites);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.on('message', (options: string[]) => void read(options));
  process.on('disconnect', () => process.exit());
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`); // it listens on TCP
}

async function startEgg(baseDir: string, framework: string): Promise<HttpServer> {
  const app = await (require(framework) as Egg).start({ baseDir, framework });
  const server = createServer(app.callback());
  app.emit('server', server); // as Egg does in a cluster
  return server;
}

function startSocketIo(): HttpServer {
  const server = createServer();
  const io = new Server(server, { allowEIO3: true, serveClient: false });
  for (const name of ['/', '/bare'])
    io.of(name).on('connection', socket => {
      socket.on('note', () => {});
      socket.on('shout', (data: unknown) => io.of(name).emit('news', data));
      socket.on('echo', (data: unknown, ack: (data: unknown) => void) => ack(data));
    });
  return server;
}

async function read(options: string[]): Promise<void> {
  if (options.includes('count promises')) promiseHook.enable();
  if (options.includes('collect garbage')) {
    for (let round = 0; round < 3; round++) {
      await nextTurn(); // what has been collected may let go of more
      globalThis.gc?.();
    }
  }
  const livingPromises = options.includes('count living promises') ? queryObjects(Promise, { format: 'count' }) : 0;
  const reading: Reading = { ...meters, livingPromises, heap: process.memoryUsage().heapUsed };
  process.send?.(reading);
}

function countWrites(tcp: TcpSocket): void {
  for (const name of ['_write', '_writev'] as const) {
    const write = tcp[name]?.bind(tcp) as ((...args: unknown[]) => void) | undefined; // each has its own arguments
    Object.assign(tcp, {
      [name](...args: unknown[]) {
        meters.writes++;
        write?.(...args);
      },
    });
  }
}

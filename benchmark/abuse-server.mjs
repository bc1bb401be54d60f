/** One or several workers that are attacked: `plain` Socket.IO, or this plugin in an app of Egg's. Answers for all of them. */
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { join } from 'node:path';
import { Server } from 'socket.io';
import { answer } from './child.mjs';
import { answerMaster } from './abuse-worker.mjs';
import { freePort } from './port.mjs';

const [kind, workers, port] = process.argv.slice(2);

if (cluster.isPrimary) await startAll();
else await servePlain();

async function startAll() {
  const free = await freePort();
  if (kind === 'plain') {
    cluster.setupPrimary({ args: [kind, workers, String(free)] });
    for (let i = 0; i < Number(workers); i++) cluster.fork();
    await Promise.all(Object.values(cluster.workers).map(worker => once(worker, 'listening')));
  } else {
    const require = createRequire(import.meta.url);
    const framework = join(import.meta.dirname, '../node_modules/egg');
    const baseDir = join(import.meta.dirname, 'abuse-app');
    await require(framework).startCluster({ baseDir, framework, workers: Number(workers), port: free, sticky: false });
  }
  let lastId = 0;
  const pending = new Map();
  for (const worker of Object.values(cluster.workers))
    worker.on('message', message => {
      if (message?.action !== 'abuse') return;
      pending.get(message.id)?.(message.answer);
      pending.delete(message.id);
    });
  const ask = (worker, name, args) =>
    new Promise(resolve => {
      pending.set(++lastId, resolve);
      worker.send({ action: 'abuse', id: lastId, name, args });
    });
  const askAll =
    name =>
    async (...args) =>
      await Promise.all(Object.values(cluster.workers).map(worker => ask(worker, name, args)));
  const names = ['memory', 'forgetPeak', 'peak', 'cpu', 'broadcast', 'sweep'];
  answer({ about: () => ({ port: free }), ...Object.fromEntries(names.map(name => [name, askAll(name)])) });
}

/** The same as in abuse-app. */
async function servePlain() {
  const server = createServer();
  const { init } = JSON.parse(process.env.ABUSE_CONFIG).io;
  const io = new Server(server, { allowEIO3: true, ...init });
  const answerTo = socket => {
    socket.on('error', () => {}); // a client could end the process without
    socket.on('echo', async (message, ack) => ack?.(message));
    socket.on('hang', async () => await new Promise(() => {}));
    socket.on('enter', async (room, ack) => {
      await socket.join(room);
      ack?.(true);
    });
  };
  for (const nsp of [io, io.of('/strict')]) nsp.on('connection', answerTo);
  io.of(/^\/room-[^/]+$/);
  io.of('/waiting').use(() => {});
  const listening = once(server, 'listening');
  server.listen(Number(port), '127.0.0.1');
  await listening;
  answerMaster(io);
}

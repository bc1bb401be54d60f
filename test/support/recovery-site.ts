/** Set-ups of servers to which clients come back: of each worker or server, the test knows the port, and can end it in any way. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { type Files, startApp } from './app';
import { connect, next } from './client';
import { startCluster } from './cluster';
import { newPostgres } from './postgres';
import { isAlive } from './processes';
import { startRedis } from './redis';
import type { SetUp } from './recovery-promises';
import { startSingle } from './single';
import { until } from './until';

/**
 * How long a client may be away, and the heartbeats, in ms: short, so that what is kept is soon too old, and longer than a busy machine takes to
 * replace all servers, or to bring a client back.
 */
const AWAY = 12_000;
const [PING_INTERVAL, PING_TIMEOUT] = [3000, 9000];

/** In ms: an emit is kept for as long as a client may be away and its middleware may run, and as long as a silent loss may take to be noticed. */
export const KEPT = AWAY + 10_000 + PING_INTERVAL + PING_TIMEOUT;

/** A worker, or a server of one process. */
export interface Door {
  readonly port: number;
  /** Asks the app there, by a route of its namespace for the test. */
  ask(question: string, ...args: unknown[]): Promise<unknown>;
  /** The next time the app there tells this of a client; with the reason, if it has left. */
  told(what: 'waits' | 'left', cell: string): Promise<unknown[]>;
}

export interface Site {
  /** Whether the servers reach each other. */
  readonly isShared: boolean;
  /** Those that stay, until all are replaced. */
  readonly lasting: readonly [Door, Door, Door];
  readonly killed: Door;
  readonly replaced: Door;
  /** Ends that process, with SIGKILL. */
  kill(): Promise<void>;
  /** Closes that worker or server in good order. */
  replace(): Promise<void>;
  /** Closes all, and starts another. */
  replaceAll(): Promise<Door>;
  /** Removes from the backend what it keeps of emits, as if many had followed. */
  forget(): Promise<void>;
}

/** @param io of `config.io`, as text */
function filesOf(io: string): Files {
  return {
    'app/io/middleware/cell.js': `
      module.exports = app => async (ctx, next) => {
        const { socket } = ctx;
        const { cell, step } = socket.handshake.auth;
        const tell = (what, reason) => app.io.of('/control').local.emit(what + ' ' + cell, reason);
        if (step === 'is refused') throw new Error('not now');
        if (!socket.recovered) {
          await socket.join(cell);
          socket.data.cell = cell;
        }
        if (step === 'waits') {
          tell('waits');
          await new Promise(resolve => socket.conn.once('close', resolve));
        }
        tell('left', await next());
      };`,
    'app/router.js': `
      module.exports = app => {
        const control = app.io.of('/control');
        const here = cell => [...app.io.sockets.sockets.values()].find(({ data }) => data.cell === cell);
        // in each way in which an emit can reach one client
        control.route('say', async ({ args: [cell, id, number] }) => {
          const target = [app.io.to(cell), app.io.sockets.sockets.get(id) || app.io.to(id), app.io.except('nobody').in([cell, id])][number % 3];
          return target.emit('said', number);
        });
        control.route('mark', async ({ args: [cell] }) => {
          const socket = here(cell);
          await socket.join('marked');
          return (socket.data.marked = true);
        });
        control.route('sockets', async ({ args: [cell] }) => {
          const sockets = await app.io.in(cell).fetchSockets();
          return sockets.map(({ id, rooms, data }) => ({ id, isMarked: rooms.has('marked') && data.marked === true }));
        });
        control.route('connections', async () => app.io.engine.clientsCount);
      };`,
    // each worker of a cluster has a port of its own besides
    'app.js': `
      const { mkdirSync, writeFileSync } = require('node:fs');
      const { createServer } = require('node:net');
      module.exports = app => {
        if (!require('node:cluster').isWorker) return;
        app.once('server', server => {
          const door = createServer(socket => server.emit('connection', socket));
          app.beforeClose(() => void door.close());
          door.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
            mkdirSync(app.baseDir + '/doors', { recursive: true });
            writeFileSync(app.baseDir + '/doors/' + process.pid + '-' + door.address().port, '');
          });
        });
      };`,
    'config/config.default.js': `
      exports.io = {
        init: {
          connectionStateRecovery: { maxDisconnectionDuration: ${AWAY} },
          pingInterval: ${PING_INTERVAL},
          pingTimeout: ${PING_TIMEOUT},
        },
        namespace: { '/': { connectionMiddleware: ['cell'] } },
        ${io}
      };`,
  };
}

/** Starts the servers of a set-up. */
export async function startSite(t: TestContext, setUp: SetUp): Promise<Site> {
  if (setUp === 'hub') return startHubSite(t);
  if (setUp === 'memory') return { ...(await startServers(t, filesOf(''))), isShared: false };
  if (setUp === 'postgres') {
    const postgres = await newPostgres(t);
    await postgres.start();
    return startServers(
      t,
      filesOf(`adapter: { name: 'postgres', connection: '${postgres.url}', heartbeatInterval: 500, heartbeatTimeout: 1500 }`),
    );
  }
  const { port } = await startRedis(t);
  const site = await startServers(t, filesOf(`adapter: '${setUp}', redis: { port: ${port} }`));
  if (setUp !== 'redis-streams') return site;
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  return { ...site, forget: async () => void (await redis.xtrim('socket.io', 'MAXLEN', 0)) };
}

/** Servers of one process each. Only the one that is killed needs a process that is not the test's. */
async function startServers(t: TestContext, files: Files): Promise<Site> {
  const start = async () => startApp(t, files);
  const apps = [await start(), await start(), await start(), await start()] as const;
  const victim = await startSingle(t, files, 'const app = await egg.start(options); app.listen(port, host, listening);');
  const [a, b, c, replaced, killed] = await Promise.all([...apps, victim].map(async ({ url }) => openDoor(t, Number(new URL(url).port))));
  if (!a || !b || !c || !replaced || !killed) throw new Error('a server is missing');
  return {
    ...{ isShared: true, lasting: [a, b, c], killed, replaced },
    kill: async () => {
      const { process: child } = victim;
      const ended = next(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    replace: async () => apps[3].close(),
    replaceAll: async () => {
      await Promise.all(apps.map(async app => app.close()));
      return openDoor(t, (await start()).port);
    },
    forget: async () => {},
  };
}

/** A cluster of several workers with the hub, and nothing else. */
async function startHubSite(t: TestContext): Promise<Site> {
  const files = filesOf('');
  const cluster = await startCluster(t, files, { workers: 5 });
  let names: string[] = [];
  await until(t, async () => {
    names = await readdir(join(cluster.baseDir, 'doors')).catch(() => []);
    return names.length === 5;
  });
  const workers = names.map(name => name.split('-').map(Number) as [pid: number, port: number]); // as the app writes them
  const [a, b, c, replaced, killed] = await Promise.all(workers.map(async ([, port]) => openDoor(t, port)));
  const [replacedPid, killedPid] = [workers[3]?.[0], workers[4]?.[0]];
  if (!a || !b || !c || !replaced || !killed || !replacedPid || !killedPid) throw new Error('a worker is missing');
  const end = async (pid: number, signal: NodeJS.Signals): Promise<void> => {
    process.kill(pid, signal);
    await until(t, () => !isAlive(pid));
  };
  return {
    ...{ isShared: true, lasting: [a, b, c], killed, replaced },
    kill: async () => end(killedPid, 'SIGKILL'),
    replace: async () => end(replacedPid, 'SIGTERM'),
    replaceAll: async () => {
      await cluster.terminate();
      return openDoor(t, (await startApp(t, files)).port);
    },
    forget: async () => {},
  };
}

async function openDoor(t: TestContext, port: number): Promise<Door> {
  const control = await connect(t, `http://127.0.0.1:${port}/control`);
  return {
    port,
    ask: async (question, ...args) => control.emitWithAck(question, ...args) as Promise<unknown>,
    told: async (what, cell) => next(control, `${what} ${cell}`),
  };
}

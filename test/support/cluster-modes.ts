/** How the workers of a cluster work together, by what decides it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Files } from './app';
import { ask, type Client, connect, newClient, next, refusal } from './client';
import { type Cluster, type ClusterOptions, startCluster } from './cluster';
import { startRedis } from './redis';

export const FILES: Files = {
  'app/io/middleware/noted.js': `
    module.exports = app => async (ctx, next) => {
      await next();
      require('node:fs').appendFileSync(app.baseDir + '/gone.txt', 'gone\\n'); // at once: Egg does not wait for its logger when it ends
    };`,
  'app/io/controller/home.js': `
    exports.echo = async ctx => ({ said: ctx.args[0], pid: process.pid });
    exports.tell = async ctx => { ctx.app.io.emit('told'); };`,
  'app/router.js': `
    module.exports = app => {
      app.io.route('echo', app.io.controller.home.echo);
      app.io.route('tell', app.io.controller.home.tell);
    };`,
  'config/config.default.js': configWith(''),
};

function configWith(more: string): string {
  return `exports.io = { namespace: { '/': { connectionMiddleware: ['noted'] } }, ${more} };`;
}

export interface Mode {
  readonly options: ClusterOptions;
  readonly config?: string;
  readonly log: RegExp;
  /** Whether a client of any worker can poll. */
  readonly polls: boolean;
  /** Whether a broadcast reaches the clients of all workers. */
  readonly broadcasts: boolean;
}

export const STICKY = 'with sticky, all requests of a client reach the same worker';
export const ALONE = 'all requests of a client have to reach the same worker, since config.io.cluster is false';

/** A test of each. The port 6379 stands for that of a Redis of its own. */
export function testModes(modes: Record<string, Mode>): void {
  for (const [name, { options, config = '', log, polls, broadcasts }] of Object.entries(modes)) {
    test(`${name}: who can connect, who hears a broadcast, what the log says, and how SIGTERM ends it`, async t => {
      const redis = config.includes('redis') ? await startRedis(t) : undefined;
      const files = { ...FILES, 'config/config.default.js': configWith(config.replace('6379', String(redis?.port))) };
      const cluster = await startCluster(t, files, options);
      const clients: Client[] = [];
      const pids: number[] = [];
      const owners = options.workers > 1 && !options.sticky ? 2 : 1;
      while (clients.length < 4 || new Set(pids).size < owners) {
        const transports = [polls && clients.length % 2 === 0 ? 'polling' : 'websocket'];
        const client = await connect(t, cluster.url, { transports });
        clients.push(client);
        pids.push((await echo(client)).pid);
      }
      assert.ok(!pids.includes(cluster.master.pid ?? 0), 'a worker answers');
      assert.equal(new Set(pids).size, owners);
      if (!polls) await refusal(newClient(t, cluster.url, { transports: ['polling'] }));

      const heard = new Set<number>();
      const isHeard = clients.map(async (client, index) => next(client, 'told').then(() => heard.add(index)));
      at(clients, 0).emit('tell');
      await Promise.all(isHeard.filter((_, index) => broadcasts || pids[index] === pids[0]));
      for (const client of clients) await ask(client, 'echo'); // what is on its way to them has come
      assert.equal(heard.size, broadcasts ? clients.length : pids.filter(pid => pid === pids[0]).length);

      const defaults = polls ? await defaultClients(t, cluster) : [];
      const told = Promise.all(defaults.map(client => next(client, 'disconnect')));
      assert.equal(await cluster.terminate(), 0);
      assert.deepEqual(workerExits(cluster), Array(options.workers).fill('success 0'));
      for (const [reason] of await told) assert.equal(reason, 'transport close');
      for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
      // one that is refused may have been let in by one worker, before its next request comes to the other
      if (polls) assert.equal(await timesGone(cluster), clients.length + defaults.length, 'the last part of the middleware has run');
      const lines = await cluster.log();
      assert.match(lines, log);
      assert.equal(
        / WARN .*IO_STICKY_MISSING: 2 workers without sticky: .*start with --sticky, or set config\.io\.init\.transports/.test(lines),
        !polls,
      );
    });
  }
}

/** Clients of each version, which upgrade, and are answered. */
async function defaultClients(t: TestContext, { url }: Cluster): Promise<Client[]> {
  const clients = await Promise.all(
    ([2, 3, 4] as const).map(version => connect(t, url, { transports: ['polling', 'websocket'] }, version)),
  );
  for (const client of clients) {
    const { engine } = client.io;
    if (engine.transport.name !== 'websocket') await next(engine as unknown as NodeJS.EventEmitter, 'upgrade'); // its own emitter, of the same shape
    assert.equal((await echo(client, 'hello')).said, 'hello');
  }
  return clients;
}

async function echo(client: Client, text = ''): Promise<{ said: string; pid: number }> {
  return (await ask(client, 'echo', text)) as { said: string; pid: number };
}

/** How often the last part of the connection middleware has run. */
export async function timesGone({ baseDir }: Cluster): Promise<number> {
  return (await readFile(join(baseDir, 'gone.txt'), 'utf8')).split('\n').length - 1;
}

/** Of each worker: whether the app closed, and its exit code, which is null if Egg has killed it. From what these and the master print. */
export function workerExits({ printed }: Cluster): string[] {
  const closed = [...printed().matchAll(/\[app_worker\] beforeExit (success)/g)].map(([, result = '']) => result);
  const codes = [...printed().matchAll(/worker:\d+ exit \(code: (\w+),/g)].map(([, code = '']) => code);
  return codes.map((code, index) => `${closed[index]} ${code}`);
}

function at(clients: readonly Client[], index: number): Client {
  return clients[index] ?? assert.fail('there is no such client');
}

/** How the workers of a cluster work together, by what decides it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from './app';
import { ask, type Client, connect, newClient, next, refusal } from './client';
import { type ClusterOptions, startCluster } from './cluster';
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
  'config/config.default.js': `
    exports.io = { namespace: { '/': { connectionMiddleware: ['noted'] } } };`,
};

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
    test(`${name}: who can connect, who hears a broadcast, and what the log says`, async t => {
      const redis = config.includes('redis') ? await startRedis(t) : undefined;
      const files = { ...FILES, 'config/config.default.js': `exports.io = { ${config.replace('6379', String(redis?.port))} };` };
      const cluster = await startCluster(t, files, options);
      const clients: Client[] = [];
      const pids: number[] = [];
      const owners = options.workers > 1 && !options.sticky ? 2 : 1;
      while (clients.length < 4 || new Set(pids).size < owners) {
        const transports = [polls && clients.length % 2 === 0 ? 'polling' : 'websocket'];
        const client = await connect(t, cluster.url, { transports });
        clients.push(client);
        pids.push(((await ask(client, 'echo')) as { pid: number }).pid);
      }
      assert.equal(new Set(pids).size, owners);
      if (!polls) await refusal(newClient(t, cluster.url, { transports: ['polling'] }));

      const heard = new Set<number>();
      const isHeard = clients.map(async (client, index) => next(client, 'told').then(() => heard.add(index)));
      at(clients, 0).emit('tell');
      await Promise.all(isHeard.filter((_, index) => broadcasts || pids[index] === pids[0]));
      for (const client of clients) await ask(client, 'echo'); // what is on its way to them has come
      assert.equal(heard.size, broadcasts ? clients.length : pids.filter(pid => pid === pids[0]).length);

      assert.equal(await cluster.terminate(), 0);
      const lines = await cluster.log();
      assert.match(lines, log);
      assert.equal(
        / WARN .*IO_STICKY_MISSING: 2 workers without sticky: .*start with --sticky, or set config\.io\.init\.transports/.test(lines),
        !polls,
      );
    });
  }
}

function at(clients: readonly Client[], index: number): Client {
  return clients[index] ?? assert.fail('there is no such client');
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from './support/app';
import { ask, connect, next } from './support/client';
import { startCluster } from './support/cluster';
import { RawClient } from './support/raw';

const FILES: Files = {
  'app/io/middleware/noted.js': `
    module.exports = app => async (ctx, next) => {
      await next();
      app.logger.warn('the client has gone');
    };`,
  'app/io/controller/home.js': `
    exports.echo = async ctx => ({ said: ctx.args[0], pid: process.pid });`,
  'app/router.js': `
    module.exports = app => { app.io.route('echo', app.io.controller.home.echo); };`,
  'config/config.default.js': `
    exports.io = { namespace: { '/': { connectionMiddleware: ['noted'] } } };`,
};

for (const options of [{ workers: 1 }, { workers: 2, sticky: true }]) {
  const what = options.workers === 1 ? 'one worker' : 'two workers and sticky';

  test(`with ${what}, default clients connect and are answered, and SIGTERM ends all within five seconds`, async t => {
    const cluster = await startCluster(t, FILES, options);
    const clients = await Promise.all(
      ([2, 3, 4] as const).map(version => connect(t, cluster.url, { transports: ['polling', 'websocket'] }, version)),
    );
    const pids = new Set<number>();
    for (const client of clients) {
      const answer = (await ask(client, 'echo', 'hello')) as { said: string; pid: number };
      assert.equal(answer.said, 'hello');
      pids.add(answer.pid);
    }
    assert.ok(!pids.has(cluster.master.pid ?? 0), 'a worker answers');
    const told = Promise.all(clients.map(client => next(client, 'disconnect')));
    const begin = performance.now();
    assert.equal(await cluster.terminate(), 0);
    const duration = performance.now() - begin;
    t.diagnostic(`ended after ${Math.round(duration)} ms`);
    assert.ok(duration < 5000, `${duration} ms`);
    for (const [reason] of await told) assert.equal(reason, 'transport close');
    const gone = (await cluster.log()).split('\n').filter(line => line.includes('the client has gone'));
    assert.equal(gone.length, clients.length, 'the last part of the connection middleware has run');
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });
}

test('a client that does not answer the goodbye keeps no worker: SIGTERM ends it within five seconds all the same', async t => {
  const cluster = await startCluster(t, FILES, { workers: 1 });
  const client = await RawClient.open(t, cluster.url);
  client.send('40');
  await client.frame(/^40/);
  client.freeze();
  const begin = performance.now();
  assert.equal(await cluster.terminate(), 0);
  const duration = performance.now() - begin;
  t.diagnostic(`ended after ${Math.round(duration)} ms`);
  assert.ok(duration < 5000, `${duration} ms`);
  assert.match(await cluster.log(), /the client has gone/);
});

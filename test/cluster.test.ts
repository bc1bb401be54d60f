import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from './support/app';
import { ask, connect, next } from './support/client';
import { type Cluster, startCluster } from './support/cluster';
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

const STICKY_MISSING = / WARN .*IO_STICKY_MISSING: 2 workers without sticky: .*start with --sticky, or set config\.io\.init\.transports/;

for (const options of [{ workers: 1 }, { workers: 2, sticky: true }]) {
  const what = options.workers === 1 ? 'one worker' : 'two workers and sticky';

  test(`with ${what}, default clients connect and are answered, and SIGTERM ends all in good order`, async t => {
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
    assert.equal(await cluster.terminate(), 0);
    assert.deepEqual(workerExits(cluster), Array(options.workers).fill('success 0'));
    for (const [reason] of await told) assert.equal(reason, 'transport close');
    const log = await cluster.log();
    const gone = log.split('\n').filter(line => line.includes('the client has gone'));
    assert.equal(gone.length, clients.length, 'the last part of the connection middleware has run');
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    assert.doesNotMatch(log, STICKY_MISSING);
  });
}

test('a client that does not answer the goodbye keeps no worker: it ends by itself all the same', async t => {
  const cluster = await startCluster(t, FILES, { workers: 1 });
  const client = await RawClient.open(t, cluster.url);
  client.send('40');
  await client.frame(/^40/);
  client.freeze();
  assert.equal(await cluster.terminate(), 0);
  assert.deepEqual(workerExits(cluster), ['success 0']);
  assert.match(await cluster.log(), /the client has gone/);
});

test('two workers without sticky warn that polling will fail, unless only WebSocket is allowed', async t => {
  const mixed = await startCluster(t, FILES, { workers: 2 });
  await mixed.terminate();
  assert.match(await mixed.log(), STICKY_MISSING);

  const config = `exports.io = { init: { transports: ['websocket'] } };`;
  const webSocketOnly = await startCluster(t, { ...FILES, 'config/config.default.js': config }, { workers: 2 });
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(t, webSocketOnly.url)));
  for (const client of clients) assert.equal(((await ask(client, 'echo', 'hello')) as { said: string }).said, 'hello');
  await webSocketOnly.terminate();
  assert.doesNotMatch(await webSocketOnly.log(), STICKY_MISSING);
});

/** Of each worker: whether the app closed, and its exit code, which is null if Egg has killed it. From what these and the master print. */
function workerExits({ printed }: Cluster): string[] {
  const closed = [...printed().matchAll(/\[app_worker\] beforeExit (success)/g)].map(([, result = '']) => result);
  const codes = [...printed().matchAll(/worker:\d+ exit \(code: (\w+),/g)].map(([, code = '']) => code);
  return codes.map((code, index) => `${closed[index]} ${code}`);
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, type Client, connect, next } from './support/client';
import { startCluster } from './support/cluster';
import { ALONE, FILES, STICKY, testModes, timesGone, workerExits } from './support/cluster-modes';
import { freePort } from './support/port';
import { openPolling, RawClient } from './support/raw';

test('at SIGTERM no answer of a handler that ends in time is lost, whichever way a client has come', async t => {
  const files = {
    'app/io/controller/home.js': `
      exports.slow = async ctx => {
        const told = new Promise(resolve => process.once('SIGTERM', resolve)); // as Egg itself is told
        ctx.socket.emit('begun');
        await told;
        await new Promise(resolve => setTimeout(resolve, 300));
        return ctx.args[0];
      };`,
    'app/router.js': `module.exports = app => { process.setMaxListeners(0); app.io.route('slow', app.io.controller.home.slow); };`,
  };
  const cluster = await startCluster(t, files, { workers: 2 });
  const clients: Client[] = [];
  for (const version of [2, 3, 4] as const) {
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      for (let n = 0; n < 3; n++) clients.push(await connect(t, cluster.url, { transports }, version));
    }
  }
  const begun = Promise.all(clients.map(client => next(client, 'begun')));
  const reasons = Promise.all(clients.map(client => next(client, 'disconnect')));
  const answers = clients.map(async client => ask(client, 'slow', 'x'.repeat(50_000)));
  await begun;
  assert.equal(await cluster.terminate(), 0);
  assert.deepEqual(new Set(await Promise.all(answers)), new Set(['x'.repeat(50_000)]));
  assert.deepEqual(new Set((await reasons).flat().filter(reason => typeof reason === 'string')), new Set(['transport close']));
  assert.deepEqual(workerExits(cluster), ['success 0', 'success 0']);
});

test('a client that does not answer the goodbye keeps no worker: it ends by itself all the same', async t => {
  const cluster = await startCluster(t, FILES, { workers: 1 });
  const client = await RawClient.connect(t, cluster.url);
  client.freeze();
  assert.equal(await cluster.terminate(), 0);
  assert.deepEqual(workerExits(cluster), ['success 0']);
  assert.equal(await timesGone(cluster), 1);
});

// every combination of what decides how workers work together; those with Redis are in test/once/cluster.test.ts
testModes({
  'one worker': {
    options: { workers: 1 },
    log: /\[egg-socket\.io\] one worker takes all requests; broadcasts stay in the process$/m,
    polls: true,
    broadcasts: true,
  },
  'two workers': {
    options: { workers: 2 },
    log: /worker 2: any worker takes the requests of any client; broadcasts go through the hub in the agent$/m,
    polls: true,
    broadcasts: true,
  },
  'two workers, sticky': {
    options: { workers: 2, sticky: true },
    log: new RegExp(`worker 2: ${STICKY}; broadcasts go through the hub in the agent$`, 'm'),
    polls: true,
    broadcasts: true,
  },
  'two workers, with cluster off': {
    options: { workers: 2 },
    config: 'cluster: false',
    log: new RegExp(`worker 2: ${ALONE}; broadcasts stay in the process, since config.io.cluster is false$`, 'm'),
    polls: false,
    broadcasts: false,
  },
  'two workers, sticky, with cluster off': {
    options: { workers: 2, sticky: true },
    config: 'cluster: false',
    log: new RegExp(`worker 2: ${STICKY}; broadcasts stay in the process, since config.io.cluster is false$`, 'm'),
    polls: true,
    broadcasts: false,
  },
});

test('workers that are threads, each with a port of its own, work together as well', async t => {
  const ports = [await freePort(), await freePort()];
  const cluster = await startCluster(t, { ...FILES, 'config/config.default.js': '' }, { workers: 2, startMode: 'worker_threads', ports });
  const urls = ports.map(port => `http://127.0.0.1:${port}`);
  const clients = await Promise.all(urls.map(async url => connect(t, url, { transports: ['polling'] })));
  const heard = clients.map(client => next(client, 'told'));
  at(clients, 0).emit('tell');
  await Promise.all(heard);
  // the requests of a session may come to the other port: as behind a load balancer
  const polling = new URL(await openPolling(urls[0] ?? ''));
  polling.port = String(ports[1]);
  assert.equal(await (await fetch(polling, { method: 'POST', body: '40', headers: { 'content-type': 'text/plain' } })).text(), 'ok');
  assert.match(
    await cluster.log(),
    /worker \d+: any worker takes the requests of any client; broadcasts go through the hub in the agent$/m,
  );
});

test('workers that take WebSockets only are not told to be sticky', async t => {
  const config = `exports.io = { cluster: false, init: { transports: ['websocket'] } };`;
  const cluster = await startCluster(t, { ...FILES, 'config/config.default.js': config }, { workers: 2 });
  await cluster.terminate();
  assert.doesNotMatch(await cluster.log(), /IO_STICKY_MISSING/);
});

function at(clients: readonly Client[], index: number): Client {
  return clients[index] ?? assert.fail('there is no such client');
}

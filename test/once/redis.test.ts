/** Redis as people run it for many machines: by TLS, by Sentinel, as a Cluster; with its failovers. */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { type RunningApp, startApp } from '../support/app';
import { type Client, connect, next } from '../support/client';
import { startRedis, startRedisCluster, startSentinels, startTlsRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';

test('by TLS, with options or with a URL', async t => {
  watchForCrashes(t);
  const { server, ca } = await startTlsRedis(t);
  const read = `{ ca: require('fs').readFileSync(${JSON.stringify(ca)}) }`;
  const one = await start(t, `{ redis: { host: '127.0.0.1', port: ${server.port}, tls: ${read} } }`);
  const other = await start(t, `{ redis: { url: 'rediss://localhost:${server.port}', tls: ${read} } }`);
  await reaches(one, await connect(t, other.url));
  const distrustful = await start(t, `{ redis: 'rediss://localhost:${server.port}' }`);
  assert.match(await distrustful.logged(/IO_REDIS_DOWN/), /self.signed certificate/);
});

for (const adapter of ['redis', 'redis-sharded', 'redis-streams']) {
  test(`${adapter} by Sentinel: when the master is killed, its successor is taken`, async t => {
    watchForCrashes(t);
    const { name, sentinels, master } = await startSentinels(t);
    const config = `{ adapter: '${adapter}', redis: { name: '${name}', sentinels: ${JSON.stringify(sentinels)} } }`;
    await survives(t, config, () => master.kill());
  });
}

test('by Sentinel: when the master is paused, its successor is taken', async t => {
  watchForCrashes(t);
  const { name, sentinels, master } = await startSentinels(t);
  const config = `{ redis: { name: '${name}', sentinels: ${JSON.stringify(sentinels)} } }`;
  await survives(t, config, async () => master.pause());
});

for (const [adapter, victim] of [
  ['redis', 0],
  ['redis-streams', 1], // it has the stream: https://redis.io/docs/latest/reference/cluster-spec/ says how keys become slots
] as const) {
  test(`${adapter} over a Cluster: when a master is killed, its replica takes its place`, async t => {
    watchForCrashes(t);
    const nodes = await startRedisCluster(t);
    const config = `{ adapter: '${adapter}', redis: { nodes: [{ host: '127.0.0.1', port: ${nodes[0]?.port} }, { host: '127.0.0.1', port: ${nodes[1]?.port} }] } }`;
    await survives(t, config, async () => nodes[victim]?.kill());
  });
}

test('redis-streams: what is emitted between two reads of a quiet stream arrives, the first emit as well', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const names = Array.from({ length: 16 }, (_, index) => `/${index}`); // each has a stream, or almost
  const files = {
    'app/router.js': `module.exports = app => { for (const name of ${JSON.stringify(names)}) app.io.of(name); };`,
    // a read ends every ms
    'config/config.default.js': `exports.io = { adapter: { name: 'redis-streams', streamCount: 16, blockTimeInMs: 1 }, redis: { port: ${port} } };`,
  };
  const [one, other] = [await startApp(t, files), await startApp(t, files)];
  const clients = await Promise.all(names.map(async name => connect(t, other.url + name)));
  const heard = Promise.all(clients.map(async client => next(client, 'said')));
  for (const name of names) one.io.of(name).emit('said', name);
  assert.deepEqual(
    await heard,
    names.map(name => [name]),
  );
});

async function start(t: TestContext, io: string): Promise<RunningApp> {
  return startApp(t, { 'config/config.default.js': `exports.io = ${io};` });
}

/** Two servers reach each other before it and after it, and are told of it at most once. */
async function survives(t: TestContext, config: string, fault: () => Promise<unknown>): Promise<void> {
  const [one, other] = [await start(t, config), await start(t, config)];
  const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
  await Promise.all([reaches(one, bob), reaches(other, alice)]);
  await fault();
  await Promise.all([reachesAgain(one, bob), reachesAgain(other, alice)]);
  let answers = 0; // a question that goes through a node of a Cluster which is being replaced has none
  while (answers < 2)
    answers = await one.io.fetchSockets().then(
      ({ length }) => length,
      () => setImmediate(0),
    );
  for (const { logs, logged } of [one, other]) {
    if (logs.some(line => line.includes('IO_REDIS_DOWN'))) await logged(/^INFO .* is back/); // a Cluster may bear it without
    const ours = logs.filter(line => /\[egg-socket\.io\] (IO_)?REDIS/i.test(line)).map(line => line.slice(0, 4));
    assert.match(ours.join(), /^(ERRO,INFO)?$/);
  }
}

async function reaches({ io }: RunningApp, client: Client): Promise<void> {
  const said = next(client, 'said');
  io.emit('said', 'across');
  assert.deepEqual(await said, ['across']);
}

/** Emits, again and again, until one arrives. */
async function reachesAgain({ io, url }: RunningApp, client: Client): Promise<void> {
  const again = setInterval(() => io.emit(url), 20); // a name that nobody else emits
  await next(client, url);
  clearInterval(again);
}

/** Redis as people run it for many machines: by TLS, by Sentinel, as a Cluster; with its failovers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { type AdapterServer, allHeard, allKnown, enter, forgetsQuestion, type Person } from '../support/adapters';
import { type RunningApp, startApp } from '../support/app';
import { type Client, connect, next } from '../support/client';
import { holdBack } from '../support/hold-back';
import { join } from '../support/joined';
import { startRedis, startRedisCluster, startSentinels, startTlsRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';
import { repeatUntil, until } from '../support/until';

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

test('redis-streams: the boot waits until the stream is read, so that what another server emits from then on arrives', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const network = await holdBack(t, port, 'xrevrange'); // with which reading begins
  const streams = (port: number): Parameters<typeof join>[1] => ({ adapter: 'redis-streams', redis: { port } });
  const one = await join(t, streams(port));
  await one.ready();
  const other = await join(t, streams(network.port)); // it waits for two seconds at most
  const bob = await enter(t, other);
  const ready = other.ready().then(() => one.io.emit('first'));
  await pulsesOf(t, port, 2); // all else works by now
  network.release();
  await ready;
  const second = next(bob.client, 'second');
  one.io.emit('second');
  await second;
  assert.deepEqual(bob.heard, [['first'], ['second']]);
});

test('redis-sharded: who has joined a room gets what other servers emit to it from then on, and nobody waits for a Redis that does not answer', async t => {
  watchForCrashes(t);
  const redis = await startRedis(t);
  const network = await holdBack(t, redis.port, '#room#'); // the subscription to its channel
  const [one, other] = await Promise.all([redis, network].map(async ({ port }) => join(t, { adapter: 'redis-sharded', redis: { port } })));
  assert.ok(one && other);
  await Promise.all([one.ready(), other.ready()]);
  await allKnown([one, other]);
  const people = [await enter(t, other), await enter(t, other)] as const;
  const joined: string[] = [];
  const joining = Promise.all(people.map(async ({ socket, id }) => (await socket.join('room'), joined.push(id))));
  one.io.to('room').emit('early');
  assert.deepEqual(await allHeard(one.io.of('/'), people), [[], []]);
  assert.deepEqual(joined, []);
  network.release();
  await joining;
  one.io.to('room').emit('said');
  assert.deepEqual(await allHeard(one.io.of('/'), people), [[['said']], [['said']]]);

  redis.pause();
  t.after(() => redis.resume());
  for (const room of ['before anybody knows', 'later']) await people[0].socket.join(room);
  assert.ok(!other.backplane.isReachable);
});

test('redis-sharded: who joins a room waits also while Redis refuses what questions to other servers need', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const network = await holdBack(t, port, '#room#');
  const one = await join(t, { adapter: 'redis-sharded', redis: { port } });
  const other = await join(t, { adapter: 'redis-sharded', redis: { port: network.port } });
  await Promise.all([one.ready(), other.ready()]);
  await allKnown([one, other]);
  const [early, late] = [await enter(t, other), await enter(t, other)];
  const joined: string[] = [];
  const joinRoom = async ({ socket, id }: Person): Promise<void> => {
    await socket.join('room');
    joined.push(id);
  };
  const joining = [joinRoom(early)];
  const admin = new Redis({ port });
  t.after(() => admin.disconnect());
  await admin.call('ACL', 'SETUSER', 'default', '-pubsub');
  const isRefused = async (): Promise<boolean> =>
    other.io.fetchSockets().then(
      () => false,
      () => true,
    );
  await until(t, isRefused); // the servers have just been counted
  await other.logs.logged(/IO_REDIS_REFUSED.* refuses PUBSUB/);
  joining.push(joinRoom(late));
  one.io.to('room').emit('early');
  assert.deepEqual(await allHeard(one.io.of('/'), [early, late]), [[], []]);
  assert.deepEqual(joined, []);
  network.release();
  await Promise.all(joining);
  one.io.to('room').emit('said');
  assert.deepEqual(await allHeard(one.io.of('/'), [early, late]), [[['said']], [['said']]]);
});

for (const adapter of ['redis', 'redis-sharded', 'redis-streams']) {
  test(`${adapter}: a client that does not acknowledge leaves nothing behind at the other server, and a question that is over is not asked again`, async t => {
    watchForCrashes(t);
    const { port } = await startRedis(t);
    const [one, other] = [await join(t, { adapter, redis: { port } }), await join(t, { adapter, redis: { port } })];
    await Promise.all([one.ready(), other.ready()]);
    const [alice, bob] = [await enter(t, one), await enter(t, other)];
    await allKnown([one, other]);
    await forgetsQuestion(one, bob);

    const admin = new Redis({ port });
    t.after(() => admin.disconnect());
    await admin.client('PAUSE', 400, 'WRITE'); // what is published, too
    const late = next(bob.client, 'late');
    await assert.rejects(one.io.timeout(100).emitWithAck('late'), /timed out/);
    await late;
    await reachesAtLast(t, one, bob.client); // by then the question has come back to the server that asked
    assert.equal(alice.heard.filter(([event]) => event === 'late').length, 1);
  });
}

test('redis: a message is read in its own namespace alone, however many others there are', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const [one, other] = [await join(t, { redis: { port } }), await join(t, { redis: { port } })];
  for (const { io } of [one, other]) for (const name of ['/a', '/a/b', '/b', '/c']) io.of(name);
  await Promise.all([one.ready(), other.ready()]);
  const { client } = await enter(t, other, '/a');
  await allKnown([one, other], '/a');
  const read = other.backplane.inbox.read;
  for (let index = 0; index < 10; index++) one.io.of('/a').emit('said', index);
  const last = next(client, 'last');
  one.io.of('/a').emit('last');
  await last;
  assert.equal(other.backplane.inbox.read - read, 11);
  assert.equal((await one.io.of('/a').fetchSockets()).length, 1);
  const end = next(client, 'end');
  one.io.of('/a').emit('end');
  await end;
  assert.equal(other.backplane.inbox.read - read, 14, 'also the question, and the answer, which goes to all servers');
});

test('with recovery, too, a listener of what another server says that fails is logged', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const config = `{ redis: { port: ${port} }, init: { connectionStateRecovery: {} } }`;
  const [one, other] = [await start(t, config), await start(t, config)];
  await until(t, async () => (await one.io.of('/').adapter.serverCount()) === 2);
  other.io.on('tell' as 'connection', async () => {
    await nextTurn();
    throw new Error('a mishap');
  });
  one.io.serverSideEmit('tell');
  await other.logged(/ERROR .*listener of "tell" failed, namespace \/, socket none: Error: a mishap/);
});

test('redis: a namespace that is removed and created again hears other servers', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const [one, other] = [await join(t, { redis: { port } }), await join(t, { redis: { port } })];
  await Promise.all([one.ready(), other.ready()]);
  const former = other.io.of('/a').adapter;
  other.io._nsps.delete('/a');
  const { client } = await enter(t, other, '/a');
  await former.close(); // late: the newer one has subscribed to the same channels
  await allKnown([one, other], '/a');
  const said = next(client, 'said');
  one.io.of('/a').emit('said');
  await said;
});

test('what is emitted before Redis has answered is not sent later', async t => {
  watchForCrashes(t);
  const silent = createServer();
  const received: string[] = [];
  const asked = new Set<Socket>();
  silent.on('connection', connection => {
    connection.on('data', bytes => {
      received.push(String(bytes).toLowerCase());
      asked.add(connection);
    });
    connection.on('error', () => {});
    connection.on('close', () => asked.delete(connection));
  });
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  t.after(() => silent.close());
  const { port } = silent.address() as AddressInfo; // it listens to a port
  const { io } = await start(t, `{ adapter: 'redis', redis: { port: ${port} } }`);
  await until(t, () => asked.size === 2); // the publisher and the subscriber have asked for INFO
  for (let n = 0; n < 10; n++) io.emit('early', n);
  await until(t, () => asked.size === 0); // until they are replaced
  assert.doesNotMatch(received.join(''), /publish/);
});

async function start(t: TestContext, io: string): Promise<RunningApp> {
  return startApp(t, { 'config/config.default.js': `exports.io = ${io};` });
}

/** Two servers reach each other before it and after it, and each outage has one line at its beginning and one at its end. */
async function survives(t: TestContext, config: string, fault: () => Promise<unknown>): Promise<void> {
  const [one, other] = [await start(t, config), await start(t, config)];
  const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
  await Promise.all([reachesAtLast(t, one, bob), reachesAtLast(t, other, alice)]); // the boot waits 2 s for Redis, and a Cluster may take longer
  await fault();
  await Promise.all([reachesAtLast(t, one, bob), reachesAtLast(t, other, alice)]);
  let answers = 0; // a question that goes through a node of a Cluster which is being replaced has none
  while (answers < 2)
    answers = await one.io.fetchSockets().then(
      ({ length }) => length,
      () => nextTurn(0),
    );
  for (const { logs, logged } of [one, other]) {
    if (logs.some(line => line.includes('IO_REDIS_DOWN'))) await logged(/^INFO .* is back/); // a Cluster may bear it without
    const ours = logs.filter(line => /\[egg-socket\.io\] (IO_)?REDIS/i.test(line)).map(line => line.slice(0, 4));
    assert.match(ours.join(), /^(ERRO,INFO(,(?=E)|$))*$/); // on a busy machine, what takes over may be slow, which is another outage
  }
}

async function reaches({ io }: RunningApp, client: Client): Promise<void> {
  const said = next(client, 'said');
  io.emit('said', 'across');
  assert.deepEqual(await said, ['across']);
}

let emitted = 0;

/** Emits, again and again, until one arrives. */
async function reachesAtLast(t: TestContext, { io }: Pick<AdapterServer, 'io'>, client: Client): Promise<void> {
  const event = `across ${++emitted}`; // one of an earlier call may still be on its way
  await repeatUntil(t, () => io.emit(event), next(client, event));
}

/** Waits until each of so many servers has seen two of its pulses. */
async function pulsesOf(t: TestContext, port: number, servers: number): Promise<void> {
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  await redis.psubscribe('socket.io#pulse-*');
  const counts = new Map<unknown, number>();
  while ([...counts.values()].filter(count => count >= 2).length < servers) {
    const [, channel] = await next(redis, 'pmessage');
    counts.set(channel, (counts.get(channel) ?? 0) + 1);
  }
}

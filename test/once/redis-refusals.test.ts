/** `redis` and `redis-sharded` on a Redis that answers and does not do what they need. docs/backends.md has a row for each test. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { spawn } from 'node:child_process';
import { connect as connectTo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { allKnown, enter } from '../support/adapters';
import { next } from '../support/client';
import { documentedFault } from '../support/documented-fault';
import { join, type Joined } from '../support/joined';
import { lifetimeOfFile } from '../support/lifetime';
import { freePort } from '../support/port';
import { startProxy } from '../support/proxy';
import { connectionOf, pulses, startNodeWithoutSlots, startRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';
import { repeatUntil, until } from '../support/until';

const DOWN = /^ERROR .*IO_REDIS_DOWN/;
const REFUSED = /^ERROR .*IO_REDIS_REFUSED/;
const BACK = /^INFO .*is back/;

const ADAPTERS = ['redis', 'redis-sharded'] as const;
type Adapter = (typeof ADAPTERS)[number];

const COMMANDS = {
  redis: { publish: 'publish', subscribe: 'subscribe', all: ['publish', 'subscribe', 'psubscribe', 'pubsub'] },
  'redis-sharded': { publish: 'spublish', subscribe: 'ssubscribe', all: ['spublish', 'ssubscribe', 'pubsub'] },
} as const;

const file = lifetimeOfFile();

interface Server {
  readonly port: number;
  readonly admin: Redis;
}

async function start(args: readonly string[] = []): Promise<Server> {
  const { port } = await startRedis(file, { args });
  const admin = new Redis({ port });
  file.after(() => admin.disconnect());
  return { port, admin };
}

/** The Redis of this file. */
const redis = start();

let users = 0;

/** A user of Redis, and its options: it may do all. */
async function createUser({ port, admin }: Server): Promise<{ user: string; login: object; may(...rules: string[]): Promise<unknown> }> {
  const user = `user-${++users}`;
  const may = async (...rules: string[]): Promise<unknown> => admin.call('ACL', 'SETUSER', user, ...rules);
  await may('on', '>secret', '+@all', '~*', '&*');
  return { user, login: { port, username: user, password: 'secret' }, may };
}

async function joined(t: TestContext, adapter: Adapter | 'redis-streams', redis: object): Promise<Joined> {
  const server = await join(t, { adapter, redis });
  await server.ready();
  return server;
}

/** Each hears what the other one emits to a room and to all, and asks the other one. */
async function reachEachOther(t: TestContext, servers: readonly [Joined, Joined]): Promise<void> {
  const people = await Promise.all(servers.map(async server => enter(t, server)));
  for (const { socket } of people) await socket.join('room');
  await allKnown(servers);
  for (const [index, server] of servers.entries()) {
    const { client } = people[1 - index] as (typeof people)[number]; // there are two
    for (const [event, target] of [
      ['to all', server.io],
      ['to the room', server.io.to('room')],
    ] as const) {
      await repeatUntil(t, () => target.emit(event), next(client, event)); // the channel of the room is subscribed to meanwhile
    }
    assert.equal((await server.io.in('room').fetchSockets()).length, 2);
  }
  for (const { client } of people) client.disconnect();
}

function linesOf({ logs }: Joined): string[] {
  return logs.lines.map(line => line.split('\n')[0] ?? '');
}

for (const adapter of ADAPTERS) {
  const { publish, subscribe, all } = COMMANDS[adapter];

  test(`${adapter}: a wrong password that is corrected later`, async t => {
    watchForCrashes(t);
    const { port } = await redis;
    const { may, login } = await createUser(await redis);
    const one = await joined(t, adapter, { ...login, password: 'other' });
    assert.match(await one.logs.logged(REFUSED), /refuses AUTH; check the username and the password .*auth: WRONGPASS/s);
    const fault = documentedFault(adapter, 'a wrong password that is corrected later');
    await fault.questions(one);
    await may('>other');
    await one.logs.logged(BACK);
    await reachEachOther(t, [one, await joined(t, adapter, { port })]);
    fault.log(one.logs.lines);
    assert.equal(one.logs.lines.length, 2, linesOf(one).join('\n'));
  });

  test(`${adapter}: a password that is changed while the app runs`, async t => {
    watchForCrashes(t);
    const server = await redis;
    const { user, may, login } = await createUser(server);
    const [one, other] = [await joined(t, adapter, login), await joined(t, adapter, { port: server.port })];
    await may('resetpass', '>other');
    await server.admin.client('KILL', 'USER', user);
    await one.logs.logged(REFUSED);
    const fault = documentedFault(adapter, 'a password that is changed while the app runs');
    await fault.questions(one);
    await may('>secret');
    await one.logs.logged(BACK);
    await reachEachOther(t, [one, other]);
    fault.log(one.logs.lines);
    assert.deepEqual(
      linesOf(one).map(line => /IO_\w+|is back/.exec(line)?.[0]),
      ['IO_REDIS_DOWN', 'IO_REDIS_REFUSED', 'is back'],
    );
  });

  test(`${adapter}: the right to ${publish.toUpperCase()} is taken away`, async t => {
    watchForCrashes(t);
    const { may, login } = await createUser(await redis);
    const { port, admin } = await redis;
    const [one, other] = [await joined(t, adapter, login), await joined(t, adapter, { port })];
    const [alice, bob] = [await enter(t, one), await enter(t, other)];
    await may(`-${publish}`);
    const line = await one.logs.logged(REFUSED);
    assert.match(line, /refuses S?PUBLISH; events of this server do not reach clients of other servers until that is over; give its user/);
    assert.match(line, /publish .*: NOPERM/);
    for (let n = 0; n < 3; n++) one.io.emit('said', n);
    await next(alice.client, 'said');
    await assert.rejects(one.io.fetchSockets(), {
      code: 'IO_REDIS_REFUSED',
      message: /refuses S?PUBLISH: the other servers cannot be asked/,
    });
    await assert.rejects(one.io.timeout(10_000).emitWithAck('ask'), { code: 'IO_REDIS_REFUSED' });
    const fault = documentedFault(adapter, 'the right to PUBLISH or SPUBLISH is taken away');
    await fault.questions(one);
    await fault.emits(one, bob.client);
    const before = await refusals(admin, publish);
    await until(t, async () => (await refusals(admin, publish)) >= before + 2); // the emit, or a pulse before it, and a pulse after it
    await may(`+${publish}`);
    assert.match(await one.logs.logged(/^INFO/), /allows S?PUBLISH again; messages to other servers lost meanwhile: [4-6]$/); // the questions may be among them
    await reachEachOther(t, [one, other]);
    fault.log(one.logs.lines);
    assert.equal(one.logs.lines.length, 2, linesOf(one).join('\n'));
  });

  test(`${adapter}: the right to ${subscribe.toUpperCase()} is taken away, and the connection is made again`, async t => {
    watchForCrashes(t);
    const server = await redis;
    const { user, may, login } = await createUser(server);
    const [one, other] = [await joined(t, adapter, login), await joined(t, adapter, { port: server.port })];
    await may(...all.filter(command => command.endsWith('subscribe')).map(command => `-${command}`));
    await server.admin.client('KILL', 'USER', user);
    assert.match(await one.logs.logged(REFUSED), new RegExp(`refuses P?${subscribe.toUpperCase()}; .*NOPERM`, 's'));
    const fault = documentedFault(adapter, `the right to ${subscribe.toUpperCase()} is taken away, and the connection is made again`);
    await fault.questions(one);
    assert.equal(one.logs.count(BACK), 0);
    await may(...all.map(command => `+${command}`));
    await one.logs.logged(BACK);
    assert.equal(one.logs.count(/^INFO .*allows P?S?SUBSCRIBE again/), adapter === 'redis' ? 2 : 1, 'before it is back');
    await reachEachOther(t, [one, other]);
    fault.log(one.logs.lines);
    assert.equal(one.logs.count(DOWN), 1);
  });

  test(`${adapter}: the right to PUBSUB is taken away`, async t => {
    watchForCrashes(t);
    const { may, login } = await createUser(await redis);
    const { port } = await redis;
    const [one, other] = [await joined(t, adapter, login), await joined(t, adapter, { port })];
    const bob = await enter(t, other);
    await may('-pubsub');
    const fault = documentedFault(adapter, 'the right to PUBSUB is taken away');
    await fault.questions(one);
    assert.match(
      await one.logs.logged(REFUSED),
      /refuses PUBSUB; questions to other servers, such as fetchSockets\(\), fail until that is over/,
    );
    await fault.emits(one, bob.client);
    await may('+pubsub');
    assert.match(await one.logs.logged(/^INFO/), /allows PUBSUB again$/);
    await reachEachOther(t, [one, other]);
    fault.log(one.logs.lines);
    assert.equal(one.logs.lines.length, 2, linesOf(one).join('\n'));
  });
}

test('redis: the right to PSUBSCRIBE is missing', async t => {
  watchForCrashes(t);
  const { may, login } = await createUser(await redis);
  await may('-psubscribe');
  const { port } = await redis;
  const [one, other] = [await joined(t, 'redis', login), await joined(t, 'redis', { port })];
  const bob = await enter(t, other);
  assert.match(await one.logs.logged(REFUSED), /refuses PSUBSCRIBE; events of other servers do not reach clients of this server until/);
  await allKnown([one, other]);
  const fault = documentedFault('redis', 'the right to PSUBSCRIBE is missing');
  await fault.questions(one);
  assert.equal((await one.io.fetchSockets()).length, 1, 'questions do without');
  const said = next(bob.client, 'said');
  one.io.emit('said');
  await said;
  await may('+psubscribe');
  assert.match(await one.logs.logged(/^INFO/), /allows PSUBSCRIBE again$/);
  await reachEachOther(t, [one, other]);
  fault.log(one.logs.lines);
});

test('redis: a subscriber that hears nothing more is replaced, also while PSUBSCRIBE is refused', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const { may, login } = await createUser(await redis);
  await may('-psubscribe');
  const proxy = await startProxy(t, port);
  const one = await joined(t, 'redis', { ...login, port: proxy.port });
  await one.logs.logged(REFUSED);
  const dropped = await connectionOf(admin, 'psubscribe', proxy);
  proxy.drop(dropped);
  await one.logs.logged(DOWN);
  await admin.client('KILL', 'ADDR', `127.0.0.1:${dropped}`); // Redis counts it as a server until then
  await may('+psubscribe');
  await one.logs.logged(BACK);
  await reachEachOther(t, [one, await joined(t, 'redis', { port })]);
});

test('redis-sharded: a room that is left while SSUBSCRIBE is refused is not subscribed to afterwards', async t => {
  watchForCrashes(t);
  const { admin } = await redis;
  const { may, login } = await createUser(await redis);
  const one = await joined(t, 'redis-sharded', { ...login, key: 'left' });
  const { socket } = await enter(t, one);
  await may('-ssubscribe');
  void socket.join('brief');
  void socket.leave('brief'); // before Redis has answered
  await socket.join(['left', 'kept']);
  await one.logs.logged(REFUSED);
  await socket.leave('left');
  await may('+ssubscribe');
  await one.logs.logged(/allows SSUBSCRIBE again/);
  const channels = (await admin.call('PUBSUB', 'SHARDCHANNELS', 'left#/#*')) as string[];
  assert.ok(channels.includes('left#/#kept#'));
  for (const room of ['brief', 'left']) assert.ok(!channels.includes(`left#/#${room}#`), room);
});

test('commands that are renamed', async t => {
  watchForCrashes(t);
  const { port } = await start(['--rename-command', 'PUBLISH', '', '--rename-command', 'SSUBSCRIBE', 'secret']);
  for (const [adapter, command] of [
    ['redis', 'PUBLISH'],
    ['redis-sharded', 'SSUBSCRIBE'],
  ] as const) {
    const one = await joined(t, adapter, { port });
    assert.match(await one.logs.logged(REFUSED), new RegExp(`refuses ${command}; .*it may be renamed.*ERR unknown command`, 's'));
    const fault = documentedFault(adapter, 'commands that are renamed');
    await fault.questions(one);
    fault.log(one.logs.lines);
    assert.equal(one.logs.lines.length, 1, linesOf(one).join('\n'));
  }
});

test('neither the log nor an error has what a renamed command was given', async t => {
  watchForCrashes(t);
  const { port } = await start(['--rename-command', 'AUTH', '', '--rename-command', 'PUBSUB', '']);
  const locked = await joined(t, 'redis', { port, password: 'not for the log' });
  assert.match(await locked.logs.logged(REFUSED), /refuses AUTH; .*auth: ERR unknown command 'auth'$/ims);
  const one = await joined(t, 'redis', { port, key: 'not for the log' });
  await assert.rejects(one.io.fetchSockets(), error => !inspect(error, { depth: 9 }).includes('with args'));
  for (const { logs } of [locked, one]) assert.doesNotMatch(logs.lines.join('\n'), /with args|args:|'not for the log'/);
});

test('redis-sharded: a node of a Cluster, where other nodes have the channels', async t => {
  watchForCrashes(t);
  const node = await startNodeWithoutSlots(t);
  await node.joinCluster();
  const [one, other] = [await joined(t, 'redis-sharded', node), await joined(t, 'redis-sharded', node)];
  const { client: bob } = await enter(t, other);
  const remedy = 'it is one node of a Cluster, which redis-sharded does not support: use the adapter redis, with config.io.redis.nodes';
  assert.match(await one.logs.logged(REFUSED), new RegExp(`refuses SPUBLISH; .* until that is over; ${remedy} .*MOVED`, 's'));
  const fault = documentedFault('redis-sharded', 'a node of a Cluster, where other nodes have the channels');
  await fault.questions(one);
  await fault.questions(other);
  const admin = new Redis({ port: node.port });
  t.after(() => admin.disconnect());
  await fault.emits(one, bob);
  const before = await refusals(admin, 'spublish');
  await until(t, async () => (await refusals(admin, 'spublish')) >= before + 2); // the emit, or a pulse before it, and a pulse after it
  fault.log(one.logs.lines);
});

test('connected to a replica, from the beginning or since later', async t => {
  watchForCrashes(t);
  const { port } = await redis;
  const other = await start();
  await other.admin.replicaof('127.0.0.1', port);
  for (const adapter of ADAPTERS) {
    const one = await joined(t, adapter, { port: other.port });
    assert.match(await one.logs.logged(REFUSED), /is a replica; events of this server reach only .*; point config.io.redis at the master/);
    const fault = documentedFault(adapter, 'connected to a replica, from the beginning or since later');
    await fault.questions(one);
    await assert.rejects(one.io.fetchSockets(), { message: /is a replica/ });
    await other.admin.replicaof('NO', 'ONE');
    assert.match(await one.logs.logged(/^INFO/), /is a master now$/);
    assert.deepEqual(await one.io.fetchSockets(), []);
    fault.log(one.logs.lines);
    await other.admin.replicaof('127.0.0.1', port);
    if (adapter === 'redis') await until(t, () => one.logs.count(REFUSED) >= 2); // up to 5 s
    assert.equal(one.logs.lines.length, adapter === 'redis' ? 3 : 2, linesOf(one).join('\n'));
  }
});

test('connected to a replica without HELLO, as before Redis 6: ROLE says so, or nobody does, which is no outage', async t => {
  watchForCrashes(t);
  const replica = await start(['--rename-command', 'HELLO', '']); // no ACL rule forbids it
  await replica.admin.replicaof('127.0.0.1', (await redis).port);
  const { logs } = await joined(t, 'redis', { port: replica.port });
  assert.match(await logs.logged(REFUSED), /is a replica;/);
  const { login, may } = await createUser(replica);
  await may('-role');
  const one = await joined(t, 'redis', login);
  await until(t, async () => JSON.stringify(await replica.admin.call('ACL', 'LOG')).includes('"role"')); // it has been refused
  assert.deepEqual(await one.io.fetchSockets(), []);
  assert.deepEqual(linesOf(one), []);
});

test('neither a Redis nor a proxy that closes idle connections finds one', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  await admin.config('SET', 'timeout', '1');
  t.after(() => admin.config('SET', 'timeout', '0'));
  const proxy = await startProxy(t, port, { idleTimeout: 2000 });
  const adapters = [...ADAPTERS, 'redis-streams'] as const;
  const servers = await Promise.all(adapters.map(async adapter => joined(t, adapter, { port: proxy.port })));
  await pulses(admin, 30); // of two of them, for 3 s
  assert.deepEqual(servers.flatMap(linesOf), []);
  for (const [index, adapter] of adapters.entries())
    documentedFault(adapter, 'neither a Redis nor a proxy that closes idle connections finds one').log(servers[index]?.logs.lines ?? []);
});

test('a Redis that is full, cannot save, or misses its replicas', async t => {
  watchForCrashes(t);
  const { port, admin } = await start(['--dir', '/proc']); // where nobody can save anything
  await admin.config('SET', 'save', '3600 1');
  await admin.bgsave();
  await until(t, async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'));
  await assert.rejects(admin.set('key', 'value'), /MISCONF/);
  for (const adapter of ADAPTERS) {
    const servers = [await joined(t, adapter, { port }), await joined(t, adapter, { port })] as const;
    await reachEachOther(t, servers);
    await admin.config('SET', 'stop-writes-on-bgsave-error', 'no');
    await admin.config('SET', 'min-replicas-to-write', '1');
    await assert.rejects(admin.set('key', 'value'), /NOREPLICAS/);
    await reachEachOther(t, servers);
    await admin.config('SET', 'min-replicas-to-write', '0');
    await admin.config('SET', 'maxmemory', '1');
    await assert.rejects(admin.set('key', 'value'), /OOM/);
    await reachEachOther(t, servers);
    await admin.config('SET', 'maxmemory', '0');
    await admin.config('SET', 'stop-writes-on-bgsave-error', 'yes');
    for (const { logs } of servers) documentedFault(adapter, 'a Redis that is full, cannot save, or misses its replicas').log(logs.lines);
    assert.deepEqual(servers.flatMap(linesOf), []);
  }
});

test('connections that Redis closes: CLIENT KILL, an output buffer that is full', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const limitBuffer = async (limit: string): Promise<unknown> => admin.config('SET', 'client-output-buffer-limit', `pubsub ${limit}`);
  t.after(() => limitBuffer('32mb 8mb 60'));
  for (const adapter of ADAPTERS) {
    const servers = [await joined(t, adapter, { port, key: 'cut' }), await joined(t, adapter, { port, key: 'cut' })] as const;
    const back = async (count: number): Promise<void> => {
      for (const { logs } of servers) await until(t, () => logs.count(BACK) >= count);
    };
    await admin.client('KILL', 'TYPE', 'pubsub');
    await back(1);
    await reachEachOther(t, servers);
    await limitBuffer('1mb 1mb 1');
    servers[0].io.emit('large', 'x'.repeat(2_000_000));
    await back(2);
    await limitBuffer('32mb 8mb 60');
    await reachEachOther(t, servers);
    const fault = documentedFault(adapter, 'connections that Redis closes: CLIENT KILL, an output buffer that is full');
    for (const { logs } of servers) fault.log(logs.lines);
    for (const server of servers) assert.deepEqual([server.logs.count(DOWN), server.logs.lines.length], [2, 4], linesOf(server).join('\n'));
  }
});

test('twemproxy in between, which has no channels', async t => {
  watchForCrashes(t);
  const { port } = await redis;
  const [proxyPort, statsPort] = [await freePort(), await freePort()];
  const folder = await mkdtemp(joinPath(tmpdir(), 'twemproxy-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = joinPath(folder, 'conf.yml');
  await writeFile(
    file,
    `pool:
  listen: 127.0.0.1:${proxyPort}
  hash: fnv1a_64
  distribution: ketama
  redis: true
  servers:
   - 127.0.0.1:${port}:1
`,
  );
  const proxy = spawn('nutcracker', ['-c', file, '-a', '127.0.0.1', '-s', String(statsPort)], { stdio: 'ignore' });
  t.after(async () => {
    proxy.kill();
    await once(proxy, 'exit');
  });
  await until(t, () => canConnect(proxyPort));
  const admin = new Redis({ port });
  t.after(() => admin.disconnect());
  for (const adapter of ADAPTERS) {
    const { client: bob } = await enter(t, await joined(t, adapter, { port }));
    const one = await joined(t, adapter, { port: proxyPort });
    assert.match(await one.logs.logged(/^ERROR/), /IO_REDIS_REFUSED: .*as the proxy twemproxy does; point config.io.redis at Redis itself/);
    const fault = documentedFault(adapter, 'twemproxy in between, which has no channels');
    await fault.questions(one);
    await fault.emits(one, bob);
    const publish = adapter === 'redis' ? 'publish' : 'spublish';
    const before = await calls(admin, publish);
    await until(t, async () => (await calls(admin, publish)) >= before + 2); // pulses of the other server: what Redis has got before has arrived
    fault.log(one.logs.lines);
    assert.equal(one.logs.lines.length, 1, linesOf(one).join('\n'));
  }
  const network = await startProxy(t, port);
  const one = await joined(t, 'redis', { port: network.port });
  network.cut();
  network.lead(proxyPort); // it takes the place of Redis while the app runs
  await one.logs.logged(DOWN);
  await assert.rejects(one.io.fetchSockets(), { code: 'IO_REDIS_DOWN' });
  for (const seen = new Set(); seen.size < 20; await nextTurn()) network.ports().forEach(port => seen.add(port)); // it is tried again and again
  network.cut();
  network.lead(port);
  await one.logs.logged(BACK);
  assert.equal(one.logs.lines.length, 2, linesOf(one).join('\n'));
});

test('a load balancer without a server, which ends connections: it is taken for no twemproxy', async t => {
  watchForCrashes(t);
  const { port } = await redis;
  const balancer = await startProxy(t, await freePort());
  const one = await joined(t, 'redis', { port: balancer.port });
  await one.logs.logged(DOWN);
  balancer.lead(port);
  await one.logs.logged(BACK);
  assert.equal(one.logs.lines.length, 2, linesOf(one).join('\n'));
});

test('socketTimeout of ioredis is not passed on, and a warning says so', async t => {
  const { port } = await redis;
  const one = await joined(t, 'redis', { port, socketTimeout: 50 });
  assert.match(one.logs.lines.join('\n'), /^WARN .*config\.io\.redis\.socketTimeout is not used: /);
  assert.equal(one.logs.lines.length, 1);
});

/** How often a Redis has refused a command. */
async function calls(admin: Redis, command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await admin.info('commandstats'))?.[1]);
}

async function refusals(admin: Redis, command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:.*rejected_calls=(\\d+)`).exec(await admin.info('commandstats'))?.[1]);
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connectTo({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

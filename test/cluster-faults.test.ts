/** What happens to clients when a process of the cluster dies or is replaced. What Egg has no part in is in test/once/cluster-faults.test.ts. */
import assert from 'node:assert/strict';
import { existsSync, utimesSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Files } from './support/app';
import { ask, type Client, connect, next } from './support/client';
import { type Cluster, runFoldersOf, shareCluster, startCluster } from './support/cluster';
import { processesOf } from './support/processes';
import { until } from './support/until';

/**
 * A request that Node's master hands to a worker just when that is killed is never answered, and its connection never closed: a client that polls
 * notices that by its heartbeat alone, and by default after 45 s.
 */
const HEARTBEAT = 'pingInterval: 5000, pingTimeout: 5000';

const FILES: Files = {
  'config/config.default.js': `exports.io = { init: { ${HEARTBEAT} } };`,
  'app/io/controller/home.js': `
    exports.who = async ctx => {
      const carrier = ctx.socket.conn.transport.socket?._socket;
      return { pid: process.pid, isDirect: carrier !== undefined && carrier._handle?.constructor.name !== 'Pipe' };
    };
    exports.count = async ctx => {
      const since = performance.now();
      try {
        return (await ctx.app.io.fetchSockets()).length;
      } catch ({ code }) {
        return { code, ms: performance.now() - since };
      }
    };
    exports.tellAll = async ctx => { ctx.app.io.emit('told', ctx.args[0]); };
    exports.crash = async () => { setTimeout(() => { throw new Error('of a timer of the app'); }); };
    exports.left = async ctx => { require('node:fs').appendFileSync(ctx.app.baseDir + '/left.txt', ctx.socket.id + '\\n'); };
    exports.reload = async () => { process.send({ to: 'master', action: 'reload-worker' }); };`,
  'app/router.js': `
    module.exports = app => {
      const { home } = app.io.controller;
      for (const event of ['who', 'count', 'tellAll', 'crash', 'reload']) app.io.route(event, home[event]);
      app.io.route('disconnect', home.left);
    };`,
};

interface Who {
  pid: number;
  /** Whether it has a WebSocket, and this comes from the client itself rather than from another worker. */
  isDirect: boolean;
}

const WORKERS = 3;

/** For tests one after the other: Egg starts another process for each that has ended. */
const shared = shareCluster(FILES, async () => ({ workers: WORKERS }));

/** Clients of every kind, some of them on each worker. They connect again by themselves, with the delays of the official client. */
async function start(t: TestContext): Promise<{ cluster: Cluster; clients: Client[]; master: number }> {
  const cluster = await shared();
  const kinds = [['websocket'], ['polling'], ['polling', 'websocket']];
  const clients: Client[] = [];
  for (const transports of kinds) {
    for (let n = 0; n < 6; n++) clients.push(await connect(t, cluster.url, { transports, reconnection: true }));
  }
  return { cluster, clients, master: cluster.master.pid ?? assert.fail('it has no pid') };
}

/** Asks again where the connection that carried the question has ended, as one does that Node has handed to a worker which is closing. */
async function who(client: Client): Promise<Who> {
  for (;;) {
    const answer = (await client
      .timeout(5000)
      .emitWithAck('who')
      .catch(() => undefined)) as Who | undefined;
    if (answer) return answer;
  }
}

/** Asks until so many are counted. */
async function counts(t: TestContext, client: Client, expected: number): Promise<void> {
  await until(t, async () => (await ask(client, 'count')) === expected);
}

/** Listens all the time: a poll may bring several at once, of which `next` gets the first. */
async function hears(client: Client, teller: number): Promise<void> {
  await new Promise<void>(resolve => {
    const onTold = (index: number): void => {
      if (index !== teller) return;
      client.off('told', onTold);
      resolve();
    };
    client.on('told', onTold);
  });
}

/** Every client hears what any of them tells. It is told again when one connects: that has come by way of a worker that has ended since, 4 s after its crash. */
async function hearEachOther(clients: readonly Client[]): Promise<void> {
  for (const [index, teller] of clients.entries()) {
    const heard = clients.map(async client => hears(client, index));
    const tell = (): void => void teller.emit('tellAll', index);
    for (const client of clients) client.on('connect', tell);
    tell();
    await Promise.all(heard);
    for (const client of clients) client.off('connect', tell);
  }
}

test(
  'while there is no agent, workers go on alone, and they find each other again when Egg has started another',
  { timeout: 60_000 },
  async t => {
    const { cluster, clients, master } = await start(t);
    const neighbours = await neighboursOf(at(clients, 0), clients);
    const { agent } = processesOf(master);
    assert.ok(agent);
    await counts(t, at(clients, 0), clients.length);
    const printed = cluster.printed().length;

    process.kill(agent, 'SIGKILL');
    const times: number[] = [];
    for (;;) {
      const answer = (await ask(at(clients, 0), 'count')) as { code: string; ms: number } | number;
      if (typeof answer === 'object') {
        assert.equal(answer.code, 'IO_HUB_DOWN');
        times.push(answer.ms);
      }
      if (times.length === 3 || (times.length > 0 && typeof answer === 'number')) break; // by then the hub may be back
    }
    assert.ok(Math.min(...times) < 100, `${times.join(', ')} ms`); // of some: the machine may be busy
    const heard = Promise.all(neighbours.map(client => next(client, 'told')));
    at(clients, 0).emit('tellAll', 'alone');
    assert.deepEqual(
      await heard,
      neighbours.map(() => ['alone']),
    );

    await cluster.prints(/agent_worker#2:\d+ started/, printed);
    await counts(t, at(clients, 0), clients.length);
    await hearEachOther(clients);
    const log = await cluster.log();
    assert.equal([...log.matchAll(/IO_HUB_DOWN: /g)].length, WORKERS, 'one line a worker');
    for (const client of clients) assert.ok(client.connected);
  },
);

test('the clients of a worker that is killed come back at their first attempt, and nobody else notices', { timeout: 60_000 }, async t => {
  const { cluster, clients } = await start(t);
  const held = new Map<Client, Who>();
  for (const client of clients) held.set(client, await who(client));
  const victim = held.get(at(clients, -1))?.pid ?? 0;
  const lost = clients.filter(client => held.get(client)?.pid === victim);
  // whoever has come by way of another worker may have come by way of that one
  const unharmed = clients.filter(client => held.get(client)?.pid !== victim && held.get(client)?.isDirect);
  assert.ok(lost.length > 0 && unharmed.length > 0); // the kernel chooses the worker of a WebSocket
  const disturbed = new Set<Client>();
  let attempts = 0;
  for (const client of clients) client.once('disconnect', () => disturbed.add(client));
  for (const client of lost) client.io.on('reconnect_attempt', () => attempts++);
  const back = Promise.all(lost.map(client => next(client, 'connect')));
  const printed = cluster.printed().length;

  process.kill(victim, 'SIGKILL');
  await back;
  assert.equal(attempts, lost.length);
  for (const client of unharmed) assert.ok(!disturbed.has(client));
  for (const client of lost) assert.notEqual((await who(client)).pid, victim);
  await cluster.prints(/app_worker#\d+:\d+ started at/, printed); // Egg has started another
  await counts(t, at(unharmed, 0), clients.length);
  await hearEachOther(clients);
});

test('the sockets of a worker that is killed are gone at once, before Egg has started another', { timeout: 60_000 }, async t => {
  const { url, ...cluster } = await shared();
  // no client polls: a request that Node's master hands to a worker just when that is killed is never answered, and its connection never closed
  const options = { transports: ['websocket'] };
  const clients = await Promise.all(Array.from({ length: 12 }, () => connect(t, url, options)));
  await counts(t, at(clients, 0), clients.length);
  const owners = await Promise.all(clients.map(who));
  const victim = owners[0]?.pid ?? 0;
  const left = clients.filter((_, index) => owners[index]?.pid !== victim);
  const started = cluster.prints(/app_worker#\d+:\d+ started at/, cluster.printed().length);
  process.kill(victim, 'SIGKILL');
  const first = await Promise.race([counts(t, at(left, 0), left.length).then(() => 'gone'), started.then(() => 'started')]);
  assert.equal(first, 'gone');
  await started;
});

test('workers that are replaced one after the other, as while developing, take over from those before', { timeout: 60_000 }, async t => {
  const { clients } = await start(t);
  const before = new Set((await Promise.all(clients.map(who))).map(({ pid }) => pid));
  const back = Promise.all(clients.map(client => next(client, 'connect')));
  at(clients, 0).emit('reload');
  await back;
  for (const client of clients) {
    while (before.has((await whenConnected(client)).pid));
  }
  await counts(t, at(clients, 0), clients.length);
  await hearEachOther(clients);
});

test(
  'the clients of a worker that has had an uncaught exception go elsewhere, and what belongs to their end is run',
  { timeout: 60_000 },
  async t => {
    const { cluster, clients } = await start(t);
    const owners = await Promise.all(clients.map(who));
    const victim = owners[0]?.pid ?? 0;
    const lost = clients.filter((_, index) => owners[index]?.pid === victim);
    const ids = lost.map(({ id = '' }) => id);
    // Egg closes the HTTP server of that worker, where some may have come in to others
    const unharmed = clients.filter((_, index) => owners[index]?.pid !== victim && owners[index]?.isDirect);
    const disturbed = new Set<Client>();
    for (const client of unharmed) client.once('disconnect', () => disturbed.add(client));
    const reasons = Promise.all(lost.map(client => next(client, 'disconnect')));
    const back = Promise.all(lost.map(client => next(client, 'connect')));

    at(clients, 0).emit('crash');
    for (const [reason] of await reasons) assert.equal(reason, 'transport close');
    await back;
    process.kill(victim, 0); // it is still there, for as long as Egg has it
    assert.equal(disturbed.size, 0);
    for (const client of lost) assert.notEqual((await who(client)).pid, victim);
    const left = (await readFile(join(cluster.baseDir, 'left.txt'), 'utf8')).split('\n').filter(id => ids.includes(id));
    assert.deepEqual(left.toSorted(), ids.toSorted(), 'the route of `disconnect` has run for each');
    await counts(t, at(clients, 0), clients.length);
    await hearEachOther(clients);
  },
);

test(
  "an app that is killed and started again at once takes away what the former has left in Egg's run folder",
  { timeout: 60_000 },
  async t => {
    const first = await startCluster(t, FILES, { workers: 2 });
    const left = runFoldersOf(first.baseDir).at(-1) ?? assert.fail('there is no folder');
    const { workers, agent } = processesOf(first.master.pid ?? 0);
    for (const pid of [first.master.pid ?? 0, agent ?? 0, ...workers]) process.kill(pid, 'SIGKILL');
    await first.terminate();
    assert.ok(existsSync(left));
    const second = await startCluster(t, FILES, { workers: 2, baseDir: first.baseDir });
    assert.ok(!existsSync(left));
    const client = await connect(t, second.url, { transports: ['polling'] });
    assert.equal(await ask(client, 'count'), 1);
    assert.equal(await second.terminate(), 0);
    assert.deepEqual(runFoldersOf(first.baseDir), []);
  },
);

test(
  'two starts of an app side by side, as while it is replaced, do not meet; the one that stays misses nothing when the other stops',
  { timeout: 60_000 },
  async t => {
    const old = await startCluster(t, FILES, { workers: 2 });
    const [former] = runFoldersOf(old.baseDir);
    assert.ok(former);
    utimesSync(former, 0, 0); // as if it had run for some time
    const successor = await startCluster(t, FILES, { workers: 2, baseDir: old.baseDir });
    const [leaving, staying] = [await connect(t, old.url), await connect(t, successor.url, { transports: ['polling'] })];
    assert.equal(await ask(leaving, 'count'), 1);
    assert.equal(await ask(staying, 'count'), 1);
    const present = runFoldersOf(old.baseDir).filter(path => path !== former);
    assert.equal(present.length, 1);
    for (const path of present) utimesSync(path, 0, 0);
    assert.equal(await old.terminate(), 0);
    assert.deepEqual(runFoldersOf(old.baseDir), present);
    const clients = await Promise.all(
      ['websocket', 'polling'].map(async transport => connect(t, successor.url, { transports: [transport] })),
    );
    await counts(t, staying, 3);
    await hearEachOther([staying, ...clients]);
    assert.equal(await successor.terminate(), 0);
  },
);

function at(clients: readonly Client[], index: number): Client {
  return clients.at(index) ?? assert.fail('there is no such client');
}

/** Those of the same worker. */
async function neighboursOf(client: Client, clients: readonly Client[]): Promise<Client[]> {
  const { pid } = await who(client);
  const owners = await Promise.all(clients.map(who));
  return clients.filter((_, index) => owners[index]?.pid === pid);
}

async function whenConnected(client: Client): Promise<Who> {
  if (!client.connected) await next(client, 'connect');
  return who(client);
}

/** `move()` of `egg-socket.io/client`: a client connects elsewhere before its connection ends. */
import assert from 'node:assert/strict';
import { setTimeout as passes } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { move } from 'egg-socket.io/client';
import { type Files, startApp } from '../support/app';
import { ask, type Client, type ClientOptions, connect, newClient, next } from '../support/client';
import { type Cluster, startCluster } from '../support/cluster';
import { until } from '../support/until';

const FILES: Files = {
  'app/io/controller/home.js': `
    exports.pid = async () => process.pid;
    exports.join = async ctx => {
      ctx.socket.join('news');
      return true;
    };
    exports.emit = async ctx => { ctx.app.io.to('news').emit('news', ctx.args[0]); return ctx.args[0]; };
    exports.leave = async ctx => {
      void ctx.app.io.drain();
      process.emit('leaving');
      return true;
    };
    exports.slow = async ctx => {
      ctx.socket.emit('begun');
      await new Promise(resolve => ['SIGTERM', 'leaving'].map(event => process.once(event, resolve)));
      await new Promise(resolve => setTimeout(resolve, 500));
      return process.pid;
    };
    exports.held = async ctx => {
      ctx.socket.emit('begun');
      await new Promise(resolve => process.once('go', resolve));
      return process.pid;
    };
    exports.go = async () => process.emit('go');
    exports.isPiped = async ctx => ctx.socket.conn.transport.socket?._socket?._handle?.constructor.name === 'Pipe';`,
  'app/router.js': `
    module.exports = app => {
      for (const event of ['pid', 'join', 'emit', 'slow', 'leave', 'held', 'go', 'isPiped']) app.io.route(event, app.io.controller.home[event]);
      app.io.of('/other').route('pid', app.io.controller.home.pid);
    };`,
};

const withConfig = (io: string): Files => ({ ...FILES, 'config/config.default.js': `exports.io = ${io};` });

/** A client with the helper, and what it hears. */
function moving(t: TestContext, url: string, options: ClientOptions = {}): { client: Client; heard: string[] } {
  const client = newClient(t, url, { autoConnect: false, reconnection: true, ...options });
  move(client);
  const heard: string[] = [];
  for (const event of ['connect', 'disconnect']) client.on(event, () => heard.push(event));
  client.connect();
  return { client, heard };
}

/** One for each worker, by the worker's pid. */
async function clientsOfBoth(t: TestContext, { url }: Cluster, options?: ClientOptions): Promise<Map<unknown, ReturnType<typeof moving>>> {
  const all = new Map<unknown, ReturnType<typeof moving>>();
  while (all.size < 2) {
    const one = moving(t, url, options);
    await next(one.client, 'connect');
    const pid = await ask(one.client, 'pid');
    if (all.has(pid)) one.client.disconnect();
    else all.set(pid, one);
  }
  return all;
}

/** A client of a worker by way of the other one. */
async function pipedClient(t: TestContext, { url }: Cluster, owner: unknown, open = movingClient): Promise<Client> {
  for (;;) {
    // several at a time: one alone comes to the same worker again and again, since Egg gives connections to workers in turn
    const all = Array.from({ length: 4 }, () => open(t, url, { transports: ['polling', 'websocket'], reconnection: true }));
    const piped: Client[] = [];
    for (const client of all) {
      await until(t, () => client.connected && client.io.engine.transport.name === 'websocket');
      if ((await ask(client, 'pid')) === owner && (await ask(client, 'isPiped'))) piped.push(client);
    }
    for (const client of all) if (client !== piped[0]) client.disconnect();
    if (piped[0]) return piped[0];
  }
}

function movingClient(...args: Parameters<typeof moving>): Client {
  return moving(...args).client;
}

/** Whether a promise has been resolved, a moment later. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), passes(5, false)]);
}

test('clients by each transport move without a disconnect: each has its answer, its id and each event once', async t => {
  const config = '{ drain: { timeout: 500, jitter: 0 }, init: { connectionStateRecovery: {} } }';
  const cluster = await startCluster(t, withConfig(config), { workers: 2 });
  const pairs = await Promise.all(
    [['websocket'], ['polling'], ['polling', 'websocket']].map(async transports => clientsOfBoth(t, cluster, { transports })),
  );
  const pid = [...(pairs[0]?.keys() ?? [])][0];
  const other = [...(pairs[0]?.values() ?? [])][1]?.client ?? assert.fail('it is on the other worker');
  const travellers = await Promise.all(
    pairs.map(async both => {
      const { client, heard } = both.get(pid) ?? assert.fail('one is on each worker');
      const beside = client.io.socket('/other', {}).connect();
      t.after(() => void beside.disconnect());
      await next(beside, 'connect');
      await ask(client, 'join');
      const news: unknown[] = [];
      client.on('news', n => news.push(n));
      const begun = next(client, 'begun');
      const slow = ask(client, 'slow');
      await begun;
      return { client, heard, beside, id: client.id, news, slow };
    }),
  );

  const back = Promise.all(travellers.flatMap(({ client, beside }) => [next(client, 'connect'), next(beside, 'connect')]));
  await ask(travellers[0]?.client as Client, 'leave'); // of three; and not SIGTERM: what polls may do so by way of this worker
  let count = 0;
  while (!(await isOver(back))) await ask(other, 'emit', count++);
  assert.equal(await ask(other, 'emit', count++), count - 1);
  for (const { client, heard, beside, id, news, slow } of travellers) {
    assert.equal(await slow, pid, 'the answer that was on its way');
    assert.deepEqual([client.id, client.recovered], [id, true]);
    assert.notEqual(await ask(client, 'pid'), pid);
    assert.notEqual(await ask(beside, 'pid'), pid);
    assert.deepEqual(
      news,
      Array.from({ length: count }, (_, n) => n),
    );
    assert.deepEqual(heard, ['connect', 'connect']);
  }
});

test('a client whose WebSocket is piped by a worker that stops moves as well, and one without move() has its answer first', async t => {
  const config = '{ drain: { timeout: 500, jitter: 0 }, init: { connectionStateRecovery: {} } }';
  const cluster = await startCluster(t, withConfig(config), { workers: 2 });
  const both = await clientsOfBoth(t, cluster, { transports: ['websocket'] });
  const [pids, direct] = [[...both.keys()], [...both.values()].map(({ client }) => client)];
  const moved = await pipedClient(t, cluster, pids[0]);
  const closed = await pipedClient(t, cluster, pids[0], newClient);
  const { id } = moved;
  const heard: unknown[] = [];
  for (const event of ['connect', 'disconnect']) moved.on(event, () => heard.push(event));
  const gone = next<[string]>(closed, 'disconnect');
  const answers = [moved, closed].map(async client => {
    const begun = next(client, 'begun');
    const answer = ask(client, 'held');
    await begun;
    return answer;
  });
  await ask(moved, 'join');
  const news: unknown[] = [];
  moved.on('news', n => news.push(n));

  const back = next(moved, 'connect');
  process.kill(Number(pids[1]), 'SIGTERM');
  await until(t, () => !moved.connected); // it has another connection, and waits for its answer
  await ask(direct[0] as Client, 'emit', 1);
  await ask(direct[0] as Client, 'go');
  assert.deepEqual(await Promise.all(answers), [pids[0], pids[0]]);
  await back;
  assert.deepEqual([moved.id, moved.recovered], [id, true]);
  await ask(direct[0] as Client, 'emit', 2);
  await ask(moved, 'pid');
  assert.deepEqual(news, [1, 2]);
  assert.deepEqual(heard, ['connect']);
  assert.equal((await gone)[0], 'transport close');
});

test('what is emitted while it moves is sent afterwards, in order', async t => {
  const cluster = await startCluster(t, withConfig('{ drain: { timeout: 200, jitter: 0 } }'), { workers: 2 });
  const [moved] = (await clientsOfBoth(t, cluster)).values();
  assert.ok(moved);
  const { client } = moved;
  const pid = await ask(client, 'pid');
  const begun = next(client, 'begun');
  const slow = ask(client, 'slow'); // it moves when this has been answered
  await begun;
  const back = next(client, 'connect');
  process.kill(Number(pid), 'SIGTERM');
  const answers: Promise<unknown>[] = [];
  while (!(await isOver(back))) answers.push(ask(client, 'emit', answers.length));
  assert.equal(await slow, pid);
  assert.deepEqual(
    await Promise.all(answers),
    answers.map((_, n) => n),
  );
});

test('where there is no other server, the client reconnects as ever', async t => {
  const { io, url } = await startApp(t, withConfig('{ drain: { timeout: 0, jitter: 0 } }'));
  const { client, heard } = moving(t, url, { reconnection: false });
  await next(client, 'connect');
  const gone = next<[string]>(client, 'disconnect');
  await io.drain();
  assert.deepEqual((await gone)[0], 'transport close');
  assert.deepEqual(heard, ['connect', 'disconnect']);
});

for (const [whenFull, connections] of [
  ['refuse', 1],
  ['replace', 2],
] as const)
  test(`a client that moves does not count twice among the connections of its user, with ${whenFull}`, async t => {
    const files: Files = {
      ...withConfig(`{
        drain: { timeout: 200, jitter: 0 },
        namespace: { '/': { connectionMiddleware: ['user'], userLimits: { connections: ${connections}, whenFull: '${whenFull}' } } },
      }`),
      'app/io/middleware/user.js': `
        module.exports = () => async (ctx, next) => {
          ctx.socket.user = ctx.socket.handshake.auth.user;
          await next();
        };`,
    };
    const cluster = await startCluster(t, files, { workers: 2 });
    const others: Client[] = [];
    const all: { client: Client; heard: string[]; pid: unknown }[] = [];
    for (let n = 0; n < 10; n++) {
      const auth = { user: `user ${n}` };
      if (whenFull === 'replace') others.push(await connect(t, cluster.url, { auth })); // the oldest one
      const one = moving(t, cluster.url, { auth });
      await next(one.client, 'connect');
      all.push({ ...one, pid: await ask(one.client, 'pid') });
    }
    const heard: unknown[] = [];
    for (const client of others) client.on('disconnect', reason => heard.push(reason));
    const leaving = all.filter(({ pid }) => pid === all[0]?.pid);
    for (const { client } of all) client.on('connect_error', ({ message }) => heard.push(message));
    const back = Promise.all(leaving.map(async ({ client }) => Promise.race([next(client, 'connect'), next(client, 'connect_error')])));
    await ask(all[0]?.client as Client, 'leave'); // of ten
    await back;
    assert.deepEqual(
      heard.filter(reason => reason !== 'transport close'),
      [],
      'others that were connected to that worker have been moved as well',
    );
    for (const { client } of leaving) assert.notEqual(await ask(client, 'pid'), all[0]?.pid);
  });

test('a client that hears nothing after the question does not hear again what it has heard', async t => {
  const config = '{ drain: { timeout: 200, jitter: 0 }, init: { connectionStateRecovery: {} } }';
  const cluster = await startCluster(t, withConfig(config), { workers: 2 });
  const [moved, other] = (await clientsOfBoth(t, cluster)).values();
  assert.ok(moved && other);
  const news: unknown[] = [];
  moved.client.on('news', n => news.push(n));
  await ask(moved.client, 'join');
  await ask(moved.client, 'emit', 1);
  const back = next(moved.client, 'connect');
  await ask(moved.client, 'leave');
  await back;
  assert.equal(moved.client.recovered, true);
  await ask(other.client, 'emit', 2);
  await ask(moved.client, 'pid');
  assert.deepEqual(news, [1, 2]);
});

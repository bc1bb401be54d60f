/** Limits for each user: connections, on all workers and servers, and events. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Socket as ServerSocket } from 'socket.io';
import { type Files, startApp } from './support/app';
import { ask, type Client, type ClientOptions, connect, newClient, next, refusal } from './support/client';
import { startCluster } from './support/cluster';
import { startProxy } from './support/proxy';
import { nothingRemains } from './support/remains';
import { stopTime } from './support/stop-time';
import { until } from './support/until';

const as = (user: unknown, more: object = {}): ClientOptions => ({ auth: { user, ...more } });

function filesWith(userLimits: object, more = ''): Files {
  const limits = JSON.stringify(userLimits);
  return {
    'config/config.default.js': `
      exports.io = {
        namespace: {
          '/': { connectionMiddleware: ['user'], userLimits: ${limits} },
          '/room-{id}': { connectionMiddleware: ['user'], userLimits: ${limits} },
          '/free': { connectionMiddleware: ['user'] },
        },
        ${more}
      };`,
    'app/io/middleware/user.js': `
      module.exports = app => async (ctx, next) => {
        const { user } = ctx.socket.handshake.auth;
        if (user) ctx.socket.user = user;
        app.coming = ctx.socket;
        ctx.socket.onAny(event => app.heard.push(event));
        await next();
        app.heard.push('end');
      };`,
    'app/router.js': `
      module.exports = app => {
        app.heard = [];
        for (const name of ['/', '/free', '/room-{id}']) {
          app.io.of(name).route('hello', async () => 'hi').route('worker', async () => process.pid)
            .route('count', async ctx => (await app.io.user(ctx.args[0]).fetchSockets()).length);
        }
      };`,
  };
}

/** Whether a client is connected, after what the server sends to it has come. */
async function areConnected(clients: readonly Client[]): Promise<boolean[]> {
  await Promise.all(
    clients.filter(({ connected }) => connected).map(client => Promise.race([ask(client, 'hello'), next(client, 'disconnect')])),
  );
  return clients.map(({ connected }) => connected);
}

test('with one connection too many, the server disconnects the oldest one of the user, who does not come back by itself', async t => {
  const app = await startApp(t, filesWith({ connections: 2 }));
  const clients: Client[] = [];
  const others = [await connect(t, app.url, as('bert')), await connect(t, app.url), await connect(t, app.url), await connect(t, app.url)];
  for (const url of [app.url, `${app.url}/free`]) others.push(await connect(t, url, as('bert')));
  others.push(await connect(t, `${app.url}/room-1`, as('anna')), await connect(t, `${app.url}/room-1`, as('anna')));
  others.push(await connect(t, `${app.url}/room-2`, as('anna')));
  const reasons: unknown[] = [];
  for (let n = 0; n < 4; n++) {
    const client = await connect(t, app.url, { ...as('anna'), reconnection: true });
    client.on('disconnect', reason => reasons.push(n, reason));
    clients.push(client);
  }
  assert.deepEqual(await areConnected(clients), [false, false, true, true]);
  assert.deepEqual(reasons, [0, 'io server disconnect', 1, 'io server disconnect']);
  assert.ok((await areConnected(others)).every(Boolean));
  const third = await connect(t, `${app.url}/room-1`, as('anna'));
  assert.deepEqual(await areConnected([...others.slice(-3), third]), [false, true, true, true]);
  for (const client of [...clients, ...others, third]) client.disconnect();
  await nothingRemains(app.io);
});

for (const whenFull of ['replace', 'refuse'])
  test(`of many that connect at once to one worker, no more get in than may, with ${whenFull}`, async t => {
    const app = await startApp(t, filesWith({ connections: 3, whenFull }));
    const clients = Array.from({ length: 8 }, () => newClient(t, app.url, as('anna')));
    await Promise.all(clients.map(async client => Promise.race([next(client, 'connect'), refusal(client).catch(() => {})])));
    await until(t, () => app.io.sockets.sockets.size === 3 && clients.filter(({ connected }) => connected).length === 3);
  });

test('with refuse, one connection too many is refused, until another one goes', async t => {
  const app = await startApp(t, filesWith({ connections: 1, whenFull: 'refuse' }));
  const first = await connect(t, app.url, as('anna'));
  for (let n = 0; n < 3; n++) {
    const { message, data } = await refusal(newClient(t, app.url, as('anna')));
    assert.deepEqual([message, data], ['Too many connections', { code: 'TOO_MANY_CONNECTIONS' }]);
  }
  assert.equal((Reflect.get(app.app, 'heard') as string[]).filter(event => event === 'end').length, 3, 'middleware has ended');
  const line = await app.logged(/IO_USER_LIMIT/);
  assert.match(line, /WARN.*too many connections of the user "anna", namespace \/: one was refused/);
  assert.equal(await ask(first, 'hello'), 'hi');
  first.disconnect();
  await until(t, () => app.io.sockets.sockets.size === 0);
  await connect(t, app.url, as('anna'));
  await app.close();
  assert.equal(app.logs.filter(one => one.includes('IO_USER_LIMIT')).length, 2);
  assert.match(app.logs.find(one => one.includes('more were refused')) ?? '', /2 more were refused in the last minute/);
});

test('users whose ids have the same beginning have lines of their own', async t => {
  const app = await startApp(t, filesWith({ connections: 1, whenFull: 'refuse' }));
  for (const id of ['one', 'other']) {
    const user = as('x'.repeat(150) + id);
    await connect(t, app.url, user);
    await refusal(newClient(t, app.url, user));
  }
  assert.equal(app.logs.filter(line => /IO_USER_LIMIT.*: one was refused/.test(line)).length, 2);
});

test('with refuse, a page that has lost its connection without a goodbye does not lock itself out', async t => {
  const app = await startApp(t, filesWith({ connections: 1, whenFull: 'refuse' }));
  const owner = 'a-secret-of-this-page-0123456789';
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, { ...as('anna', { $io: { v: 1, owner } }), reconnection: true, reconnectionDelay: 20 });
  const other = newClient(t, app.url, as('anna', { $io: { v: 1, owner: `${owner}-another` } }));
  assert.equal((await refusal(other)).message, 'Too many connections');
  const [before] = app.io.sockets.sockets.keys();
  const back = next(client, 'connect');
  proxy.vanish(); // the server still has the connection
  await back;
  assert.equal(await ask(client, 'hello'), 'hi');
  assert.equal(app.io.sockets.sockets.size, 1);
  assert.ok(!app.io.sockets.sockets.has(String(before)));
});

test('with refuse, a client that is recovered comes in', async t => {
  const app = await startApp(t, filesWith({ connections: 1, whenFull: 'refuse' }, 'init: { connectionStateRecovery: {} }'));
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, { ...as('anna'), reconnection: true, reconnectionDelay: 20 });
  app.io.emit('news'); // has an offset, by which the client is recovered
  await next(client, 'news');
  const { id } = client;
  for (let n = 0; n < 2; n++) {
    const back = next(client, 'connect');
    proxy.vanish();
    await back;
    assert.deepEqual([client.recovered, client.id, await ask(client, 'hello')], [true, id, 'hi']);
  }
});

test('connections count on all workers', async t => {
  for (const whenFull of ['replace', 'refuse']) {
    const { url } = await startCluster(t, filesWith({ connections: 2, whenFull }), { workers: 2 });
    const { first, second } = await onTwoWorkers(t, url);
    const last = newClient(t, url, as('anna'));
    if (whenFull === 'refuse') {
      assert.deepEqual((await refusal(last)).data, { code: 'TOO_MANY_CONNECTIONS' });
      assert.deepEqual(await areConnected([first, second]), [true, true]);
    } else {
      await Promise.all([next(last, 'connect'), next(first, 'disconnect')]);
      assert.deepEqual(await areConnected([first, second, last]), [false, true, true]);
    }
  }
});

/** Two connections of anna to two workers, the older one first. */
async function onTwoWorkers(t: TestContext, url: string): Promise<{ first: Client; second: Client }> {
  const first = await connect(t, url, as('anna'));
  const worker = await ask(first, 'worker');
  for (;;) {
    const second = await connect(t, url, as('anna'));
    if ((await ask(second, 'worker')) !== worker) return { first, second };
    second.disconnect();
    await until(t, async () => (await ask(first, 'count', 'anna')) === 1);
  }
}

test('a client that goes while its user is counted makes nobody go', async t => {
  const app = await startApp(t, filesWith({ connections: 1 }));
  const first = await connect(t, app.url, as('anna'));
  const { adapter } = app.io.of('/');
  const fetchSockets = adapter.fetchSockets.bind(adapter);
  const counted = new Promise<void>(resolve => {
    adapter.fetchSockets = async opts => {
      const { conn } = Reflect.get(app.app, 'coming') as ServerSocket;
      const closed = next(conn, 'close');
      conn.close();
      await closed;
      setImmediate(resolve);
      return fetchSockets(opts);
    };
  });
  newClient(t, app.url, as('anna'));
  await counted;
  assert.equal(await ask(first, 'hello'), 'hi');
});

test('a client that a function of use() refuses replaces nobody', async t => {
  const app = await startApp(t, filesWith({ connections: 1 }));
  const first = await connect(t, app.url, as('anna'));
  app.io.use((socket, then) => then(socket.handshake.auth['late'] === true ? new Error('not now') : undefined));
  assert.equal((await refusal(newClient(t, app.url, as('anna', { late: true })))).message, 'not now');
  assert.equal(await ask(first, 'hello'), 'hi');
  const left = next(first, 'disconnect');
  await connect(t, app.url, as('anna'));
  assert.deepEqual((await left)[0], 'io server disconnect');
});

test('further events of a user fail, those of other users and of nobody do not', async t => {
  const app = await startApp(t, filesWith({ events: 1, burst: 10 }));
  stopTime(t);
  const [phone, laptop] = [await connect(t, app.url, as('anna')), await connect(t, `${app.url}/room-1`, as('anna'))];
  const [bert, nobody] = [await connect(t, app.url, as('bert')), await connect(t, app.url)];
  const answersOf = async (client: Client, count: number): Promise<unknown[]> =>
    Promise.all(Array.from({ length: count }, () => ask(client, 'hello')));
  const tooMany = { error: { code: 'TOO_MANY_EVENTS', message: 'Too many events' } };
  assert.deepEqual(new Set(await answersOf(phone, 10)), new Set(['hi']));
  const heard = Reflect.get(app.app, 'heard') as string[];
  const before = heard.length;
  const errors: unknown[] = [];
  phone.on('error', (...args) => errors.push(args));
  phone.emit('hello');
  for (const answer of await answersOf(phone, 20)) assert.deepEqual(answer, tooMany);
  assert.equal(heard.length, before, 'listeners of all events do not hear them');
  assert.deepEqual(errors[0], ['Too many events', { code: 'TOO_MANY_EVENTS', event: 'hello' }]);
  assert.deepEqual(await ask(phone, '$io:anything'), tooMany);
  assert.deepEqual(new Set(await answersOf(laptop, 10)), new Set(['hi']), 'another namespace');
  assert.deepEqual(await answersOf(bert, 10), Array(10).fill('hi'));
  assert.deepEqual(await answersOf(nobody, 30), Array(30).fill('hi'));
  const second = await connect(t, app.url, as('anna'));
  phone.disconnect();
  assert.deepEqual((await answersOf(second, 5)).at(-1), tooMany, 'all connections of a user share the limit');
  second.disconnect();
  await until(t, () => app.io.sockets.sockets.size === 2);
  const later = await connect(t, app.url, as('anna'));
  assert.deepEqual((await answersOf(later, 8)).at(-1), tooMany, 'a reconnect does not lift it');
  await app.close();
  const lines = app.logs.filter(line => line.includes('IO_USER_LIMIT'));
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /WARN.*too many events of the user "anna", namespace \/: one was refused/);
});

/** Users: who a client is, and all connections of a user at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestClient } from 'egg-socket.io/test';
import type { Socket as ServerSocket } from 'socket.io';
import { type Files, startApp } from './support/app';
import { ask, type Client, connect, newClient, next } from './support/client';
import { startCluster } from './support/cluster';
import { startProxy } from './support/proxy';
import { startRedis } from './support/redis';
import { until } from './support/until';

const FILES: Files = {
  'agent.js': `
    module.exports = agent => {
      agent.messenger.on('tell', ([id, what]) => agent.io.user(id).emit('news', what));
    };`,
  'config/config.default.js': `
    exports.io = { namespace: Object.fromEntries(['/', '/chat'].map(name => [name, { connectionMiddleware: ['user'] }])) };`,
  'app/io/middleware/user.js': `
    module.exports = app => async (ctx, next) => {
      const { user } = ctx.socket.handshake.auth;
      if (app.setUser) app.setUser(ctx);
      else if (user !== undefined) ctx.socket.user = user;
      await next();
    };`,
  'app/router.js': `
    module.exports = app => {
      for (const name of ['/', '/chat']) {
        const nsp = app.io.of(name);
        nsp.route('who', async ctx => [ctx.socket.user === undefined ? null : ctx.socket.user, [...ctx.socket.rooms].filter(room => room !== ctx.socket.id).sort()]);
        nsp.route('tell', async ctx => nsp.user(ctx.args[0]).emit('news', ctx.args[1]) && null);
        nsp.route('tell others', async ctx => nsp.user(ctx.socket.user.id).except(ctx.socket.id).emit('news', ctx.args[0]) && null);
        nsp.route('tell all but', async ctx => nsp.exceptUser(ctx.args[0]).emit('news', ctx.args[1]) && null);
        nsp.route('ask', async ctx => nsp.user(ctx.args[0]).timeout(5000).emitWithAck('question'));
        nsp.route('count', async ctx => (await nsp.user(ctx.args[0]).fetchSockets()).length);
        nsp.route('is online', async ctx => nsp.user(ctx.args[0]).isOnline());
        nsp.route('put', async ctx => nsp.user(ctx.args[0]).join(ctx.args[1]) ?? null);
        nsp.route('take', async ctx => nsp.user(ctx.args[0]).leave(ctx.args[1]) ?? null);
        nsp.route('end', async ctx => nsp.user(ctx.args[0]).disconnect(ctx.args[1]) ?? null);
        nsp.route('room', async ctx => nsp.to(ctx.args[0]).emit('news', 'for the room') && null);
        nsp.route('join', async ctx => ctx.socket.join(ctx.args[0]) ?? null);
        nsp.route('leave', async ctx => ctx.socket.leave(ctx.args[0]) ?? null);
        nsp.route('join all', async ctx => nsp.socketsJoin(ctx.args[0]) ?? null);
        nsp.route('remote join', async ctx => new Promise((done, fail) => nsp.adapter.remoteJoin(ctx.socket.id, ctx.args[0], error => (error ? fail(error) : done(null)))));
        nsp.route('late', async ctx => { ctx.socket.user = ctx.args[0]; });
        nsp.route('agent tells', async ctx => ctx.app.messenger.sendToAgent('tell', ctx.args) && null);
        nsp.route('worker', async () => process.pid);
      }
    };`,
};

/** All that a client hears under `news`, in order. */
function newsOf(client: Client): unknown[] {
  const heard: unknown[] = [];
  client.on('news', what => heard.push(what));
  client.on('question', answer => answer(client.auth));
  return heard;
}

const as = (user: unknown): { auth: { user: unknown } } => ({ auth: { user } });
const COMES_BACK = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 20, transports: ['websocket'] };

test('a user is an id or an object with one, is shown with the id as text, and its room is not among those of the socket', async t => {
  const { open } = await startApp(t, FILES);
  assert.deepEqual(await (await open('/', as('anna'))).call('who'), [{ id: 'anna' }, []]);
  assert.deepEqual(await (await open('/', as(7))).call('who'), [{ id: '7' }, []]);
  assert.deepEqual(await (await open('/', as({ id: 7, name: 'Bert' }))).call('who'), [{ id: '7', name: 'Bert' }, []]);
  assert.deepEqual(await (await open()).call('who'), [null, []]);
});

test('all connections of a user in a namespace are reached, and nobody else', async t => {
  const { open } = await startApp(t, FILES);
  const [phone, laptop, bert] = [await open('/', as(7)), await open('/', as('7')), await open('/', as('bert'))];
  const elsewhere = await open('/chat', as(7));
  for (const { socket } of [phone, laptop]) socket.on('question', (answer: (auth: unknown) => void) => answer(socket.auth));
  await bert.call('tell', 7, 'one');
  await phone.call('tell others', 'two');
  await phone.call('tell all but', 7, 'three');
  assert.deepEqual(await bert.call('ask', 7), [{ user: 7 }, { user: '7' }]);
  assert.deepEqual(await bert.call('ask', 'nobody'), []);
  assert.deepEqual(
    [await bert.call('count', 7), await bert.call('is online', 7), await bert.call('is online', 'nobody')],
    [2, true, false],
  );
  await bert.call('put', 7, ['red', 'blue']);
  assert.deepEqual(await laptop.call('who'), [{ id: '7' }, ['blue', 'red']]);
  await bert.call('take', 7, 'red');
  assert.deepEqual(await phone.call('who'), [{ id: '7' }, ['blue']]);
  await bert.call('room', 'blue');
  const news = async (client: TestClient): Promise<unknown[]> => (await client.all('news')).flat();
  assert.deepEqual(await news(phone), ['one', 'for the room']);
  assert.deepEqual(await news(laptop), ['one', 'two', 'for the room']);
  assert.deepEqual([await news(bert), await news(elsewhere)], [['three'], []]);
  await bert.call('end', 7);
  for (const client of [phone, laptop]) assert.equal(await client.gone(), 'io server disconnect');
  assert.deepEqual([await bert.call('is online', 7), await elsewhere.call('is online', 7)], [false, true]);
});

test('a value that cannot be a user is kept, as apps had such a property before, and is warned of', async t => {
  const { open, io, logs } = await startApp(t, FILES);
  for (const user of ['', true, { name: 'Anna' }, { id: '' }, { id: null }, ['7'], 'x'.repeat(201), 'two\nlines']) {
    const client = await open('/', as(user));
    assert.deepEqual(await client.call('who'), [user, []]);
  }
  assert.match(logs.join('\n'), /WARN .*socket\.user is kept.*[^]*IO_USER_INVALID/);
  const { length } = logs;
  assert.deepEqual(await (await open('/', as(null))).call('who'), [null, []]);
  assert.deepEqual(logs.slice(length), [], 'nobody is no mistake');
  for (const id of ['', null, { id: 7 }, Number.NaN]) assert.throws(() => io.user(id as never), { code: 'IO_USER_INVALID' });
});

test('a connection has one user for life: another one is refused', async t => {
  const { url, app, io, logs } = await startApp(t, FILES);
  for (const other of [8, null, { name: 'Bert' }]) {
    Reflect.set(app, 'setUser', (ctx: { socket: { user: unknown } }) => {
      for (const user of [{ id: 7, name: 'Anna' }, { id: '7', name: 'Anna B.' }, other]) ctx.socket.user = user;
    });
    const client = newClient(t, url, { reconnection: false });
    await Promise.race([next(client, 'disconnect'), next(client, 'connect_error')]);
    assert.equal(await io.user(7).isOnline(), false);
  }
  assert.match(logs.join('\n'), /IO_USER_CHANGED/);
});

test('after the client has been let in it is too late to say who it is, but the same user may have other properties', async t => {
  const { open, io, logs } = await startApp(t, FILES);
  const nobody = await open();
  nobody.send('late', 'anna');
  assert.deepEqual(await nobody.call('who'), ['anna', []]);
  assert.match(logs.join('\n'), /WARN .*socket\.user is kept.*[^]*IO_USER_LATE/);
  assert.equal(await io.user('anna').isOnline(), false);
  const anna = await open('/', as('anna'));
  anna.send('late', { id: 'anna', name: 'Anna' });
  assert.deepEqual(await anna.call('who'), [{ id: 'anna', name: 'Anna' }, []]);
  await assert.rejects(anna.call('late', 'bert'), /IO_USER_CHANGED/);
});

test('a room name from a client cannot be that of a user', async t => {
  const { open } = await startApp(t, FILES);
  const [anna, mallory] = [await open('/', as('anna')), await open('/', as('mallory'))];
  const room = '$io:user:anna';
  for (const [event, ...args] of [
    ['join', room],
    ['join', ['red', room]],
    ['leave', room],
    ['room', room],
    ['join all', room],
    ['put', 'mallory', room],
    ['take', 'anna', room],
    ['remote join', room],
  ] as const) {
    await assert.rejects(mallory.call(event, ...args), { code: 'RESERVED_ROOM' }, event);
  }
  assert.deepEqual(await mallory.call('who'), [{ id: 'mallory' }, []]);
  await mallory.call('tell', 'anna', 'hello');
  assert.deepEqual(await anna.all('news'), [['hello']]);
});

test('a client that comes back as the same user is recovered, and as another one, or as nobody, it is a new client', async t => {
  const recovery = "exports.io = { init: { connectionStateRecovery: {} }, namespace: { '/': { connectionMiddleware: ['user'] } } };";
  const app = await startApp(t, { ...FILES, 'config/config.default.js': recovery });
  const { io } = app;
  Reflect.set(app.app, 'setUser', ({ socket }: { socket: ServerSocket }) => {
    const { user } = socket.handshake.auth as { user?: string };
    Reflect.set(socket, 'user', user);
    if (!socket.recovered) Object.assign(socket.data as object, { of: user ?? 'nobody' });
    if (!socket.recovered) void socket.join('lobby');
  });
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, { ...as('anna'), ...COMES_BACK });
  const heard = newsOf(client);
  let { id } = client;
  io.emit('news', 'for all'); // whose offset the client sends
  await ask(client, 'put', 'anna', 'secrets');
  let former = 'anna';
  for (const user of ['anna', 'bert', undefined, 'carl']) {
    const isSame = user === former;
    const left = next([...io.sockets.sockets.values()][0] as ServerSocket, 'disconnect');
    client.auth = { user };
    heard.length = 0;
    const back = next(client, 'connect');
    proxy.cut();
    await left;
    if (former !== 'nobody') io.user(former).emit('news', `for ${former}`);
    io.to('secrets').emit('news', 'a secret');
    proxy.lead(app.port);
    await back;
    io.to('lobby').emit('news', 'for the lobby');
    const who = await ask(client, 'who');
    assert.deepEqual([client.recovered, client.id === id], [isSame, isSame], String(user));
    ({ id } = client);
    assert.deepEqual(who, [user === undefined ? null : { id: user }, isSame ? ['lobby', 'secrets'] : ['lobby']]);
    assert.deepEqual(heard, isSame ? ['for anna', 'a secret', 'for the lobby'] : ['for the lobby']);
    const [socket] = io.sockets.sockets.values();
    assert.deepEqual([io.sockets.sockets.size, socket?.data], [1, { of: user ?? 'nobody' }]);
    for (const one of ['anna', 'bert', 'carl']) assert.equal(await io.user(one).isOnline(), one === user, `${one} of ${String(user)}`);
    former = user ?? 'nobody';
  }
});

for (const adapter of ['in memory', 'redis-streams']) {
  test(`${adapter}: whoever logs in with the private id of another user takes nothing from that user, who is there or away`, async t => {
    const io = adapter === 'in memory' ? '' : `adapter: 'redis-streams', redis: { port: ${(await startRedis(t)).port} },`;
    const recovery = `exports.io = { init: { connectionStateRecovery: {} }, ${io} namespace: { '/': { connectionMiddleware: ['user'] } } };`;
    const app = await startApp(t, { ...FILES, 'config/config.default.js': recovery });
    const proxy = await startProxy(t, app.port);
    const anna = await connect(t, proxy.url, { ...as('anna'), ...COMES_BACK });
    const heard = newsOf(anna);
    const { id } = anna;
    app.io.emit('news', 1);
    await ask(anna, 'who');
    const [socket] = app.io.sockets.sockets.values();
    const stolen = { pid: Reflect.get(anna, '_pid') as unknown, offset: Reflect.get(anna, '_lastOffset') as unknown }; // private
    const bertEnters = async (): Promise<void> => {
      const bert = await connect(t, app.url, { auth: { ...stolen, user: 'bert' } });
      assert.equal(bert.recovered, false);
      assert.notEqual(bert.id, id);
      assert.notEqual(Reflect.get(bert, '_pid'), stolen.pid);
      assert.deepEqual(await ask(bert, 'who'), [{ id: 'bert' }, []]);
      const left = next(app.io.sockets.sockets.get(String(bert.id)) as ServerSocket, 'disconnect');
      bert.disconnect();
      await left;
    };
    await bertEnters();
    assert.deepEqual([...app.io.sockets.sockets.values()], [socket], 'she is still there');
    const left = next(socket as ServerSocket, 'disconnect');
    proxy.cut();
    await left;
    app.io.user('anna').emit('news', 2);
    await bertEnters();
    const back = next(anna, 'connect');
    proxy.lead(app.port);
    await back;
    await ask(anna, 'who');
    assert.deepEqual([anna.recovered, anna.id, heard], [true, id, [1, 2]]);
  });
}

test('a client that comes back as another user and goes before it is let in leaves the session to the first one', async t => {
  const recovery = "exports.io = { init: { connectionStateRecovery: {} }, namespace: { '/': { connectionMiddleware: ['user'] } } };";
  const app = await startApp(t, { ...FILES, 'config/config.default.js': recovery });
  const { io } = app;
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, { ...as('anna'), ...COMES_BACK });
  const heard = newsOf(client);
  const left = next([...io.sockets.sockets.values()][0] as ServerSocket, 'disconnect');
  Reflect.set(app.app, 'setUser', ({ socket }: { socket: ServerSocket }) => {
    Reflect.set(socket, 'user', 'bert');
    Reflect.deleteProperty(app.app, 'setUser'); // from now on it is who it says
    socket.conn.close();
  });
  proxy.cut();
  await left;
  io.user('anna').emit('news', 'for anna');
  const back = next(client, 'connect');
  proxy.lead(app.port);
  await back;
  await ask(client, 'who');
  assert.deepEqual([client.recovered, heard], [true, ['for anna']]);
});

test('a user is reached at other workers', async t => {
  const { url } = await startCluster(t, FILES, { workers: 2 });
  const clients: Client[] = [];
  const workers = new Set<unknown>();
  await until(t, async () => {
    const client = await connect(t, url, { ...as('anna'), forceNew: true });
    clients.push(client);
    workers.add(await ask(client, 'worker'));
    return workers.size === 2;
  });
  const bert = await connect(t, url, as('bert'));
  const all = clients.map(newsOf);
  await ask(bert, 'tell', 'anna', 'hello');
  assert.deepEqual([await ask(bert, 'count', 'anna'), await ask(bert, 'is online', 'anna')], [clients.length, true]);
  assert.equal(((await ask(bert, 'ask', 'anna')) as unknown[]).length, clients.length);
  assert.deepEqual(
    all,
    clients.map(() => ['hello']),
  );
  const told = Promise.all(clients.map(client => next(client, 'news')));
  await ask(bert, 'agent tells', 'anna', 'from the agent');
  assert.deepEqual(new Set((await told).flat()), new Set(['from the agent']));
  await ask(bert, 'end', 'anna', true);
  await until(t, async () => (await ask(bert, 'is online', 'anna')) === false);
});

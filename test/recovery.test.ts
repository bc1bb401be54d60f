/** Connection state recovery: the network is cut, and a client comes back to what it has missed. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Socket } from 'socket.io';
import { Redis } from 'ioredis';
import { type Files, type RunningApp, startApp, HOST } from './support/app';
import { ask, type Client, connect, newClient, next } from './support/client';
import { readConfig } from './support/parts';
import { startProxy } from './support/proxy';
import { RawClient } from './support/raw';
import { startRedis } from './support/redis';
import { internals, nothingRemains, watchForCrashes } from './support/remains';
import { until } from './support/until';

function filesOf(io: string): Files {
  return {
    'app/io/middleware/guard.js': `
      module.exports = app => async (ctx, next) => {
        app.messages = app.messages || [];
        app.messages.push(ctx.socket.recovered ? 'recovering' : 'connecting');
        if (app.failsOnce) {
          app.failsOnce = false;
          throw new Error('not now');
        }
        if (ctx.socket.handshake.auth.stranger) {
          await ctx.socket.join('admins');
          await ctx.socket.leave('lobby');
          throw new Error('revoked');
        }
        if (app.revoked) throw new Error('revoked');
        if (!ctx.socket.recovered) await ctx.socket.join('lobby');
        ctx.socket.emit('welcome', ctx.socket.recovered);
        if (app.hold) await app.hold(ctx.socket);
        await next();
        ctx.socket.leave('lobby'); // of no use any more, and apps do it
        app.messages.push('left');
      };`,
    'app/io/controller/home.js': `
      exports.who = async ctx => ctx.session.name;
      exports.gone = async ctx => { ctx.app.messages.push('gone: ' + ctx.args[0]); };`,
    'app/controller/login.js': `exports.index = async ctx => { ctx.session.name = ctx.query.name; ctx.body = ''; };`,
    'app/router.js': `
      module.exports = app => {
        app.router.get('/login', app.controller.login.index);
        app.io.of('/chat');
        app.io.route('who', app.io.controller.home.who);
        app.io.route('disconnect', app.io.controller.home.gone);
      };`,
    'config/config.default.js': `
      exports.io = { init: { connectionStateRecovery: {} }, namespace: { '/': { connectionMiddleware: ['guard'] } }, ${io} };`,
  };
}

const COMES_BACK = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 };

/** What a client hears, in order; without the offsets, which Socket.IO shows to handlers as a last argument. */
function hear(client: Client): unknown[] {
  const heard: unknown[] = [];
  client.on('said', (text: unknown) => heard.push(text));
  return heard;
}

function messages({ app }: RunningApp): string[] {
  return Reflect.get(app, 'messages') as string[]; // of the app above
}

async function cookieOf(url: string, name: string): Promise<string> {
  const response = await fetch(`${url}/login?name=${name}`);
  return response.headers
    .getSetCookie()
    .map(cookie => cookie.replace(/;.*/, ''))
    .join('; ');
}

/** The server has heard that the client has gone. */
async function gone({ io }: RunningApp): Promise<unknown> {
  const [socket] = io.sockets.sockets.values();
  return next(socket as Socket, 'disconnect');
}

async function untilHeard(client: Client, heard: unknown[], count: number): Promise<void> {
  while (heard.length < count) await next(client, 'said');
}

test('a client that comes back gets what it has missed, in order; its middleware, its session and its routes are right', async t => {
  watchForCrashes(t);
  const app = await startApp(t, filesOf(''));
  const proxy = await startProxy(t, app.port);
  const client = newClient(t, proxy.url, { ...COMES_BACK, extraHeaders: { cookie: await cookieOf(app.url, 'alice') } });
  const welcomes: unknown[] = [];
  client.on('welcome', (recovered: unknown) => welcomes.push(recovered));
  await next(client, 'connect');
  const { id } = client;
  const heard = hear(client);
  app.io.emit('said', 'all');
  await untilHeard(client, heard, 1);
  assert.equal(await ask(client, 'who'), 'alice');
  client.io.opts.extraHeaders = { cookie: await cookieOf(app.url, 'bob') };

  const left = gone(app);
  proxy.cut();
  await left;
  app.io.to('lobby').emit('said', 'lobby');
  app.io.to(String(id)).emit('said', { bytes: Buffer.from([1]) });
  app.io.to('elsewhere').emit('said', 'not to you');
  app.io.except('lobby').emit('said', 'nor this');
  app.io.volatile.emit('said', 'nor what may be lost');
  app.io.emit('said', 'last');

  const back = next(client, 'connect');
  proxy.lead(app.port);
  await back;
  await untilHeard(client, heard, 4);
  assert.equal(client.recovered, true);
  assert.equal(client.id, id);
  assert.deepEqual(heard, ['all', 'lobby', { bytes: Buffer.from([1]) }, 'last']);
  assert.equal(await ask(client, 'who'), 'bob', 'of the new handshake');
  assert.deepEqual(welcomes, [false, true], 'what middleware emits arrives');
  assert.deepEqual(messages(app), ['connecting', 'gone: transport close', 'left', 'recovering']);

  app.io.to('lobby').emit('said', 'after');
  await untilHeard(client, heard, 5);
  const leaves = gone(app);
  client.disconnect();
  await leaves;
  await nothingRemains(app.io);
  assert.deepEqual(messages(app).slice(4), ['gone: client namespace disconnect', 'left']);
});

test('a client over HTTP polling is recovered as well, after a clean cut and when its network has vanished without a word', async t => {
  watchForCrashes(t);
  const app = await startApp(t, filesOf(''));
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, { ...COMES_BACK, transports: ['polling'] });
  const { id } = client;
  const heard = hear(client);
  for (const [round, lose] of [proxy.cut, proxy.vanish].entries()) {
    const [old] = app.io.sockets.sockets.values();
    const left = gone(app);
    await until(t, () => old?.conn.transport.writable === true); // a request of it waits at the server
    lose();
    app.io.to('lobby').emit('said', 2 * round + 1);
    const back = next(client, 'connect');
    proxy.lead(app.port);
    await back;
    await left;
    app.io.to(String(id)).emit('said', 2 * round + 2);
    await untilHeard(client, heard, 2 * round + 2);
    assert.deepEqual([client.recovered, client.id, old?.connected], [true, id, false]);
  }
  assert.deepEqual(heard, [1, 2, 3, 4]);
  client.disconnect();
  await nothingRemains(app.io);
});

test('a request of polling that a browser repeats by itself ends the session: its client is recovered, and no event is handled twice', async t => {
  watchForCrashes(t);
  const app = await startApp(t, filesOf(''));
  const handled: unknown[] = [];
  app.io.on('connection', socket => socket.on('note', what => handled.push(what)));
  let stamps = 0;
  const newStamp = (): string => `stamp${++stamps}`;
  const request = async (sid: string, stamp: string, body?: string): Promise<Response> =>
    fetch(`${app.url}/socket.io/?EIO=4&transport=polling&t=${stamp}${sid}`, body === undefined ? {} : { method: 'POST', body });
  const begin = async (stamp = newStamp()): Promise<string> => {
    const { sid } = JSON.parse((await (await request('', stamp)).text()).slice(1)) as { sid: string };
    return `&sid=${sid}`;
  };
  /** What comes, until it has this. */
  const read = async (sid: string, part: RegExp, stampOfEach = newStamp): Promise<string> => {
    let text = '';
    while (!part.test(text)) text += await (await request(sid, stampOfEach())).text();
    return text;
  };

  const first = await begin();
  await request(first, newStamp(), '40');
  const { pid } = JSON.parse(/40(\{.*?\})/.exec(await read(first, /40\{/))?.[1] ?? '') as { pid: string };
  app.io.emit('said', 1);
  const [, offset] = /"said",1,"(.*?)"/.exec(await read(first, /"said",1/)) ?? [];
  app.io.emit('said', 2);
  const lost = newStamp();
  assert.match(await (await request(first, lost)).text(), /"said",2/); // which the browser does not get
  assert.equal((await request(first, lost)).status, 400);

  const second = await begin();
  await request(second, newStamp(), `40${JSON.stringify({ pid, offset })}`);
  await until(t, () => app.io.sockets.sockets.size === 1);
  app.io.emit('said', 3);
  const heard = await read(second, /"said",3/);
  assert.ok(heard.includes(pid), 'the same client');
  assert.deepEqual(heard.match(/"said",\d/g), ['"said",2', '"said",3']);
  const sent = newStamp();
  assert.equal((await request(second, sent, '42["note","once"]')).status, 200);
  assert.equal((await request(second, sent, '42["note","once"]')).status, 400);
  assert.deepEqual([handled, app.io.sockets.sockets.size], [['once'], 0]);

  // others than the official clients: the same one in all requests; the time in seconds, as the one for .NET has it; in ms, as the one for Dart
  for (const [handshake, others] of [
    ['always the same', 'always the same'],
    ['1764460800', '1764460801'],
    [(Date.now() - 1).toString(36), Date.now().toString(36)],
  ] as const) {
    const other = await begin(handshake);
    await request(other, others, '40');
    for (const what of ['one', 'two']) assert.equal((await request(other, others, `42["note","${what}"]`)).status, 200);
    await read(other, /40\{/, () => others);
    app.io.emit('said', 4);
    await read(other, /"said",4/, () => others);
  }
});

test('an emit that fails leaves no flags to the next one, which goes to other workers', async t => {
  const app = await startApp(t, filesOf(''));
  const client = await connect(t, app.url);
  const socket = app.io.sockets.sockets.get(client.id ?? '');
  assert.ok(socket);
  const flags: unknown[] = [];
  const { adapter } = app.io.of('/');
  const broadcast = adapter.broadcast.bind(adapter);
  t.mock.method(adapter, 'broadcast', (...args: Parameters<typeof broadcast>) => {
    flags.push(args[1].flags);
    broadcast(...args);
  });
  for (const emitter of [() => socket, () => socket.volatile, () => socket.timeout(1000)]) {
    assert.throws(() => emitter().emit('disconnect'), { message: '"disconnect" is a reserved event name' });
    socket.to('lobby').emit('said', 1);
  }
  assert.deepEqual(flags, [{}, {}, {}]);
});

test('what is emitted while the middleware of a recovered client runs arrives once, in order', async t => {
  watchForCrashes(t);
  const app = await startApp(t, filesOf(''));
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, COMES_BACK);
  const heard = hear(client);
  app.io.emit('said', 1);
  await untilHeard(client, heard, 1);
  const left = gone(app);
  proxy.cut();
  await left;
  app.io.emit('said', 2);
  Reflect.set(app.app, 'hold', async (socket: Socket) => {
    for (const [target, number] of [
      [app.io, 3],
      [app.io.to('lobby'), 4],
      [app.io.to(socket.id), 5],
      [socket, 6],
    ] as const)
      target.emit('said', number);
    await new Promise(resolve => setImmediate(resolve));
    app.io.emit('said', 7);
  });
  proxy.lead(app.port);
  await untilHeard(client, heard, 7);
  app.io.emit('said', 8);
  await untilHeard(client, heard, 8);
  assert.deepEqual(heard, [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a client that is not let in again is refused, and what it has missed does not leave the server', async t => {
  watchForCrashes(t);
  const app = await startApp(t, filesOf(''));
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, COMES_BACK);
  const heard = hear(client);
  app.io.emit('said', 'before');
  await untilHeard(client, heard, 1);
  const left = gone(app);
  proxy.cut();
  await left;
  app.io.emit('said', 'a secret');
  Reflect.set(app.app, 'revoked', true);
  const wire: string[] = [];
  client.io.on('open', () => client.io.engine.on('packet', ({ data }: { data?: unknown }) => wire.push(String(data))));
  const refused = next<[Error]>(client, 'connect_error');
  proxy.lead(app.port);
  const [{ message }] = await refused;
  assert.equal(message, 'revoked');
  assert.ok(
    wire.some(data => data.includes('revoked')),
    wire.join('\n'),
  );
  assert.ok(!wire.some(data => data.includes('secret')), wire.join('\n'));
  client.disconnect();
  await nothingRemains(app.io);
});

for (const adapter of ['in memory', 'redis-streams']) {
  const start = async (t: TestContext, options = ''): Promise<RunningApp> => {
    watchForCrashes(t);
    const io = adapter === 'in memory' ? '' : `adapter: 'redis-streams', redis: { port: ${(await startRedis(t)).port} }`;
    return startApp(t, filesOf([io, options].filter(Boolean).join(', ')));
  };

  test(`${adapter}: a client whose network vanishes without a word is recovered, and its old connection ends when it has been let in`, async t => {
    const app = await start(t);
    const proxy = await startProxy(t, app.port);
    const client = await connect(t, proxy.url, COMES_BACK);
    const id = String(client.id);
    const heard = hear(client);
    app.io.emit('said', 1);
    await untilHeard(client, heard, 1);
    const [old] = app.io.sockets.sockets.values();
    let goOn = (): void => {};
    const held = new Promise<void>(resolve => {
      Reflect.set(app.app, 'hold', async () => {
        resolve();
        await new Promise<void>(resolve => (goOn = resolve));
      });
    });
    proxy.vanish();
    app.io.to('lobby').emit('said', 2);
    await held;
    assert.equal(app.io.sockets.sockets.get(id), old, 'the old one is still there');
    app.io.emit('said', 3);
    const back = next(client, 'connect');
    goOn();
    await back;
    await untilHeard(client, heard, 3);
    app.io.to('lobby').emit('said', 4);
    app.io.to(id).emit('said', 5);
    await untilHeard(client, heard, 5);
    assert.deepEqual(heard, [1, 2, 3, 4, 5]);
    assert.deepEqual([client.recovered, client.id, old?.connected], [true, id, false]);
    assert.deepEqual(messages(app), ['connecting', 'recovering', 'gone: forced close', 'left']);
    assert.equal((await app.io.in('lobby').fetchSockets()).length, 1);
    client.disconnect();
    await nothingRemains(app.io);
  });

  test(`${adapter}: whoever comes with the private id of a client and is refused leaves it where it is`, async t => {
    const app = await start(t);
    const proxy = await startProxy(t, app.port);
    const client = await connect(t, proxy.url, COMES_BACK);
    const heard = hear(client);
    app.io.emit('said', 1);
    await untilHeard(client, heard, 1);
    const [old] = app.io.sockets.sockets.values();
    const auth = { pid: Reflect.get(client, '_pid'), offset: Reflect.get(client, '_lastOffset'), stranger: true };
    const other = newClient(t, app.url, { auth });
    const [{ message }] = await next<[Error]>(other, 'connect_error');
    assert.equal(message, 'revoked');
    app.io.to('lobby').emit('said', 2);
    app.io.to(String(client.id)).emit('said', 3);
    await untilHeard(client, heard, 3);
    assert.deepEqual([[...app.io.sockets.sockets.values()], heard], [[old], [1, 2, 3]]);
    assert.deepEqual(new Set(old?.rooms), new Set([client.id, 'lobby']), 'whatever middleware did for the other one');
    other.disconnect();
    client.disconnect();
    await nothingRemains(app.io);
  });

  test(`${adapter}: a client that loses the network again while its middleware runs is recovered all the same`, async t => {
    const app = await start(t);
    const proxy = await startProxy(t, app.port);
    const client = await connect(t, proxy.url, COMES_BACK);
    const heard = hear(client);
    app.io.emit('said', 1);
    await untilHeard(client, heard, 1);
    for (const lose of [proxy.cut, proxy.vanish]) {
      const left = lose === proxy.cut ? gone(app) : undefined;
      lose();
      await left;
      app.io.to('lobby').emit('said', heard.length + 1);
      const pending = new Promise<void>(resolve => {
        Reflect.set(app.app, 'hold', async ({ conn }: Socket) => {
          Reflect.set(app.app, 'hold', undefined);
          resolve();
          await next(conn, 'close');
        });
      });
      proxy.lead(app.port);
      await pending;
      const back = next(client, 'connect');
      lose();
      app.io.emit('said', heard.length + 2);
      proxy.lead(app.port);
      await back;
      await untilHeard(client, heard, lose === proxy.cut ? 3 : 5);
      assert.deepEqual([client.recovered, app.io.engine.clientsCount], [true, 1], 'those before it have ended');
    }
    app.io.to('lobby').emit('said', 6);
    await untilHeard(client, heard, 6);
    assert.deepEqual(heard, [1, 2, 3, 4, 5, 6]);
  });

  test(`${adapter}: a session is used up when its client has connected, not when its middleware has failed`, async t => {
    const app = await start(t);
    const proxy = await startProxy(t, app.port);
    const client = await connect(t, proxy.url, COMES_BACK);
    const heard = hear(client);
    app.io.emit('said', 1);
    await untilHeard(client, heard, 1);
    const left = gone(app);
    proxy.cut();
    await left;
    app.io.emit('said', 2);
    app.io.except('lobby').emit('said', 'not to you');
    Reflect.set(app.app, 'failsOnce', true);
    const refused = next(client, 'connect_error');
    proxy.lead(app.port);
    await refused;
    app.io.to('lobby').emit('said', 3);
    client.connect();
    await untilHeard(client, heard, 3);
    assert.deepEqual([client.recovered, heard], [true, [1, 2, 3]]);
    client.disconnect();
    await nothingRemains(app.io);
  });
}

test('with an id of its own, a client that comes back to a connection which is still there keeps it, and it is free when the client has gone', async t => {
  watchForCrashes(t);
  const app = await startApp(t, filesOf(`generateId: () => 'user-' + (global.number = (global.number || 0) + 1)`));
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, COMES_BACK);
  const { id } = client;
  const heard = hear(client);
  app.io.emit('said', 1);
  await untilHeard(client, heard, 1);
  for (const lose of [proxy.vanish, proxy.vanish, proxy.cut]) {
    const back = next(client, 'connect');
    lose();
    proxy.lead(app.port);
    await back;
    assert.deepEqual([client.recovered, client.id], [true, id]);
  }
  client.disconnect();
  await nothingRemains(app.io);
});

test('with an id of its own, whoever comes with the private id of a client and is refused gets no other namespace in its name', async t => {
  watchForCrashes(t);
  const app = await startApp(t, filesOf(`generateId: () => 'user-' + (global.visitor = (global.visitor || 0) + 1)`));
  const client = await connect(t, app.url);
  const chat = client.io.socket('/chat');
  await next(chat, 'connect');
  const heard = hear(client);
  app.io.emit('said', 1);
  await untilHeard(client, heard, 1);
  const auth = { pid: Reflect.get(client, '_pid'), offset: Reflect.get(client, '_lastOffset'), stranger: true };
  const other = await RawClient.open(t, app.url);
  other.send(`40${JSON.stringify(auth)}`);
  assert.match(await other.frame(/^44/), /revoked/);
  other.send('40/chat,'); // over the same connection, once that has had the id of the other one
  assert.match(await other.frame(/^4[04]\/chat,/), /^40\/chat,\{"sid":"\/chat#user-2",/);
  const nsp = app.io.of('/chat');
  assert.deepEqual([nsp.sockets.size, nsp.sockets.has(String(chat.id))], [2, true]);
});

test('a client that comes back when another one has its id by now is refused, and the other one stays', async t => {
  watchForCrashes(t);
  const app = await startApp(t, filesOf(`generateId: (ids => () => ids.shift())(['one', 'one', 'two'])`));
  const proxy = await startProxy(t, app.port);
  const client = await connect(t, proxy.url, COMES_BACK);
  const heard = hear(client);
  app.io.emit('said', 1);
  await untilHeard(client, heard, 1);
  const left = gone(app);
  proxy.cut();
  await left;
  const other = await connect(t, app.url);
  assert.equal(other.id, 'one');
  const refused = next<[Error]>(client, 'connect_error');
  const letIn = next(client, 'connect');
  proxy.lead(app.port);
  assert.match(String(await Promise.race([refused, letIn])), /^Error: .*IO_ID_INVALID/);
  const heardByOther = hear(other);
  app.io.to('one').emit('said', 2);
  await untilHeard(other, heardByOther, 1);
  assert.deepEqual([...app.io.sockets.sockets.keys()], ['one']);
  client.disconnect();
  other.disconnect();
  await nothingRemains(app.io);
});

test('in memory: a client that has heard nothing yet is recovered', async t => {
  watchForCrashes(t);
  const app = await startApp(t, { 'config/config.default.js': 'exports.io = { init: { connectionStateRecovery: {} } };' });
  const proxy = await startProxy(t, app.port);
  const before = await connect(t, app.url);
  app.io.emit('said', 'before');
  await next(before, 'said');
  before.disconnect();
  const client = await connect(t, proxy.url, COMES_BACK);
  const heard = hear(client);
  const left = next([...app.io.sockets.sockets.values()].at(-1) as Socket, 'disconnect');
  proxy.cut();
  await left;
  app.io.emit('said', 1);
  const back = next(client, 'connect');
  proxy.lead(app.port);
  await back;
  await untilHeard(client, heard, 1);
  app.io.emit('said', 2);
  await untilHeard(client, heard, 2);
  assert.deepEqual([client.recovered, heard], [true, [1, 2]]);
});

test(
  'by redis-streams a client comes back to another server',
  { skip: HOST === 'egg41' && 'tegg does not take two apps in one process' },
  async t => {
    watchForCrashes(t);
    const { port } = await startRedis(t);
    const io = `adapter: 'redis-streams', redis: { port: ${port} }`;
    const [one, other] = [await startApp(t, filesOf(io)), await startApp(t, filesOf(io))];
    const proxy = await startProxy(t, one.port);
    const client = await connect(t, proxy.url, COMES_BACK);
    const { id } = client;
    const heard = hear(client);
    one.io.emit('said', 1);
    await untilHeard(client, heard, 1);
    const left = gone(one);
    proxy.cut();
    await left;
    one.io.to('lobby').emit('said', 2);
    other.io.to('lobby').emit('said', { bytes: Buffer.from([3]) });
    await other.io.fetchSockets(); // what was sent before has come by
    Reflect.set(other.app, 'hold', async () => void one.io.emit('said', 4));
    const back = next(client, 'connect');
    proxy.lead(other.port);
    await back;
    await untilHeard(client, heard, 4);
    assert.deepEqual([client.recovered, client.id], [true, id]);
    other.io.to('lobby').emit('said', 5);
    await untilHeard(client, heard, 5);
    assert.equal(heard.length, 5);
    assert.deepEqual(new Set(heard.slice(1, 4).map(one => JSON.stringify(one))).size, 3, 'each once');
    assert.deepEqual([heard[0], heard[3], heard[4]], [1, 4, 5]);
    assert.deepEqual(messages(other), ['recovering']);
  },
);

for (const adapter of ['redis', 'redis-streams']) {
  test(`${adapter}: in an outage of Redis a client that comes back is a new one, at once, also at the server where it was`, async t => {
    watchForCrashes(t);
    const redis = await startRedis(t);
    const app = await startApp(t, filesOf(`adapter: '${adapter}', redis: { port: ${redis.port} }`));
    const proxy = await startProxy(t, app.port);
    const client = await connect(t, proxy.url, COMES_BACK);
    const heard = hear(client);
    app.io.emit('said', 1);
    await untilHeard(client, heard, 1);
    await redis.kill();
    await app.logged(/IO_REDIS_DOWN/);
    const left = gone(app);
    proxy.cut();
    await left;
    const back = next(client, 'connect');
    proxy.lead(app.port);
    await back;
    assert.equal(client.recovered, false);
    app.io.to('lobby').emit('said', 2);
    await untilHeard(client, heard, 2);
    assert.deepEqual(heard, [1, 2]);
  });
}

for (const base of ['SessionAwareAdapter', 'ClusterAdapter']) {
  test(`a ${base} of the app whose sessions fail is logged once for each method, and its clients are new ones`, async t => {
    watchForCrashes(t);
    const adapter = `nsp => {
      const { ${base} } = require('${require.resolve('socket.io-adapter')}');
      return Object.assign(new ${base}(nsp), {
        async restoreSession() { throw new Error('no store'); },
        persistSession() { throw new Error('no store'); },
        async doPublish() { return '1-0'; }, // of a ClusterAdapter
      });
    }`;
    const app = await startApp(t, filesOf(`adapter: ${adapter}`));
    const proxy = await startProxy(t, app.port);
    const client = await connect(t, proxy.url, COMES_BACK);
    const said = next(client, 'said');
    app.io.emit('said', 1);
    await said; // without an offset, Socket.IO reads no session
    for (let time = 0; time < 2; time++) {
      const left = gone(app);
      const back = next(client, 'connect');
      proxy.cut();
      await left;
      proxy.lead(app.port);
      await back;
      assert.equal(client.recovered, false);
    }
    const lines = app.logs.filter(line => line.startsWith('ERROR'));
    assert.equal(lines.length, 2, lines.join('\n'));
    for (const method of ['restoreSession', 'persistSession'])
      assert.match(lines.join('\n'), new RegExp(`IO_RECOVERY_FAILED: ${method}\\(\\) of the adapter .* namespace /: .*no store`, 's'));
  });
}

test('an emit to one socket stays in its process, with recovery as without', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const app = await startApp(t, filesOf(`redis: { port: ${port} }`));
  const watch = new Redis({ port });
  t.after(() => watch.disconnect());
  const published: string[] = [];
  await watch.psubscribe('socket.io#*');
  watch.on('pmessage', (_pattern, channel) => published.push(channel));
  const client = newClient(t, app.url);
  const welcome = next(client, 'welcome');
  await next(client, 'connect');
  await welcome; // emitted while middleware ran
  const [socket] = app.io.sockets.sockets.values();
  const said = next(client, 'said');
  socket?.emit('said', 'to you');
  await said;
  app.io.emit('said', 'to all');
  await next(watch, 'pmessage');
  assert.deepEqual(published, ['socket.io#/#'], 'that to all, and no other');
});

test('a worker that knows of no other cannot recover, nor one that misses events: that is warned of, and the option has no effect', () => {
  for (const [io, workers, problem] of [
    [{ cluster: false }, 2, /IO_RECOVERY_UNAVAILABLE: .*config\.io\.cluster is false/],
    [{ adapter: { name: 'redis-sharded', subscriptionMode: 'dynamic' } }, 1, /IO_RECOVERY_UNAVAILABLE: .*subscriptionMode is not 'static'/],
  ] as const) {
    const warnings: string[] = [];
    const { init } = readConfig({ io: { init: { connectionStateRecovery: {} }, ...io } }, workers, line => warnings.push(line));
    assert.equal(init.connectionStateRecovery, undefined);
    assert.match(warnings.join('\n'), problem);
  }
  const { adapter } = readConfig({ io: { init: { connectionStateRecovery: {} }, adapter: 'redis-sharded' } }, 1, assert.fail);
  assert.deepEqual(adapter?.name === 'redis-sharded' && adapter.options, { subscriptionMode: 'static' });
});

test('a field of the app in auth that has the name of one of Socket.IO is warned of, once; clients that come back are not', async t => {
  const running = await startApp(t, filesOf(''));
  const { io, logs, url } = running;
  const warnings = (): number => logs.filter(line => /^WARN .*IO_RECOVERY_AUTH: a client sends auth\./.test(line)).length;
  const client = await connect(t, url, { ...COMES_BACK, auth: { token: 't' } });
  io.emit('said', 1);
  await next(client, 'said');
  client.io.engine.close();
  await next(client, 'connect');
  assert.deepEqual([client.recovered, warnings()], [true, 0]);
  for (const auth of [{ offset: '20' }, { pid: 'product-7' }]) await connect(t, url, { auth });
  assert.equal(warnings(), 1);
  await running.logged(/^WARN .*IO_RECOVERY_AUTH: a client sends auth\.offset, a name that Socket\.IO's client uses/);
});

for (const [name, pid] of [
  ['a word', 'product-7'],
  ['a number', 7],
] as const) {
  test(`auth.pid that is ${name} is warned of where recovery is on, and nowhere else`, async t => {
    const on = await startApp(t, filesOf(''));
    await connect(t, on.url, { auth: { pid } });
    await on.logged(/^WARN .*IO_RECOVERY_AUTH: a client sends auth\.pid, a name that Socket\.IO's client uses/);
    await on.close();
    const off = await startApp(t, {});
    await connect(t, off.url, { auth: { pid } });
    assert.ok(!off.logs.some(line => line.includes('IO_RECOVERY_AUTH')));
  });
}

test('recovery in memory and cleanupEmptyChildNamespaces are warned of when the app starts', async t => {
  const init = (options: string): Files => ({ 'config/config.default.js': `exports.io = { init: { ${options} } };` });
  const both = await startApp(t, init('connectionStateRecovery: {}, cleanupEmptyChildNamespaces: true'));
  assert.equal(both.logs.filter(line => /^WARN .*IO_RECOVERY_CLEANUP: /.test(line)).length, 1);
  await both.close();
  for (const one of ['connectionStateRecovery: {}', 'cleanupEmptyChildNamespaces: true']) {
    const { logs, close } = await startApp(t, init(one));
    assert.ok(!logs.some(line => line.includes('IO_RECOVERY_CLEANUP')), one);
    await close();
  }
});

test('a worker keeps as many clients that have gone as the config says, with a line of log when the longest absent one is dropped', async t => {
  watchForCrashes(t);
  const { io, url, logged } = await startApp(t, filesOf('limits: { recovery: { sessions: 1 } }'));
  const pids: string[] = [];
  for (let count = 0; count < 2; count++) {
    const client = await RawClient.open(t, url);
    client.send('40');
    const { pid } = JSON.parse((await client.frame(/^40/)).slice(2)) as { pid: string };
    const [socket] = io.sockets.sockets.values();
    assert.ok(socket);
    const gone = next(socket, 'disconnect');
    client.vanish();
    await gone;
    pids.push(pid);
  }
  const isRecovered: boolean[] = [];
  for (const pid of pids) {
    const client = await RawClient.open(t, url);
    client.send(`40${JSON.stringify({ pid, offset: '' })}`);
    isRecovered.push((await client.frame(/^40/)).includes(pid)); // else it has a new one
  }
  assert.deepEqual(isRecovered, [false, true]);
  await logged(/^WARN .*IO_LIMIT_REACHED: too much is kept .* \(config\.io\.limits\.recovery\): the oldest of that is dropped/);
});

test('without the limit `recovery`, a client that comes back gets more than would be kept by default', async t => {
  watchForCrashes(t);
  const megabyte = 'x'.repeat(2 ** 20);
  for (const recovery of [true, false]) {
    const { io, url, close } = await startApp(t, filesOf(recovery ? '' : 'limits: { recovery: false }'));
    const client = await RawClient.open(t, url);
    client.send('40');
    const { pid } = JSON.parse((await client.frame(/^40/)).slice(2)) as { pid: string };
    io.emit('news', 'first');
    const [, , offset] = JSON.parse((await client.frame(/^42\["news"/)).slice(2)) as string[];
    const [socket] = io.sockets.sockets.values();
    assert.ok(socket);
    const gone = next(socket, 'disconnect');
    client.vanish();
    await gone;
    for (let count = 0; count < 17; count++) io.emit('news', megabyte); // 16 MB are kept of a namespace
    const again = await RawClient.open(t, url);
    again.send(`40${JSON.stringify({ pid, offset })}`);
    assert.equal((await again.frame(/^40/)).includes(pid), !recovery);
    assert.equal(internals(io).runtime.limits.counts.recovery > 0, recovery);
    if (!recovery) await until(t, () => again.frames.filter(frame => frame.startsWith('42["news","x')).length === 17);
    again.vanish();
    await close();
  }
});

/** An app that says whose a session is: by the cookie's session, or by a token. */
const OWNED: Files = {
  'config/config.default.js': `
    exports.io = {
      init: {
        connectionStateRecovery: {
          async owner(ctx) {
            const { token } = ctx.handshake.auth;
            ctx.app.asked.push([token ?? null, ctx.session.name ?? null, ctx.get('x-page'), ctx.app.currentContext === ctx]);
            if (token === 'broken') throw new Error('no database');
            return token ?? ctx.session.name;
          },
        },
      },
      namespace: { '/': { connectionMiddleware: ['note'] } },
    };`,
  'app/io/middleware/note.js': `
    module.exports = app => async (ctx, next) => {
      app.met.push([ctx.socket.recovered, ctx.socket.data.secret ?? null, [...ctx.socket.rooms].length]);
      await next();
    };`,
  'app/router.js': `
    module.exports = app => {
      Object.assign(app, { asked: [], met: [] });
      app.router.get('/login', async ctx => { ctx.session.name = ctx.query.name; ctx.body = ''; });
      app.io.route('keep', async ctx => { ctx.socket.data.secret = ctx.args[0]; ctx.socket.join('lobby'); return [...ctx.socket.rooms].length; });
      app.io.route('secret', async ctx => [ctx.socket.id, ctx.socket.data.secret ?? null, ctx.socket.rooms.has('lobby')]);
    };`,
};

/** A client that has lost its connection, and comes back as somebody. Resolves when it has been let in. */
async function comeBackAs(client: Client, auth: Record<string, unknown>): Promise<unknown> {
  const back = next(client, 'connect');
  Object.assign(client, { auth });
  client.io.engine.close();
  await back;
  return ask(client, 'secret');
}

test('a session is bound to its owner: another one gets a new session, before middleware sees anything, and nothing changes for the first', async t => {
  watchForCrashes(t);
  const { app, io, url } = await startApp(t, OWNED);
  const { asked, met } = app as unknown as { asked: unknown[]; met: unknown[] };
  const anna = await connect(t, url, { auth: { token: 'anna' }, ...COMES_BACK, extraHeaders: { 'x-page': 'chat' } });
  assert.deepEqual(asked.splice(0), [['anna', null, 'chat', true]]);
  assert.equal(await ask(anna, 'keep', 'of anna'), 2); // its own room and the lobby
  const { id } = anna;

  const pid: unknown = Reflect.get(anna, '_pid'); // private: what the client says to be recovered
  const thief = newClient(t, url, { auth: { token: 'bert', pid, offset: '' } });
  met.length = 0;
  await next(thief, 'connect');
  assert.deepEqual(met, [[false, null, 0]]);
  assert.deepEqual(await ask(thief, 'secret'), [thief.id, null, false]);
  assert.equal(thief.recovered, false);
  for (const token of [undefined, 'broken']) {
    const other = newClient(t, url, { auth: { token, pid, offset: '' } });
    await next(other, 'connect');
    assert.deepEqual(await ask(other, 'secret'), [other.id, null, false]);
    other.disconnect();
  }
  assert.deepEqual(await ask(anna, 'secret'), [id, 'of anna', true]);

  assert.deepEqual(await comeBackAs(anna, { token: 'anna' }), [id, 'of anna', true]);
  assert.equal(anna.recovered, true);
  const [, secret, isThere] = (await comeBackAs(anna, { token: 'carl' })) as unknown[];
  assert.deepEqual([secret, isThere, anna.recovered], [null, false, false]);
  for (const client of [anna, thief]) client.disconnect();
  await nothingRemains(io);
});

for (const bound of ['owner', 'user'] as const) {
  test(`bound to its ${bound}: whoever comes with the private id of a client that is away hears nothing of what it has missed, and it hears all`, async t => {
    const { io, url } = await startApp(t, {
      ...OWNED,
      ...(bound === 'user' && {
        'config/config.default.js': `
          exports.io = { init: { connectionStateRecovery: {} }, namespace: { '/': { connectionMiddleware: ['user'] } } };`,
        'app/io/middleware/user.js': `
          module.exports = () => async (ctx, next) => { ctx.socket.user = ctx.socket.handshake.auth.token; await next(); };`,
      }),
    });
    const anna = await connect(t, url, { auth: { token: 'anna' } });
    const heard = hear(anna);
    await ask(anna, 'keep', 'of anna');
    const { id } = anna;
    const pid: unknown = Reflect.get(anna, '_pid'); // private, as above
    anna.io.engine.close();
    await nothingRemains(io);
    io.to('lobby').emit('said', 'to the lobby');

    for (const token of ['bert', undefined]) {
      const thief = newClient(t, url, { auth: { token, pid, offset: '' } });
      const stolen = hear(thief);
      await next(thief, 'connect');
      assert.deepEqual(await ask(thief, 'secret'), [thief.id, null, false]);
      assert.deepEqual([thief.recovered, stolen], [false, []]);
      thief.disconnect();
    }
    const back = next(anna, 'connect');
    anna.connect();
    await back;
    assert.deepEqual(await ask(anna, 'secret'), [id, 'of anna', true]);
    assert.deepEqual(heard, ['to the lobby']);
  });
}

test('an owner by the session of the cookie; after an error the client is a new one, and nobody recovers its session', async t => {
  const { app, url, logged } = await startApp(t, OWNED);
  const { asked } = app as unknown as { asked: unknown[] };
  const cookie = (await fetch(`${url}/login?name=dora`)).headers
    .getSetCookie()
    .map(one => one.split(';')[0])
    .join('; ');
  const dora = await connect(t, url, { ...COMES_BACK, extraHeaders: { cookie } });
  assert.deepEqual(asked, [[null, 'dora', '', true]]);
  await ask(dora, 'keep', 'of dora');
  const { id } = dora;
  assert.deepEqual(await comeBackAs(dora, {}), [id, 'of dora', true]);

  const broken = await connect(t, url, { auth: { token: 'broken' }, ...COMES_BACK });
  await logged(/^ERROR .*connectionStateRecovery\.owner failed, and a client is a new one.*no database/s);
  await ask(broken, 'keep', 'of nobody');
  const [, secret] = (await comeBackAs(broken, { token: 'broken' })) as unknown[];
  assert.equal(secret, null);
});

test('an owner comes back to another server, and nobody else', async t => {
  const redis = await startRedis(t);
  const files = {
    ...OWNED,
    'config/config.default.js': `${OWNED['config/config.default.js']} exports.io.redis = { port: ${redis.port} };`,
  };
  const [one, two] = [await startApp(t, files), await startApp(t, files)];
  const anna = await connect(t, one.url, { auth: { token: 'anna' } });
  await ask(anna, 'keep', 'of anna');
  const pid: unknown = Reflect.get(anna, '_pid'); // private, as above
  const { id } = anna;
  const visit = async (token: string): Promise<Client> => {
    const client = newClient(t, two.url, { auth: { token, pid, offset: '' } });
    await next(client, 'connect');
    return client;
  };
  const bert = await visit('bert');
  assert.deepEqual(await ask(bert, 'secret'), [bert.id, null, false]);
  assert.deepEqual(await ask(anna, 'secret'), [id, 'of anna', true]);
  const again = await visit('anna');
  assert.deepEqual(await ask(again, 'secret'), [id, 'of anna', true]);
});

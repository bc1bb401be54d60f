import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { Namespace, Server, Socket } from 'socket.io';
import { Adapter, SessionAwareAdapter } from 'socket.io-adapter';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, connect, next } from './support/client';
import { startRedis } from './support/redis';
import { watchForCrashes } from './support/remains';

/** The old call with its arguments after a socket's id, and what the warning has to name. */
const CALLS: Record<string, { old: string; use: string }> = {
  adapterClients: { old: 'adapter.clients(rooms, callback)', use: 'await nsp.in(rooms).fetchSockets()' },
  remoteJoin: { old: 'adapter.remoteJoin(id, room, callback)', use: 'nsp.in(id).socketsJoin(room)' },
  remoteLeave: { old: 'adapter.remoteLeave(id, room, callback)', use: 'nsp.in(id).socketsLeave(room)' },
  remoteDisconnect: { old: 'adapter.remoteDisconnect(id, close, callback)', use: 'nsp.in(id).disconnectSockets(close)' },
  clients: { old: 'nsp.clients(callback)', use: 'await nsp.fetchSockets()' },
  connected: { old: 'nsp.connected[id]', use: 'nsp.sockets.get(id)' },
  join: { old: 'socket.join(room, callback)', use: 'await socket.join(room)' },
  leave: { old: 'socket.leave(room, callback)', use: 'await socket.leave(room)' },
};

async function start(t: TestContext, redis?: object): Promise<RunningApp> {
  watchForCrashes(t);
  return startApp(t, {
    'app/io/controller/old.js': `
      const done = (resolve, reject) => (error, result) => (error ? reject(error) : resolve(result === undefined ? 'done' : result));
      exports.adapterClients = ctx => new Promise((resolve, reject) => ctx.socket.adapter.clients(ctx.args[0], done(resolve, reject)));
      exports.allAdapterClients = ctx => new Promise((resolve, reject) => ctx.socket.adapter.clients(done(resolve, reject)));
      exports.remoteJoin = ctx => new Promise((resolve, reject) => ctx.adapter.remoteJoin(ctx.args[0], ctx.args[1], done(resolve, reject)));
      exports.remoteLeave = ctx => new Promise((resolve, reject) => ctx.adapter.remoteLeave(ctx.args[0], ctx.args[1], done(resolve, reject)));
      exports.remoteDisconnect = ctx => new Promise((resolve, reject) => ctx.adapter.remoteDisconnect(ctx.args[0], ctx.args[1], done(resolve, reject)));
      exports.clients = ctx => new Promise((resolve, reject) => ctx.socket.nsp.clients(done(resolve, reject)));
      exports.connected = async ctx => ({
        found: ctx.socket.nsp.connected[ctx.args[0]].id,
        all: Object.keys(ctx.socket.nsp.connected),
        missing: ctx.socket.nsp.connected.nobody === undefined,
      });
      exports.join = ctx => new Promise((resolve, reject) => ctx.socket.join(ctx.args[0], done(resolve, reject)));
      exports.leave = ctx => new Promise((resolve, reject) => ctx.socket.leave(ctx.args[0], done(resolve, reject)));
      exports.shorthand = ctx => new Promise((resolve, reject) => ctx.join(ctx.args[0], done(resolve, reject)));
      exports.rooms = async ctx => [...ctx.socket.rooms];
      exports.throwing = async ctx => { ctx.socket.join('x', () => { throw new Error('in the callback'); }); return 'lives'; };
      exports.silent = async ctx => { ctx.adapter.remoteJoin(ctx.args[0], ctx.args[1]); return 'done'; };`,
    'app/router.js': `
      module.exports = app => {
        const { old } = app.io.controller;
        for (const name of Object.keys(old)) app.io.route(name, old[name]);
        app.io.of('/beside');
      };`,
    'config/config.default.js': redis ? `exports.io = { redis: ${JSON.stringify(redis)} };` : '',
  });
}

function warnings(logs: readonly string[]): string[] {
  return logs.filter(line => line.includes('IO_DEPRECATED'));
}

for (const adapter of ['in-memory', 'Redis'] as const) {
  test(`the old calls of adapters, namespaces and sockets work with the ${adapter} adapter, and warn once with the new call`, async t => {
    const { url, logs } = await start(t, adapter === 'Redis' ? { port: (await startRedis(t)).port } : undefined);
    const [alice, bob] = [await connect(t, url), await connect(t, url)];
    const ids = [alice.id, bob.id].toSorted();

    for (let round = 0; round < 2; round++) {
      assert.equal(await ask(alice, 'join', 'lobby'), 'done');
      assert.deepEqual(await ask(alice, 'adapterClients', ['lobby']), [alice.id]);
      assert.equal(await ask(alice, 'leave', 'lobby'), 'done');
      assert.deepEqual(await ask(alice, 'adapterClients', ['lobby']), []);

      assert.equal(await ask(alice, 'remoteJoin', bob.id, 'attic'), 'done');
      assert.deepEqual(await ask(bob, 'rooms'), [bob.id, 'attic']);
      assert.equal(await ask(alice, 'remoteLeave', bob.id, 'attic'), 'done');
      assert.deepEqual(await ask(bob, 'rooms'), [bob.id]);

      assert.deepEqual(((await ask(alice, 'clients')) as string[]).toSorted(), ids);
      assert.deepEqual(((await ask(alice, 'allAdapterClients')) as string[]).toSorted(), ids);
      const connected = (await ask(alice, 'connected', bob.id)) as { all: string[] };
      assert.deepEqual({ ...connected, all: connected.all.toSorted() }, { found: bob.id, all: ids, missing: true });
    }
    const beside = bob.io.socket('/beside');
    await next(beside, 'connect');
    const told = [next(bob, 'disconnect'), next(beside, 'disconnect')]; // the whole connection
    assert.equal(await ask(alice, 'remoteDisconnect', bob.id, true), 'done');
    for (const [reason] of await Promise.all(told)) assert.match(String(reason), /^(io server disconnect|transport close)$/);

    const lines = warnings(logs);
    for (const { old, use } of Object.values(CALLS)) {
      const of = lines.filter(line => line.includes(`IO_DEPRECATED: ${old} `));
      assert.equal(of.length, 1, old);
      assert.ok(of[0]?.includes(`use ${use} `), of[0]);
      assert.match(of[0] ?? '', /^WARN /);
    }
    assert.equal(lines.length, Object.keys(CALLS).length);
  });
}

/** What an app of Socket.IO 2 says, what it hears, and what the log says of it once. `ctx` is that of a client that is in the room `lobby`. */
const IDIOMS: Record<string, { code: string; answer?: unknown; old?: string; use?: string }> = {
  'adapter.clients() of no room': {
    code: `Promise.all(['', null, undefined, [], ctx.socket.rooms].map(rooms => new Promise(done => ctx.adapter.clients(rooms, (error, ids) => done(ids.length)))))`,
    answer: [2, 2, 2, 2, 2],
    old: 'adapter.clients(rooms, callback)',
  },
  'adapter.clients() of a room': {
    code: `Promise.all(['lobby', ['lobby'], ['nobody']].map(rooms => new Promise(done => ctx.adapter.clients(rooms, (error, ids) => done(ids.length)))))`,
    answer: [1, 1, 0],
    old: 'adapter.clients(rooms, callback)',
  },
  'nsp.in(room).clients()': {
    code: `new Promise(done => ctx.socket.nsp.in('lobby').clients((error, ids) => done(ids.length)))`,
    answer: 1,
    old: 'nsp.in(room).clients(callback)',
  },
  'io.to(room).clients()': {
    code: `new Promise(done => ctx.app.io.to('lobby').clients((error, ids) => done(ids.length)))`,
    answer: 1,
    old: 'nsp.in(room).clients(callback)',
  },
  'io.clients()': {
    code: `new Promise(done => ctx.app.io.clients((error, ids) => done(ids.length)))`,
    answer: 2,
    old: 'io.clients(callback)',
  },
  'nsp.in(room).connected': {
    code: `Object.keys(ctx.socket.nsp.in('lobby').connected).length`,
    answer: 2,
    old: 'nsp.in(room).connected[id]',
  },
  'nsp.sockets[id]': {
    code: `[ctx.socket.nsp.sockets[ctx.id] === ctx.socket, ctx.app.io.sockets.sockets.nobody, ctx.id in ctx.socket.nsp.sockets]`,
    answer: [true, null, true],
    old: 'nsp.sockets[key]',
    use: 'nsp.sockets.get(id)',
  },
  'Object.keys(nsp.sockets)': {
    code: `[Object.keys(ctx.socket.nsp.sockets).length, Object.values(ctx.socket.nsp.sockets).includes(ctx.socket)]`,
    answer: [2, true],
    old: 'Object.keys(nsp.sockets)',
    use: '[...nsp.sockets.keys()]',
  },
  'for (const id in nsp.sockets)': {
    code: `{ let count = 0; for (const id in ctx.socket.nsp.sockets) count += ctx.socket.nsp.sockets[id].connected; return count; }`,
    answer: 2,
    old: 'Object.keys(nsp.sockets)',
  },
  'Object.keys(socket.rooms)': {
    code: `[Object.keys(ctx.socket.rooms).includes('lobby'), ctx.rooms.lobby, 'lobby' in ctx.socket.rooms]`,
    answer: [true, 'lobby', true],
    old: 'Object.keys(socket.rooms)',
    use: '[...socket.rooms.keys()]',
  },
  'socket.rooms[room]': { code: `ctx.socket.rooms['lobby']`, answer: 'lobby', old: 'socket.rooms[key]', use: 'socket.rooms.has(room)' },
  'adapter.rooms[room]': {
    code: `[ctx.adapter.rooms.lobby.length, Object.keys(ctx.adapter.rooms['lobby'].sockets)[0] === ctx.id, Object.keys(ctx.adapter.rooms).includes('lobby')]`,
    answer: [1, true, true],
    old: 'adapter.rooms[key]',
    use: 'adapter.rooms.get(room)?.size',
  },
  'adapter.sids[id]': { code: `ctx.adapter.sids[ctx.id].lobby`, answer: true, old: 'adapter.sids[key]', use: 'adapter.sids.get(id)' },
  'adapter.clientRooms()': {
    code: `Promise.all([ctx.id, 'nobody'].map(id => new Promise(done => ctx.adapter.clientRooms(id, (error, rooms) => done(rooms && rooms.includes('lobby'))))))`,
    answer: [true, null],
    old: 'adapter.clientRooms(id, callback)',
  },
  'adapter.allRooms()': {
    code: `new Promise(done => ctx.adapter.allRooms((error, rooms) => done(Array.isArray(rooms) && rooms.includes('lobby'))))`,
    answer: true,
    old: 'adapter.allRooms(callback)',
  },
  'io.nsps': { code: `ctx.app.io.nsps['/'] === ctx.app.io.of('/')`, answer: true, old: 'io.nsps[name]', use: 'io.of(name)' },
  'json of all': {
    code: `(ctx.socket.json.emit('heard', 1), ctx.app.io.json.emit('heard', 2), ctx.socket.nsp.json.emit('heard', 3), ctx.app.io.in(ctx.id).json.emit('heard', 4), 'sent')`,
    answer: 'sent',
    old: 'socket.json',
  },
  'socket.error()': {
    code: `(ctx.socket.error('not so'), 'sent')`,
    answer: 'sent',
    old: 'socket.error(error)',
    use: "socket.emit('error', error)",
  },
  'join().emit()': { code: `(ctx.socket.join('attic').emit('heard', 5), ctx.rooms.has('attic'))`, answer: true },
  'a chain of ctx.emit()': { code: `(ctx.emit('heard', 6).emit('heard', 7), 'sent')`, answer: 'sent' },
};

async function startIdioms(t: TestContext, files: Files = {}): Promise<RunningApp> {
  watchForCrashes(t);
  const bodies = Object.entries(IDIOMS).map(
    ([name, { code }]) => `app.io.route(${JSON.stringify(name)}, async ctx => ${code.startsWith('{') ? code : `(${code})`});`,
  );
  return startApp(t, {
    'app/router.js': `module.exports = app => {
      app.io.route('enter', async ctx => { await ctx.socket.join('lobby'); return true; });
      ${bodies.join('\n')}
    };`,
    ...files,
  });
}

for (const adapter of ['in-memory', 'Redis'] as const) {
  test(`what apps of Socket.IO 2 do with its tables and chains goes on, with the ${adapter} adapter, and warns once`, async t => {
    const config = adapter === 'Redis' ? `exports.io = { redis: { port: ${(await startRedis(t)).port} } };` : '';
    const { url, logs } = await startIdioms(t, { 'config/config.default.js': config });
    const [alice] = [await connect(t, url), await connect(t, url)];
    await ask(alice, 'enter');
    const heard: unknown[] = [];
    alice.on('heard', (number: unknown) => heard.push(number));
    alice.on('error', (message: unknown) => heard.push(message));
    for (let round = 0; round < 2; round++) {
      for (const [name, { answer }] of Object.entries(IDIOMS)) assert.deepEqual(await ask(alice, name), answer, name);
    }
    assert.deepEqual(heard.slice(0, 8), [1, 2, 3, 4, 'not so', 5, 6, 7]);
    const lines = warnings(logs);
    for (const [name, { old, use = '' }] of Object.entries(IDIOMS)) {
      if (old === undefined) continue;
      const of = lines.filter(line => line.includes(`IO_DEPRECATED: ${old} is deprecated; use ${use}`));
      assert.equal(of.length, 1, name);
    }
  });
}

test('nsp.in(room).clients() in a connection listener answers, and does not end the worker', async t => {
  const { url, app } = await startIdioms(t, {
    'app.js': `module.exports = app => {
      app.io.on('connection', socket => {
        socket.join('lobby');
        app.io.in('lobby').clients((error, ids) => app.emit('counted', ids.length));
      });
    };`,
  });
  const counted = next(app, 'counted');
  await connect(t, url);
  assert.deepEqual(await counted, [1]);
});

test('what cannot go on fails with the new call', async t => {
  const { io } = await startIdioms(t);
  const { adapter } = io.of('/');
  for (const [old, use] of [
    [
      () => void Reflect.apply(Reflect.get(io, 'origins'), io, ['*']),
      /IO_CONFIG_REMOVED: app\.io\.origins\(\) .*config\.io\.init\.cors\.origin/,
    ],
    [
      () => void Reflect.apply(Reflect.get(io, 'set'), io, ['origins', '*']),
      /IO_CONFIG_REMOVED: app\.io\.set\(\) .*config\.io\.init\.cors\.origin/,
    ],
    [() => void Reflect.apply(Reflect.get(adapter, 'customRequest'), adapter, ['data']), /IO_CONFIG_REMOVED: .*serverSideEmitWithAck/],
    [() => void Reflect.set(adapter, 'customHook', () => {}), /IO_CONFIG_REMOVED: .*serverSideEmitWithAck/],
  ] as const)
    assert.throws(old, use);
});

test('the tables are Maps and Sets all the same, and reading them as such warns of nothing', async t => {
  const { url, io, logs } = await startIdioms(t);
  const client = await connect(t, url);
  await ask(client, 'enter');
  const id = String(client.id);
  const nsp = io.of('/');
  const socket = nsp.sockets.get(id);
  assert.ok(nsp.sockets instanceof Map && nsp.adapter.rooms instanceof Map && socket?.rooms instanceof Set);
  assert.deepEqual([[...nsp.sockets.keys()], nsp.sockets.size, nsp.sockets.has('nobody')], [[id], 1, false]);
  assert.deepEqual([...socket.rooms], [id, 'lobby']);
  assert.deepEqual(
    [[...new Map(nsp.adapter.rooms).keys()], [...(nsp.adapter.sids.get(id) ?? [])]],
    [
      [id, 'lobby'],
      [id, 'lobby'],
    ],
  );
  nsp.sockets.forEach((value, key) => assert.deepEqual([value, key], [socket, id]));
  assert.match(inspect(socket.rooms), /^Set\(2\)/);
  assert.deepEqual(warnings(logs), []);
});

test('a room whose name is not a string is warned of once', async t => {
  const { url, logs } = await startApp(t, {
    'app/router.js': `module.exports = app => {
      app.io.route('join', async ctx => { for (const room of ['a', ['b', 'c'], 1, 2]) await ctx.socket.join(room); return true; });
      app.io.route('keys', async ctx => [Object.keys(ctx.rooms).slice(1), ctx.rooms['2'] && ctx.adapter.rooms[2].length, Object.keys(ctx.adapter.rooms).length]);
    };`,
  });
  const client = await connect(t, url);
  await ask(client, 'join');
  assert.deepEqual(await ask(client, 'keys'), [['a', 'b', 'c', '1', '2'], 1, 6], 'and it can be read by key');
  const lines = logs.filter(line => line.includes('IO_ROOM_NOT_STRING'));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^WARN .*socket\.join\(String\(id\)\)/);
});

test('a package that replaces socket.onevent, as socketio-wildcard does, is named in the log once', async t => {
  const { url, logs, logged } = await startApp(t, {
    // what that package does, in short
    'app.js': `module.exports = app => app.io.use((socket, next) => { socket.onevent = ({ data }) => socket.emit('heard', ...data); next(); });`,
  });
  for (const client of [await connect(t, url), await connect(t, url)]) {
    const heard = next(client, 'heard');
    client.emit('hello');
    assert.deepEqual(await heard, ['hello']);
  }
  await logged(/^WARN .*IO_ONEVENT_REPLACED.*socket\.onAny/);
  assert.equal(logs.filter(line => line.includes('IO_ONEVENT_REPLACED')).length, 1);
});

test('a chain of emits of a socket fails, and the log says what to write', async t => {
  const { url, logged } = await startApp(t, {
    'app/router.js': `module.exports = app => { app.io.route('chain', async ctx => { ctx.socket.emit('a').emit('b'); }); };`,
  });
  await ask(await connect(t, url), 'chain');
  await logged(/^ERROR .*event "chain" failed \(since Socket\.IO 3, emit\(\), .*write a statement for each\)/);
});

test('ctx.join() takes a callback as socket.join() does', async t => {
  const { url } = await start(t);
  const client = await connect(t, url);
  assert.equal(await ask(client, 'shorthand', 'lobby'), 'done');
  assert.deepEqual(await ask(client, 'rooms'), [client.id, 'lobby']);
});

test('old calls need no callback, and a callback that throws is logged and harms nobody', async t => {
  const { url, logged } = await start(t);
  const client = await connect(t, url);
  assert.equal(await ask(client, 'silent', client.id, 'lobby'), 'done');
  assert.deepEqual(await ask(client, 'rooms'), [client.id, 'lobby']);
  assert.equal(await ask(client, 'throwing'), 'lives');
  await logged(/ERROR.*in the callback/);
});

test('new calls warn of nothing', async t => {
  const { url, io, logs } = await start(t);
  const client = await connect(t, url);
  const id = client.id ?? '';
  const socket = io.sockets.sockets.get(id);
  await socket?.join('a');
  await socket?.leave('a');
  io.in(id).socketsJoin('b');
  io.in(id).socketsLeave('b');
  assert.equal((await io.fetchSockets()).length, 1);
  const told = next(client, 'disconnect');
  io.in(id).disconnectSockets();
  await told;
  assert.deepEqual(warnings(logs), []);
});

test('no prototype of Socket.IO is changed', async t => {
  const classes = [Adapter, SessionAwareAdapter, Namespace, Server, Socket];
  const describe = (): unknown[] => classes.map(({ prototype }) => Object.getOwnPropertyDescriptors(prototype));
  const before = describe();
  const { url } = await start(t);
  const client = await connect(t, url);
  await ask(client, 'join', 'lobby');
  await ask(client, 'adapterClients', ['lobby']);
  for (const [index, after] of describe().entries()) {
    const was = before[index] as Record<string, PropertyDescriptor>;
    assert.deepEqual(Reflect.ownKeys(after as object), Reflect.ownKeys(was));
    for (const [name, descriptor] of Object.entries(after as Record<string, PropertyDescriptor>)) {
      assert.equal(descriptor.value, was[name]?.value, name);
      assert.equal(descriptor.get, was[name]?.get, name);
    }
  }
});

test('nsp.clients(callback) in connection middleware has the socket that is just joining', async t => {
  const { app, url } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['ask'] } } };`,
    'app/io/middleware/ask.js': `
      module.exports = app => async (ctx, next) => {
        await ctx.socket.join('lobby');
        ctx.socket.nsp.in('lobby').clients((error, ids) => app.emit('ids', ids, ctx.id));
        await next();
      };`,
  });
  const told = next<[string[], string]>(app, 'ids');
  await connect(t, url);
  const [ids, id] = await told;
  assert.deepEqual(ids, [id]);
});

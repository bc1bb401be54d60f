/** Presence: who is in a room, and what its clients are told of it. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { PresenceChange } from 'egg-socket.io';
import { bootError, type Files, startApp } from './support/app';
import { ask, type Client, connect, newClient, refusal } from './support/client';
import { PresenceRoom } from './support/parts';
import { watchForCrashes } from './support/remains';
import { until } from './support/until';

const GRACE = 300;

const FILES: Files = {
  'config/config.default.js': `
    exports.io = {
      init: { pingInterval: 500 },
      namespace: {
        '/': { connectionMiddleware: ['user'], presence: { 'room:*': { grace: ${GRACE} }, 'now:*': { grace: 0 }, online: {} } },
        '/team-{id}': { connectionMiddleware: ['user'], presence: { '*': { grace: 0 } } },
      },
    };`,
  'app/io/middleware/user.js': `
    module.exports = app => async (ctx, next) => {
      const { user, early, refuse } = ctx.socket.handshake.auth;
      if (early) ctx.socket.join(early);
      if (user !== undefined) ctx.socket.user = user;
      if (refuse) throw new Error('not you');
      await next();
    };`,
  'app/controller/home.js': `exports.who = async ctx => { ctx.body = ctx.app.io.presence(ctx.query.room).list(); };`,
  'app/router.js': `
    module.exports = app => {
      app.get('/who', app.controller.home.who);
      for (const name of ['/', '/team-{id}']) {
        const nsp = app.io.of(name);
        nsp.route('join', async ctx => {
          const [room, meta] = ctx.args;
          await ctx.socket.join(room);
          const presence = ctx.socket.nsp.presence(room);
          if (meta !== undefined && meta !== ctx.ack) presence.set(ctx.socket, meta);
          return presence.list();
        });
        nsp.route('leave', async ctx => { ctx.socket.leave(ctx.args[0]); return null; });
        nsp.route('set', async ctx => ctx.socket.nsp.presence(ctx.args[0]).set(ctx.socket, ctx.args[1]) ?? null);
        nsp.route('list', async ctx => ctx.socket.nsp.presence(ctx.args[0]).list());
        nsp.route('count', async ctx => ctx.socket.nsp.presence(ctx.args[0]).count());
        nsp.route('has', async ctx => ctx.socket.nsp.presence(ctx.args[0]).has(ctx.args[1]));
      }
    };`,
};

const as = (user: unknown, more: object = {}): { auth: { user: unknown } } => ({ auth: { user, ...more } });

/** What a client is told, and who it therefore believes to be there. */
function watch(client: Client): { readonly heard: PresenceChange[]; readonly known: Map<string, unknown> } {
  const heard: PresenceChange[] = [];
  const known = new Map<string, unknown>();
  client.on('presence', (change: PresenceChange) => {
    heard.push(change);
    for (const { id, meta } of [...change.joined, ...change.changed]) known.set(id, meta);
    for (const { id } of change.left) known.delete(id);
  });
  return { heard, known };
}

async function hears(t: TestContext, heard: readonly PresenceChange[], count: number): Promise<void> {
  await until(t, () => heard.length >= count);
}

test('the clients of a room hear of the first connection of a user and of the last one that goes, and HTTP can read the list', async t => {
  const { url } = await startApp(t, FILES);
  const anna = await connect(t, url, as('anna'));
  const { heard } = watch(anna);
  assert.deepEqual(await ask(anna, 'join', 'now:1', { name: 'Anna' }), [{ id: 'anna', meta: { name: 'Anna' } }]);
  await hears(t, heard, 1);
  const phone = await connect(t, url, as(7));
  assert.deepEqual(await ask(phone, 'join', 'now:1'), [{ id: 'anna', meta: { name: 'Anna' } }, { id: '7' }]);
  await hears(t, heard, 2);
  const laptop = await connect(t, url, as('7'));
  assert.equal(((await ask(laptop, 'join', 'now:1')) as unknown[]).length, 2);
  phone.disconnect();
  assert.deepEqual(await ask(anna, 'count', 'now:1'), 2);
  assert.deepEqual(await (await fetch(`${url}/who?room=now:1`)).json(), [{ id: 'anna', meta: { name: 'Anna' } }, { id: '7' }]);
  laptop.disconnect();
  await hears(t, heard, 3);
  assert.deepEqual(heard, [
    { room: 'now:1', count: 1, joined: [{ id: 'anna', meta: { name: 'Anna' } }], changed: [], left: [] },
    { room: 'now:1', count: 2, joined: [{ id: '7' }], changed: [], left: [] },
    { room: 'now:1', count: 1, joined: [], changed: [], left: [{ id: '7' }] },
  ]);
  assert.deepEqual([await ask(anna, 'has', 'now:1', 'anna'), await ask(anna, 'has', 'now:1', 7)], [true, false]);
});

test('a user who is back within the grace time has not left, and one who is not has', async t => {
  const { url } = await startApp(t, FILES);
  const anna = await connect(t, url, as('anna'));
  const { heard } = watch(anna);
  await ask(anna, 'join', 'room:1');
  const first = await connect(t, url, as('bert'));
  await ask(first, 'join', 'room:1', 'Bert');
  await until(t, () => heard.some(({ joined }) => joined.some(({ id }) => id === 'bert')));
  first.disconnect();
  const again = await connect(t, url, as('bert'));
  assert.deepEqual(await ask(again, 'join', 'room:1', 'Bert'), [{ id: 'anna' }, { id: 'bert', meta: 'Bert' }]);
  const { length } = heard;
  const gone = performance.now();
  again.disconnect();
  await until(t, async () => (await ask(anna, 'count', 'room:1')) === 2);
  assert.deepEqual(await ask(anna, 'list', 'room:1'), [{ id: 'anna' }, { id: 'bert', meta: 'Bert' }], 'still there');
  await hears(t, heard, length + 1);
  assert.ok(performance.now() - gone >= GRACE);
  assert.deepEqual(heard.slice(length), [{ room: 'room:1', count: 1, joined: [], changed: [], left: [{ id: 'bert' }] }]);
});

test('many who come at once are one message, and who comes and goes at once is none', async t => {
  const { io, url } = await startApp(t, FILES);
  const anna = await connect(t, url, as('anna'));
  const { heard, known } = watch(anna);
  await ask(anna, 'join', 'now:1');
  await hears(t, heard, 1);
  const others = await Promise.all(Array.from({ length: 20 }, (_, i) => connect(t, url, as(i))));
  io.socketsJoin('now:1'); // those of others too
  await hears(t, heard, 2);
  assert.equal(heard[1]?.joined.length, 20);
  assert.equal(known.size, 21);
  const [zero] = others;
  assert.ok(zero);
  zero.emit('leave', 'now:1');
  zero.emit('join', 'now:1');
  await ask(zero, 'leave', 'now:2');
  zero.emit('set', 'now:1', 'zero');
  await hears(t, heard, 3);
  assert.deepEqual(heard[2], { room: 'now:1', count: 21, joined: [], changed: [{ id: '0', meta: 'zero' }], left: [] });
  io.socketsLeave('now:1');
  assert.deepEqual(io.presence('now:1').list(), []);
});

test('metadata changes for all, and that of a connection goes with it', async t => {
  const { url } = await startApp(t, FILES);
  const [anna, phone, laptop] = [await connect(t, url, as('anna')), await connect(t, url, as(7)), await connect(t, url, as(7))];
  const { known } = watch(anna);
  await ask(anna, 'join', 'now:1');
  await ask(laptop, 'join', 'now:1', { status: 'here' });
  await ask(phone, 'join', 'now:1', { status: 'away' });
  await until(t, () => known.has('7'));
  assert.deepEqual(known.get('7'), { status: 'away' });
  phone.disconnect();
  await until(t, () => JSON.stringify(known.get('7')) === '{"status":"here"}');
  await ask(laptop, 'set', 'now:1', null);
  await until(t, () => known.get('7') === null);
});

test('the metadata that is set last counts, though the clock of the process that has set some before is ahead', () => {
  const surroundings = { self: { id: 'self' }, tell: () => {}, onOwnChange: () => {}, onEmpty: () => {} };
  const room = new PresenceRoom('/', 'room', 0, surroundings);
  room.put('anna', { peer: { id: 'other' }, connections: 1, meta: '"away"', at: Date.now() + 60_000 });
  room.join('socket', 'anna');
  room.setMeta('socket', '"here"');
  assert.deepEqual(room.list(), [{ id: 'anna', meta: 'here' }]);
  room.close();
});

test('a client is present once it is connected, with the user that its middleware has set, and never if it is refused', async t => {
  const { io, url } = await startApp(t, FILES);
  const anna = await connect(t, url, as('anna', { early: 'now:1' }));
  await until(t, () => io.presence('now:1').count() === 1);
  const { heard } = watch(anna);
  await refusal(newClient(t, url, as('bert', { early: 'now:1', refuse: true })));
  await connect(t, url, as('carl', { early: 'now:1' }));
  await until(t, () => heard.some(({ joined }) => joined.some(({ id }) => id === 'carl')));
  assert.deepEqual(
    heard.flatMap(({ joined, left }) => [...joined, ...left].map(({ id }) => id)).filter(id => id !== 'anna'),
    ['carl'],
  );
  assert.deepEqual(io.presence('now:1').list(), [{ id: 'anna' }, { id: 'carl' }]);
});

test('a connection without a user is one with the id of its socket, which is hidden where it is a secret', async t => {
  const { io, url } = await startApp(t, FILES);
  const client = await connect(t, url);
  assert.deepEqual(await ask(client, 'join', 'online'), [{ id: client.id }]);
  const old = await connect(t, url, {}, 2);
  const { heard } = watch(old);
  await ask(old, 'join', 'online');
  await hears(t, heard, 1);
  const ids = io
    .presence('online')
    .list()
    .map(({ id }) => id);
  assert.equal(ids.length, 2);
  assert.ok(!ids.includes(old.id ?? ''));
  assert.equal(heard[0]?.joined.at(-1)?.id, ids[1]);
});

test('namespaces made on demand have the presence of their pattern, each its own', async t => {
  const { io, url } = await startApp(t, FILES);
  const [red, blue] = [await connect(t, `${url}/team-red`, as(1)), await connect(t, `${url}/team-blue`, as(2))];
  assert.deepEqual(await ask(red, 'join', 'x'), [{ id: '1' }]);
  assert.deepEqual(await ask(blue, 'join', 'x', 'Two'), [{ id: '2', meta: 'Two' }]);
  assert.equal(io.of('/team-red').presence('x').count(), 1);
  assert.deepEqual(
    io
      .of('/team-red')
      .presence(red.id ?? '')
      .list(),
    [],
    'the room of a socket is none',
  );
  assert.throws(() => io.presence('x'), { name: 'TypeError', code: 'IO_ROOM_UNMATCHED' });
  assert.throws(() => io.presence('$io:user:1'), { code: 'IO_ROOM_UNMATCHED' });
  assert.throws(() => io.of('/other').presence('room:1'), { code: 'IO_ROOM_UNMATCHED' });
});

test('metadata that cannot be encoded or is too large throws at the caller, and so does a connection that is not in the room', async t => {
  const { io, url } = await startApp(t, FILES);
  const early: unknown[] = [];
  io.use((socket, next) => {
    void socket.join('room:1');
    assert.throws(
      () => io.presence('room:1').set(socket, 'not connected yet'),
      error => early.push(error) > 0,
    );
    next();
  });
  const client = await connect(t, url, as(1));
  assert.deepEqual(
    early.map(error => (error as { code?: unknown }).code),
    ['IO_PRESENCE_ABSENT'],
  );
  await ask(client, 'join', 'room:1');
  const [socket] = await io.local.fetchSockets();
  assert.ok(socket);
  const presence = io.presence('room:1');
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  for (const meta of [1n, { big: 1n }, cycle, undefined, () => {}, Symbol('x'), 'x'.repeat(4095), '\u20ac'.repeat(1400)])
    assert.throws(() => presence.set(socket, meta), { name: 'TypeError', code: 'IO_PRESENCE_META_INVALID' });
  presence.set(socket, 'x'.repeat(4094));
  const other = io.presence('room:2');
  assert.throws(() => other.set(socket, 'x'), { name: 'TypeError', code: 'IO_PRESENCE_ABSENT' });
  client.disconnect();
  await until(t, () => io.of('/').sockets.size === 0);
  assert.doesNotThrow(() => other.set({ id: socket.id, connected: false }, 'x'));
});

test('an adapter of the app’s own that has no way to other servers is not asked for it', async t => {
  const warn = t.mock.method(console, 'warn', () => {});
  const adapter = `const { Adapter } = require('socket.io-adapter'); exports.io.adapter = nsp => new Adapter(nsp);`;
  const { url } = await startApp(t, { ...FILES, 'config/config.default.js': `${FILES['config/config.default.js']}\n${adapter}` });
  const anna = await connect(t, url, as('anna'));
  const { heard } = watch(anna);
  assert.deepEqual(await ask(anna, 'join', 'now:1'), [{ id: 'anna' }]);
  await hears(t, heard, 1); // servers are told before clients
  assert.equal(warn.mock.callCount(), 0);
});

test('an adapter of the app’s own that fails is a line of log, once, and is asked again', async t => {
  watchForCrashes(t);
  const adapter = `const { Adapter } = require('socket.io-adapter'); exports.io.adapter = nsp => Object.assign(new Adapter(nsp), { serverSideEmit() {} });`;
  const { io, url, logs } = await startApp(t, { ...FILES, 'config/config.default.js': `${FILES['config/config.default.js']}\n${adapter}` });
  const told: unknown[] = [];
  const fail = (args: unknown[]): never => {
    told.push(args[1]);
    throw new Error('down');
  };
  const anna = await connect(t, url, as('anna'));
  const { heard } = watch(anna);
  for (const [n, serverSideEmit] of [fail, async (args: unknown[]) => fail(args), fail].entries()) {
    Object.assign(io.of('/').adapter, { serverSideEmit });
    await ask(anna, 'join', `now:${n}`);
    await hears(t, heard, n + 1);
    await until(t, () => told.some(text => String(text).includes(`now:${n}`)));
  }
  const lines = logs.filter(line => line.includes('down'));
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(lines[0] ?? '', /other servers could not be told of presence, or of sessions that end: down$/);
});

test('a contract must have the event, and patterns that match the same rooms stop the boot', async t => {
  const contract = `const { defineContract } = require('egg-socket.io/contract'); module.exports = app => app.io.of(defineContract({ namespace: '/', server: {} }));`;
  const withPresence = `exports.io = { namespace: { '/': { presence: { 'room:*': {} } } } };`;
  const missing = await bootError(t, { 'config/config.default.js': withPresence, 'app/router.js': contract });
  assert.equal(missing.code, 'IO_CONTRACT_INVALID');
  assert.match(
    missing.message,
    /the contract of '\/' must have the event 'presence' in server, since config\.io\.namespace\['\/'\]\.presence is set/,
  );
  const twice = await bootError(t, { 'config/config.default.js': withPresence.replace("'room:*': {}", "'room:*': {}, '*:vip': {}") });
  assert.equal(twice.code, 'IO_ROOM_PATTERN_AMBIGUOUS');
});

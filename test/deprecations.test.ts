import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Namespace, Server, Socket } from 'socket.io';
import { Adapter, SessionAwareAdapter } from 'socket.io-adapter';
import { type RunningApp, startApp } from './support/app';
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
    const told = next(bob, 'disconnect');
    assert.equal(await ask(alice, 'remoteDisconnect', bob.id, true), 'done');
    assert.match(String((await told)[0]), /^(io server disconnect|transport close)$/);

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

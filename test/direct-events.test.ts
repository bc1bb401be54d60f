/** Events that go straight from their WebSocket to the controller: nobody sees a difference, whatever else is on its way. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Socket } from 'socket.io';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, type ClientOptions, connect, next } from './support/client';
import { debugLines } from './support/debug-log';
import { RawClient } from './support/raw';
import { until } from './support/until';

const FILES: Files = {
  'app/io/controller/home.js': `
    exports.echo = async ctx => ctx.args[0];
    exports.note = async ctx => { ctx.socket.data.notes = [...(ctx.socket.data.notes ?? []), ctx.args[0]]; };
    exports.notes = async ctx => ctx.socket.data.notes;
    exports.enter = ctx => {
      const { trace } = ctx.app;
      const before = trace.getStore();
      trace.enterWith(ctx.args[0]);
      return [before ?? null, ctx.app.currentContext === ctx];
    };`,
  'app/router.js': `
    const { AsyncLocalStorage } = require('node:async_hooks');
    module.exports = app => {
      app.trace = new AsyncLocalStorage();
      for (const name of ['/', '/chat'])
        for (const [event, handler] of Object.entries(app.io.controller.home)) app.io.of(name).route(event, handler);
    };`,
};

/** A connected client, and its socket on the server. */
async function enter(t: TestContext, { url, io }: RunningApp, name = '/', options: ClientOptions = {}) {
  const arrived = next<[Socket]>(io.of(name), 'connection');
  const client = await connect(t, url + (name === '/' ? '' : name), options);
  const [socket] = await arrived;
  return { client, socket };
}

/** Counts the messages of a client that reach the parser from now on. */
function countParsed(t: TestContext, { client }: Socket): () => number {
  const { mock } = t.mock.method(Reflect.get(client, 'decoder') as { add(data: unknown): void }, 'add');
  return () => mock.callCount();
}

/** A client by hand, and its socket on the server. */
async function enterByHand(t: TestContext, { url, io }: RunningApp) {
  const arrived = next<[Socket]>(io, 'connection');
  const client = (await RawClient.open(t, url)).send('40');
  const [socket] = await arrived;
  return { client, socket };
}

test('an event passes Engine.IO and the parser by: with and without an answer, and in any namespace', async t => {
  const app = await startApp(t, FILES);
  for (const name of ['/', '/chat']) {
    const { client, socket } = await enter(t, app, name);
    const parsed = countParsed(t, socket);
    client.emit('note', 'one');
    client.emit('note', { text: 'zwei €😀', list: [1, [2, null]] });
    assert.deepEqual(await ask(client, 'notes'), ['one', { text: 'zwei €😀', list: [1, [2, null]] }]);
    assert.equal(await ask(client, 'echo', 'x'.repeat(70_000)), 'x'.repeat(70_000));
    assert.equal(parsed(), 0);
    assert.deepEqual(await ask(client, 'echo', Buffer.from([1])), Buffer.from([1]));
    assert.equal(parsed(), 2, 'bytes go the usual way');
  }
});

test('who listens to the packets of a connection gets them all', async t => {
  const { client, socket } = await enter(t, await startApp(t, FILES));
  const parsed = countParsed(t, socket);
  const { conn } = socket;
  const observe = async (emitter: NodeJS.EventEmitter, event: string): Promise<unknown> => {
    const observed = next(emitter, event); // which removes the listener, too
    await ask(client, 'echo', event);
    return (await observed)[0];
  };
  assert.deepEqual(await observe(conn, 'packet'), { type: 'message', data: '20["echo","packet"]' });
  assert.equal(await observe(conn, 'data'), '21["echo","data"]');
  assert.equal(await observe(conn, 'message'), '22["echo","message"]');
  assert.deepEqual(await observe(conn.transport, 'packet'), { type: 'message', data: '23["echo","packet"]' });
  const decoder = Reflect.get(socket.client, 'decoder') as NodeJS.EventEmitter; // private
  const { data } = (await observe(decoder, 'decoded')) as { data: unknown[] };
  assert.deepEqual(data.slice(0, 2), ['echo', 'decoded']);
  assert.equal(parsed(), 5);
  const { mock } = t.mock.method(socket, '_onpacket');
  await ask(client, 'echo', 'nobody listens');
  assert.equal(parsed(), 5);
  assert.equal(mock.callCount(), 1);
});

test('events keep their order with packets that go the usual way, in one read', async t => {
  const app = await startApp(t, FILES);
  const { client, socket } = await enterByHand(t, app);
  socket.emit('question', () => (socket.data.notes as unknown[]).push('answer'));
  await client.frame(/^42/);
  client.burst(
    '42["note",1]',
    '452-["note",{"a":{"_placeholder":true,"num":0},"b":{"_placeholder":true,"num":1}}]',
    Buffer.from([1]),
    Buffer.from([2]),
  );
  client.burst('42["note",3]', '430[]', '451-["note",{"_placeholder":true,"num":0}]', Buffer.from([4]), '42["note",5]', '421["notes"]');
  await client.frame(/^463-1/); // the notes, with bytes
  assert.deepEqual(socket.data.notes, [1, { a: Buffer.from([1]), b: Buffer.from([2]) }, 3, 'answer', Buffer.from([4]), 5]);
});

test('an event between an event and its bytes ends the connection, as in Socket.IO', async t => {
  const { client, socket } = await enterByHand(t, await startApp(t, FILES));
  const gone = next(socket, 'disconnect');
  client.send('451-["note",{"_placeholder":true,"num":0}]', '42["note",1]');
  assert.deepEqual((await gone)[0], 'forced close');
  assert.equal(socket.data.notes, undefined);
});

test('the first event after a ping extends the time for its answer, and later ones go straight again', async t => {
  const app = await startApp(t, { ...FILES, 'config/config.default.js': 'exports.io = { init: { pingInterval: 300 } };' });
  const { client, socket } = await enterByHand(t, app);
  const parsed = countParsed(t, socket);
  await client.frame(/^2$/);
  client.send('420["echo",1]');
  await client.frame(/^430/);
  assert.deepEqual([parsed(), Reflect.get(socket.conn, 'hasRefreshedPingTimeout')], [1, true]);
  client.send('421["echo",1]');
  await client.frame(/^431/);
  assert.equal(parsed(), 1);
});

test('events go straight after an upgrade', async t => {
  const { client, socket } = await enter(t, await startApp(t, FILES), '/', { transports: ['polling', 'websocket'] });
  for (let n = 0; n < 5; n++) client.emit('note', n);
  await until(t, () => client.io.engine.transport.name === 'websocket');
  client.emit('note', 5);
  assert.deepEqual(await ask(client, 'notes'), [0, 1, 2, 3, 4, 5]);
  await until(t, () => socket.conn.transport.name === 'websocket');
  const parsed = countParsed(t, socket);
  await ask(client, 'notes');
  assert.equal(parsed(), 0);
});

test('each event of one read has a context of its own', async t => {
  const { client } = await enterByHand(t, await startApp(t, FILES));
  client.burst('420["enter","a"]', '421["enter","b"]');
  assert.equal(await client.frame(/^430/), '430[[null,true]]');
  assert.equal(await client.frame(/^431/), '431[[null,true]]');
});

test('with a parser of the app, by protocol 3, or without a member of Engine.IO, events go the usual way', async t => {
  const own = await startApp(t, {
    ...FILES,
    'config/config.default.js': `exports.io = { init: { parser: { ...require('socket.io-parser') } } };`,
  });
  const { client, socket } = await enter(t, own);
  const parsed = countParsed(t, socket);
  assert.equal(await ask(client, 'echo', 1), 1);
  assert.equal(parsed(), 1);

  const app = await startApp(t, { ...FILES, 'config/config.default.js': 'exports.io = { init: { allowEIO3: true } };' });
  app.io.engine.prependListener('connection', (connection: object) => Reflect.deleteProperty(connection, 'hasRefreshedPingTimeout'));
  const arrived = next<[Socket]>(app.io, 'connection');
  const old = await connect(t, app.url, {}, 2);
  const parsedOfOld = countParsed(t, (await arrived)[0]);
  assert.equal(await ask(old, 'echo', 1), 1);
  assert.equal(parsedOfOld(), 1);

  for (let n = 0; n < 2; n++) {
    const { client, socket } = await enter(t, app);
    const parsed = countParsed(t, socket);
    assert.equal(await ask(client, 'echo', 1), 1);
    assert.equal(parsed(), 1);
  }
  const lines = app.logs.filter(line => line.includes('engine.io'));
  assert.match(lines[0] ?? '', /^WARN \[egg-socket\.io\] engine\.io \S+ has no Socket\.hasRefreshedPingTimeout: each event costs more/);
  assert.equal(lines.length, 1);
});

test('DEBUG of this plugin does not change the way of an event, that of Socket.IO does', async t => {
  for (const [topics, count] of [
    ['egg-socket.io:*', 0],
    ['socket.io-parser', 1],
    ['*', 1],
  ] as const) {
    debugLines(t, topics);
    const app = await startApp(t, FILES);
    const { client, socket } = await enter(t, app);
    const parsed = countParsed(t, socket);
    await ask(client, 'echo', 'one');
    assert.equal(parsed(), count, topics);
    await app.close();
  }
});

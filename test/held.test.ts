/** Events of one client that wait for its handlers, while the server asks the client something: answers pass, and nothing is lost. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import WebSocket from 'ws';
import { type RunningApp, startApp } from './support/app';
import { connect, next } from './support/client';
import { openPolling, RawClient } from './support/raw';
import { internals, nothingRemains } from './support/remains';
import { until } from './support/until';

async function start(t: TestContext, limits: object, more = ''): Promise<RunningApp & { journal: unknown[] }> {
  const app = await startApp(t, {
    'config/config.default.js': `exports.io = { limits: ${JSON.stringify(limits)}, ${more} };`,
    'app/router.js': `
      const { once } = require('node:events');
      module.exports = app => {
        app.journal = [];
        app.io.route('note', async ctx => { app.journal.push(ctx.args[0]); return ctx.args[0]; });
        app.io.route('hold', async ctx => { app.journal.push('begin'); await once(app, 'go on'); });
        app.io.route('ask', async ctx => { const answer = await ctx.socket.emitWithAck('question'); app.journal.push(answer); return answer; });
        app.io.route('askLater', async ctx => { await new Promise(setImmediate); await ctx.socket.emitWithAck('question'); app.journal.push(ctx.args[0]); });
        app.io.route('disconnect', async ctx => { app.journal.push(ctx.args[0]); });
      };`,
  });
  return Object.assign(app, { journal: Reflect.get(app.app, 'journal') as unknown[] });
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

function countsOf({ io }: RunningApp): Record<string, number> {
  return internals(io).runtime.limits.counts;
}

test('an answer with bytes passes events that wait as a whole, also when they come much later than its text', async t => {
  const app = await start(t, { pending: { max: 2 } });
  const client = await RawClient.connect(t, app.url);
  client.send('42["ask"]', '42["hold"]');
  await client.frame(/^420\["question"\]/);
  await until(t, () => app.journal.includes('begin'));
  client.send('42["note",1]', '42["note",2]', '452-["note",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
  client.send(Buffer.from('1'), Buffer.from('2'));
  client.send('462-0[[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]');
  await until(t, () => countsOf(app)['pending'] === 1);
  client.send(Buffer.from('a'));
  const [socket] = app.io.sockets.sockets.values();
  await next(socket?.conn as unknown as NodeJS.EventEmitter, 'data'); // its emitter, of the same shape
  app.app.emit('go on'); // a handler ends, and the next event could begin
  for (const _ of numbers(5)) await nextTurn();
  client.send(Buffer.from('b'), '42["note",3]');
  await until(t, () => app.journal.length === 6 || app.io.sockets.sockets.size === 0);
  assert.deepEqual(app.journal, ['begin', [Buffer.from('a'), Buffer.from('b')], 1, 2, Buffer.from('1'), 3]);
  client.vanish();
  await nothingRemains(app.io);
});

test('with a parser of the app, handlers that ask the client get their answers behind its events', async t => {
  const app = await start(t, { pending: { max: 5 } }, "init: { parser: { ...require('socket.io-parser') } }");
  const client = await connect(t, app.url);
  client.on('question', answer => answer('yes'));
  for (const n of numbers(50)) client.emit('askLater', n);
  await until(t, () => app.journal.length === 50);
  assert.equal(client.connected, true);
});

test('a client none of whose handlers ends is disconnected, though a question to it is open', async t => {
  const app = await start(t, { pending: { max: 3 } });
  internals(app.io).runtime.limits.standstill = 200;
  const client = await connect(t, app.url);
  const [socket] = app.io.sockets.sockets.values();
  socket?.emit('forgotten', () => {});
  for (const _ of numbers(3)) client.emit('hold');
  client.emit('note', 1);
  await next(client, 'disconnect');
  assert.deepEqual(app.journal, ['begin', 'begin', 'begin', 'limit reached: pending']);
  app.app.emit('go on');
  client.disconnect();
  await nothingRemains(app.io);
});

test('with a question open, what is too much is read in sips: nothing is lost, and an answer behind it comes', async t => {
  const app = await start(t, { pending: { max: 3 } });
  const client = await connect(t, app.url);
  const [socket] = app.io.sockets.sockets.values();
  client.on('question', answer => void Reflect.set(client, 'answer', () => answer('answer')));
  socket?.emit('forgotten', () => {});
  for (const _ of numbers(2)) client.emit('hold');
  const asked = next(client, 'question');
  client.emit('ask');
  await asked;
  const big = 'x'.repeat(100_000);
  for (const n of numbers(43)) client.emit('note', n, big);
  (Reflect.get(client, 'answer') as () => void)();
  for (const n of numbers(157)) client.emit('note', 43 + n, big);
  await until(t, () => app.journal.includes(199) || !client.connected);
  const journal = app.journal.filter(one => one !== 'begin');
  assert.deepEqual(journal, ['answer', ...numbers(200)]);
});

test('nothing is lost of a client that sends more than may wait, while nobody answers a question', async t => {
  const app = await start(t, { pending: { max: 2 } }, 'init: { pingInterval: 1000, pingTimeout: 2000 }');
  const client = await connect(t, app.url);
  const [socket] = app.io.sockets.sockets.values();
  socket?.emit('forgotten', () => {});
  for (const _ of numbers(2)) client.emit('hold');
  const big = 'x'.repeat(100_000);
  for (const n of numbers(200)) client.emit('note', n, big);
  const read = (): number => Number(Reflect.get(Reflect.get(socket?.conn.request.socket ?? {}, '_handle') ?? {}, 'bytesRead'));
  await until(t, () => read() > 4_000_000);
  for (let pings = 0; pings < 4; pings++) await next(client.io, 'ping');
  assert.ok(read() < 7_000_000, `${read()}`);
  assert.equal(client.connected, true);
  app.app.emit('go on');
  await until(t, () => app.journal.includes(199));
  assert.deepEqual(app.journal.filter(Number.isInteger), numbers(200));
});

test('answers pass events that wait for the limit `events`, too', async t => {
  const app = await start(t, { events: { perSecond: 10, burst: 10 } });
  const client = await RawClient.connect(t, app.url);
  const [socket] = app.io.sockets.sockets.values();
  const answer = socket?.emitWithAck('question');
  client.burst(...numbers(60).map(n => `42["note",${n}]`));
  await until(t, () => countsOf(app)['events'] === 1);
  client.send('430["answer"]');
  assert.equal(await answer, 'answer');
  assert.ok(app.journal.length < 30, `${app.journal.length} events before it`);
  client.vanish();
});

test('a request that is held back is answered at once when the client upgrades, which waits for it', async t => {
  const app = await start(t, { pending: { max: 1 } });
  const address = await openPolling(app.url);
  const post = async (...packets: string[]): Promise<string> =>
    (await fetch(address, { method: 'POST', body: packets.join('\u001E') })).text();
  await post('40');
  await post('42["hold"]');
  let isAnswered = false;
  const answered = post(...numbers(1100).map(n => `42["note",${n}]`)).then(() => (isAnswered = true));
  await until(t, () => countsOf(app)['pending'] === 1);
  for (const _ of numbers(20)) await nextTurn();
  assert.equal(isAnswered, false);
  const webSocket = new WebSocket(address.replace('http', 'ws').replace('polling', 'websocket'));
  t.after(() => webSocket.terminate());
  await next(webSocket, 'open');
  webSocket.send('2probe');
  await answered;
  webSocket.send('5');
  app.app.emit('go on');
  await until(t, () => app.journal.length === 1101);
  assert.deepEqual(app.journal.slice(1), numbers(1100));
});

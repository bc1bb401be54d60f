/** What one client may send: the limits `events` and `pending` of a connection. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type RunningApp, startApp } from './support/app';
import { ask, connect, next } from './support/client';
import { startCluster } from './support/cluster';
import { openPolling, RawClient } from './support/raw';
import { internals, nothingRemains } from './support/remains';
import { stopTime } from './support/stop-time';
import { until } from './support/until';

async function startLimited(t: TestContext, limits: object, more = ''): Promise<RunningApp & { journal: unknown[] }> {
  const app = await startApp(t, {
    'config/config.default.js': `exports.io = { limits: ${JSON.stringify(limits)}, ${more} };`,
    'app/router.js': `
      const { once } = require('node:events');
      module.exports = app => {
        app.journal = [];
        const note = async ctx => { app.journal.push(ctx.args[0]); return ctx.args[0]; };
        const hold = async ctx => {
          app.journal.push('begin ' + ctx.args[0]);
          await once(app, 'go on');
          app.journal.push('end ' + ctx.args[0]);
          return ctx.args[0];
        };
        const question = async ctx => {
          app.journal.push('begin ' + ctx.args[0]);
          const answer = await ctx.socket.emitWithAck('question', ctx.args[0]);
          app.journal.push('end ' + ctx.args[0]);
          return answer;
        };
        for (const name of ['/', '/chat'])
          app.io.of(name).route('note', note).route('hold', hold).route('question', question)
            .route('disconnect', async ctx => { app.journal.push(ctx.args[0]); });
      };`,
  });
  return Object.assign(app, { journal: Reflect.get(app.app, 'journal') as unknown[] });
}

const TOO_MANY = { error: { code: 'TOO_MANY_EVENTS', message: 'Too many events' } };

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const notes = (count: number): string[] => numbers(count).map(n => `42["note",${n}]`);

function countsOf({ io }: RunningApp): Record<string, number> {
  return internals(io).runtime.limits.counts;
}

test('what a client sends in one go is handled in order, in slices between which others come, and no limit is reached', async t => {
  const app = await startLimited(t, {});
  const client = await RawClient.connect(t, app.url);
  const turns = new Map<number, number>();
  let turn = 0;
  const count = (): void => {
    turns.set(++turn, app.journal.length);
    if (app.journal.length < 2000) setImmediate(count);
  };
  setImmediate(count);
  client.burst(...notes(1000), '451-["note",{"_placeholder":true,"num":0}]', Buffer.from('bytes'), ...notes(999), '41');
  await until(t, () => app.journal.includes('client namespace disconnect'));
  assert.deepEqual(app.journal.filter(one => typeof one === 'number').length, 1999);
  assert.deepEqual(app.journal.slice(0, 1000), numbers(1000));
  assert.deepEqual(app.journal.slice(1001, 2000), numbers(999));
  const perTurn = [...turns.values()].map((length, n, all) => length - (all[n - 1] ?? 0));
  assert.ok(Math.max(...perTurn) <= 200, `${Math.max(...perTurn)} in a turn`);
  assert.deepEqual([countsOf(app)['events'], countsOf(app)['pending']], [0, 0]);
});

for (const [name, send] of Object.entries({
  WebSocket: overWebSocket(4),
  'WebSocket of protocol 3': overWebSocket(3),
  polling: overPolling,
}))
  test(`more events than a client may send wait, and none is lost: ${name}`, async t => {
    const app = await startLimited(t, { events: { perSecond: 400, burst: 100 } });
    const begin = performance.now();
    const close = await send(t, app, notes(300));
    await until(t, () => app.journal.length === 300);
    assert.ok(performance.now() - begin >= 450, `in ${performance.now() - begin} ms`); // 200 of them at 400 a second
    assert.deepEqual(app.journal, numbers(300));
    assert.equal(countsOf(app)['events'], 1);
    assert.match(await app.logged(/IO_LIMIT_REACHED/), /^WARN .*config\.io\.limits\.events.*: its events wait/);
    close();
    await nothingRemains(app.io);
  });

test('a client that leaves after its events has all of them handled that it may send', async t => {
  const app = await startLimited(t, { events: { perSecond: 1, burst: 500 } });
  stopTime(t);
  const client = await connect(t, app.url);
  for (const n of numbers(600)) client.emit('note', n);
  client.io.engine.once('flush', () => client.io.engine.close());
  await until(t, () => app.journal.includes('transport close'));
  assert.deepEqual(app.journal, [...numbers(499), 'transport close']); // one is what the client has connected with
  await nothingRemains(app.io);
});

test('a client whose last events have to wait when its end comes has all of them handled that it may send', async t => {
  for (const [events, handled] of [
    [{ perSecond: 1000, burst: 5000 }, 150],
    [{ perSecond: 1, burst: 131 }, 130], // one is what the client has connected with
  ] as const) {
    const app = await startLimited(t, { events });
    stopTime(t);
    const client = await connect(t, app.url);
    const { transport } = app.io.sockets.sockets.get(String(client.id))?.conn ?? assert.fail();
    for (const n of numbers(150)) transport.emit('packet', { type: 'message', data: `2["note",${n}]` });
    transport.emit('close');
    await until(t, () => app.journal.includes('transport close'));
    assert.deepEqual(app.journal, [...numbers(handled), 'transport close']);
    await nothingRemains(app.io);
    t.mock.restoreAll();
  }
});

test('with drop, further events fail, and the server reads on', async t => {
  const app = await startLimited(t, { events: { perSecond: 1, burst: 20, drop: true } });
  stopTime(t);
  const client = await connect(t, app.url);
  const errors: unknown[] = [];
  client.on('error', (...args) => errors.push(args));
  const answers = Promise.all(numbers(30).map(async n => ask(client, 'note', n)));
  client.emit('note', 'unanswered');
  const got = await answers;
  assert.deepEqual(app.journal, numbers(19));
  assert.deepEqual(got, [...numbers(19), ...numbers(11).map(() => TOO_MANY)]);
  await until(t, () => errors.length > 0);
  assert.deepEqual(errors, [['Too many events', { code: 'TOO_MANY_EVENTS', event: 'note' }]]);
  assert.equal(countsOf(app)['events'], 12);
  await app.close();
  const lines = app.logs.filter(line => line.includes('IO_LIMIT_REACHED'));
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0] ?? '', /^WARN .*config\.io\.limits\.events\): an event is refused; the latest: socket [\w-]{20} of "\/" from /);
  assert.match(lines[1] ?? '', /: an event is refused, 11 times more in the last second; the latest: socket /);
});

test('after a pause a client may send the whole burst again, and not one event more', async t => {
  const app = await startLimited(t, { events: { perSecond: 10, burst: 100, drop: true } });
  const client = await connect(t, app.url);
  const pass = stopTime(t);
  for (const before of [30, 49]) {
    pass(60_000);
    await Promise.all(numbers(before).map(async n => ask(client, 'note', n))); // a part of a slice
    pass(60_000);
    app.journal.length = 0;
    await Promise.all(numbers(250).map(async n => ask(client, 'note', n)));
    assert.deepEqual(app.journal, numbers(100));
  }
  pass(150); // there is room for one, and for half of another one
  assert.deepEqual((await Promise.all(numbers(3).map(async n => ask(client, 'note', n)))).slice(0, 2), [0, TOO_MANY]);
});

test('a client that sends ten times what it may for some time is disconnected at once', async t => {
  const app = await startLimited(t, { events: { perSecond: 10, burst: 10 } });
  const client = await RawClient.connect(t, app.url);
  client.burst(...notes(500));
  await until(t, () => countsOf(app)['events'] === 1);
  client.burst(...notes(100));
  await client.closed;
  assert.equal(client.frames.at(-1), '42["error","The limit events is reached",{"code":"LIMIT_REACHED","limit":"events"}]');
  assert.equal(app.journal.at(-1), 'limit reached: events');
  assert.match(await app.logged(/IO_LIMIT_REACHED.*closed/), /config\.io\.limits\.events/);
  await nothingRemains(app.io);
});

test('CONNECTs, pings and unknown events count, pongs and answers to questions do not', async t => {
  const app = await startLimited(t, { events: { perSecond: 1, burst: 10 } });
  const pass = stopTime(t);
  const client = await RawClient.connect(t, app.url);
  const waits = (): boolean => countsOf(app)['events'] === 1;
  const [socket] = app.io.sockets.sockets.values();
  for (const n of numbers(20)) {
    const answer = socket?.emitWithAck('question');
    client.send(`43${n}["answer"]`);
    assert.equal(await answer, 'answer');
  }
  assert.equal(waits(), false);
  client.send('42["unknown"]', '42["unknown"]', '40/chat,', '430["no question"]', '6', '6');
  await client.frame(/^40.chat/);
  client.send('41/chat,', '42["unknown"]');
  await until(t, () => app.journal.length === 1);
  assert.equal(waits(), false);
  client.send('42["note",1]');
  await until(t, () => app.journal.length === 2);
  client.send('42["note",2]');
  await until(t, waits);
  pass(1000);
  await until(t, () => app.journal.length === 3);
});

test('handlers that have not ended keep further events waiting, of all namespaces, but not answers that they wait for', async t => {
  const app = await startLimited(t, { pending: { max: 3 } });
  const client = await connect(t, app.url);
  client.on('question', (n, answer) => answer(`answer ${n}`));
  const chat = client.io.socket('/chat', {}).connect();
  await next(chat, 'connect');
  const held = Promise.all([ask(client, 'hold', 1), ask(chat, 'hold', 2)]);
  const asked = ask(client, 'question', 3);
  const waiting = Promise.all([ask(client, 'question', 4), ask(client, 'question', 5), ask(client, 'note', 6)]);
  assert.equal(await asked, 'answer 3');
  assert.deepEqual(await waiting, ['answer 4', 'answer 5', 6]);
  assert.deepEqual(app.journal, ['begin 1', 'begin 2', 'begin 3', 'end 3', 'begin 4', 'end 4', 'begin 5', 'end 5', 6]);
  const third = ask(client, 'hold', 7);
  await until(t, () => app.journal.includes('begin 7'));
  const fourth = ask(client, 'note', 8);
  await until(t, () => (countsOf(app)['pending'] ?? 0) >= 1);
  app.app.emit('go on');
  assert.deepEqual(await Promise.all([held, third, fourth]), [[1, 2], 7, 8]);
  assert.deepEqual(app.journal.slice(-4), ['end 1', 'end 2', 'end 7', 8]);
});

test('with drop, an event fails whose client has too many handlers that have not ended', async t => {
  const app = await startLimited(t, { pending: { max: 2, drop: true } });
  const client = await connect(t, app.url);
  const held = [ask(client, 'hold', 1), ask(client, 'hold', 2)];
  await until(t, () => app.journal.length === 2);
  const refused = { error: { code: 'BUSY', message: 'Too many events are being handled' } };
  assert.deepEqual(await Promise.all([ask(client, 'note', 3), ask(client, 'note', 4)]), [refused, refused]);
  app.app.emit('go on');
  assert.deepEqual(await Promise.all([...held, ask(client, 'note', 5)]), [1, 2, 5]);
});

test('a client whose events are many bytes is not read while they wait, and still found when it goes', async t => {
  const app = await startLimited(t, { pending: { max: 1 } }, 'init: { pingInterval: 1000, pingTimeout: 2000 }');
  const client = await connect(t, app.url);
  void ask(client, 'hold', 1);
  const big = 'x'.repeat(400_000);
  const [socket] = app.io.sockets.sockets.values();
  for (const n of numbers(40)) client.emit('note', n, big);
  const webSocket = Reflect.get(client.io.engine.transport, 'ws') as { bufferedAmount: number; terminate(): void };
  const read = (): number => Number(Reflect.get(Reflect.get(socket?.conn.request.socket ?? {}, '_handle') ?? {}, 'bytesRead'));
  await until(t, () => read() > 4_000_000);
  await until(t, () => webSocket.bufferedAmount > 0);
  for (let pings = 0; pings < 7; pings++) await next(client.io, 'ping'); // one each half of the interval: more than a client may be silent
  assert.equal(client.connected, true);
  assert.ok(read() < 7_000_000, `${read()}`);
  app.app.emit('go on');
  await until(t, () => app.journal.includes(39));
  assert.deepEqual(app.journal.filter(Number.isInteger), numbers(40));
  void ask(client, 'hold', 2);
  for (const n of numbers(40)) client.emit('note', n, big);
  await until(t, () => read() > 20_000_000);
  webSocket.terminate();
  await until(t, () => app.io.sockets.sockets.size === 0);
  app.app.emit('go on');
  await nothingRemains(app.io);
});

test('a client whose connection cannot be paused is disconnected when more waits than is on its way at most', async t => {
  const app = await startLimited(t, { pending: { max: 1 } });
  const client = await connect(t, app.url);
  client.on('question', answer => answer('answer'));
  const [socket] = app.io.sockets.sockets.values();
  assert.ok(socket);
  Object.assign((socket.conn.transport as unknown as { socket: object }).socket, { pause: undefined }); // as another engine may be
  client.emit('hold', 1);
  const big = 'x'.repeat(900_000);
  for (const n of numbers(6)) client.emit('note', n, big); // 4 MB, and less than 2 MB after that
  assert.equal(await socket.emitWithAck('question'), 'answer'); // the server has them
  assert.deepEqual(app.journal, ['begin 1']);
  client.emit('note', 6, big);
  await until(t, () => app.journal.length > 1);
  assert.deepEqual(app.journal, ['begin 1', 'limit reached: pending']);
  app.app.emit('go on');
  await nothingRemains(app.io);
});

test('if something else takes the messages of connections, one line of log says that their events are not limited', async t => {
  const { io, url, logs } = await startLimited(t, {});
  io.engine.prependListener('connection', (connection: { on(event: 'data', listen: () => void): void }) => connection.on('data', () => {}));
  for (let n = 0; n < 2; n++) await connect(t, url);
  assert.equal(logs.filter(line => /^WARN .*something else listens to the messages of connections/.test(line)).length, 1);
});

test('a WebSocket that pings all the time is disconnected', async t => {
  const app = await startLimited(t, { events: { perSecond: 1, burst: 10 } });
  const client = await RawClient.open(t, app.url);
  const ping = Buffer.from([0x89, 0x80, 0, 0, 0, 0]); // https://www.rfc-editor.org/rfc/rfc6455#section-5.2
  client.writeRaw(Buffer.concat(Array.from({ length: 100 }, () => ping)));
  await client.closed;
  assert.match(await app.logged(/IO_LIMIT_REACHED.*closed/), /config\.io\.limits\.events/);
  await nothingRemains(app.io);
});

test('with a parser of the app, each message counts', async t => {
  const app = await startLimited(t, { events: { perSecond: 400, burst: 100 } }, "init: { parser: { ...require('socket.io-parser') } }");
  const close = await overWebSocket(4)(t, app, notes(200));
  await until(t, () => app.journal.length === 200);
  assert.deepEqual([app.journal, countsOf(app)['events']], [numbers(200), 1]);
  close();
  await nothingRemains(app.io);
});

test('a client that is connected through another worker waits, too, and loses nothing', async t => {
  const cluster = await startCluster(
    t,
    {
      'config/config.default.js': 'exports.io = { limits: { events: { perSecond: 400, burst: 100 } } };',
      'app/router.js': `
        module.exports = app => {
          let sum = 0;
          app.io.route('add', async ctx => { sum += ctx.args[0].length; return [process.pid, sum]; });
        };`,
    },
    { workers: 2 },
  );
  const answers = await Promise.all(
    numbers(4).map(async () => {
      const client = await connect(t, cluster.url, { transports: ['polling', 'websocket'] });
      const begin = performance.now();
      const all = await Promise.all(numbers(300).map(async () => ask(client, 'add', 'x'.repeat(20_000))));
      assert.ok(performance.now() - begin >= 400); // 200 of them at 400 a second, and the upgrade
      const gone = next(client, 'disconnect');
      const said = next(client, 'error');
      client.emit('x'.repeat(201));
      assert.deepEqual((await said)[1], { code: 'LIMIT_REACHED', limit: 'eventName' });
      await gone;
      client.disconnect();
      return all;
    }),
  );
  assert.equal(answers.flat().length, 1200);
});

/** Sends frames in one piece. Returns what ends the connection. */
function overWebSocket(protocol: 3 | 4) {
  return async (t: TestContext, { url }: RunningApp, frames: string[]): Promise<() => void> => {
    const client = await RawClient.connect(t, url, { protocol });
    client.burst(...frames);
    return () => client.vanish();
  };
}

async function overPolling(_t: TestContext, { url }: RunningApp, frames: string[]): Promise<() => void> {
  const address = await openPolling(url);
  const post = async (body: string): Promise<string> => (await fetch(address, { method: 'POST', body })).text();
  await post('40');
  assert.equal(await post(frames.join('\u001E')), 'ok');
  return () => void post('1');
}

/** The limit `backlog`: clients that do not read what waits for them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RunningApp, startApp } from '../support/app';
import { ask, type Client, connect, next } from '../support/client';
import { startCluster } from '../support/cluster';
import { openPolling, RawClient, type RawOptions } from '../support/raw';
import { engineConnections, internals, nothingRemains, watchForCrashes } from '../support/remains';
import { stopTime } from '../support/stop-time';
import { until } from '../support/until';

type Times = Partial<Record<'look' | 'stuck' | 'burst' | 'stall' | 'heartbeat', number>>;

interface Held {
  readonly transport: { readonly socket?: { readonly bufferedAmount: number } };
  readonly writeBuffer: readonly { readonly data?: string }[];
}

/** Compression makes it no smaller than its bytes. */
const CHUNK = randomBytes(75_000).toString('base64');

/** @param io what `config.io` has beside the namespace; `more` is code after it */
async function start(t: TestContext, io: object = {}, times: Times = {}, more = ''): Promise<RunningApp & { readonly gone: unknown[] }> {
  watchForCrashes(t);
  const running = await startApp(t, {
    'config/config.default.js': `exports.io = ${JSON.stringify({ namespace: { '/': {} }, ...io })};${more}`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('disconnect', async ctx => app.emit('gone', ctx.socket.id, ctx.args[0]));
        app.io.route('join', async ctx => { await ctx.socket.join(ctx.args[0]); return ctx.socket.id; });
      };`,
  });
  const gone: unknown[] = [];
  running.app.on('gone', (_id, reason) => gone.push(reason));
  Object.assign(internals(running.io).runtime.limits.backlog?.times ?? {}, times);
  return { ...running, gone };
}

/** For Engine.IO, so long that no machine is too busy for it. */
const HEARTBEAT = { pingInterval: 300, pingTimeout: 60_000 };

/** For the limit, a heartbeat takes a second from now on. */
function shortenHeartbeat({ io }: RunningApp): void {
  const { times } = internals(io).runtime.limits.backlog ?? assert.fail('it is on');
  assert.equal(times.heartbeat, HEARTBEAT.pingInterval + HEARTBEAT.pingTimeout);
  times.heartbeat = 1000;
}

/** A client that shakes hands, and then reads nothing more. */
async function freeze(t: TestContext, { url }: RunningApp, options: RawOptions = {}): Promise<RawClient> {
  const client = await RawClient.connect(t, url, options);
  client.freeze();
  return client;
}

/** The bytes that wait for the connection that began last. */
function held({ io }: RunningApp): number {
  const connection = engineConnections(io).at(-1) as unknown as Held | undefined; // members of Engine.IO
  if (!connection) return 0;
  return connection.writeBuffer.reduce((sum, { data = '' }) => sum + data.length, connection.transport.socket?.bufferedAmount ?? 0);
}

/** Broadcasts until something has happened, and a client has got it all: so fast as that one reads. Returns the most that waited for the newest connection. */
async function broadcastUntil(
  t: TestContext,
  app: RunningApp,
  reader: Client,
  hasHappened: () => boolean,
): Promise<{ sent: number; most: number }> {
  let [sent, read, most] = [0, 0, 0];
  reader.on('news', () => read++);
  await until(t, () => {
    if (read === sent && !hasHappened()) {
      app.io.emit('news', CHUNK);
      sent++;
    }
    most = Math.max(most, held(app));
    return hasHappened() && read === sent;
  });
  return { sent, most };
}

for (const isAnswering of [true, false]) {
  test(`a client that does not read${isAnswering ? ' and answers pings blindly' : ''} is closed when eight times the limit waits, and nobody else notices`, async t => {
    const app = await start(t);
    const bystander = await connect(t, app.url);
    const heard: unknown[] = [];
    bystander.on('error', error => heard.push(error));
    const slow = await freeze(t, app);
    const pongs = isAnswering ? setInterval(() => slow.send('3'), 20) : undefined;
    t.after(() => clearInterval(pongs));
    const { sent, most } = await broadcastUntil(t, app, bystander, () => app.gone.length > 0);
    assert.deepEqual(app.gone, ['limit reached: backlog']);
    assert.ok(most > 7_000_000 && most < 8_500_000, `${most} bytes waited`);
    assert.ok(sent < 300, `${sent} messages`); // the operating system takes some
    assert.equal(internals(app.io).runtime.limits.counts.backlog, 1);
    assert.equal(engineConnections(app.io).length, 1);
    assert.equal(held(app), 0);
    assert.deepEqual(heard, []);
    assert.match(await app.logged(/IO_LIMIT_REACHED/), /^WARN .*config\.io\.limits\.backlog.*its connection is closed/);
    bystander.disconnect();
    await nothingRemains(app.io);
  });
}

const OTHERS: Record<string, { io?: object; more?: string; options?: RawOptions }> = {
  'of protocol 3': { options: { protocol: 3 } },
  'with compression': {
    io: { init: { perMessageDeflate: true } },
    options: { headers: { 'sec-websocket-extensions': 'permessage-deflate' } },
  },
  'with another WebSocket engine': { more: `exports.io.init = { wsEngine: require(${JSON.stringify(require.resolve('ws'))}).Server };` },
};

for (const [what, { io, more, options }] of Object.entries(OTHERS)) {
  test(`a client ${what} that does not read is closed as well`, async t => {
    const app = await start(t, io, {}, more);
    const bystander = await connect(t, app.url, { perMessageDeflate: { threshold: 0 } });
    await freeze(t, app, options);
    const { most } = await broadcastUntil(t, app, bystander, () => app.gone.length > 0);
    assert.deepEqual(app.gone, ['limit reached: backlog']);
    assert.ok(most < 8_500_000, `${most} bytes waited`);
  });
}

for (const transport of ['polling', 'websocket']) {
  test(`a client that comes back by ${transport} gets all that it has missed, however much that is`, async t => {
    const app = await start(t, { limits: { backlog: 50_000 }, init: { connectionStateRecovery: {} } }, { look: 1 });
    const client = await connect(t, app.url, { transports: [transport] });
    let read = 0;
    client.on('news', () => read++);
    app.io.emit('news', CHUNK);
    await until(t, () => read === 1);
    client.io.engine.close(); // as a network does
    await until(t, () => app.gone.length === 1);
    for (let n = 0; n < 50; n++) app.io.emit('news', CHUNK);
    client.connect();
    await until(t, () => read === 51 || app.gone.length > 1);
    assert.ok(client.recovered);
    assert.equal(app.gone.length, 1);
  });
}

test('a client that takes nothing of more than the limit is closed after a while', async t => {
  const app = await start(t, {}, { look: 20, stuck: 200 });
  const bystander = await connect(t, app.url);
  await freeze(t, app);
  const { most } = await broadcastUntil(t, app, bystander, () => held(app) > 2_000_000);
  assert.ok(most < 3_000_000, `${most} bytes waited`);
  await until(t, () => app.gone.length > 0);
  assert.deepEqual(app.gone, ['limit reached: backlog']);
});

test('the time in which this server was too busy to look does not count', async t => {
  const app = await start(t, {}, { look: 9000 });
  const { backlog } = internals(app.io).runtime.limits;
  const pass = stopTime(t);
  const bystander = await connect(t, app.url);
  await freeze(t, app);
  await broadcastUntil(t, app, bystander, () => held(app) > 2_000_000);
  backlog?.look();
  pass(60_000);
  backlog?.look();
  assert.equal(engineConnections(app.io).length, 2);
  backlog?.look(); // at least 10 s later
  assert.equal(engineConnections(app.io).length, 1);
});

test('a client that reads slowly but steadily stays, and gets everything in order', async t => {
  const app = await start(t, {}, { look: 11_000 }); // only when the test says so
  const { backlog } = internals(app.io).runtime.limits;
  const bystander = await connect(t, app.url);
  const slow = await freeze(t, app);
  const { sent } = await broadcastUntil(t, app, bystander, () => held(app) > 6_500_000);
  let looks = 0;
  while (held(app) > 1_200_000) {
    looks++;
    backlog?.look();
    const wanted = Math.min(slow.frames.length + 25, sent);
    slow.thaw();
    await until(t, () => slow.frames.length >= wanted || app.gone.length > 0);
    slow.freeze();
    assert.deepEqual(app.gone, []);
  }
  assert.ok(looks >= 2, `it was over the limit for ${looks} looks`);
  slow.thaw();
  await until(t, () => slow.frames.filter(frame => frame.startsWith('42')).length === sent);
  assert.deepEqual(
    slow.frames.filter(frame => frame.startsWith('42')).map(frame => frame.length),
    Array.from({ length: sent }, () => '42["news",""]'.length + CHUNK.length),
  );
});

test('one message alone does not count, however large', async t => {
  const app = await start(t, { limits: { backlog: 10_000 } }, { look: 10, stuck: 50, burst: 20, stall: 20 });
  const slow = await freeze(t, app);
  const [first] = app.io.of('/').sockets.values();
  first?.emit('large', 'y'.repeat(20_000_000));
  await until(t, () => held(app) > 10_000_000);
  await freeze(t, app);
  const second = [...app.io.of('/').sockets.values()].at(-1);
  for (let n = 0; n < 2; n++) second?.emit('large', 'y'.repeat(20_000_000));
  await until(t, () => app.gone.length > 0); // by then, the first has been looked at as often
  assert.ok(first?.connected && !second?.connected);
  slow.thaw();
  await until(t, () => slow.frames.some(frame => frame.length > 20_000_000));
});

test('what is sent in one go to a client that keeps up may be more', async t => {
  const app = await start(t, { limits: { backlog: 100_000 } }, { look: 1 });
  const client = await connect(t, app.url);
  let read = 0;
  client.on('news', () => read++);
  for (let n = 0; n < 200; n++) app.io.emit('news', CHUNK);
  await until(t, () => read === 200 || app.gone.length > 0);
  assert.deepEqual(app.gone, []);
});

test('what is sent in one go to a client that does not read counts after a moment', async t => {
  const app = await start(t, {}, { look: 20, stall: 100 });
  await freeze(t, app);
  for (let n = 0; n < 200; n++) app.io.emit('news', CHUNK);
  await until(t, () => app.gone.length > 0);
  assert.deepEqual(app.gone, ['limit reached: backlog']);
});

test('volatile events are dropped while half of the limit waits', async t => {
  const app = await start(t, {}, { stuck: 60_000, heartbeat: 60_000 });
  const bystander = await connect(t, app.url);
  const slow = await freeze(t, app);
  await broadcastUntil(t, app, bystander, () => held(app) > 500_000);
  const before = held(app);
  for (let n = 0; n < 20; n++) {
    app.io.volatile.emit('tick', CHUNK);
    await next(bystander, 'tick');
  }
  assert.ok(held(app) <= before);
  slow.vanish();
});

test('one large message is enough for volatile events to be dropped', async t => {
  const app = await start(t, {}, { stuck: 60_000, heartbeat: 60_000 });
  const slow = await freeze(t, app);
  app.io.emit('large', 'y'.repeat(20_000_000));
  await until(t, () => held(app) > 1_000_000);
  const before = held(app);
  for (let n = 0; n < 20; n++) {
    app.io.volatile.emit('tick', CHUNK);
    await nextTurn();
  }
  assert.ok(held(app) <= before);
  slow.vanish();
});

test('a client is closed after the time of a heartbeat if what waits has not left, though it answers pings', async t => {
  const app = await start(t, { init: HEARTBEAT }, { look: 20 });
  shortenHeartbeat(app);
  const slow = await freeze(t, app);
  const pongs = setInterval(() => slow.send('3'), 20);
  t.after(() => clearInterval(pongs));
  app.io.emit('large', 'y'.repeat(20_000_000)); // alone does not count
  await until(t, () => app.gone.length > 0);
  assert.deepEqual(app.gone, ['limit reached: backlog']);
});

test('false turns the limit off', async t => {
  const app = await start(t, { limits: { backlog: false } });
  const bystander = await connect(t, app.url);
  const slow = await freeze(t, app);
  await broadcastUntil(t, app, bystander, () => held(app) > 10_000_000);
  assert.deepEqual(app.gone, []);
  slow.vanish();
});

for (const protocol of [3, 4] as const) {
  test(`a polling client of protocol ${protocol} is closed that posts what keeps it alive, and never asks`, async t => {
    const app = await start(t, { init: HEARTBEAT }, { look: 20 });
    shortenHeartbeat(app);
    const address = await openPolling(app.url, protocol);
    if (protocol === 4) {
      await fetch(address, { method: 'POST', body: '40' });
      await (await fetch(address)).text();
    }
    const beats = setInterval(() => {
      void fetch(address, { method: 'POST', body: protocol === 4 ? '3' : '1:2' }).catch(() => {}); // may be cut off
    }, 400); // more often, and Engine.IO sends no pings, which would wait
    t.after(() => clearInterval(beats));
    await until(t, () => app.io.of('/').sockets.size === 1);
    await until(t, () => app.gone.length > 0);
    assert.deepEqual(app.gone, ['limit reached: backlog']);
  });
}

test('answers of polling that nobody reads count, and are cut off', async t => {
  const app = await start(t);
  const bystander = await connect(t, app.url);
  const address = await openPolling(app.url);
  await fetch(address, { method: 'POST', body: '40' });
  await (await fetch(address)).text();
  const { pathname, search } = new URL(address);
  const askForMore = (): TcpSocket => {
    const answer = connectTcp({ port: app.port, host: '127.0.0.1' }, () => {
      answer.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: 127.0.0.1:${app.port}\r\n\r\n`);
    });
    answer.on('error', () => {}).pause();
    t.after(() => answer.destroy());
    return answer;
  };
  const answers: TcpSocket[] = [];
  let [sent, read] = [0, 0];
  bystander.on('news', () => read++);
  while (app.gone.length === 0) {
    for (let n = 0; n < 60; n++) app.io.emit('news', CHUNK);
    sent += 60;
    await until(t, () => read === sent);
    answers.push(askForMore());
    await until(t, () => app.gone.length > 0 || held(app) === 0); // the answer has it, and not all fits in what the operating system takes
  }
  assert.deepEqual(app.gone, ['limit reached: backlog']);
  assert.ok(sent <= 180, `${sent} messages`);
  for (const answer of answers) answer.resume();
  await until(t, () => answers.some(({ closed, bytesRead }) => closed && bytesRead > 1_000_000 && bytesRead < 6_000_000)); // not whole
  for (const answer of answers) answer.destroy(); // the server closes all that are idle, in its time
});

test('a polling client that asks and reads stays', async t => {
  const app = await start(t, {}, { look: 20, stuck: 200, burst: 100 });
  const client = await connect(t, app.url, { transports: ['polling'] });
  const { sent } = await broadcastUntil(
    t,
    app,
    client,
    (
      count => () =>
        count++ > 2000
    )(0),
  );
  assert.ok(sent > 1);
  assert.deepEqual(app.gone, []);
});

test('a client that does not read is closed through another worker, too', async t => {
  const cluster = await startCluster(
    t,
    {
      'app/router.js': `
        module.exports = app => {
          let most = 0;
          app.io.route('disconnect', async ctx => ctx.logger.warn('it has gone: %s, %s', ctx.args[0], most));
          app.io.route('isPiped', async ctx => ctx.socket.conn.transport.socket?._socket._handle.constructor.name === 'Pipe');
          app.io.route('flood', async ctx => {
            const { socket } = ctx;
            const { conn } = socket;
            for (let n = 0; n < 600 && socket.connected; n++) {
              socket.emit('news', 'x'.repeat(100_000));
              most = Math.max(most, conn.writeBuffer.reduce((sum, { data = '' }) => sum + data.length, conn.transport.socket.bufferedAmount));
              await new Promise(setImmediate);
            }
          });
        };`,
    },
    { workers: 2 },
  );
  for (;;) {
    const client = await connect(t, cluster.url, { transports: ['polling', 'websocket'] });
    const { engine } = client.io;
    if (engine.transport.name !== 'websocket') await next(engine as unknown as NodeJS.EventEmitter, 'upgrade'); // its own emitter, of the same shape
    if (!(await ask(client, 'isPiped'))) continue;
    client.emit('flood');
    (engine.transport as unknown as { ws: { pause(): void } }).ws.pause(); // the one of ws
    break;
  }
  let line: string | undefined;
  await until(t, async () => {
    line = (await cluster.log()).split('\n').find(one => one.includes('it has gone: limit reached: backlog'));
    return line !== undefined;
  });
  const most = Number(/(\d+)$/.exec(line ?? '')?.[1]);
  assert.ok(most > 7_000_000 && most < 8_500_000, `${most} bytes waited`);
});

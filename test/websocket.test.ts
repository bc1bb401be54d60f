import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import type { Socket } from 'socket.io';
import type { WebSocket } from 'ws';
import { type RunningApp, startApp } from './support/app';
import { type ClientOptions, type ClientVersion, connect, next } from './support/client';
import { RawClient } from './support/raw';

/** A connected client, its socket on the server, and the TCP connection that the server writes to. */
async function connected(t: TestContext, { url, io, app }: RunningApp) {
  const accepted = once(app.server, 'connection') as Promise<[TcpSocket]>;
  const arrived = next<[Socket]>(io, 'connection');
  const client = await connect(t, url);
  const [tcp] = await accepted;
  const [socket] = await arrived;
  return { client, tcp, socket };
}

/** Counts what Node hands to the system. */
function countWrites(tcp: TcpSocket): { count: number } {
  const writes = { count: 0 };
  for (const name of ['_write', '_writev'] as const) {
    const write = tcp[name]?.bind(tcp) as ((...args: unknown[]) => void) | undefined;
    Object.assign(tcp, {
      [name](...args: unknown[]) {
        writes.count++;
        write?.(...args);
      },
    });
  }
  return writes;
}

test('frames sent in one tick leave together, in the order in which they were sent', async t => {
  const { client, tcp, socket } = await connected(t, await startApp(t, {}));
  const writes = countWrites(tcp);
  const received: unknown[] = [];
  client.on('n', (n: unknown) => received.push(n));
  const last = next(client, 'last');
  for (let n = 0; n < 100; n++) socket.emit('n', n % 10 === 0 ? Buffer.from([n]) : n);
  socket.emit('last');
  await last;
  assert.deepEqual(
    received.map(n => (n instanceof Uint8Array ? n[0] : n)),
    Array.from({ length: 100 }, (_, n) => n),
  );
  assert.equal(writes.count, 1);
});

test('the response of an upgrade is let go, unless the engine has middleware, which hears of its end', async t => {
  const { url, io } = await startApp(t, {});
  const responses: ServerResponse[] = [];
  const first = await connect(t, url, { transports: ['websocket'] });
  io.engine.use((_request: unknown, response: ServerResponse, done: () => void) => {
    responses.push(response);
    done();
  });
  const second = await connect(t, url, { transports: ['websocket'] });
  const [response] = responses;
  assert(response);
  assert.equal(queryObjects(response.constructor as new () => object, { format: 'count' }), 1);
  const closed = once(response, 'close');
  second.disconnect();
  await closed;
  assert.equal(first.connected, true);
});

test('a WebSocket that Engine.IO refuses after its upgrade is told why', async t => {
  const { url } = await startApp(t, { 'config/config.default.js': `exports.io = { init: { allowEIO3: false } };` });
  const tcp = connectTcp(Number(new URL(url).port), '127.0.0.1');
  let answer = '';
  tcp.setEncoding('utf8').on('data', (text: string) => (answer += text));
  const headers = [
    'Host: test',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
  ];
  tcp.write([`GET /socket.io/?EIO=3&transport=websocket HTTP/1.1`, ...headers, '', ''].join('\r\n'));
  await once(tcp, 'close');
  assert.match(answer, /^HTTP\/1\.1 101 [^]*HTTP\/1\.1 400 [^]*Unsupported protocol version$/);
});

test('a WebSocket keeps one listener for errors, that of its transport', async t => {
  const { url, io } = await startApp(t, {});
  const accepted = once(io.engine, 'connection') as Promise<[{ transport: { socket: WebSocket } }]>;
  await connect(t, url, { transports: ['websocket'] });
  const [{ transport }] = await accepted;
  assert.equal(transport.socket.listenerCount('error'), 1);
});

test('a handshake shows the headers of its client, however many names other clients have made up', async t => {
  const { url, io } = await startApp(t, {});
  const madeUp = (letter: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`${letter}-${n}`, '1']));
  const first: Record<string, string> = { 'User-Agent': 'one', Cookie: 'a=1' };
  for (const headers of [first, madeUp('x'), madeUp('y'), { ...first, Cookie: 'a=2' }]) {
    const arrived = next<[Socket]>(io, 'connection');
    const client = await RawClient.open(t, url, { headers });
    client.send('40');
    const [{ request, handshake }] = await arrived;
    assert.equal(handshake.headers, request.headers);
    assert.equal(request.url, '/socket.io/?EIO=4&transport=websocket');
    for (const [name, value] of Object.entries(headers)) {
      assert.equal(request.headers[name.toLowerCase()], value);
      assert.equal(request.rawHeaders[request.rawHeaders.indexOf(name) + 1], value);
    }
  }
});

test('with the class of ws itself in the config, each frame leaves alone', async t => {
  const files = { 'config/config.default.js': `exports.io = { init: { wsEngine: require('ws').WebSocketServer } };` };
  const { client, tcp, socket } = await connected(t, await startApp(t, files));
  const writes = countWrites(tcp);
  const last = next(client, 'last');
  for (let n = 0; n < 5; n++) socket.emit('n', n);
  socket.emit('last');
  await last;
  assert.equal(writes.count, 6);
});

test('acknowledgements of one tick leave together', async t => {
  const app = await startApp(t, {
    'app/io/controller/chat.js': `
      const waiting = [];
      exports.echo = async ctx => {
        await new Promise(resolve => {
          waiting.push(resolve);
          if (waiting.length === 50) for (const go of waiting) go();
        });
        return ctx.args[0];
      };`,
    'app/router.js': `module.exports = app => app.io.route('echo', app.io.controller.chat.echo);`,
  });
  const { client, tcp } = await connected(t, app);
  const writes = countWrites(tcp);
  const numbers = Array.from({ length: 50 }, (_, n) => n);
  assert.deepEqual(await Promise.all(numbers.map(n => client.emitWithAck('echo', n) as Promise<unknown>)), numbers);
  assert.equal(writes.count, 1);
});

test('of volatile events of one tick the first is sent, as without the plugin', async t => {
  const { client, socket } = await connected(t, await startApp(t, {}));
  const received: unknown[] = [];
  client.on('n', (n: unknown) => received.push(n));
  const last = next(client, 'last');
  for (let n = 0; n < 3; n++) socket.volatile.emit('n', n);
  socket.emit('last');
  await last;
  assert.deepEqual(received, [0]);
});

test('who sends on when he is told that the last frame has been sent is told at the end of a tick, however often', async t => {
  const { client, socket } = await connected(t, await startApp(t, {}));
  const last = next(client, 'last');
  let isSending = false;
  await new Promise<void>(resolve => {
    const send = (left: number): void => {
      assert.equal(isSending, false, 'told before the call has returned');
      if (left === 0) return resolve();
      isSending = true;
      socket.conn.send('2["n"]', undefined, () => send(left - 1));
      isSending = false;
    };
    send(20_000);
  });
  socket.emit('last');
  await last;
});

test('a client that does not read holds its frames back in Engine.IO, loses volatile ones only, and gets all others in order', async t => {
  const { client, tcp, socket } = await connected(t, await startApp(t, {}));
  const wire = (client.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket;
  const received: unknown[] = [];
  client.on('n', (n: unknown) => received.push(n));
  const last = next(client, 'last');
  wire.pause();
  let sent = 0;
  while (!tcp.writableNeedDrain || socket.conn.transport.writable) {
    socket.emit('n', sent++, 'x'.repeat(10_000));
    await new Promise(resolve => process.nextTick(resolve));
  }
  socket.volatile.emit('n', 'lost');
  const kept = (Reflect.get(socket.conn, 'writeBuffer') as unknown[]).length;
  for (let n = 0; n < 10; n++) socket.emit('n', sent++);
  socket.emit('last');
  assert.equal((Reflect.get(socket.conn, 'writeBuffer') as unknown[]).length, kept + 11);
  wire.resume();
  await last;
  assert.deepEqual(
    received,
    Array.from({ length: sent }, (_, n) => n),
  );
});

test('a connection that is terminated, or whose write fails, with frames held back ends as any other', async t => {
  const app = await startApp(t, {});
  for (const end of [
    (_tcp: TcpSocket, webSocket: WebSocket) => webSocket.terminate(),
    (tcp: TcpSocket) => tcp.destroy(new Error('write EPIPE')),
    (tcp: TcpSocket) => tcp.resetAndDestroy(),
  ]) {
    const { tcp, socket } = await connected(t, app);
    const left = next(socket, 'disconnect');
    socket.emit('lost');
    end(tcp, Reflect.get(socket.conn.transport, 'socket') as WebSocket);
    socket.emit('lost, too');
    assert.match(String((await left)[0]), /^transport (close|error)$/);
  }
  assert.equal(app.io.engine.clientsCount, 0);
});

test('a client that sends more pings than it can be answered is cut off, and others are not', async t => {
  const app = await startApp(t, {});
  const { client, socket } = await connected(t, app);
  const [bystander] = [await connect(t, app.url)];
  const webSocket = (client.io.engine.transport as unknown as { ws: WebSocket }).ws; // of ws, in Node
  const pong = next(webSocket, 'pong');
  webSocket.ping('one');
  assert.equal(String((await pong)[0]), 'one');
  const left = next(socket, 'disconnect');
  const wire = Reflect.get(webSocket, '_socket') as TcpSocket;
  wire.cork(); // as they would come from a client that never stops
  for (let n = 0; n < 100; n++) webSocket.ping();
  wire.uncork();
  assert.match(String((await left)[0]), /^transport (close|error)$/);
  assert.ok(bystander?.connected);
});

test('what was sent before a disconnect arrives', async t => {
  const { client, socket } = await connected(t, await startApp(t, {}));
  const received = next(client, 'bye');
  const gone = next(client, 'disconnect');
  socket.emit('bye', 'x'.repeat(200_000));
  socket.disconnect(true);
  assert.deepEqual(await received, ['x'.repeat(200_000)]);
  assert.deepEqual((await gone)[0], 'io server disconnect');
});

test('a connection that breaks with frames under way ends as any other', async t => {
  const { client, socket } = await connected(t, await startApp(t, {}));
  const left = next(socket, 'disconnect');
  socket.emit('lost', 'x'.repeat(1_000_000));
  (client.io.engine.transport as unknown as { ws: WebSocket }).ws.terminate();
  assert.match(String((await left)[0]), /^transport (close|error)$/);
});

for (const [name, init, options, version] of [
  ['of the usual kind', {}, {}, 4],
  ['compressed', { perMessageDeflate: { threshold: 100 } }, {}, 4],
  ['of an upgraded connection', {}, { transports: ['polling', 'websocket'] }, 4],
  ['of protocol 3', {}, {}, 2],
] as [string, object, ClientOptions, ClientVersion][]) {
  test(`frames ${name}, small and large, text and bytes, of many ticks, keep their order`, async t => {
    const { io, url } = await startApp(t, { 'config/config.default.js': `exports.io = { init: ${JSON.stringify(init)} };` });
    const arrived = next<[Socket]>(io, 'connection');
    const client = await connect(t, url, options, version);
    const [socket] = await arrived;
    const sizes = Array.from({ length: 60 }, (_, n) => [1, 300_000, 10, 70_000, 5, 2000][n % 6] ?? 0);
    const received: number[] = [];
    const last = next(client, 'last');
    client.on('data', (data: string | ArrayBuffer) => received.push(typeof data === 'string' ? data.length : data.byteLength));
    for (const [n, size] of sizes.entries()) {
      socket.emit('data', n % 7 === 0 ? Buffer.alloc(size) : 'x'.repeat(size));
      if (n % 10 === 9) await nextTurn();
    }
    socket.emit('last');
    await last;
    assert.deepEqual(received, sizes);
  });
}

test('broadcasts of one tick leave together as well', async t => {
  const app = await startApp(t, {});
  const { client, tcp } = await connected(t, app);
  const writes = countWrites(tcp);
  const last = next(client, 'last');
  for (let n = 0; n < 100; n++) app.io.emit('n', n);
  app.io.emit('last');
  await last;
  assert.equal(writes.count, 1);
});

test('a connection whose listener throws at the end of a tick keeps back no frames of others', async t => {
  const running = await startApp(t, {});
  const one = await connected(t, running);
  const other = await connected(t, running);
  const thrown: unknown[] = [];
  process.setUncaughtExceptionCaptureCallback(error => thrown.push(error));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  const mishap = new Error('a mishap');
  one.socket.conn.transport.once('drain', () => {
    throw mishap;
  });
  const news = next(other.client, 'news');
  one.socket.emit('news', 1);
  other.socket.emit('news', 2);
  assert.deepEqual(await news, [2]);
  assert.deepEqual(thrown, [mishap]);
});

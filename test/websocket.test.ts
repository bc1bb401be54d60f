import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket as TcpSocket } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Socket } from 'socket.io';
import type { WebSocket } from 'ws';
import { type RunningApp, startApp } from './support/app';
import { connect, next } from './support/client';

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

test('acknowledgements of one tick leave together', async t => {
  const { client, tcp } = await connected(
    t,
    await startApp(t, {
      'app/io/controller/chat.js': `module.exports = app => class extends app.Controller { async echo() { return this.ctx.args[0]; } };`,
      'app/router.js': `module.exports = app => app.io.route('echo', app.io.controller.chat.echo);`,
    }),
  );
  const writes = countWrites(tcp);
  (client.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket.cork(); // so that they arrive in one piece
  const answers = Array.from({ length: 50 }, (_, n) => client.emitWithAck('echo', n) as Promise<unknown>);
  process.nextTick(() => (client.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket.uncork());
  assert.deepEqual(
    await Promise.all(answers),
    Array.from({ length: 50 }, (_, n) => n),
  );
  assert.ok(writes.count <= 5, `${writes.count} writes`);
});

test('a client that does not read holds its frames back in Engine.IO, loses volatile ones only, and gets all others in order', async t => {
  const { client, tcp, socket } = await connected(t, await startApp(t, {}));
  const wire = (client.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket;
  const received: unknown[] = [];
  client.on('n', (n: unknown) => received.push(n));
  const last = next(client, 'last');
  wire.pause();
  let sent = 0;
  while (!tcp.writableNeedDrain) socket.emit('n', sent++, 'x'.repeat(10_000));
  assert.equal(socket.conn.transport.writable, true, 'the last one had room');
  socket.emit('n', sent++);
  assert.equal(socket.conn.transport.writable, false);
  socket.volatile.emit('n', 'lost');
  for (let n = 0; n < 10; n++) socket.emit('n', sent++);
  socket.emit('last');
  assert.equal(Reflect.get(socket.conn, 'writeBuffer').length, 11);
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

test('compressed and large frames keep their order', async t => {
  const { client, socket } = await connected(
    t,
    await startApp(t, { 'config/config.default.js': `exports.io = { init: { perMessageDeflate: { threshold: 100 } } };` }),
  );
  const sizes = [1, 300_000, 10, 70_000, 5];
  const received: number[] = [];
  client.on('data', (data: string) => received.push(data.length));
  const last = next(client, 'last');
  for (const size of sizes) socket.emit('data', 'x'.repeat(size));
  socket.emit('last');
  await last;
  assert.deepEqual(received, sizes);
});

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

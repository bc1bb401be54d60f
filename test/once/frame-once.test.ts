/** Broadcasts whose frame goes straight to WebSockets: nobody sees a difference, whatever else is on its way. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Namespace, Server, type ServerOptions, type Socket } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import { WebSocketServer } from 'ws';
import { type AdapterServer, enter, type Person, startServer } from '../support/adapters';
import { newClient, next } from '../support/client';
import { Logs } from '../support/logs';
import { adapterInternals, CorkedWebSocketServer, createAdapterFactory, Deprecations, PacketCodec } from '../support/parts';
import { RawClient } from '../support/raw';
import { newCertificate } from '../support/tls';

/** As the plugin sets its server up, without Egg. */
const logger = new Logs();
const PARTS = { backplane: undefined, deprecations: new Deprecations(logger), logger };
const OPTIONS = {
  adapter: createAdapterFactory({ init: {}, adapter: undefined }, PARTS),
  wsEngine: CorkedWebSocketServer,
} as unknown as Partial<ServerOptions>; // the adapter is typed as a class only, and the engine as any

async function start(t: TestContext, options: Partial<ServerOptions> = {}): Promise<AdapterServer> {
  return startServer(t, { ...OPTIONS, ...options });
}

async function enterByWebSocket(t: TestContext, server: AdapterServer): Promise<Person> {
  return enter(t, server, '/', { transports: ['websocket'] });
}

/** Counts the packets that Engine.IO gets for a client from now on. */
function countPackets(t: TestContext, { conn }: Socket): () => number {
  const { mock } = t.mock.method(conn, 'write');
  return () => mock.callCount();
}

/** The packets that wait in Engine.IO. */
function writeBufferOf({ conn }: Socket): unknown[] {
  return Reflect.get(conn, 'writeBuffer') as unknown[]; // private
}

/** What a client has heard, when it has heard this. */
async function heardUntil({ client, heard }: Person, event: string): Promise<unknown[][]> {
  while (heard.at(-1)?.[0] !== event) await next(client, event);
  return heard;
}

test('a broadcast passes Engine.IO by for each WebSocket with nothing waiting, also many in one tick, to a room and to a namespace', async t => {
  const server = await start(t);
  const [ann, bob] = [await enterByWebSocket(t, server), await enter(t, server, '/chat', { transports: ['websocket'] })];
  const counts = [countPackets(t, ann.socket), countPackets(t, bob.socket)];
  void ann.socket.join('room');
  for (let n = 0; n < 10; n++) {
    server.io.emit('n', n);
    server.io.to('room').emit('room', n);
    bob.socket.broadcast.emit('n', 'not for Bob');
    server.io.of('/chat').emit('chat', n);
  }
  server.io.of('/chat').emit('last');
  server.io.emit('last');
  const numbers = Array.from({ length: 10 }, (_, n) => n);
  assert.deepEqual(await heardUntil(ann, 'last'), [
    ...numbers.flatMap(n => [
      ['n', n],
      ['room', n],
    ]),
    ['last'],
  ]);
  assert.deepEqual(await heardUntil(bob, 'last'), [...numbers.map(n => ['chat', n]), ['last']]);
  assert.deepEqual(
    counts.map(count => count()),
    [0, 0],
  );
});

test('a message of any length arrives whole', async t => {
  const server = await start(t);
  const ann = await enterByWebSocket(t, server);
  const count = countPackets(t, ann.socket);
  const around = '42["n",""]'.length;
  const lengths = [125, 126, 127, 65_535, 65_536, 65_537, 200_000].map(length => length - around);
  for (const length of lengths) {
    server.io.emit('n', 'x'.repeat(length));
    await next(ann.client, 'n');
  }
  server.io.emit('n', 'ü€😀'.repeat(20));
  server.io.emit('last');
  await heardUntil(ann, 'last');
  assert.deepEqual(
    ann.heard.map(([, text]) => text),
    [...lengths.map(length => 'x'.repeat(length)), 'ü€😀'.repeat(20), undefined],
  );
  assert.equal(count(), 0);
});

test('whatever is sent in one tick arrives in its order: broadcasts, events of one client, bytes, volatile ones, questions', async t => {
  const server = await start(t);
  const ann = await enterByWebSocket(t, server);
  ann.client.on('n', (_n, last?: unknown) => typeof last === 'function' && void last());
  const answers: Promise<unknown>[] = [];
  const kinds: ((n: number) => unknown)[] = [
    n => server.io.emit('n', n),
    n => ann.socket.emit('n', n),
    n => server.io.emit('n', n, Buffer.from([n])),
    n => answers.push(server.io.timeout(10_000).emitWithAck('n', n)),
    n => server.io.to(ann.id).emit('n', n),
  ];
  const pairs = kinds.flatMap(one => kinds.map(other => [one, other])).flat();
  for (const [n, send] of pairs.entries()) {
    send(n);
    if (n % 7 === 6) await nextTurn();
  }
  server.io.emit('last');
  await heardUntil(ann, 'last');
  assert.deepEqual(
    ann.heard.slice(0, -1).map(([, n]) => n),
    pairs.map((_, n) => n),
  );
  await Promise.all(answers);
});

test('a client that does not read has its broadcasts wait in Engine.IO, as with plain Socket.IO, and gets all in order, but for volatile ones', async t => {
  const text = 'x'.repeat(10_000);
  const [plain, ours] = [await withoutReading({}), await withoutReading(OPTIONS)];
  const limit = plain + getDefaultHighWaterMark(false) + 2 * text.length; // what is written at once, until the connection asks to wait
  assert.ok(ours <= limit, `${ours} bytes wait in the connection, and ${plain} with plain Socket.IO`);

  /** Returns how many bytes wait in the connection. */
  async function withoutReading(options: Partial<ServerOptions>): Promise<number> {
    const server = await startServer(t, options);
    const accepted = once(server.io.httpServer, 'connection') as Promise<[TcpSocket]>;
    const ann = await enterByWebSocket(t, server);
    const [tcp] = await accepted;
    const wire = (ann.client.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket;
    wire.pause();
    let sent = 0;
    while (writeBufferOf(ann.socket).length < 10 && tcp.writableLength < 1_000_000) {
      server.io.emit('n', sent++, text);
      await nextTurn();
    }
    const size = tcp.writableLength;
    for (let n = 0; n < 10; n++) {
      server.io.volatile.emit('n', 'volatile', text);
      ann.socket.volatile.emit('n', 'volatile', text);
      await nextTurn();
    }
    assert.equal(tcp.writableLength, size, 'volatile ones are left out');
    for (let n = 0; n < 10; n++) server.io.emit('n', sent++, text);
    await nextTurn();
    assert.equal(tcp.writableLength, size, 'the connection gets no more');
    assert.equal(writeBufferOf(ann.socket).length, 20);
    server.io.emit('last');
    wire.resume();
    await heardUntil(ann, 'last');
    assert.deepEqual(
      ann.heard.slice(0, -1).map(([, n]) => n),
      Array.from({ length: sent }, (_, n) => n),
    );
    return size;
  }
});

test('a broadcast alone makes no client count as behind: a volatile one right after it is sent', async t => {
  const server = await start(t);
  const ann = await enterByWebSocket(t, server);
  server.io.emit('n');
  server.io.volatile.emit('volatile');
  server.io.emit('last');
  assert.deepEqual(await heardUntil(ann, 'last'), [['n'], ['volatile'], ['last']]);
});

test('a client of Engine.IO 3 gets the same frames', async t => {
  const server = await start(t, { allowEIO3: true });
  const arrival = next<[Socket]>(server.io, 'connection');
  const client = await RawClient.open(t, server.url, { protocol: 3 });
  const [socket] = await arrival;
  const count = countPackets(t, socket);
  server.io.emit('n', 0);
  assert.equal(count(), 0);
  server.io.emit('n', 1, Buffer.from([0xaa]));
  server.io.emit('n', 2);
  await client.frame(/"n",2/);
  assert.deepEqual(client.frames.slice(-4), ['42["n",0]', '451-["n",1,{"_placeholder":true,"num":0}]', '04aa', '42["n",2]']);
});

test('a client that comes back gets what it has missed, and then what is broadcast to it', async t => {
  const init = { connectionStateRecovery: {} };
  const adapter = createAdapterFactory({ init, adapter: undefined }, PARTS);
  const server = await start(t, { ...init, adapter });
  const ann = await enter(t, server, '/', { transports: ['websocket'], reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 1 });
  server.io.emit('n', 0);
  await next(ann.client, 'n');
  const left = next(ann.socket, 'disconnect');
  ann.client.io.engine.close();
  await left;
  const arrival = next<[Socket]>(server.io, 'connection');
  server.io.on('connection', () => server.io.emit('n', 3));
  server.io.emit('n', 1);
  server.io.emit('n', 2);
  const [socket] = await arrival;
  assert.ok(socket.recovered);
  server.io.emit('n', 4);
  server.io.emit('last');
  await heardUntil(ann, 'last');
  const count = countPackets(t, socket);
  server.io.emit('n', 5);
  server.io.emit('end');
  assert.deepEqual(
    (await heardUntil(ann, 'end')).filter(([event]) => event === 'n').map(([, n]) => n),
    [0, 1, 2, 3, 4, 5],
  );
  assert.equal(count(), 0);
});

test('whoever listens to what goes out hears of each broadcast', async t => {
  for (const listen of [
    ({ conn }: Socket, heard: () => void) => conn.on('packetCreate', heard),
    ({ conn }: Socket, heard: () => void) => conn.on('flush', heard),
    ({ conn }: Socket, heard: () => void) => conn.on('drain', heard),
    ({ nsp }: Socket, heard: () => void) => nsp.server.engine.on('flush', heard),
    ({ nsp }: Socket, heard: () => void) => nsp.server.engine.on('drain', heard),
    (socket: Socket, heard: () => void) => socket.onAnyOutgoing(heard),
  ]) {
    const server = await start(t);
    const ann = await enterByWebSocket(t, server);
    let count = 0;
    listen(ann.socket, () => count++);
    server.io.emit('first');
    server.io.emit('last');
    await heardUntil(ann, 'last');
    assert.equal(count, 2, String(listen));
  }
});

test('a client that polls and then upgrades misses nothing, and gets all in order', async t => {
  const server = await start(t);
  const arrival = next<[Socket]>(server.io, 'connection');
  const client = newClient(t, server.url);
  const heard: unknown[] = [];
  client.on('n', (n: unknown) => heard.push(n));
  const [socket] = await arrival;
  let sent = 0;
  socket.conn.once('upgrade', () => server.io.emit('n', sent++)); // what waits then is sent right after
  while (socket.conn.transport.name !== 'websocket') {
    server.io.emit('n', sent++);
    await nextTurn();
  }
  for (let n = 0; n < 10; n++) server.io.emit('n', sent++);
  server.io.emit('last');
  await next(client, 'last');
  assert.deepEqual(
    heard,
    Array.from({ length: sent }, (_, n) => n),
  );
  const count = countPackets(t, socket);
  server.io.emit('last');
  await next(client, 'last');
  assert.equal(count(), 0);
});

test('with compression, or ws itself as the engine, clients get broadcasts the usual way', async t => {
  for (const options of [{ perMessageDeflate: { threshold: 0 } }, { wsEngine: WebSocketServer as unknown }] as Partial<ServerOptions>[]) {
    const server = await start(t, options);
    const ann = await enterByWebSocket(t, server);
    const count = countPackets(t, ann.socket);
    server.io.emit('text', 'x'.repeat(1000));
    server.io.compress(true).emit('last');
    assert.deepEqual(await heardUntil(ann, 'last'), [['text', 'x'.repeat(1000)], ['last']]);
    assert.equal(count(), 2);
  }
});

test('what is emitted right before a client is disconnected still arrives, and what comes after goes nowhere', async t => {
  const server = await start(t);
  const ann = await enterByWebSocket(t, server);
  const left = next(ann.client, 'disconnect');
  server.io.emit('goodbye');
  ann.socket.conn.close();
  server.io.emit('too late');
  await left;
  assert.deepEqual(ann.heard, [['goodbye']]);
});

test('over TLS as well', async t => {
  const { key, cert } = await newCertificate(t);
  const http = createServer({ key: await readFile(key), cert: await readFile(cert) });
  const io = new Server(http, { serveClient: false, ...OPTIONS });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(() => io.close());
  const url = `https://127.0.0.1:${(http.address() as AddressInfo).port}`; // it listens on TCP
  const arrival = next<[Socket]>(io, 'connection');
  const client = newClient(t, url, { transports: ['websocket'], rejectUnauthorized: false });
  const [socket] = await arrival;
  const count = countPackets(t, socket);
  const last = next(client, 'last');
  io.emit('last', 'x'.repeat(20_000));
  assert.deepEqual(await last, ['x'.repeat(20_000)]);
  assert.equal(count(), 0);
});

test('a connection that ends by itself while broadcasts go out ends as any other, and the others get all', async t => {
  const server = await start(t);
  const ann = await enterByWebSocket(t, server);
  const arrival = next<[Socket]>(server.io, 'connection');
  const bob = await RawClient.open(t, server.url);
  bob.send('40');
  const [socket] = await arrival;
  const left = next(socket, 'disconnect');
  bob.vanish();
  let sent = 0;
  while (socket.connected) {
    server.io.emit('n', sent++);
    await nextTurn();
  }
  assert.match(String((await left)[0]), /^transport (close|error)$/);
  server.io.emit('last');
  await heardUntil(ann, 'last');
  assert.equal(ann.heard.length, sent + 1);
});

test('where Socket.IO or Engine.IO lacks what this takes, broadcasts go the usual way', async t => {
  const server = await start(t);
  const ann = await enterByWebSocket(t, server);
  const count = countPackets(t, ann.socket);
  const { transport } = ann.socket.conn;
  const webSocket: unknown = Reflect.get(transport, 'socket');
  Reflect.set(webSocket as object, 'writeFrame', undefined); // as that of another engine
  server.io.emit('first');
  server.io.emit('last');
  assert.deepEqual(await heardUntil(ann, 'last'), [['first'], ['last']]);
  assert.equal(count(), 2);
});

test('an adapter that lacks what this takes delivers its broadcasts itself', async t => {
  class Renamed extends Adapter {
    constructor(nsp: Namespace) {
      super(nsp);
      Object.assign(this, { _encode: undefined });
    }

    override broadcast(packet: object, { rooms, except }: BroadcastOptions): void {
      assert.equal(rooms.size + (except?.size ?? 0), 0);
      for (const socket of this.nsp.sockets.values())
        socket.client.writeToEngine(adapterInternals.adapterInternals(this).encoder.encode(packet), {});
    }
  }
  const create = (nsp: Namespace): Adapter => new Renamed(nsp);
  const adapter = createAdapterFactory({ init: {}, adapter: { name: 'own', create } }, PARTS);
  const server = await start(t, { adapter });
  const ann = await enterByWebSocket(t, server);
  const count = countPackets(t, ann.socket);
  server.io.emit('first');
  server.io.emit('last');
  assert.deepEqual(await heardUntil(ann, 'last'), [['first'], ['last']]);
  assert.equal(count(), 2);
});

test('an event keeps the number of its acknowledgement, with whatever values', () => {
  const codec = new PacketCodec(new Server().of('/'));
  for (const value of [1, new Date(0)]) {
    const { frames } = codec.encodeEvent({ type: 2, nsp: '/', id: 5, data: ['n', value] });
    assert.deepEqual(frames, [`25${JSON.stringify(['n', value])}`]);
  }
});

/** Session routing between workers of one process, which have no Egg. Whole clusters are in test/session-routing.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, Socket as TcpSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Server } from 'socket.io';
import WebSocket from 'ws';
import { debugLines } from '../support/debug-log';
import { Logs } from '../support/logs';
import { RunFolder, SessionRouting } from '../support/parts';
import { openPolling } from '../support/raw';
import { watchForCrashes } from '../support/remains';
import { until } from '../support/until';

interface Worker {
  readonly url: string;
  readonly port: number;
  readonly io: Server;
  readonly routing: InstanceType<typeof SessionRouting>;
  readonly logs: Logs;
}

const LIMIT = { timeout: 60_000 };

async function newFolder(t: TestContext): Promise<RunFolder> {
  watchForCrashes(t);
  const rundir = await mkdtemp(join(tmpdir(), 'run-'));
  t.after(() => rm(rundir, { recursive: true, force: true, maxRetries: 5 }));
  return RunFolder.open(rundir, '1-1');
}

async function startWorker(t: TestContext, id: string, folder: RunFolder): Promise<Worker> {
  const logs = new Logs();
  const server = createServer();
  const io = new Server(server);
  const routing = new SessionRouting(id, folder, logs);
  await routing.listen();
  routing.attach(io.engine);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(async () => {
    routing.close();
    await io.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { url: `http://127.0.0.1:${port}`, port, io, routing, logs };
}

/** The worker that a new session begins at. */
async function begin({ url }: Worker): Promise<string> {
  return ownerIn(await openPolling(url));
}

function ownerIn(polling: string): string {
  return new URL(polling).searchParams.get('sid')?.split('.')[0] ?? '';
}

test('a worker that hangs is asked to begin a session once in ten seconds, and gets its share when it answers', LIMIT, async t => {
  const folder = await newFolder(t);
  const front = await startWorker(t, '1', folder);
  const asking = new Set<TcpSocket>();
  const asked: string[] = [];
  const hanging = createNetServer(socket => {
    asking.add(socket);
    socket.on('error', () => {});
    socket.on('data', bytes => asked.push(...(bytes.toString().match(/transport=polling/g) ?? [])));
  }).listen(folder.workerSocket('2'));
  await once(hanging, 'listening');
  t.after(() => hanging.close());
  while (asked.length === 0) assert.equal(await begin(front), '1'); // the last of these waits until its time is over
  for (let n = 0; n < 10; n++) assert.equal(await begin(front), '1');
  assert.equal(asked.length, 1);

  const now = performance.now.bind(performance);
  let passed = 10_000;
  t.mock.method(performance, 'now', () => now() + passed);
  for (let n = 0; n < 3; n++) assert.equal(await begin(front), '1');
  assert.equal(asked.length, 2);

  hanging.close();
  const closed = [...asking].map(async socket => once(socket.end(), 'close')); // when the other worker has noticed it
  await Promise.all(closed);
  await startWorker(t, '2', folder);
  passed = 20_000;
  const owners: string[] = [];
  for (let n = 0; n < 3; n++) owners.push(await begin(front));

  assert.deepEqual(owners, ['2', '2', '2']); // it holds fewer
});

test('sessions that begin at the same moment spread over the workers that hold fewest', LIMIT, async t => {
  const folder = await newFolder(t);
  const front = await startWorker(t, '1', folder);
  const lines = debugLines(t, 'egg-socket.io:routing');
  for (let n = 0; n < 30; n++) assert.equal(await begin(front), '1');
  for (const id of ['2', '3']) await startWorker(t, id, folder);
  const held = new Map<string, number>();
  const count = (owner: string): void => void held.set(owner, (held.get(owner) ?? 0) + 1);
  while (held.size === 0) {
    const owner = await begin(front); // until it has found the others
    if (owner !== '1') count(owner);
  }
  // all of them in one piece, so that none has been answered when the last is read
  const socket = connect(front.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write('GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(12));
  let text = '';
  for await (const part of socket) {
    text += String(part);
    if ([...text.matchAll(/"sid":/g)].length === 12) break;
  }
  for (const [, owner = ''] of text.matchAll(/"sid":"(\d+)\./g)) count(owner);
  assert.deepEqual([...held.keys()].sort(), ['2', '3']);
  assert.ok(Math.abs((held.get('2') ?? 0) - (held.get('3') ?? 0)) <= 1, JSON.stringify([...held]));
  const given = lines.filter(line => /^routing worker 1, with \d+ sessions, gives a new one to worker [23], with \d+$/.test(line));
  assert.equal(given.length, 13);
});

test('over the one connection between two workers, each request shows the address of its own client', LIMIT, async t => {
  const folder = await newFolder(t);
  const [front, owner] = [await startWorker(t, '1', folder), await startWorker(t, '2', folder)];
  const shown: string[] = [];
  const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.1'];
  owner.io.engine.on('headers', (_headers: unknown, { socket }: IncomingMessage) => {
    shown.push(`${socket.remoteAddress} ${socket.remotePort}`);
  });
  const { searchParams } = new URL(await openPolling(owner.url));
  shown.length = 0;
  const expected: string[] = [];
  for (const localAddress of addresses) {
    const path = `/socket.io/?EIO=4&transport=polling&sid=${searchParams.get('sid')}`;
    const outgoing = request({ port: front.port, method: 'POST', path, localAddress, agent: false });
    outgoing.end('6'); // a packet that asks for nothing
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    expected.push(`${localAddress} ${answer.socket.localPort}`);
    assert.equal(answer.statusCode, 200);
    await once(answer.resume(), 'end');
  }
  assert.deepEqual(shown, expected);
});

test('of WebSockets that were piped nothing stays, whichever side has closed them', LIMIT, async t => {
  const folder = await newFolder(t);
  const [front, owner] = [await startWorker(t, '1', folder), await startWorker(t, '2', folder)];
  for (let n = 0; n < 20; n++) {
    const polling = await openPolling(owner.url);
    const sid = new URL(polling).searchParams.get('sid') ?? '';
    const client = new WebSocket(`ws://127.0.0.1:${front.port}/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
    await once(client, 'open');
    client.send('2probe');
    await once(client, 'message');
    const connection = (Reflect.get(owner.io.engine, 'clients') as Record<string, { close(): void } & NodeJS.EventEmitter>)[sid]; // protected
    assert.ok(connection);
    const upgraded = once(connection, 'upgrade');
    client.send('5');
    await upgraded;
    const closed = [once(client, 'close'), once(connection, 'close')];
    if (n % 2 === 0) client.close();
    else connection.close();
    await Promise.all(closed);
  }
  owner.routing.close();
  await front.routing.untilAlone(60_000); // waits for every WebSocket that is still piped
});

test('of a client that goes while its owner is being reached nothing stays', LIMIT, async t => {
  const folder = await newFolder(t);
  const { routing } = await startWorker(t, '1', folder);
  const path = folder.workerSocket('2');
  const owner = createNetServer().listen(path);
  await once(owner, 'listening');
  t.after(() => owner.close());
  const client = new TcpSocket();
  const upgrade = Object.assign(new IncomingMessage(client), { url: '/socket.io/?sid=2.x' });
  routing.webSockets.send(path, {
    request: upgrade,
    client,
    head: Buffer.alloc(0),
    headers: [],
    heartbeat: 1000,
    failed: error => assert.fail(error),
  });
  client.destroy();
  const [reached] = (await once(owner, 'connection')) as [TcpSocket];
  await once(reached.resume(), 'close');
  assert.equal(routing.webSockets.count, 0);
  assert.deepEqual(routing.webSockets.takeUnmoved(1), []);
});

test('a worker that stops has the clients of sessions moved, whatever others ask for', LIMIT, async t => {
  const folder = await newFolder(t);
  const [front, owner] = [await startWorker(t, '1', folder), await startWorker(t, '2', folder)];
  const moved: unknown[] = [];
  owner.routing.onMove(connection => moved.push(Reflect.get(connection, 'id'))); // private
  const upgrades: string[] = [];
  owner.io.engine.use(({ url = '' }: IncomingMessage, _response: unknown, next: () => void) => {
    if (/[?&]transport=websocket/.test(url)) upgrades.push(url);
    else next();
  });
  const sid = new URL(await openPolling(owner.url)).searchParams.get('sid') ?? '';
  for (const asked of ['sid=constructor&sid=2.x', 'sid=__proto__&sid=2.x', `sid=${sid}`]) {
    const client = new WebSocket(`ws://127.0.0.1:${front.port}/socket.io/?EIO=4&transport=websocket&${asked}`);
    client.on('error', () => {}); // the worker closes before it is answered
    t.after(() => client.terminate());
    await until(t, () => upgrades.some(url => url.endsWith(asked)));
  }
  front.routing.movePiped();
  await until(t, () => moved.includes(sid));
  assert.deepEqual(moved, [sid]);
});

/** Requests that one worker pipes to another: whatever the answer looks like, the client gets it as if it had asked there. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer, type IncomingMessage, request as send, type RequestListener, type RequestOptions } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { RequestPipes } from '../support/parts';
import { watchForCrashes } from '../support/remains';

interface Front {
  /** Asks it, and reads the answer. Rejects if that breaks off. */
  ask(options?: RequestOptions, body?: Buffer): Promise<{ answer: IncomingMessage; body: Buffer }>;
  readonly port: number;
  readonly failures: readonly Error[];
}

/** A server that pipes all that comes to the one that listens to the path. */
async function startFront(t: TestContext, path: string, patience?: number): Promise<Front> {
  watchForCrashes(t);
  const pipes = new RequestPipes();
  const failures: Error[] = [];
  const server = createServer((request, response) => {
    pipes.send(path, {
      request,
      headers: request.rawHeaders.filter((_, index, all) => all[index - (index % 2)]?.toLowerCase() !== 'connection'),
      response,
      patience,
      answered: (status, message, headers) => response.writeHead(status, message, endToEnd(headers)),
      failed: error => {
        failures.push(error);
        response.writeHead(503).end();
      },
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const agent = new Agent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
    pipes.close();
    server.close();
    server.closeAllConnections();
  });
  const ask: Front['ask'] = async (options, body) =>
    new Promise((resolve, reject) => {
      const request = send({ port, agent, ...options }, answer => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.once('end', () => resolve({ answer, body: Buffer.concat(parts) }));
        answer.once('error', reject);
      });
      request.once('error', reject);
      request.end(body);
    });
  return { ask, port, failures };
}

function endToEnd(headers: readonly string[]): string[] {
  return headers.filter((_, index) => !/^(connection|keep-alive|transfer-encoding)$/i.test(headers[index - (index % 2)] ?? ''));
}

async function listen(t: TestContext, server: Server): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pipe-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'owner.sock');
  server.listen({ path });
  await once(server, 'listening');
  t.after(() => server.close());
  return path;
}

/** The other worker, and how many connections it has accepted. */
async function startOwner(t: TestContext, listener: RequestListener): Promise<{ path: string; count(): number; sockets: Set<Socket> }> {
  const server = createServer({ keepAliveTimeout: 0 }, listener);
  let connections = 0;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  t.after(() => server.closeAllConnections());
  return { path: await listen(t, server), count: () => connections, sockets };
}

/** One that answers each request with these bytes, one by one. */
async function startDribbler(t: TestContext, answer: string, ends = false): Promise<string> {
  const server = createNetServer(socket => {
    socket.on('error', () => {});
    socket.on('data', () => {
      for (const byte of Buffer.from(answer, 'latin1')) socket.write(Buffer.of(byte));
      if (ends) socket.end();
    });
    socket.setNoDelay();
  });
  return listen(t, server);
}

test('answers of every shape arrive as they are, over one connection', async t => {
  const owner = await startOwner(t, (request, response) => {
    switch (request.url ?? '') {
      case '/length':
        response.setHeader('X-A', 'é').end(Buffer.from('known'));
        break;
      case '/chunks':
        response.write('one,');
        response.write('two,');
        setImmediate(() => response.end('three'));
        break;
      case '/hints':
        response.writeProcessing();
        response.writeEarlyHints({ link: '</style.css>; rel=preload' });
        response.end('after hints');
        break;
      case '/none':
        response.writeHead(204).end();
        break;
      case '/same':
        response.writeHead(304, 'Just the Same', { 'Content-Length': 5 }).end();
        break;
      default:
        response.writeHead(200, { 'Content-Length': 0 }).end();
    }
  });
  const { ask, failures } = await startFront(t, owner.path);
  for (const [url, status, text] of [
    ['/length', 200, 'known'],
    ['/chunks', 200, 'one,two,three'],
    ['/hints', 200, 'after hints'],
    ['/none', 204, ''],
    ['/same', 304, ''],
    ['/empty', 200, ''],
    ['/length', 200, 'known'],
  ] as const) {
    const { answer, body } = await ask({ path: url });
    assert.deepEqual([url, answer.statusCode, body.toString()], [url, status, text]);
    if (url === '/length') assert.equal(answer.headers['x-a'], 'é');
    if (url === '/same') assert.equal(answer.statusMessage, 'Just the Same');
  }
  for (const path of ['/length', '/chunks', '/same']) assert.equal((await ask({ method: 'HEAD', path })).body.length, 0);
  assert.equal((await ask({ path: '/length' })).body.toString(), 'known');
  assert.equal(owner.count(), 1);
  assert.deepEqual(failures, []);
});

for (const [what, answer, ends] of [
  ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', false],
  ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n', false],
  [
    'in chunks, one of them long, and a trailer',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nx: y\r\n\r\n',
    false,
  ],
  ['after another head', 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', false],
  ['until the connection ends', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello', true],
] as const) {
  test(`an answer ${what} may come byte by byte`, async t => {
    const { ask, failures } = await startFront(t, await startDribbler(t, answer, ends));
    for (let n = 0; n < 3; n++) {
      const { answer, body } = await ask();
      assert.deepEqual([answer.statusCode, body.toString()], [200, 'hello']);
    }
    assert.deepEqual(failures, []);
  });
}

test('bodies of every length arrive whole, both ways, however slowly they are read', async t => {
  const owner = await startOwner(t, (request, response) => {
    response.writeHead(200);
    request.pipe(response);
  });
  const { ask, port } = await startFront(t, owner.path);
  for (const length of [1, 1000, 100_000, 5_000_000]) {
    const sent = randomBytes(length);
    for (const headers of [{ 'Content-Length': length }, { 'Transfer-Encoding': 'chunked' }]) {
      const { body } = await ask({ method: 'POST', headers }, sent);
      assert.ok(body.equals(sent), `${length} B with ${Object.keys(headers)[0]}`);
    }
  }

  const sent = randomBytes(20_000_000);
  const request = send({ port, method: 'POST' });
  t.after(() => request.destroy());
  request.end(sent);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const hash = createHash('sha256');
  for await (const part of answer) {
    hash.update(part as Buffer);
    await new Promise(resolve => setImmediate(resolve));
  }
  assert.equal(hash.digest('hex'), createHash('sha256').update(sent).digest('hex'));
});

test('an answer that comes before the request has been sent ends it, and so does the connection', async t => {
  const owner = await startOwner(t, (_request, response) => response.writeHead(413).end('too much'));
  const { ask, failures } = await startFront(t, owner.path);
  for (let n = 0; n < 3; n++) {
    const { answer, body } = await ask({ method: 'POST' }, Buffer.alloc(2_000_000));
    assert.deepEqual([answer.statusCode, body.toString()], [413, 'too much']);
  }
  assert.deepEqual(failures, []);
});

test('a worker that ends its connections after an answer is asked over new ones', async t => {
  const owner = await startOwner(t, (_request, response) => response.writeHead(200, { Connection: 'close' }).end('bye'));
  const { ask, failures } = await startFront(t, owner.path);
  for (let n = 0; n < 20; n++) assert.equal((await ask()).body.toString(), 'bye');
  assert.equal(owner.count(), 20);
  assert.deepEqual(failures, []);
});

test('an answer that breaks off breaks off for the client; one that has not begun has failed', async t => {
  const owner = await startOwner(t, (request, response) => {
    if (request.url === '/begun') response.writeHead(200, { 'Content-Length': 10 }).write('half');
    setImmediate(() => request.socket.destroy());
  });
  const { ask, failures } = await startFront(t, owner.path);
  await assert.rejects(ask({ path: '/begun' }), { code: 'ECONNRESET' });
  assert.equal(failures.length, 0);
  assert.equal((await ask({ path: '/' })).answer.statusCode, 503);
  assert.equal((failures[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  const nowhere = await startFront(t, `${owner.path}.not`);
  assert.equal((await nowhere.ask()).answer.statusCode, 503);
  assert.equal((nowhere.failures[0] as NodeJS.ErrnoException).code, 'ENOENT');
});

test('with a patience, a request has a connection of its own, and fails when no answer begins in that time', async t => {
  const owner = await startOwner(t, (request, response) => {
    if (request.url !== '/never') response.end('here');
  });
  const { ask, failures } = await startFront(t, owner.path, 200);
  assert.equal((await ask()).body.toString(), 'here');
  assert.equal((await ask()).body.toString(), 'here');
  assert.equal(owner.count(), 2);
  assert.equal((await ask({ path: '/never' })).answer.statusCode, 503);
  assert.match(failures[0]?.message ?? '', /no answer in 200 ms/);
  while (owner.sockets.size > 0) await once([...owner.sockets][0] as Socket, 'close');
});

test('a request that the client gives up is given up there, too, and has not failed', async t => {
  const requests = new EventEmitter();
  const owner = await startOwner(t, request => requests.emit('request', request));
  const { port, failures } = await startFront(t, owner.path);
  const arrived = once(requests, 'request') as Promise<[IncomingMessage]>;
  const request = send({ port }).on('error', () => {});
  request.end();
  const [there] = await arrived;
  request.destroy();
  await once(there.socket, 'close');
  assert.deepEqual(failures, []);
  assert.equal(owner.sockets.size, 0);
});

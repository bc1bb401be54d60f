/** Requests that one worker passes to another: whatever the answer looks like, the client gets it as if it had asked there. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as send,
  type RequestListener,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { acceptLink, AnswerReader, decodeHead, encodeHead, headersOf, RequestLinks } from '../support/parts';
import { watchForCrashes } from '../support/remains';
import { until } from '../support/until';

interface Front {
  /** Asks it, and reads the answer. Rejects if that breaks off. */
  ask(options?: RequestOptions, body?: Buffer): Promise<{ answer: IncomingMessage; body: Buffer }>;
  readonly port: number;
  readonly failures: readonly Error[];
  readonly links: InstanceType<typeof RequestLinks>;
  /** How much of the latest answer waits for its client, in bytes. */
  backlog(): number;
}

/** A server that passes on all that comes to the one that listens to the path. */
async function startFront(t: TestContext, path: string, timeout?: number): Promise<Front> {
  watchForCrashes(t);
  const links = new RequestLinks('secret');
  const failures: Error[] = [];
  let waiting: () => number = () => 0;
  const server = createServer((request, response) => {
    waiting = () => response.writableLength;
    links.send(path, {
      request,
      response,
      timeout,
      answered: (status, message, headers) =>
        response.writeHead(status, message, without(/^(connection|keep-alive|transfer-encoding)$/i, headers)),
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
    links.close();
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
  return { ask, port, failures, links, backlog: () => waiting() };
}

function without(names: RegExp, headers: readonly string[]): string[] {
  return headers.filter((_, index) => !names.test(headers[index - (index % 2)] ?? ''));
}

async function listen(t: TestContext, server: Server): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'link-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const path = join(folder, 'owner.sock');
  server.listen({ path });
  await once(server, 'listening');
  t.after(() => server.close());
  return path;
}

/** The other worker, how many connections it has accepted, and the requests that are open there. */
async function startOwner(
  t: TestContext,
  listener: RequestListener,
  answer: (session: string) => void = () => {},
): Promise<{ path: string; count(): number; links: Set<Duplex>; requests: Set<IncomingMessage> }> {
  const server = createServer();
  let connections = 0;
  const links = new Set<Duplex>();
  const requests = new Set<IncomingMessage>();
  server.on('connection', () => connections++);
  server.on('upgrade', (_request, link: Duplex, head: Buffer) => {
    links.add(link);
    const handle: RequestListener = (request, response) => {
      requests.add(request);
      request.once('close', () => requests.delete(request));
      listener(request, response);
    };
    acceptLink(link, head, { handle, move: () => {}, answer });
  });
  t.after(() => {
    for (const link of links) link.destroy();
  });
  return { path: await listen(t, server), count: () => connections, links, requests };
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

for (const [what, answer] of [
  ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n'],
  [
    'in chunks, one of them long, and a trailer',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nx: y\r\n\r\n',
  ],
  ['after another head', 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['without a length', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello'],
] as const) {
  test(`an answer ${what} may come byte by byte`, () => {
    const [parts, events]: [string[], string[]] = [[], []];
    const reader = new AnswerReader('GET', {
      onHead: status => void events.push(`head ${status}`),
      onBody: part => void parts.push(part.toString()),
      onEnd: (last = Buffer.alloc(0)) => {
        parts.push(last.toString());
        events.push('end');
      },
      onInvalid: () => void events.push('invalid'),
    });
    for (const byte of Buffer.from(answer, 'latin1')) reader.read(Buffer.of(byte));
    const isOpenEnded = what === 'without a length';
    assert.equal(reader.isOpenEnded, isOpenEnded);
    assert.deepEqual([parts.join(''), events], ['hello', isOpenEnded ? ['head 200'] : ['head 200', 'end']]);
  });
}

test('bodies of every length arrive whole, both ways', async t => {
  const owner = await startOwner(t, (request, response) => {
    response.writeHead(200);
    request.pipe(response);
  });
  const { ask } = await startFront(t, owner.path);
  for (const length of [1, 1000, 100_000, 5_000_000]) {
    const sent = randomBytes(length);
    for (const headers of [{ 'Content-Length': length }, { 'Transfer-Encoding': 'chunked' }]) {
      const { body } = await ask({ method: 'POST', headers }, sent);
      assert.ok(body.equals(sent), `${length} B with ${Object.keys(headers)[0]}`);
    }
  }
});

test('a long body arrives whole where its parts are taken as they come, as Engine.IO does', async t => {
  const owner = await startOwner(t, (request, response) => {
    let length = 0;
    request.setEncoding('utf8').on('data', (part: string) => (length += part.length));
    request.once('end', () => response.end(String(length)));
  });
  const { port } = await startFront(t, owner.path);
  const request = send({ port, method: 'POST' });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  for (let part = 0; part < 50; part++) {
    request.write('x'.repeat(20_000));
    await nextTurn(); // so that it comes alone
  }
  request.end();
  const [answer] = await answered;
  const [text] = (await once(answer, 'data')) as [Buffer];
  assert.equal(text.toString(), '1000000');
});

test('of an answer that the client does not read no more is taken than it has room for, and of a request no more than the owner reads', async t => {
  const size = 60_000_000;
  let received = 0;
  const owner = await startOwner(t, (request, response) => {
    if (request.method === 'GET') response.end(Buffer.alloc(size));
    else {
      void (async () => {
        for await (const part of request) {
          received += (part as Buffer).length;
          await nextTurn();
        }
        response.end('read');
      })();
    }
  });
  const { port, backlog } = await startFront(t, owner.path);
  const [answer] = (await once(send({ port }).end(), 'response')) as [IncomingMessage];
  let [read, most] = [0, 0];
  for await (const part of answer) {
    read += (part as Buffer).length;
    most = Math.max(most, backlog());
    await nextTurn();
  }
  assert.equal(read, size);
  assert.ok(most < 1_000_000, `${most} B wait for the client`);

  const request = send({ port, method: 'POST' });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  let ahead = 0;
  for (let sent = 0; sent < size;) {
    const part = Buffer.alloc(100_000);
    sent += part.length;
    if (!request.write(part)) await once(request, 'drain');
    ahead = Math.max(ahead, sent - received);
  }
  request.end();
  const [{ statusCode }] = await answered;
  assert.equal(statusCode, 200);
  assert.equal(received, size);
  assert.ok(ahead < size / 3, `${ahead} B are on their way`); // in buffers of the system, for the most part
});

test('an answer may come before the request has been sent: what is left of it goes nowhere, and neither does another request', async t => {
  const owner = await startOwner(t, (_request, response) => response.writeHead(413).end('too much'));
  const { port, failures } = await startFront(t, owner.path);
  for (let n = 0; n < 3; n++) {
    const request = send({ port, method: 'POST' });
    request.write('begun');
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal(answer.statusCode, 413);
    answer.resume();
    request.end('ended');
    await once(answer, 'end');
  }
  assert.equal(owner.count(), 1);
  assert.equal(owner.requests.size, 0);
  assert.deepEqual(failures, []);
});

test('a request with a body that it does not have, or that it describes in two ways, harms nobody who comes after it', async t => {
  const bodies: string[] = [];
  const owner = await startOwner(t, (request, response) => {
    if (request.method === 'GET') response.end('served');
    else {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString()));
      request.on('end', () => {
        bodies.push(body);
        response.end();
      });
    }
  });
  const { ask, port, failures } = await startFront(t, owner.path);
  const many = 'a:\r\n'.repeat(1000); // Node shows a request's first headers only, of those that count
  for (const [head, sent] of [
    [`GET / HTTP/1.1\r\nHost: a\r\n${many}Content-Length: 900\r\n\r\n`, ''],
    [`GET / HTTP/1.1\r\nHost: a\r\n${many}Transfer-Encoding: chunked\r\n\r\n`, ''],
    ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\n', 'hello'], // an error from Node 22 on
    ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\n', 'hello'],
  ] as const) {
    const client = connect(port, '127.0.0.1');
    client.on('error', () => {});
    client.write(head + sent);
    await once(client, 'data');
    for (let n = 0; n < 3; n++) assert.equal((await ask()).body.toString(), 'served');
    client.destroy();
  }
  assert.ok(bodies.length > 0);
  for (const body of bodies) assert.equal(body, 'hello');
  assert.deepEqual(failures, []);
});

for (const [header, sent] of [
  ['Content-Length: 5', 'hello'],
  ['Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n'],
  ['Content-Length: 0', ''],
] as const) {
  test(`a body arrives as it is where ${header} stands behind more headers than Node shows`, async t => {
    const owner = await startOwner(t, (request, response) => void request.pipe(response));
    const { ask, port, failures } = await startFront(t, owner.path);
    for (let n = 0; n < 3; n++) {
      const client = connect(port, '127.0.0.1');
      client.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${'a:\r\n'.repeat(2000)}${header}\r\n\r\n${sent}`);
      let answer = '';
      for await (const part of client) answer += String(part);
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
      assert.equal(answer.includes('hello'), sent !== '');
      assert.equal((await ask({ method: 'POST' }, Buffer.from('and more'))).body.toString(), 'and more');
    }
    assert.equal(owner.count(), 1);
    assert.deepEqual(failures, []);
  });
}

test('requests that a client sends one behind the other are all given up when it goes', async t => {
  const owner = await startOwner(t, () => {});
  const { port, failures } = await startFront(t, owner.path);
  const client = connect(port, '127.0.0.1');
  for (let n = 0; n < 20; n++) client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(t, () => owner.requests.size >= 20);
  client.destroy();
  await until(t, () => owner.requests.size === 0);
  assert.deepEqual(failures, []);
});

test('when polls are to end, the owner is asked once for the answer to each of them, also to one that comes later', async t => {
  const waiting = new Map<string, ServerResponse>();
  const asked: string[] = [];
  const owner = await startOwner(
    t,
    (request, response) => void waiting.set(request.url ?? '', response),
    session => asked.push(session),
  );
  const { ask, links } = await startFront(t, owner.path);
  const poll = async (session: string): ReturnType<typeof ask> => {
    const answered = ask({ path: `/?sid=${session}` });
    await until(t, () => waiting.has(`/?sid=${session}`));
    return answered;
  };
  const polls = [poll('1.a'), poll('1.b')];
  await until(t, () => waiting.size === 2);
  links.endPolls();
  await until(t, () => asked.length === 2);
  for (const session of ['1.c', '1.d']) {
    polls.push(poll(session));
    await until(t, () => asked.includes(session));
  }
  for (const response of waiting.values()) response.end();
  for (const { answer } of await Promise.all(polls)) assert.equal(answer.headers.connection, 'close');
  assert.deepEqual(asked.toSorted(), ['1.a', '1.b', '1.c', '1.d']);
});

test('an answer without a length is complete when the owner has ended it, and breaks off otherwise', async t => {
  let isBroken = false;
  const owner = await startOwner(t, (request, response) => {
    response.removeHeader('Transfer-Encoding'); // then Node sends neither a length nor chunks
    response.write('half');
    if (isBroken) setImmediate(() => request.socket.destroy());
    else setImmediate(() => response.end(' and half'));
  });
  const { ask, failures } = await startFront(t, owner.path);
  assert.equal((await ask()).body.toString(), 'half and half');
  isBroken = true;
  await assert.rejects(ask(), { code: 'ECONNRESET' });
  assert.deepEqual(failures, []);
});

test('when the connection between the workers fails, all requests on it fail, and the next one has a new connection', async t => {
  let answers = false;
  const owner = await startOwner(t, (_request, response) => {
    if (answers) response.end('here');
  });
  const { ask, failures } = await startFront(t, owner.path);
  const asked = Promise.all([ask(), ask(), ask()]);
  await until(t, () => owner.requests.size === 3);
  for (const link of owner.links) link.destroy();
  for (const { answer } of await asked) assert.equal(answer.statusCode, 503);
  assert.deepEqual(
    failures.map(error => (error as NodeJS.ErrnoException).code),
    ['ECONNRESET', 'ECONNRESET', 'ECONNRESET'],
  );
  await until(t, () => owner.requests.size === 0);
  answers = true;
  assert.equal((await ask()).body.toString(), 'here');
  assert.equal(owner.count(), 2);
});

test('while a client reads a large answer, its owner sees how much has left', async t => {
  const seen = new Set<number | undefined>();
  let owned: ServerResponse | undefined;
  const owner = await startOwner(t, (_request, response) => void (owned = response).end(Buffer.alloc(20_000_000)));
  const { port } = await startFront(t, owner.path);
  const [answer] = (await once(send({ port }).end(), 'response')) as [IncomingMessage];
  for await (const _part of answer) seen.add(owned?.socket?.bytesWritten);
  assert.ok(seen.size > 10, `${seen.size} times`);
});

test('a client that does not read holds up no other', async t => {
  const owner = await startOwner(
    t,
    (request, response) => void response.end(request.url === '/much' ? Buffer.alloc(50_000_000) : 'little'),
  );
  const { ask, port, backlog } = await startFront(t, owner.path);
  const slow = connect(port, '127.0.0.1');
  t.after(() => slow.destroy());
  slow.pause();
  slow.write('GET /much HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(t, () => backlog() > 0);
  for (let n = 0; n < 100; n++) assert.equal((await ask()).body.toString(), 'little');
});

test('the owner sees the headers as Node shows them, whatever a client repeats', async t => {
  let shown: IncomingMessage | undefined;
  const server = createServer((request, response) => {
    shown = request;
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const repeated = [
    'Cookie: a=1',
    'Cookie: b=2',
    'X-A: 1',
    'x-a: 2',
    'User-Agent: one',
    'User-Agent: two',
    'Set-Cookie: c',
    'Set-Cookie: d',
  ];
  client.write(
    ['GET /?a HTTP/1.1', 'Host: a', 'X-Empty:', '__proto__: x', ...repeated, 'Connection: close', '', ''].join('\r\n'),
    'latin1',
  );
  await once(client.resume(), 'end');
  assert.ok(shown);
  assert.deepEqual({ ...headersOf(shown.rawHeaders) }, { ...shown.headers });
  const decoded = decodeHead(Buffer.from(encodeHead(shown, { address: '::1', port: 7, isSecure: true }, false), 'latin1'));
  const { rawHeaders, url, method } = shown;
  assert.deepEqual(decoded, { method, url, hasBody: false, rawHeaders, address: '::1', port: 7, isSecure: true });
});

test('an answer in many small pieces to a client that does not read leaves one listener, not one for each piece', async t => {
  const owner = await startOwner(t, (_request, response) => {
    const goOn = (): void => {
      while (response.write('x'.repeat(100)));
      response.once('drain', goOn);
    };
    goOn();
  });
  const { port, backlog } = await startFront(t, owner.path);
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  let before = -1;
  for (let turns = 0; turns < 100; turns++) {
    if (backlog() === 0 || backlog() !== before) turns = 0; // until nothing is taken any more
    before = backlog();
    await nextTurn();
  }
  assert.deepEqual(warnings, []);
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

test('with a timeout, a request fails when no answer begins in that time, and is given up', async t => {
  const owner = await startOwner(t, (request, response) => {
    if (request.url !== '/never') response.end('here');
  });
  const { ask, failures } = await startFront(t, owner.path, 200);
  assert.equal((await ask()).body.toString(), 'here');
  assert.equal((await ask({ path: '/never' })).answer.statusCode, 503);
  assert.match(failures[0]?.message ?? '', /no answer in 200 ms/);
  await until(t, () => owner.requests.size === 0);
});

test('a request that the client gives up is given up there, too, and has not failed', async t => {
  const requests = new EventEmitter();
  const owner = await startOwner(t, request => requests.emit('request', request));
  const { port, failures } = await startFront(t, owner.path);
  const arrived = once(requests, 'request') as Promise<[IncomingMessage]>;
  const request = send({ port }).on('error', () => {});
  request.end();
  const [there] = await arrived;
  const closed = [there, there.socket].map(one => new Promise<void>(resolve => one.once('close', resolve)));
  request.destroy();
  await Promise.all(closed);
  assert.deepEqual(failures, []);
});

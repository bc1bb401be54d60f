/** Whether a worker takes one more client. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RunningApp, startApp } from './support/app';
import { newClient, next } from './support/client';
import { shareCluster } from './support/cluster';
import { RawClient } from './support/raw';
import { internals, watchForCrashes } from './support/remains';
import { stopTime } from './support/stop-time';
import { until } from './support/until';

const ROUTER = `module.exports = app => {
  app.io.route('worker', () => process.pid);
  app.router.get('/held', ctx => { ctx.body = String(app.io.engine.clientsCount); });
};`;

async function start(t: TestContext, limits: string): Promise<RunningApp & { counts: Record<string, number> }> {
  watchForCrashes(t);
  const running = await startApp(t, { 'app/router.js': ROUTER, 'config/config.default.js': `exports.io = { limits: ${limits} };` });
  return { ...running, counts: internals(running.io).runtime.limits.counts };
}

interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

/** The answer to the first request of a client that polls. */
async function handshake(url: string, protocol = 4, agent?: Agent): Promise<Answer> {
  const sent = request(`${url}/socket.io/?transport=polling&EIO=${protocol}`, { agent: agent ?? false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & { statusCode: number; headers: Record<string, string> }];
  let body = '';
  for await (const part of response) body += part.toString();
  return { status: response.statusCode, retryAfter: response.headers['retry-after'], body };
}

test('a worker has as many connections as it may have, and one that goes makes room', async t => {
  const { url, io, counts, logs, logged } = await start(t, '{ connections: 3 }');
  const errors: unknown[] = [];
  io.engine.on('connection_error', (error: { code: number; message: string }) => errors.push([error.code, error.message]));
  const first = await RawClient.open(t, url);
  await RawClient.open(t, url, { protocol: 3 });
  assert.equal((await handshake(url)).status, 200);
  for (const protocol of [3, 4]) {
    const { status, retryAfter, body } = await handshake(url, protocol);
    assert.equal(status, 503);
    assert.match(retryAfter ?? '', /^([1-9]|10)$/);
    assert.deepEqual(JSON.parse(body), { code: 'TOO_MANY_CONNECTIONS', message: 'Service unavailable, come again' });
  }
  assert.deepEqual(errors, [
    [4, 'TOO_MANY_CONNECTIONS'],
    [4, 'TOO_MANY_CONNECTIONS'],
  ]);
  await assert.rejects(RawClient.open(t, url), /closed/);
  assert.equal(counts['connections'], 3);
  assert.equal(io.engine.clientsCount, 3);
  first.vanish();
  await until(t, () => io.engine.clientsCount === 2);
  await RawClient.open(t, url);
  await logged(/WARN.*IO_LIMIT_REACHED: this worker has as many connections as it may have \(config\.io\.limits\.connections\)/);
  assert.equal(logs.filter(line => /IO_LIMIT_REACHED/.test(line)).length, 1);
});

test('clients that come faster than they may are told to come again, and do so', async t => {
  const { url, counts } = await start(t, '{ handshakes: 4 }');
  const pass = stopTime(t);
  const clients = [2, 3, 4, 4, 4, 4, 4].map((version, i) =>
    newClient(
      t,
      url,
      { reconnection: true, reconnectionDelay: 100, transports: [i % 2 === 0 ? 'polling' : 'websocket'] },
      version as 2 | 3 | 4,
    ),
  );
  const connected = Promise.all(clients.map(async client => next(client, 'connect')));
  await until(t, () => clients.filter(({ connected }) => connected).length === 4 && (counts['handshakes'] ?? 0) >= 3);
  pass(1000);
  await connected;
  for (const client of clients) assert.ok(client.connected);
  const refused: Answer[] = [];
  while (refused.length < 30) {
    const answer = await handshake(url);
    if (answer.status !== 200) refused.push(answer);
  }
  for (const { status, retryAfter, body } of refused) {
    assert.equal(status, 503);
    assert.match(retryAfter ?? '', /^([1-9]|10)$/);
    assert.equal((JSON.parse(body) as { code: string }).code, 'TOO_MANY_HANDSHAKES');
  }
  assert.ok(new Set(refused.map(({ retryAfter }) => retryAfter)).size > 1, 'not all are to come again at the same time');
});

test('a page of another site can read that it is to come again', async t => {
  watchForCrashes(t);
  const config = `exports.io = { init: { cors: { origin: 'https://a.example' } }, limits: { connections: 1 } };`;
  const { url } = await startApp(t, { 'config/config.default.js': config });
  await RawClient.open(t, url);
  const response = await fetch(`${url}/socket.io/?transport=polling&EIO=4`, { headers: { origin: 'https://a.example' } });
  await response.body?.cancel();
  assert.deepEqual([response.status, response.headers.get('access-control-allow-origin')], [503, 'https://a.example']);
});

test('what is refused anyway takes no place of those that may come', async t => {
  const { url, counts } = await start(t, '{ handshakes: 3 }');
  for (let i = 0; i < 5; i++)
    for (const [query, origin] of [
      ['transport=smoke&EIO=4'],
      ['transport=websocket&EIO=4'],
      ['transport=polling&EIO=4', 'https://other.example'],
    ] as const) {
      const response = await fetch(`${url}/socket.io/?${query}`, { headers: origin === undefined ? {} : { origin } });
      await response.body?.cancel();
      assert.ok(response.status === 400 || response.status === 403, String(response.status));
    }
  assert.equal((await handshake(url)).status, 200);
  assert.equal(counts['handshakes'], 0);
});

/** Each handshake waits for the app, for its session id, or for both. */
const SLOW = `
  const { setTimeout: sleep } = require('node:timers/promises');
  exports.proxy = true; exports.maxIpsCount = 1;
  exports.io = {
    init: { allowRequest: (request, answer) => sleep(request.url.includes('slow') ? 20 : 0).then(() => answer(null, !request.url.includes('unwanted'))) },
    generateId: async request => { await sleep(20); if (request.url.includes('broken')) throw new Error('no id'); return require('node:crypto').randomUUID(); },
    limits: `;

for (const [name, limits] of [
  ['a worker', '{ connections: 5 }'],
  ['an address', '{ perAddress: { connections: 5 } }'],
] as const)
  test(`of many that come at once, ${name} has no more than it may have, while the app makes each wait`, async t => {
    watchForCrashes(t);
    const { url, io } = await startApp(t, { 'config/config.default.js': `${SLOW} ${limits} };` });
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    const connections: { close(discard: boolean): void }[] = [];
    io.engine.on('connection', (connection: { close(discard: boolean): void }) => connections.push(connection));
    const poll = async (query = ''): Promise<number> => {
      const response = await fetch(`${url}/socket.io/?transport=polling&EIO=4${query}`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    const refused = await Promise.all(['&unwanted', '&broken', '&slow&broken', '&unwanted', '&broken'].map(poll));
    assert.ok(
      refused.every(status => status === 400 || status === 403),
      String(refused),
    ); // they leave nothing behind
    const answers = await Promise.all(Array.from({ length: 30 }, async (_, i) => poll(i % 2 === 0 ? '&slow' : '')));
    assert.equal(answers.filter(status => status === 200).length, 5, String(answers));
    assert.equal(io.engine.clientsCount, 5);
    const sockets = Array.from({ length: 20 }, async () => RawClient.open(t, url, { headers }));
    assert.ok((await Promise.allSettled(sockets)).every(({ status }) => status === 'rejected'));
    for (const connection of connections) connection.close(true);
    await until(t, () => io.engine.clientsCount === 0);
    const opened = await Promise.allSettled(Array.from({ length: 20 }, async () => RawClient.open(t, url, { headers })));
    assert.equal(opened.filter(({ status }) => status === 'fulfilled').length, 5);
  });

test('an app may have ten listeners of its own for connections, whatever is on, until Node warns of a leak', async t => {
  const config = `${SLOW} { connections: 5, perAddress: { connections: 5 } }, bind: ['address'], accessLog: true };`;
  const { io } = await startApp(t, { 'config/config.default.js': config });
  const leaks: string[] = [];
  const onWarning = ({ name, message }: Error): void => void (name === 'MaxListenersExceededWarning' && leaks.push(message));
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  for (let n = 0; n < 10; n++) io.engine.on('connection', () => {});
  await nextTurn();
  assert.deepEqual(leaks, []);
  io.engine.on('connection', () => {});
  await nextTurn();
  assert.equal(leaks.length, 1);
});

const CLUSTER = { 'app/router.js': ROUTER, 'config/config.default.js': 'exports.io = { limits: { connections: 5 } };' };

const cluster = shareCluster(CLUSTER, async () => ({ workers: 2 }));

test('clients that poll go to a worker that has room, whichever they reach', async t => {
  const { url } = await cluster();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 }); // as a proxy that reuses a connection: all reach the same worker
  t.after(() => agent.destroy());
  const answers: number[] = [];
  for (let i = 0; i < 10; i++) answers.push((await handshake(url, 4, agent)).status);
  assert.deepEqual(
    answers,
    Array.from({ length: 10 }, () => 200),
  );
  for (let i = 0; i < 4; i++) {
    const { status, body } = await handshake(url, 4, agent);
    assert.equal(status, 503, body);
    assert.equal((JSON.parse(body) as { code: string }).code, 'TOO_MANY_CONNECTIONS');
  }
});

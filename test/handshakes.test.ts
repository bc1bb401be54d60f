/** Who may begin a session, and who may take part in it: hosts, protocol 3, `config.io.bind`. Origins are in origin.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { test, type TestContext } from 'node:test';
import WebSocket from 'ws';
import { type RunningApp, startApp } from './support/app';
import { ask, type ClientVersion, connect, newClient, refusal } from './support/client';
import { shareCluster } from './support/cluster';
import { RawClient } from './support/raw';
import { watchForCrashes } from './support/remains';

const ROUTER = `module.exports = app => {
  app.io.route('echo', ctx => ctx.args[0]);
  app.router.get('/login', ctx => { ctx.session.user = 'anna'; ctx.body = 'in'; });
};`;

async function start(t: TestContext, config: string, env = 'unittest'): Promise<RunningApp> {
  watchForCrashes(t);
  return startApp(t, { 'app/router.js': ROUTER, 'config/config.default.js': config }, { env });
}

interface Answer {
  status: number;
  body: string;
}

/** A request of a client that polls. Not by fetch(), which sets Host itself. */
async function poll(url: string, query: string, headers: Record<string, string> = {}): Promise<Answer> {
  const sent = request(`${url}/socket.io/?transport=polling${query}`, { headers, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }];
  let body = '';
  for await (const part of response) body += part.toString();
  return { status: response.statusCode, body };
}

/** The status of the answer to an upgrade. */
async function upgrade(t: TestContext, url: string, query: string, headers: Record<string, string> = {}): Promise<number> {
  const webSocket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?transport=websocket${query}`, { headers });
  t.after(() => webSocket.terminate());
  webSocket.on('error', () => {}); // of the upgrade that is refused
  return new Promise((resolve, reject) => {
    webSocket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    webSocket.once('open', () => resolve(101));
    webSocket.once('close', () => reject(new Error('closed without an answer')));
  });
}

/** Begins a session that polls. */
async function begin(url: string, headers: Record<string, string> = {}, protocol = 4): Promise<string> {
  const { status, body } = await poll(url, `&EIO=${protocol}`, headers);
  assert.equal(status, 200, body);
  return (JSON.parse(/\{.*\}/.exec(body)?.[0] ?? '') as { sid: string }).sid;
}

test('a second WebSocket cannot take the place of the first one of a session, whose id may be known', async t => {
  const { url } = await start(t, '');
  for (const version of [2, 4] as const) {
    const client = await connect(t, url, { transports: ['websocket'] }, version);
    const { id } = client.io.engine as unknown as { id: string }; // of the session
    assert.equal(await upgrade(t, url, `&EIO=${version === 2 ? 3 : 4}&sid=${encodeURIComponent(id)}`), 400);
    assert.equal(await ask(client, 'echo', version), version);
  }
});

test('a request that is refused makes no context of Egg', async t => {
  const { app, url } = await start(t, `exports.io = { allowedHosts: ['chat.example.com'], limits: { handshakes: 1 } };`);
  const made = t.mock.method(app as unknown as { createContext(): object }, 'createContext').mock; // Egg's
  for (const host of ['other.example.com', 'chat.example.com', 'chat.example.com']) await poll(url, '&EIO=4', { host });
  await poll(url, '&EIO=4&sid=unknown', { host: 'chat.example.com' });
  assert.equal(made.callCount(), 0);
});

test('clients upgrade as ever', async t => {
  const { url } = await start(t, `exports.io = { bind: ['address', 'cookie'], allowedHosts: ['127.0.0.1'] };`);
  for (const version of [2, 3, 4] as const) {
    const client = await connect(t, url, { transports: ['polling', 'websocket'] }, version);
    const { engine } = client.io as unknown as { engine: { transport: { name: string }; once(event: string, listener: () => void): void } };
    if (engine.transport.name !== 'websocket') await new Promise<void>(resolve => engine.once('upgrade', resolve));
    assert.equal(await ask(client, 'echo', version), version);
  }
});

test('with allowEIO3: websocket, clients of Socket.IO 2 come by WebSocket only', async t => {
  const { url, logs } = await start(t, `exports.io = { init: { allowEIO3: 'websocket' } };`, 'prod');
  const ways: [ClientVersion, string[], boolean][] = [
    [2, ['websocket'], true],
    [2, ['polling'], false],
    [2, ['polling', 'websocket'], false],
    [3, ['polling'], true],
    [4, ['polling', 'websocket'], true],
  ];
  for (const [version, transports, isAllowed] of ways) {
    if (isAllowed) assert.equal(await ask(await connect(t, url, { transports }, version), 'echo', 'in'), 'in');
    else await refusal(newClient(t, url, { transports }, version));
  }
  for (const query of ['&EIO=3', '&EIO=3&sid=', '']) {
    const { status, body } = await poll(url, query);
    assert.deepEqual([status, JSON.parse(body)], [400, { code: 5, message: 'Unsupported protocol version' }], query);
  }
  // nor can anybody take part in such a session by polling
  const raw = await RawClient.open(t, url, { protocol: 3 });
  const { sid } = JSON.parse(raw.frames[0]?.slice(1) ?? '') as { sid: string };
  assert.equal((await poll(url, `&EIO=3&sid=${encodeURIComponent(sid)}`)).status, 400);
  raw.send('420["echo",1]');
  assert.equal(await raw.frame(/^43/), '430[1]');
  assert.deepEqual(
    logs.filter(line => line.includes('IO_SESSION_ID_PUBLIC')),
    [],
  );
});

test('in production one line says that the ids of such sessions are public', async t => {
  for (const [config, lines] of [
    ['', 1],
    ['{ init: { allowEIO3: true } }', 1],
    ['{ init: { allowEIO3: false } }', 0],
    [`{ init: { transports: ['websocket'] } }`, 0],
    [`{ bind: ['userAgent'] }`, 1],
    [`{ bind: ['address'] }`, 0],
    [`{ bind: ['userAgent', 'cookie'] }`, 0],
  ] as const) {
    const { logs, close } = await start(t, config && `exports.io = ${config};`, 'prod');
    assert.equal(logs.filter(line => /WARN.*IO_SESSION_ID_PUBLIC/.test(line)).length, lines, config);
    await close();
  }
});

test('a request for another host is refused', async t => {
  const app = await start(
    t,
    `exports.io = { allowedHosts: ['127.0.0.1', 'Chat.example.com', '.example.org', '[::1]', 'bücher.example'] };`,
  );
  const { url, port, logs } = app;
  const hosts: [string, boolean][] = [
    [`127.0.0.1:${port}`, true],
    ['chat.example.com', true],
    ['CHAT.example.com:8080', true],
    ['example.org', true],
    ['a.b.example.org:1', true],
    ['[::1]:7001', true],
    ['xn--bcher-kva.example', true],
    ['a.chat.example.com', false],
    ['notexample.org', false],
    ['chat.example.com.evil.example', false],
    ['chat.example.com@evil.example', false],
    ['localhost', false],
    ['[', false],
  ];
  for (const [host, isAllowed] of hosts) {
    // what a browser sends whose page has let its name point to here: its origin has the same host
    const headers = { host, origin: `http://${host || '127.0.0.1'}`, 'x-forwarded-host': 'chat.example.com' };
    const { status, body } = await poll(url, '&EIO=4', headers);
    assert.equal(status, isAllowed ? 200 : 403, host);
    if (!isAllowed) assert.deepEqual(JSON.parse(body), { code: 4, message: 'Host not allowed' });
    assert.equal(await upgrade(t, url, '&EIO=4', headers), isAllowed ? 101 : 400, host);
  }
  const sid = await begin(url);
  assert.equal((await poll(url, `&EIO=4&sid=${sid}`, { host: 'evil.example' })).status, 403);
  const lines = logs.filter(line => line.includes('IO_HOST_REFUSED'));
  assert.equal(lines.length, 5, 'the rest is counted');
  assert.match(
    lines[0] ?? '',
    /WARN.*a request for host "a\.chat\.example\.com" \(header Host\) was refused: if it is one of yours, list it in config\.io\.allowedHosts/,
  );
});

test('the host is that of X-Forwarded-Host behind a proxy', async t => {
  const { url } = await start(t, `exports.proxy = true; exports.maxIpsCount = 1; exports.io = { allowedHosts: ['chat.example.com'] };`);
  assert.equal((await poll(url, '&EIO=4', { 'x-forwarded-host': 'chat.example.com' })).status, 200);
  assert.equal((await poll(url, '&EIO=4', { host: 'chat.example.com', 'x-forwarded-host': 'evil.example' })).status, 403);
});

const BOUND = `exports.proxy = true; exports.maxIpsCount = 1; exports.io = { bind: ['address', 'userAgent', 'cookie'] };`;

const ANNA = { 'x-forwarded-for': '203.0.113.7', 'user-agent': 'Browser', cookie: 'theme=dark; EGG_SESS=one' };

/** Another client has the id of a session, and all but one of what that began with. Whose own requests go on. */
async function isBound(t: TestContext, url: string): Promise<void> {
  for (const protocol of [3, 4]) {
    const sid = await begin(url, ANNA, protocol);
    const query = `&EIO=${protocol}&sid=${encodeURIComponent(sid)}`;
    for (const other of [
      { 'x-forwarded-for': '203.0.113.8' },
      { 'user-agent': 'Other' },
      { cookie: 'EGG_SESS=two' },
      { cookie: 'theme=dark' },
    ]) {
      const headers = { ...ANNA, ...other };
      const { status, body } = await poll(url, query, headers);
      assert.equal(status, 403, JSON.stringify(other));
      assert.deepEqual(JSON.parse(body), { code: 4, message: 'Session of another client' });
      assert.equal(await upgrade(t, url, query, headers), 400);
    }
    // a proxy before the last one, and other cookies, do not matter
    const same = { ...ANNA, 'x-forwarded-for': '198.51.100.1, 203.0.113.7', cookie: 'EGG_SESS=one; theme=light' };
    assert.equal(await upgrade(t, url, query, same), 101);
  }
}

test('with config.io.bind, the id of a session is not enough to take part in it', async t => {
  const { url, logs, logged } = await start(t, BOUND);
  await isBound(t, url);
  await logged(
    /WARN.*IO_BIND_REFUSED: a request of a session was refused: its address is not that of the handshake, and config\.io\.bind has 'address'/,
  );
  await logged(/its User-Agent is not/);
  assert.equal(logs.filter(line => line.includes('IO_BIND_REFUSED')).length, 5, 'the rest is counted');
  assert.ok(!logs.some(line => /203\.0\.113|EGG_SESS=/.test(line)));
});

test('a session that began before there was a cookie is not bound to one', async t => {
  const { url } = await start(t, `exports.io = { bind: ['cookie'] };`);
  const sid = await begin(url);
  assert.equal(await upgrade(t, url, `&EIO=4&sid=${sid}`, { cookie: 'EGG_SESS=later' }), 101);
});

const cluster = shareCluster({ 'app/router.js': ROUTER, 'config/config.default.js': BOUND }, async () => ({ workers: 2 }));

test('a session is bound whichever worker gets the request', async t => {
  const { url } = await cluster();
  for (let i = 0; i < 3; i++) await isBound(t, url);
});

/** A server that is about to stop moves its clients away, and says so to load balancers: `config.io.drain`, `config.io.health` and `app.io.drain()`. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import WebSocket from 'ws';
import { bootError, type Files, HOST, type RunningApp, startApp } from './support/app';
import { ask, type Client, connect, newClient, next } from './support/client';
import { startCluster } from './support/cluster';
import { openPolling, RawClient } from './support/raw';
import { remains, watchForCrashes } from './support/remains';
import { until } from './support/until';

const FILES: Files = {
  'app/io/controller/home.js': `
    exports.slow = async ctx => {
      ctx.app.emit('begun');
      await new Promise(resolve => ctx.app.once('go', resolve));
      return 'done';
    };
    exports.pid = async () => process.pid;
    exports.left = async ctx => { ctx.app.emit('left', ctx.args[0]); };`,
  'app/router.js': `
    module.exports = app => {
      const { home } = app.io.controller;
      for (const event of ['slow', 'pid']) app.io.route(event, home[event]);
      app.io.route('disconnect', home.left);
      app.get('/', async ctx => { ctx.body = 'home'; });
    };`,
};

const withConfig = (io: string, more = ''): Files => ({ ...FILES, 'config/config.default.js': `exports.io = ${io};${more}` });

const HEALTH = '/-/io/health';

async function start(t: TestContext, io: string): Promise<RunningApp> {
  return startApp(t, withConfig(io));
}

async function health(url: string): Promise<unknown[]> {
  return Promise.all(
    ['live', 'ready'].map(async name => {
      const response = await fetch(`${url}${HEALTH}/${name}`);
      return [response.status, await response.json()];
    }),
  );
}

test('drain() ends connections when their handlers have answered, as the clients reconnect by themselves, and refuses new ones', async t => {
  const { app, io, url } = await start(t, '{ health: true, drain: { timeout: 0, jitter: 0 } }');
  const busy = await connect(t, url);
  const idle = await Promise.all([['polling'], ['websocket']].map(async transports => connect(t, url, { transports })));
  assert.deepEqual(await health(url), [
    [200, { status: 'up' }],
    [200, { status: 'up' }],
  ]);
  const begun = next(app, 'begun');
  const answer = ask(busy, 'slow');
  await begun;
  const reasons = [...idle, busy].map(async client => (await next<[string]>(client, 'disconnect'))[0]);
  const left: unknown[] = [];
  app.on('left', reason => left.push(reason));

  const drained = io.drain();
  assert.deepEqual(await Promise.all(reasons.slice(0, 2)), ['transport close', 'transport close']);
  assert.equal(busy.connected, true, 'its handler still runs');
  assert.deepEqual(await health(url), [
    [200, { status: 'up' }],
    [503, { status: 'draining' }],
  ]);
  const handshake = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
  assert.deepEqual([handshake.status, handshake.headers.get('retry-after')], [503, '1']);
  assert.deepEqual(await handshake.json(), { code: 'SERVER_STOPS', message: 'The server stops, come again' });
  const webSocket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  assert.match(String((await next(webSocket, 'error'))[0]), /503/);
  assert.equal(await (await fetch(url)).text(), 'home', 'HTTP goes on');
  assert.equal(await ask(busy, 'pid'), process.pid, 'as do the events of clients that are still here');

  app.emit('go');
  assert.equal(await answer, 'done');
  await Promise.all([...reasons, drained]);
  assert.deepEqual(left, Array(3).fill('server shutting down'));
  assert.equal(remains(io).connections, 0);
  await io.drain(); // nothing more to do
});

test('a page of another origin can read that the server stops, and middleware of the engine sees the request', async t => {
  const { io, url } = await start(t, "{ init: { cors: { origin: 'https://page.example' } }, drain: { timeout: 0, jitter: 0 } }");
  const seen: unknown[] = [];
  io.engine.use((request: { _query: { transport: string } }, _response: unknown, next: () => void) => {
    seen.push(request._query.transport);
    next();
  });
  await io.drain();
  const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin: 'https://page.example' } });
  assert.deepEqual([response.status, response.headers.get('access-control-allow-origin')], [503, 'https://page.example']);
  assert.deepEqual(seen, ['polling']);
});

test('clients are moved in batches, over the time that drain has', async t => {
  const { io, url } = await start(t, '{ drain: { timeout: 6000, batch: 2, jitter: 0 } }');
  const clients: Client[] = [];
  for (let n = 0; n < 4; n++) clients.push(await connect(t, url));
  const firsts = Promise.all(clients.slice(0, 2).map(async client => next(client, 'disconnect')));
  const others = Promise.all(clients.slice(2).map(async client => ask(client, 'pid')));
  void io.drain();
  assert.equal(io.engine.clientsCount, 4, 'nobody before a load balancer knows');
  const late = await connect(t, url);
  await firsts;
  assert.equal(io.engine.clientsCount, 3);
  assert.deepEqual(await others, [process.pid, process.pid]);
  assert.equal(await ask(late, 'pid'), process.pid);
});

test('clients that do not answer, and handlers that do not end, hold up nothing for long', async t => {
  const { app, io, url } = await start(t, '{ drain: { timeout: 0, jitter: 0 } }');
  const client = await connect(t, url);
  const begun = next(app, 'begun');
  client.emit('slow');
  await begun;
  const frozen = await RawClient.connect(t, url);
  frozen.freeze();
  await fetch(await openPolling(url), { method: 'POST', body: '40' }); // and never polls again
  const gone = next(client, 'disconnect');
  await io.drain();
  await gone;
  assert.equal(remains(io).connections, 0);
  app.emit('go');
});

test('the health page comes before middleware of the app, has the path that the app wants, and is off by default', async t => {
  const guarded: Files = {
    'app/middleware/guard.js': `module.exports = () => async ctx => { ctx.status = 401; };`,
    'config/config.default.js': `exports.middleware = ['guard']; exports.io = { health: '/healthz' };`,
  };
  const { url } = await startApp(t, guarded);
  const statuses = async (paths: string[]): Promise<number[]> => Promise.all(paths.map(async path => (await fetch(url + path)).status));
  assert.deepEqual(await statuses(['/healthz/live', '/healthz/ready', '/healthz', `${HEALTH}/live`]), [200, 200, 401, 401]);
  const { status, headers } = await fetch(`${url}/healthz/ready`, { method: 'HEAD' });
  assert.deepEqual([status, headers.get('cache-control')], [200, 'no-store']);
});

test('wrong options stop the boot', async t => {
  for (const [io, message] of [
    ["{ drain: '10s' }", /config\.io\.drain must be true, false or an object, not a string/],
    ['{ drain: { timeout: -1 } }', /config\.io\.drain\.timeout must be a whole number from 0 on, not -1/],
    ['{ drain: { batch: 0 } }', /config\.io\.drain\.batch must be a whole number from 1 on, not 0/],
    ['{ drain: { jiter: 1 } }', /jiter, did you mean jitter\?/],
    ["{ health: 'healthz' }", /config\.io\.health must be true, false or a path/],
  ] as const)
    assert.match((await bootError(t, withConfig(io))).message, message);
});

test('a worker that stops moves its clients to the others, which also begin the sessions that it is asked for', async t => {
  // leaves a worker one second to drain, if it has this clock
  const files = withConfig('{ health: true, drain: { timeout: 1500, batch: 1, jitter: 0 } }', "process.env.GRACEFUL_TIMEOUT = '6000';");
  const time = HOST === 'egg3' ? 1500 : 1000;
  const cluster = await startCluster(t, files, { workers: 2 });
  const clients: Client[] = [];
  const pidOf = new Map<Client, unknown>();
  while (new Set(pidOf.values()).size < 2 || clients.length < 4) {
    const client = await connect(t, cluster.url, { reconnection: true, reconnectionDelay: 50 });
    clients.push(client);
    pidOf.set(client, await ask(client, 'pid'));
  }
  const [leaving] = pidOf.values();
  const isLeaving = (client: Client): boolean => pidOf.get(client) === leaving;
  const back = Promise.all(clients.filter(isLeaving).map(async client => next(client, 'connect')));
  const others = clients.filter(client => !isLeaving(client));
  const heard: unknown[] = [];
  for (const client of others) client.once('disconnect', reason => heard.push(reason));

  process.kill(Number(leaving), 'SIGTERM');
  await back;
  for (const client of clients) assert.notEqual(await ask(client, 'pid'), leaving);
  assert.deepEqual(heard, []);
  const log = await cluster.log();
  assert.match(log, new RegExp(`drains: moves \\d+ clients to other servers within ${time} ms`));
  assert.equal(log.includes('IO_DRAIN_CUT: config.io.drain.timeout is 1500 ms, but Egg ends a worker 6000 ms after SIGTERM'), time < 1500);
});

test('a warning says if Egg would end a worker before it has drained', async t => {
  const VARIABLES = ['EGG_APP_CLOSE_TIMEOUT', 'GRACEFUL_TIMEOUT'] as const;
  const former = VARIABLES.map(name => process.env[name]);
  const set = (values: readonly (string | undefined)[]): void => {
    for (const [n, name] of VARIABLES.entries()) {
      const value = values[n];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  t.after(() => set(former));
  const warnings = async (io: string, ...values: string[]): Promise<string[]> => {
    set(values);
    const { logs, close } = await startApp(t, withConfig(io), { env: 'prod' });
    await close();
    return logs.filter(line => line.includes('IO_DRAIN_CUT'));
  };
  const [line, ...more] = await warnings('{ drain: true }');
  assert.match(
    String(line),
    /drain\.timeout is 10000 ms, but Egg ends a worker 5000 ms after SIGTERM.*within 0 ms: set the environment variables EGG_APP_CLOSE_TIMEOUT and GRACEFUL_TIMEOUT to 15000/,
  );
  assert.deepEqual(more, []);
  assert.match(String(await warnings('{ drain: true }', '15000')), /ends a worker 5000 ms/); // by itself
  assert.match(String(await warnings('{ drain: true }', '8000', '15000')), /ends a worker 8000 ms/); // by its master
  assert.deepEqual(await warnings('{ drain: true }', '15000', '15000'), []);
  assert.deepEqual(await warnings('{}'), []);
});

test('a client that connects while the server drains is moved as well', async t => {
  const { io, url } = await start(t, '{ drain: { timeout: 4000, jitter: 0 } }'); // sessions begin for half of it
  await connect(t, url);
  const drained = io.drain();
  const late = newClient(t, url);
  await next(late, 'connect');
  const gone = next(late, 'disconnect');
  await Promise.all([gone, drained]);
  assert.equal(io.engine.clientsCount, 0);
});

test('a client that is about to connect when its turn comes connects, and is moved like the others', async t => {
  const { io, url } = await start(t, '{ drain: { timeout: 0, jitter: 0 } }');
  const client = await RawClient.open(t, url);
  const drained = io.drain();
  await until(t, async () => (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).status === 503); // it is its turn
  client.send('40{"$io":{"v":1,"move":true}}');
  await client.frame(/^420\["\$io:move"\]/);
  client.send('430[]');
  await client.frame(/^42\["\$io:move",null\]/);
  await Promise.all([client.closed, drained]);
});

/** Handshakes of clients with `late` in their query wait for a function of the app: the emitted one lets them in. */
const LATE = `allowRequest: (request, done) => {
  if (request.url.includes('late')) process.emit('late', () => done(null, true));
  else done(null, true);
}`;

test('many clients that come while it begins to drain do not make it take longer', async t => {
  const { io, url } = await start(t, `{ drain: { timeout: 2000, batch: 1, jitter: 0 }, init: { ${LATE} } }`);
  await connect(t, url);
  const handshakes: (() => void)[] = [];
  const keep = (allow: () => void): void => void handshakes.push(allow);
  process.on('late' as never, keep); // of this test
  t.after(() => process.off('late', keep));
  const clients = Array.from({ length: 100 }, () => newClient(t, url, { query: { late: 'yes' } }));
  const gone = Promise.all(clients.map(async client => next(client, 'disconnect')));
  await until(t, () => handshakes.length === clients.length);
  const drained = io.drain(); // a second for each batch, if there were no more: more than the test has, with CI=true as well
  for (const allow of handshakes) allow();
  await Promise.all([gone, drained]);
  assert.equal(io.engine.clientsCount, 0);
});

test('a handshake that was under way when the others were refused is not left behind', async t => {
  const { io, url } = await start(t, `{ drain: { timeout: 0, jitter: 0 }, init: { ${LATE} } }`);
  await connect(t, url);
  const waits = next<[() => void]>(process, 'late');
  const late = newClient(t, url, { query: { late: 'yes' } });
  const [allow] = await waits;
  await io.drain();
  const gone = next(late, 'disconnect');
  allow();
  await gone;
  assert.equal(remains(io).connections, 0);
});

test('a client that sends what is no frame when its connection closes does not end the moving of the others', async t => {
  watchForCrashes(t);
  const { io, url } = await start(t, '{ drain: { timeout: 1000, batch: 1, jitter: 0 } }');
  const hostile = await RawClient.connect(t, url);
  hostile.answerGoodbye(Buffer.from([0xff, 0x80, 0, 0, 0, 0]));
  const gone = next(await connect(t, url), 'disconnect');
  await io.drain();
  await gone;
  assert.equal(remains(io).connections, 0);
});

test('hundreds of clients that wait for their turn are not taken for a leak', async t => {
  const { io, url } = await start(t, '{ drain: { timeout: 0, batch: 500, jitter: 200 } }');
  const warnings: unknown[] = [];
  const warn = (warning: unknown): void => void warnings.push(warning);
  process.on('warning', warn);
  t.after(() => process.off('warning', warn));
  await Promise.all(Array.from({ length: 200 }, async () => connect(t, url)));
  await io.drain();
  await nextTurn();
  assert.deepEqual(warnings, []);
});

test('the clients of a second HTTP server are moved as well, and closed in order when the app stops', async t => {
  for (const isDrained of [true, false]) {
    const { app, io, url, close } = await start(t, '{ drain: { timeout: 0, jitter: 0 } }');
    const second = createServer();
    io.attach(second);
    await new Promise<void>(resolve => second.listen(0, '127.0.0.1', resolve));
    for (const server of [second, (app as unknown as { server: Server }).server]) t.after(() => server.close()); // Socket.IO closes the last one
    const urls = [url, `http://127.0.0.1:${(second.address() as AddressInfo).port}`]; // it listens to a port
    const clients = await Promise.all(urls.map(async one => connect(t, one)));
    const left: unknown[] = [];
    app.on('left', reason => left.push(reason));
    const gone = Promise.all(clients.map(async client => next(client, 'disconnect')));
    await (isDrained ? io.drain() : close());
    await gone;
    assert.deepEqual(left, Array(2).fill('server shutting down'));
  }
});

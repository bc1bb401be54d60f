/** What `DEBUG=egg-socket.io:*` says: what was decided, and why. That of the hub and of routing is in test/once, and so are handovers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app';
import { connect, newClient, next, refusal } from './support/client';
import { debugLines } from './support/debug-log';
import { startRedis } from './support/redis';
import { until } from './support/until';

const SECRET = 'hunter2';

test('each refusal has its reason: of a request, a namespace, and of middleware', async t => {
  const app = await startApp(t, {
    'app/io/middleware/auth.js': `module.exports = app => async ctx => {
      const error = new Error('no such user');
      if (ctx.query.later) error.status = 503;
      throw error;
    };`,
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['auth'] } } };`,
    'app/router.js': `module.exports = app => {
      app.io.of('/rooms/1');
      app.io.of((name, query, next) => next(null, name === '/known'));
    };`,
  });
  const lines = debugLines(t, 'egg-socket.io:refused');
  const secrets = { auth: { token: SECRET }, extraHeaders: { cookie: `id=${SECRET}` }, query: { token: SECRET } };
  await refusal(newClient(t, app.url, secrets));
  assert.match(lines[0] ?? '', /^refused \S+ in namespace "\/": error of middleware 'auth': no such user$/);
  assert.match(lines[1] ?? '', /^refused \S+ in namespace "\/": it gets CONNECTION_REFUSED: no such user$/);

  await refusal(newClient(t, `${app.url}/unknown`, secrets));
  assert.match(lines[2] ?? '', /^refused \S+ in namespace "\/unknown": no function or pattern of of\(\) accepts it$/);

  await refusal(newClient(t, app.url, { ...secrets, extraHeaders: { origin: 'http://evil.example' } }));
  assert.match(lines[3] ?? '', /^refused a request of 127\.0\.0\.1: Forbidden, Origin not allowed$/);

  newClient(t, app.url, { ...secrets, query: { later: '1' } });
  await until(t, () => lines.some(line => /^refused \S+ in namespace "\/": it has to try again: no such user$/.test(line)));
  assert.ok(!lines.some(line => line.includes(SECRET)), lines.join('\n'));
});

test('a server that stops says so of the sessions that it refuses', async t => {
  const { io, url } = await startApp(t, { 'config/config.default.js': 'exports.io = { drain: { timeout: 0, jitter: 0 } };' });
  const lines = debugLines(t, 'egg-socket.io:refused');
  await io.drain();
  for (const transports of [['polling'], ['websocket']]) await refusal(newClient(t, url, { transports }));
  assert.deepEqual(lines, Array(2).fill('refused a request of 127.0.0.1: SERVER_STOPS, The server stops, come again'));
});

test('a client that returns: whether its session was found, and what it gets', async t => {
  const app = await startApp(t, { 'config/config.default.js': 'exports.io = { init: { connectionStateRecovery: {} } };' });
  const lines = debugLines(t, 'egg-socket.io:recovery');
  const client = await connect(t, app.url, { reconnection: true, reconnectionDelay: 20 });
  const id = String(client.id);
  app.io.emit('said', 'before'); // gives the client an offset
  await next(client, 'said');
  const back = next(client, 'connect');
  app.io.sockets.sockets.get(id)?.conn.close();
  app.io.emit('said', 'meanwhile');
  await back;
  assert.deepEqual(lines, [
    `recovery namespace /: a client returns; the session of ${id} was found`,
    `recovery namespace /: ${id} is recovered; events that it has missed: 1`,
  ]);

  const pid = 'x'.repeat(20);
  await connect(t, app.url, { auth: { pid, offset: '' } });
  assert.match(lines[2] ?? '', /^recovery namespace \/: a client returns; no session was found: /);
  assert.ok(!lines.some(line => line.includes(pid)));
});

test('a line is one, whatever a client has for the name of a namespace', async t => {
  const app = await startApp(t, {
    'config/config.default.js': 'exports.io = { init: { connectionStateRecovery: {} } };',
    'app/router.js': 'module.exports = app => { app.io.of(/^\\/room/); };',
  });
  const lines = debugLines(t, 'egg-socket.io:recovery');
  await connect(t, `${app.url}/room\negg-socket.io:refused`);
  await connect(t, `${app.url}/room\negg-socket.io:refused`, { auth: { pid: 'x'.repeat(20), offset: '' } });
  assert.match(lines[0] ?? '', /^recovery namespace \/room egg-socket\.io:refused: a client returns; no session was found: /);
});

test('an outage: its beginning, its reason and its end', async t => {
  const redis = await startRedis(t);
  const lines = debugLines(t, 'egg-socket.io:backplane');
  const app = await startApp(t, { 'config/config.default.js': `exports.io = { redis: { port: ${redis.port} } };` });
  const name = `backplane Redis at 127.0.0.1:${redis.port}`;
  await until(t, () => lines.length > 0);
  assert.deepEqual(lines, [`${name}: messages can be sent`]);
  await redis.kill();
  await app.logged(/IO_REDIS_DOWN/);
  assert.match(lines[1] ?? '', new RegExp(`^${name}: outage, IO_REDIS_DOWN: \\S`));
  await redis.start();
  await until(t, () => lines.at(-1) === `${name}: messages can be sent`);
});

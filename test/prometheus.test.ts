/** Metrics for Prometheus: `config.io.prometheus`. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bootError, type Files, type RunningApp, startApp } from './support/app';
import { ask, connect, newClient, refusal } from './support/client';
import { startCluster } from './support/cluster';
import { scrape, type Scraped } from './support/metrics';
import { lifecycleOf, trafficOf } from './support/parts';
import { freePort } from './support/port';
import { openPolling } from './support/raw';
import { startSingle } from './support/single';
import { until } from './support/until';

const FILES: Files = {
  'app/io/middleware/who.js': `
    module.exports = async (ctx, next) => {
      if (ctx.socket.handshake.auth.bad) throw Object.assign(new Error('no'), { code: 'NOT_WELCOME', status: 401, expose: true });
      ctx.socket.join('hall');
      await next();
    };`,
  'app/router.js': `module.exports = app => {
    app.io.route('echo', ctx => ctx.args[0]);
    app.io.route('fail', ctx => { throw Object.assign(new Error('no'), { code: ctx.args[0], status: 409, expose: true }); });
    app.io.of('/room-{id}').route('echo', ctx => ctx.args[0]);
  };`,
};

const configOf = (prometheus: unknown, more = ''): string =>
  `exports.io = { prometheus: ${JSON.stringify(prometheus)}, unmatched: 'error', namespace: { '/': { connectionMiddleware: ['who'] } } };${more}`;

test('a single process has metrics of its connections, packets, errors, rooms and limits', async t => {
  const port = await freePort();
  const { url } = await startApp(t, { ...FILES, 'config/config.default.js': configOf({ port }, 'exports.io.limits = { eventName: 20 };') });
  const first = await scrape(port);
  assert.equal(first.sum('socketio_server_silent_workers'), 0);
  assert.equal(first.sum('socketio_server_active_connections'), 0);
  const [alice, bob] = [await connect(t, url), await connect(t, url, { transports: ['polling'] })];
  await refusal(newClient(t, url, { auth: { bad: true } }));
  await ask(alice, 'echo', 'x'.repeat(1000));
  await ask(bob, 'echo', 1);
  await ask(bob, 'fail', 'FULL');
  await ask(alice, 'unknown');
  for (const id of [1, 2]) await ask(await connect(t, `${url}/room-${id}`), 'echo', 1);
  const forged = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=none`);
  await forged.body?.cancel();
  const seen = await scrape(port);
  const expectations: [string, Record<string, string>, number][] = [
    ['socketio_server_active_connections', {}, 4],
    ['socketio_server_active_connections', { socketio_transport: 'polling' }, 1],
    ['socketio_server_active_sockets', { socketio_namespace: '/' }, 2],
    ['socketio_server_active_sockets', { socketio_namespace: '/room-{id}' }, 2],
    ['socketio_server_rooms', { socketio_namespace: '/' }, 1],
    ['socketio_server_handshakes_total', {}, 5],
    ['socketio_server_refusals_total', { socketio_namespace: '/', error_type: 'NOT_WELCOME' }, 1],
    ['socketio_server_refusals_total', { error_type: 'Session ID unknown' }, 1],
    ['socketio_server_errors_total', { socketio_event: 'fail', error_type: 'FULL' }, 1],
    ['socketio_server_errors_total', { socketio_event: '_OTHER', error_type: 'NOT_FOUND' }, 1],
    ['messaging_process_duration_seconds_count', { messaging_destination_name: '/', socketio_event: 'echo' }, 2],
    ['messaging_process_duration_seconds_count', { messaging_destination_template: '/room-{id}', socketio_event: 'echo' }, 2],
    ['messaging_process_duration_seconds_count', { socketio_event: 'fail', error_type: 'FULL' }, 1],
    ['messaging_process_duration_seconds_bucket', { messaging_destination_name: '/', socketio_event: 'echo', le: '+Inf' }, 2],
    ['socketio_server_limits_total', { socketio_limit: 'eventName' }, 0],
    ['socketio_server_packets_total', { network_io_direction: 'receive' }, 6],
    ['socketio_server_backlog_connections', {}, 0],
    ['socketio_server_active_handlers', {}, 0],
  ];
  for (const [name, labels, value] of expectations) assert.equal(seen.sum(name, labels), value, `${name} ${JSON.stringify(labels)}`);
  const bytes = seen.sum('socketio_server_io_bytes_total', { network_io_direction: 'receive' }) ?? 0;
  assert.ok(bytes > 1000 && bytes < 2000, `${bytes}`);
  assert.ok((seen.sum('socketio_server_packets_total', { network_io_direction: 'transmit' }) ?? 0) >= 6);

  alice.disconnect();
  let after: Scraped | undefined;
  await until(t, async () => {
    after = await scrape(port);
    return after.sum('socketio_server_active_connections') === 3;
  });
  assert.equal(after?.sum('socketio_server_disconnects_total', { socketio_namespace: '/' }), 1);
  const remaining = after?.sum('socketio_server_io_bytes_total', { network_io_direction: 'receive' }) ?? 0;
  assert.ok(remaining >= bytes, 'what a closed connection has counted remains');
});

test('the same with egg.start(), where the app makes the server, and with threads in the place of workers', async t => {
  const port = await freePort();
  const files = { ...FILES, 'config/config.default.js': configOf({ port }) };
  const single = await startSingle(t, files, 'const app = await egg.start(options); app.listen(port, "127.0.0.1", listening);');
  await ask(await connect(t, single.url), 'echo', 1);
  const alone = await scrape(port);
  assert.equal(alone.sum('messaging_process_duration_seconds_count', { socketio_event: 'echo' }), 1);
  assert.equal(alone.sum('socketio_server_silent_workers'), 0);
  await single.terminate();

  const ports = [await freePort(), await freePort()];
  await startCluster(t, files, { workers: 2, startMode: 'worker_threads', ports });
  for (const ofThread of ports) await ask(await connect(t, `http://127.0.0.1:${ofThread}`), 'echo', 1);
  const threads = await scrape(port);
  assert.equal(threads.labels('worker').length, 2);
  assert.equal(threads.sum('messaging_process_duration_seconds_count', { socketio_event: 'echo' }), 2);
  assert.equal(threads.sum('socketio_server_silent_workers'), 0);
});

test('no client can make series without end', async t => {
  const port = await freePort();
  const { url } = await startApp(t, { ...FILES, 'config/config.default.js': configOf({ port }, 'exports.io.limits = { auth: 100 };') });
  const client = await connect(t, url);
  for (const name of ['/room-1', '/room-2']) {
    await connect(t, url + name);
    await refusal(newClient(t, url + name, { auth: { text: 'x'.repeat(200) } })); // before anybody knows which pattern it belongs to
  }
  for (let n = 0; n < 120; n++) await ask(client, 'fail', `CODE_${n}`);
  for (let n = 0; n < 20; n++) await ask(client, `event ${n}`);
  const seen = await scrape(port);
  const codes = seen.labels('error_type').filter(code => code !== 'AUTH_TOO_LARGE');
  assert.equal(codes.length, 101, '100 codes, and _OTHER');
  assert.equal(seen.sum('socketio_server_refusals_total', { socketio_namespace: '/room-{id}', error_type: 'AUTH_TOO_LARGE' }), 2);
  assert.deepEqual(seen.labels('socketio_namespace').sort(), ['/', '/room-{id}']);
  assert.deepEqual(seen.labels('socketio_event').sort(), ['_OTHER', 'fail']);
});

test('nothing is kept of a client that comes and goes in one request', async t => {
  const port = await freePort();
  const { io, url } = await startApp(t, { ...FILES, 'config/config.default.js': configOf({ port }) });
  const counts: WeakRef<object>[] = [];
  const watch = lifecycleOf(io)?.runtime.connectionWatch;
  assert.ok(watch);
  const begin = watch.begin.bind(watch);
  watch.begin = socket => {
    begin(socket);
    const traffic = trafficOf(socket.conn);
    if (traffic) counts.push(new WeakRef(traffic));
  };
  for (let n = 0; n < 2; n++) {
    const response = await fetch(await openPolling(url), { method: 'POST', body: '40\u001E1' });
    await response.body?.cancel();
  }
  await until(t, () => counts.length === 2);
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  await until(t, () => {
    collectGarbage();
    return counts[0]?.deref() === undefined; // the limits know the latest connection
  });
});

test('a page for this machine alone is not there under the name of a site that a browser believes to be here', async t => {
  for (const host of ['127.0.0.1', '::1']) {
    const port = await freePort();
    const { baseDir, close } = await startApp(t, { ...FILES, 'config/config.default.js': configOf({ port, host }) });
    const name = host === '::1' ? '[::1]' : host;
    await agentHasLogged(t, baseDir, `metrics for Prometheus at http://${name}:${port}/metrics`);
    const statusFor = async (asked: string): Promise<number | undefined> => {
      const question = get({ host, port, path: '/metrics', headers: { host: asked } });
      const [response] = (await once(question, 'response')) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    for (const asked of [`${name}:${port}`, `localhost:${port}`, '127.0.0.1']) assert.equal(await statusFor(asked), 200, asked);
    for (const asked of [`evil.example:${port}`, '127.0.0.1.evil.example', 'localhost.evil.example'])
      assert.equal(await statusFor(asked), 403, asked);
    await close(); // Egg 4.1 has one app at a time
  }
});

test('a port that another process has is tried again, and the app starts', async t => {
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { baseDir, url } = await startApp(t, { ...FILES, 'config/config.default.js': configOf({ port }) });
  await agentHasLogged(t, baseDir, `IO_PROMETHEUS_PORT: no metrics for Prometheus at 127.0.0.1:${port}: another process has the port`);
  await connect(t, url);
  other.close();
  await until(t, async () => (await scrape(port).catch(() => undefined)) !== undefined);
});

test('without an option nothing is counted, and the page is gone with the app', async t => {
  const port = await freePort();
  const on = await startApp(t, { ...FILES, 'config/config.default.js': configOf({ port }) });
  assert.deepEqual(await watching(t, on), { replaced: ['writeToEngine', 'writeFrame'], traffic: 1, isWatched: true });
  const other = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(other.status, 404);
  await other.body?.cancel();
  await on.close(); // Egg 4.1 has one app at a time
  await assert.rejects(fetch(`http://127.0.0.1:${port}/metrics`));
  const off = await startApp(t, { ...FILES, 'config/config.default.js': configOf(false) });
  assert.deepEqual(await watching(t, off), { replaced: [], traffic: 0, isWatched: false });
});

test('a wrong option stops the boot', async t => {
  for (const value of [1, 'yes', [], { ports: 1 }, { port: 0 }, { port: '9464' }, { host: 1 }, { host: '' }]) {
    const error = await bootError(t, { 'config/config.default.js': `exports.io = { prometheus: ${JSON.stringify(value)} };` });
    assert.equal(error.code, 'IO_CONFIG_INVALID');
    assert.match(error.message, /config\.io\.prometheus/);
  }
});

async function agentHasLogged(t: TestContext, baseDir: string, text: string): Promise<void> {
  await until(t, async () => (await readFile(join(baseDir, 'logs/egg-agent.log'), 'utf8')).includes(text));
}

/** What there is on the way of a client's packets. */
async function watching(t: TestContext, { url, io }: RunningApp): Promise<{ replaced: string[]; traffic: number; isWatched: boolean }> {
  await connect(t, url);
  const [socket] = await io.local.fetchSockets();
  const connection = io.sockets.sockets.get(socket?.id ?? '');
  assert.ok(connection);
  const { client, conn } = connection;
  const webSocket = Reflect.get(conn.transport, 'socket') as object;
  const runtime = lifecycleOf(io)?.runtime;
  return {
    replaced: [
      ...['writeToEngine'].filter(name => Object.hasOwn(client, name)),
      ...['writeFrame'].filter(name => Object.hasOwn(webSocket, name)),
    ],
    traffic: Object.getOwnPropertySymbols(conn).filter(symbol => symbol.description === 'traffic').length,
    isWatched: Boolean(runtime?.connectionWatch ?? runtime?.packetWatch),
  };
}

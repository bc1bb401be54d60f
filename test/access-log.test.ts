/** The access log: `config.io.accessLog`. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { bootError, type Files, type RunningApp, startApp } from './support/app';
import { ask, type ClientVersion, connect, newClient, next, refusal } from './support/client';
import { startCluster } from './support/cluster';
import { RawClient } from './support/raw';
import { until } from './support/until';

const WORKERS = 2;

const COLUMNS = ['time', 'pid', 'kind', 'id', 'user', 'ip', 'transport', 'protocol', 'namespace', 'event', 'ms'] as const;
const COUNTS = ['packetsIn', 'packetsOut', 'bytesIn', 'bytesOut', 'outcome'] as const;

type Line = Record<(typeof COLUMNS)[number] | (typeof COUNTS)[number], string>;

const SECRETS = /secret|[?&]EIO=|token=/;

const FILES: Files = {
  'app/io/middleware/who.js': `
    module.exports = async (ctx, next) => {
      const { user, bad } = ctx.socket.handshake.auth.user ? ctx.socket.handshake.auth : ctx.socket.handshake.query;
      if (bad) throw Object.assign(new Error('secret reason'), { code: 'NOT_WELCOME', status: 401, expose: true });
      if (user) ctx.socket.user = user;
      await next();
    };`,
  'app/router.js': `module.exports = app => {
    app.router.get('/worker', async ctx => { ctx.body = String(require('node:cluster').worker.id); });
    app.io.of('/room-{id}');
    for (const name of ['/', '/chat']) app.io.of(name)
      .route('echo', ctx => ctx.args[0])
      .route('fail', () => { throw Object.assign(new Error('no'), { code: 'FULL', status: 409, expose: true }); })
      .route('who', ctx => {
        const isPiped = ctx.socket.conn.transport.socket._socket._handle.constructor.name === 'Pipe'; // from another worker
        return { pid: String(process.pid), isPiped };
      })
      .route('tell', ctx => { ctx.app.io.of(name).to(ctx.socket.id).emit('news', ctx.args[0]); });
  };`,
};

const configOf = (accessLog: unknown): string =>
  `exports.io = { accessLog: ${JSON.stringify(accessLog)}, namespace: { '/': { connectionMiddleware: ['who'] }, '/chat': { connectionMiddleware: ['who'] } } };`;

async function start(t: TestContext, accessLog: unknown, more = ''): Promise<RunningApp> {
  return startApp(t, { ...FILES, 'config/config.default.js': configOf(accessLog) + more });
}

async function linesOf(baseDir: string): Promise<Line[]> {
  const text = await readFile(join(baseDir, 'logs/test-app-io-access.log'), 'utf8');
  assert.doesNotMatch(text, SECRETS);
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const values = line.split('\t');
      assert.equal(values.length, COLUMNS.length + COUNTS.length, line);
      return Object.fromEntries([...COLUMNS, ...COUNTS].map((name, n) => [name, values[n]])) as Line; // one of each
    });
}

/** Waits for the lines that match. */
async function logged(t: TestContext, baseDir: string, part: Partial<Line>, count = 1): Promise<Line[]> {
  let found: Line[] = [];
  await until(t, async () => {
    const names = Object.keys(part) as (keyof Line)[]; // of its own
    found = (await linesOf(baseDir)).filter(line => names.every(name => line[name] === part[name]));
    return found.length >= count;
  });
  assert.equal(found.length, count);
  return found;
}

test('each connection has one line when it ends, over WebSocket and polling, protocols 3 and 4', async t => {
  const { url, baseDir } = await start(t, true);
  const text = 'secret '.repeat(100);
  for (const version of [2, 4] as ClientVersion[])
    for (const transport of ['websocket', 'polling']) {
      const user = `${transport} ${version}`;
      const client = await connect(t, url, { transports: [transport], query: { user, token: 'token=1' } }, version);
      for (let n = 0; n < 5; n++) assert.equal(await ask(client, 'echo', text), text);
      const news = next(client, 'news');
      client.emit('tell', text);
      await news;
      client.disconnect();
      const [line] = await logged(t, baseDir, { kind: 'connection', user });
      assert.ok(line);
      assert.match(line.time, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}$/);
      assert.equal(line.pid, String(process.pid));
      assert.deepEqual(
        [line.ip, line.transport, line.protocol, line.namespace, line.event],
        ['127.0.0.1', transport, version === 2 ? '3' : '4', '/', '-'],
      );
      assert.match(line.outcome, /^(client namespace disconnect|transport close)$/);
      assert.ok(Number(line.ms) >= 0);
      const [packetsIn, packetsOut, bytesIn, bytesOut] = COUNTS.slice(0, 4).map(name => Number(line[name]));
      assert.equal(packetsIn, line.outcome.startsWith('client') ? 7 : 6, '5 echoes, the last event, and the disconnect');
      assert.equal(packetsOut, 7, 'connect, 5 acknowledgements, 1 broadcast');
      for (const bytes of [Number(bytesIn), Number(bytesOut)])
        assert.ok(bytes > 6 * text.length && bytes < 6 * text.length + 400, `${bytes}`);
    }
});

test('a client that is refused has a line with the code, at the handshake, by middleware and by the namespace', async t => {
  const { url, baseDir } = await start(t, true);
  for (const version of [2, 4] as ClientVersion[]) {
    const query = { user: `bad ${version}`, bad: 'yes' };
    const client = newClient(t, url, { query }, version);
    if (version === 4) await refusal(client);
    else await next(client, 'error');
    client.disconnect();
  }
  const refused = await logged(t, baseDir, { kind: 'connection', outcome: 'NOT_WELCOME' }, 2);
  assert.deepEqual(refused.map(({ protocol, user }) => [protocol, user]).sort(), [
    ['3', '-'],
    ['4', '-'],
  ]);
  const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=none&token=secret`);
  await answer.body?.cancel();
  const other = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { Origin: 'https://evil.example' } });
  await other.body?.cancel();
  const [unknown] = await logged(t, baseDir, { kind: 'handshake', outcome: 'Session ID unknown' });
  assert.deepEqual([unknown?.ip, unknown?.namespace, unknown?.ms], ['127.0.0.1', '-', '-']);
  await logged(t, baseDir, { kind: 'handshake', outcome: 'Forbidden' });
});

test('a client that is over a limit of the worker has its code, over WebSocket and polling', async t => {
  const { url, baseDir } = await start(t, true, 'exports.io.limits = { connections: 1 };');
  await connect(t, url);
  for (const transport of ['websocket', 'polling']) await refusal(newClient(t, url, { transports: [transport] }));
  await logged(t, baseDir, { kind: 'handshake', outcome: 'TOO_MANY_CONNECTIONS' }, 2);
});

test('a client that a stopping server refuses has a line, over WebSocket and polling', async t => {
  const { io, url, baseDir } = await start(t, true, 'exports.io.drain = { timeout: 0, jitter: 0 };');
  await io.drain();
  for (const transport of ['websocket', 'polling']) await refusal(newClient(t, url, { transports: [transport] }));
  await logged(t, baseDir, { kind: 'handshake', outcome: 'SERVER_STOPS' }, 2);
});

test('namespaces of one client have a line each; a client that is cut off, and one that the server closes, too', async t => {
  const { url, baseDir, close } = await start(t, true);
  const raw = await RawClient.open(t, url);
  raw.send('40/chat,{"user":"cut off"}');
  await raw.frame(/^40/);
  raw.send('40');
  await raw.frame(/^40\{/);
  raw.vanish();
  const [chat] = await logged(t, baseDir, { namespace: '/chat', outcome: 'transport close' });
  assert.equal(chat?.user, 'cut off');
  await logged(t, baseDir, { namespace: '/', outcome: 'transport close' });
  const client = await connect(t, url, { query: { user: 'last' } });
  const gone = next(client, 'disconnect');
  await close();
  await gone;
  await logged(t, baseDir, { user: 'last', outcome: 'server shutting down' });
});

test('a client of a namespace that is made on demand has one line, also if no parent accepts it', async t => {
  const { url, baseDir } = await start(t, true);
  for (const count of [1, 2]) {
    (await connect(t, `${url}/room-7`)).disconnect();
    await logged(t, baseDir, { namespace: '/room-7', outcome: 'client namespace disconnect' }, count);
  }
  await refusal(newClient(t, `${url}/other`));
  await logged(t, baseDir, { namespace: '/other', outcome: 'Invalid namespace' });
  assert.equal((await linesOf(baseDir)).length, 3);
});

test('what a client sends is counted also if the app listens to its connection', async t => {
  const { url, baseDir, io } = await start(t, true);
  io.engine.on('connection', (connection: NodeJS.EventEmitter) => connection.on('data', () => {}));
  const client = await connect(t, url);
  for (let n = 0; n < 5; n++) assert.equal(await ask(client, 'echo', n), n);
  client.disconnect();
  const [line] = await logged(t, baseDir, { kind: 'connection' });
  assert.equal(line?.packetsIn, '6', '5 echoes, and the disconnect');
});

test('with `packets`, each packet has a line with its event, and the code of its error', async t => {
  const { url, baseDir } = await start(t, { packets: true });
  for (const version of [2, 4] as ClientVersion[])
    for (const transport of ['websocket', 'polling']) {
      const user = `${transport} ${version}`;
      const client = await connect(t, url, { transports: [transport], query: { user } }, version);
      await ask(client, 'echo', 'secret');
      await ask(client, 'fail', 'secret');
      client.emit(`two\nlines\t${'x'.repeat(110)}`, 'secret');
      const lines = await logged(t, baseDir, { kind: 'packet', user }, 3);
      assert.deepEqual(
        lines.map(({ event, outcome, namespace }) => [event, outcome, namespace]),
        [
          ['echo', 'OK', '/'],
          ['fail', 'FULL', '/'],
          [`two lines ${'x'.repeat(90)}`, 'NOT_FOUND', '/'],
        ],
      );
      for (const line of lines) assert.deepEqual([line.packetsIn, line.bytesOut, Number(line.ms) >= 0], ['-', '-', true]);
    }
  const raw = await RawClient.connect(t, url);
  raw.send('420["error","secret"]');
  await raw.frame(/^430/);
  await logged(t, baseDir, { kind: 'packet', event: 'error', outcome: 'RESERVED_EVENT' });
});

test("the app's own options of the logger count, and without an access log there is neither a file nor a count", async t => {
  const own = await start(t, true, `exports.customLogger = { ioAccessLogger: { file: 'own.log', formatter: meta => meta.message } };`);
  (await connect(t, own.url)).disconnect();
  await until(t, async () => (await readFile(join(own.baseDir, 'logs/own.log'), 'utf8')).startsWith('connection\t'));
  await own.close(); // Egg 4.1 has one app at a time
  const off = await startApp(t, { ...FILES, 'config/config.default.js': configOf(false) });
  const client = await connect(t, off.url);
  const [session] = Object.values(Reflect.get(off.io.engine, 'clients') as Record<string, object>);
  assert.ok(session);
  assert.deepEqual(
    Object.getOwnPropertySymbols(session)
      .map(String)
      .filter(name => name.includes('traffic')),
    [],
  );
  client.disconnect();
  assert.deepEqual(
    (await readdir(join(off.baseDir, 'logs'))).filter(name => name.includes('access')),
    [],
  );
});

test('a wrong option, and an access log without a logger, stop the boot', async t => {
  // first: in Egg 4.1 it would not get as far as this after another one that has failed
  const late = await bootError(t, {
    'app.js': `module.exports = class { constructor(app) { this.app = app; } configWillLoad() { this.app.config.io.accessLog = true; } };`,
  });
  assert.match(late.message, /config\.customLogger\.ioAccessLogger/);
  for (const value of [1, 'yes', [], { packet: true }, { packets: 1 }]) {
    const error = await bootError(t, { 'config/config.default.js': `exports.io = { accessLog: ${JSON.stringify(value)} };` });
    assert.equal(error.code, 'IO_CONFIG_INVALID');
    assert.match(error.message, /config\.io\.accessLog/);
  }
});

/** A way to each worker, by its number in the cluster: all that is sent with one goes over the same TCP connection. */
async function agentOfEach(t: TestContext, url: string): Promise<Map<string, Agent>> {
  const agents = new Map<string, Agent>();
  while (agents.size < WORKERS) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const worker = await new Promise<string>((resolve, reject) => {
      get(`${url}/worker`, { agent }, response => resolve(text(response))).once('error', reject);
    });
    agents.set(worker, agent);
  }
  return agents;
}

test('sessions that another worker pipes to their owner have their lines there, with the address of the client and all that has passed', async t => {
  const files = {
    ...FILES,
    // however busy the machine is, an upgrade has its time, and a connection that is not used stays
    'config/config.default.js': `${configOf(true)} exports.io.init = { upgradeTimeout: 60_000 };`,
    'app.js': `module.exports = app => app.once('server', server => (server.keepAliveTimeout = 60_000));`,
  };
  const { url, baseDir } = await startCluster(t, files, { workers: WORKERS });
  const expected = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      const user = `user ${n}`;
      const agents = await agentOfEach(t, url);
      const client = newClient(t, url, { transports: ['polling', 'websocket'], query: { user } });
      const isPiped = n % 2 === 0;
      client.io.once('open', () => {
        const { engine } = client.io;
        const owner = engine.id?.split('.')[0];
        const [, agent] = [...agents].find(([worker]) => (worker !== owner) === isPiped) ?? assert.fail('there is one');
        // protected; the upgrade begins after this
        Object.assign(Reflect.get(engine, 'opts') as object, { transportOptions: { websocket: { agent } } });
      });
      await next(client, 'connect');
      const { engine } = client.io;
      if (engine.transport.name !== 'websocket') await next(engine as unknown as NodeJS.EventEmitter, 'upgrade'); // its own emitter, of the same shape
      const answer = (await ask(client, 'who')) as { pid: string; isPiped: boolean };
      assert.equal(answer.isPiped, isPiped);
      const news = next(client, 'news');
      client.emit('tell', 'secret');
      await news;
      engine.close();
      return { user, pid: answer.pid };
    }),
  );
  await until(t, async () => (await linesOf(baseDir)).length >= expected.length);
  const lines = await linesOf(baseDir);
  assert.equal(lines.length, expected.length);
  for (const { user, pid } of expected) {
    const line = lines.find(candidate => candidate.user === user);
    assert.deepEqual(
      [line?.pid, line?.ip, line?.transport, line?.packetsIn, line?.packetsOut, line?.outcome],
      [pid, '127.0.0.1', 'websocket', '2', '3', 'transport close'],
    );
  }
});

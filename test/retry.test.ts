/** Clients that cannot be let in for now: they come back by themselves, and are not lost for good. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type AppOptions, type Files, type RunningApp, startApp } from './support/app';
import { type Client, type ClientVersion, connect, newClient, next, refusal, refusalsBeside } from './support/client';
import { RawClient } from './support/raw';
import { type EngineConnection, engineConnections, internals, NOTHING, nothingRemains, remains, watchForCrashes } from './support/remains';

const GUARDED = `{ connectionMiddleware: ['guard'] }`;

const FILES: Files = {
  'config/config.default.js': `exports.io = { namespace: { '/': {}, '/chat': ${GUARDED}, '/news': ${GUARDED}, '/free': {} } };`,
  'app/io/middleware/guard.js': `
    const { IoError } = require('egg-socket.io');
    class AuthError extends Error {}
    class JsonWebTokenError extends Error {}
    const refused = () => Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:6379'), { code: 'ECONNREFUSED' });
    const withFields = fields => Object.assign(new Error('a secret'), fields);
    const thrown = {
      // for now
      refused,
      errno: () => withFields({ errno: -111 }),
      syscall: () => withFields({ syscall: 'connect' }),
      status: () => withFields({ status: 503 }),
      ioError: () => new IoError('MAINTENANCE', 'back in a minute', { status: 503 }),
      statusOfClients: () => withFields({ status: -1, code: 'ETIMEDOUT' }),
      pipe: () => withFields({ code: 'EPIPE' }),
      dns: () => withFields({ code: 'EAI_AGAIN' }),
      cause: () => new TypeError('fetch failed', { cause: refused() }),
      // for good
      plain: () => new Error('not you'),
      refusal: () => withFields({ status: 403, errno: -111, syscall: 'connect', code: 'ECONNREFUSED' }),
      auth: () => new AuthError('not you'),
      jwt: () => new JsonWebTokenError('jwt malformed'),
      number: () => withFields({ code: 401 }),
      object: () => ({ status: 503 }),
      bug: () => new TypeError('x is not a function'),
      own: () => withFields({ code: 'EXPIRED' }),
      reason: () => new Error('not you', { cause: refused() }),
      module: () => withFields({ code: 'MODULE_NOT_FOUND' }),
    };
    module.exports = app => async (ctx, next) => {
      app.emit('asked', ctx.socket);
      const how = ctx.socket.handshake.auth.how ?? app.trouble;
      if (how) throw thrown[how]();
      await next();
    };`,
};

/** The delay is short, unless a test says that nobody comes to its end. */
async function start(
  t: TestContext,
  { delay = 10, ...options }: AppOptions & { delay?: number } = {},
  files: Files = {},
): Promise<RunningApp> {
  watchForCrashes(t);
  const running = await startApp(t, { ...FILES, ...files }, options);
  const { retryDelay } = internals(running.io).runtime.arrivals;
  Object.assign(retryDelay, { least: delay, most: delay * 2 });
  return running;
}

function trouble({ app }: RunningApp, how: string | undefined): void {
  Reflect.set(app, 'trouble', how);
}

const COMES_BACK = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 };

/** What a client hears from now on. */
function hear(client: Client): string[] {
  const heard: string[] = [];
  for (const event of ['connect', 'connect_error', 'error']) client.on(event, () => heard.push(event));
  return heard;
}

for (const version of [2, 3, 4] satisfies ClientVersion[]) {
  for (const transport of ['websocket', 'polling']) {
    test(`clients ${version} over ${transport} all come back by themselves when a guard has been in trouble, and hear nothing of it`, async t => {
      const running = await start(t);
      trouble(running, 'refused');
      const failures = new Map<string, number>();
      const troubled = new Promise<void>(resolve => {
        running.app.on('asked', socket => {
          const { who } = (socket as { handshake: { query: Record<string, string> } }).handshake.query;
          failures.set(String(who), (failures.get(String(who)) ?? 0) + 1);
          if (failures.size === 12 && [...failures.values()].every(count => count >= 2)) resolve();
        });
      });
      const clients = Array.from({ length: 12 }, (_, who) =>
        newClient(t, `${running.url}/chat`, { ...COMES_BACK, transports: [transport], query: { who: String(who) } }, version),
      );
      const heard = clients.map(client => hear(client));
      await troubled; // each of them has tried twice, and is still trying
      const connected = Promise.all(clients.map(async client => next(client, 'connect')));
      trouble(running, undefined);
      await connected;
      for (const one of heard) assert.deepEqual(one, ['connect']);
      for (const client of clients) client.disconnect();
      await nothingRemains(running.io);
    });
  }
}

/** A parent whose store can be in trouble. */
const ON_DEMAND: Files = {
  'app/router.js': `module.exports = app => {
    app.io.of(async (name, auth, answer) => {
      app.emit('asked');
      if (app.trouble) throw Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:6379'), { code: 'ECONNREFUSED' });
      answer(null, true);
    });
  };`,
};

for (const version of [2, 3, 4] satisfies ClientVersion[]) {
  test(`clients ${version} come back by themselves when the function of a parent has been in trouble, for a namespace that was not there`, async t => {
    const running = await start(t, {}, ON_DEMAND);
    const { app, io, url } = running;
    trouble(running, 'refused');
    const client = newClient(t, `${url}/made`, COMES_BACK, version);
    const heard = hear(client);
    for (let count = 0; count < 3; count++) await next(app, 'asked');
    assert.equal(io._nsps.has('/made'), false);
    const connected = next(client, 'connect');
    trouble(running, undefined);
    await connected;
    assert.deepEqual(heard, ['connect']);
    assert.equal(io.of('/made').sockets.size, 1);
    await running.logged(/^ERROR .*connection postponed, the client will try again, namespace made on demand, socket \S+: Error: connect/);
    client.disconnect();
    await nothingRemains(io);
  });
}

test('a client that has another namespace open is told that the parent of one that is not there is in trouble', async t => {
  const running = await start(t, { delay: 60_000 }, ON_DEMAND);
  const main = await connect(t, `${running.url}/free`);
  trouble(running, 'refused');
  const made = main.io.socket('/made');
  assert.equal(Reflect.get((await refusal(made)).data as object, 'retry'), true);
  trouble(running, undefined);
  const connected = next(made, 'connect');
  made.connect();
  await connected;
});

test('what is retried, and what is not', async t => {
  for (const env of ['unittest', 'prod']) {
    const { url, close } = await start(t, { env });
    const main = await connect(t, `${url}/free`); // so that the answer is told rather than acted upon
    const refused = refusalsBeside(main, '/chat');
    const retries = async (how: string): Promise<unknown> => {
      const { message, data } = await refused({ how });
      if (env === 'prod' && data && Reflect.get(data, 'code') === 'INTERNAL_SERVER_ERROR') assert.equal(message, 'Internal Server Error');
      return Reflect.get(data as object, 'retry');
    };
    for (const how of ['refused', 'errno', 'syscall', 'status', 'ioError', 'statusOfClients', 'pipe', 'dns', 'cause'])
      assert.equal(await retries(how), true, how);
    for (const how of ['plain', 'refusal', 'auth', 'jwt', 'number', 'object', 'bug', 'own', 'reason', 'module'])
      assert.equal(await retries(how), undefined, how);
    main.disconnect();
    await close();
  }
});

test('one line of log a second, the first in full and then their number', async t => {
  const running = await start(t, { delay: 60_000 });
  trouble(running, 'refused');
  const clients: RawClient[] = [];
  for (let count = 0; count < 5; count++) {
    const asked = next(running.app, 'asked');
    clients.push((await RawClient.open(t, running.url)).send('40/chat,'));
    await asked;
  }
  await running.logged(
    /^ERROR .*connection postponed, the client will try again, namespace \/chat, socket \S+: Error: connect ECONNREFUSED.*\n? +at/s,
  );
  const closing = running.close();
  await Promise.all(clients.map(async client => client.closed));
  await closing;
  const lines = running.logs.filter(line => line.includes('connection postponed'));
  const inFull = lines.filter(line => /\n +at /.test(line)).length;
  const counted = lines.map(line => Number(/: (\d+) more within a second/.exec(line)?.[1] ?? 0)).reduce((sum, count) => sum + count, 0);
  assert.equal(inFull + counted, 5, lines.join('\n'));
  assert.ok(inFull < 5, lines.join('\n'));
});

test('a client that has another namespace open is told, and may try again at once', async t => {
  const running = await start(t, { env: 'prod', delay: 60_000 });
  const main = await connect(t, `${running.url}/free`);
  trouble(running, 'refused');
  const chat = main.io.socket('/chat');
  const { message, data } = await refusal(chat);
  assert.deepEqual([message, data], ['Internal Server Error', { code: 'INTERNAL_SERVER_ERROR', retry: true }]);
  assert.equal(chat.active, false);
  trouble(running, undefined);
  const connected = next(chat, 'connect');
  chat.connect();
  await connected;
  assert.equal(main.connected, true);
});

test('a client whose namespaces all fail for now comes back to all of them', async t => {
  const running = await start(t);
  trouble(running, 'status');
  const chat = newClient(t, `${running.url}/chat`, { ...COMES_BACK, forceNew: false, multiplex: true });
  const news = chat.io.socket('/news');
  const heard = [hear(chat), hear(news)];
  for (let count = 0; count < 4; count++) await next(running.app, 'asked');
  const connected = [next(chat, 'connect'), next(news, 'connect')];
  trouble(running, undefined);
  await Promise.all(connected);
  assert.deepEqual(heard, [['connect'], ['connect']]);
  news.disconnect();
});

test('a client of protocol 3 comes back although it is in / by itself, and is told with a string where it has more', async t => {
  const running = await start(t, { env: 'prod' });
  trouble(running, 'refused');
  const alone = newClient(t, `${running.url}/chat`, COMES_BACK, 2);
  const heard = hear(alone);
  for (let count = 0; count < 3; count++) await next(running.app, 'asked');
  const connected = next(alone, 'connect');
  trouble(running, undefined);
  await connected;
  assert.deepEqual(heard, ['connect']);
  trouble(running, 'refused');
  const news = alone.io.socket('/news');
  const [told] = await next(news, 'error');
  news.disconnect(); // else its manager goes on reconnecting when the app has closed
  assert.equal(told, 'Internal Server Error');
  assert.equal(alone.connected, true);
});

test('a client that opens another namespace while it is put off is told in the end', async t => {
  const running = await start(t, { delay: 200 });
  trouble(running, 'refused');
  const client = await RawClient.open(t, running.url);
  client.send('40/chat,');
  await running.logged(/connection postponed/);
  client.send('40/free,');
  await client.frame(/^40\/free,/);
  assert.match(await client.frame(/^44/), /^44\/chat,.*"retry":true/);
  client.vanish();
  await nothingRemains(running.io);
});

test('a client that is put off and asks again is let in, and stays', async t => {
  const running = await start(t, { delay: 60_000 });
  trouble(running, 'refused');
  const client = await RawClient.open(t, running.url);
  client.send('40/chat,');
  await running.logged(/connection postponed/);
  await internals(running.io).runtime.inFlight.idle();
  assert.equal(remains(running.io).preConnectSockets, 0);
  trouble(running, undefined);
  client.send('40/chat,');
  await client.frame(/^40\/chat,/);
  assert.equal(internals(running.io).runtime.arrivals.size, 0);
  client.vanish();
  await nothingRemains(running.io);
});

test('a client that is put off leaves nothing when it goes, and is let go at once when the app closes', async t => {
  const running = await start(t, { delay: 60_000 });
  const { inFlight } = internals(running.io).runtime;
  await RawClient.open(t, running.url);
  const [other] = engineConnections(running.io);
  trouble(running, 'refused');
  for (const end of ['vanish', 'close'] as const) {
    const asked = next(running.app, 'asked');
    const client = await RawClient.open(t, running.url);
    client.send('40/chat,');
    await asked;
    await inFlight.idle();
    if (end === 'vanish') {
      const gone = next(engineConnections(running.io).at(-1) as EngineConnection, 'close'); // the client's
      client.vanish();
      await gone;
      assert.deepEqual(remains(running.io), { ...NOTHING, connections: 1 });
      continue;
    }
    inFlight.begin(); // a handler that runs: others stay until it has ended
    const closing = running.close();
    await client.closed;
    assert.equal(Reflect.get(other as EngineConnection, 'readyState'), 'open');
    inFlight.end();
    await closing;
    await nothingRemains(running.io);
  }
});

test('trouble in what the app gave to use() is tried again as well, and internals of Node stay on the server', async t => {
  watchForCrashes(t);
  const { url, logged } = await startApp(
    t,
    {
      'app/router.js': `module.exports = app => {
        app.io.of('/given').use((socket, next) => next(Object.assign(new Error('/srv/secret'), { code: 'ERR_MODULE_SECRET' })));
        app.io.of('/circle').use(() => { const error = new TypeError('x'); error.cause = error; throw error; });
        app.io.of('/away').use((socket, next) => next(Object.assign(new Error('connect 10.0.0.1'), { code: 'ECONNREFUSED' })));
        app.io.of('/open');
      };`,
    },
    { env: 'prod' },
  );
  const open = await connect(t, `${url}/open`);
  for (const name of ['/given', '/circle', '/away']) {
    const client = open.io.socket(name);
    const error = await refusal(client);
    assert.doesNotMatch(error.message, /secret|10\.0/, name);
    assert.equal((error.data as { retry?: boolean }).retry, name === '/away' ? true : undefined, name);
  }
  await logged(/connection postponed.*ECONNREFUSED|connection postponed.*connect 10/);
});

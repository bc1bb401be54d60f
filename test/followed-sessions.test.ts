/** Connections that end together with their HTTP session: `config.io.auth.followSession`. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { bootError, type Files, type RunningApp, startApp } from './support/app';
import { ask, type Client, connect, newClient, next, refusal } from './support/client';
import { startCluster } from './support/cluster';
import { type RedisServer, startRedis } from './support/redis';
import { internals, nothingRemains, watchForCrashes } from './support/remains';

const REVOKED = ['The login has been revoked', { code: 'AUTH_REVOKED' }, 'io server disconnect'];

const CONFIG = 'exports.io = { auth: { followSession: true }, namespace: { "/": { connectionMiddleware: ["gate"] } } };';

const FILES: Files = {
  'app/io/middleware/gate.js': `
    module.exports = app => async (ctx, next) => { app.emit('coming'); await app.gate; await next(); };`,
  'app/router.js': `
    module.exports = app => {
      app.router.get('/login', async ctx => { ctx.session = { user: ctx.query.user }; ctx.body = 'in'; });
      app.router.get('/logout', async ctx => { ctx.session = null; ctx.body = 'out'; });
      app.router.get('/regenerate', async ctx => { await ctx.session.regenerate(); ctx.body = 'new'; });
      app.router.get('/block', async ctx => { await app.sessionStore.destroy(ctx.session.externalKey); ctx.body = 'blocked'; });
      app.router.get('/worker', async ctx => { ctx.body = String(process.pid); });
      app.io.use(async (socket, next) => { app.emit('using'); await app.using; next(); });
      for (const name of ['/', '/news']) {
        app.io.of(name).route('who', async ctx => ctx.session?.user ?? null).route('worker', async () => process.pid)
          .route('logout', async ctx => { ctx.session = null; });
      }
    };`,
};

/** An app with its sessions in Redis. */
function filesWith({ port }: RedisServer, config = CONFIG): Files {
  return {
    ...FILES,
    'config/config.default.js': `${config} exports.logger = { ...exports.logger, level: 'INFO' };`,
    'app.js': `
      const Redis = require('ioredis');
      module.exports = class {
        constructor(app) { this.app = app; }
        async didLoad() {
          const redis = (this.redis = new Redis(${port}, '127.0.0.1'));
          const { app } = this;
          app.sessionStore = {
            async get(key) {
              const stored = await redis.get(key);
              app.emit('reading');
              await app.reading;
              return JSON.parse(stored);
            },
            async set(key, value) { await redis.set(key, JSON.stringify(value)); },
            async destroy(key) { await redis.del(key); if (app.storeFails) throw new Error('the store is down'); },
          };
        }
        async beforeClose() { this.redis.disconnect(); }
      };`,
  };
}

async function fetchText(url: string, cookie = ''): Promise<string> {
  return (await fetch(url, { headers: { cookie } })).text();
}

/** Logs in over HTTP; gives the options of a page from then on. */
async function logIn(url: string, user: string): Promise<{ extraHeaders: { cookie: string } }> {
  const response = await fetch(`${url}/login?user=${user}`);
  assert.equal(await response.text(), 'in');
  const cookies = response.headers.getSetCookie().map(cookie => cookie.split(';')[0]);
  return { extraHeaders: { cookie: cookies.join('; ') } };
}

/** What a client hears from its end. */
async function endOf(client: Client): Promise<unknown[]> {
  const error = next(client, 'error');
  const end = next(client, 'disconnect');
  return [...(await error), (await end)[0]];
}

async function start(t: TestContext, files?: Files): Promise<RunningApp> {
  return startApp(t, files ?? filesWith(await startRedis(t)));
}

async function nobodyIsFollowed({ io }: RunningApp): Promise<void> {
  await nothingRemains(io);
  assert.equal(internals(io).runtime.followedSessions?.size, 0);
}

test('a logout over HTTP ends all connections of the session, and no others', async t => {
  const running = await start(t);
  const { app, url } = running;
  const other = await connect(t, url, await logIn(url, 'bert'));
  const stranger = await connect(t, url);
  for (const way of ['logout', 'regenerate', 'block', 'failing logout']) {
    Object.assign(app, { storeFails: way === 'failing logout' });
    const page = await logIn(url, 'anna');
    const first = await connect(t, url, { ...page, reconnection: true, reconnectionDelay: 1, forceNew: false, multiplex: true });
    const clients = [
      first,
      first.io.socket('/news', {}),
      await connect(t, url, { ...page, transports: ['polling'] }),
      await connect(t, url, page, 2),
      await connect(t, `${url}/news`, { ...page, transports: ['polling'] }, 2),
    ];
    for (const client of clients) assert.equal(await ask(client, 'who'), 'anna');
    const ends = Promise.all(clients.map(endOf));
    await fetchText(`${url}/${way.split(' ').at(-1)}`, page.extraHeaders.cookie);
    assert.deepEqual(
      await ends,
      clients.map(() => REVOKED),
      way,
    );
    Object.assign(app, { storeFails: false });
    const again = next(first, 'connect');
    first.connect();
    await again;
    assert.equal(await ask(first, 'who'), null);
    first.disconnect();
  }
  assert.equal(await ask(other, 'who'), 'bert');
  assert.equal(await ask(stranger, 'who'), null);
  for (const client of [other, stranger]) client.disconnect();
  await nobodyIsFollowed(running);
});

test('an adapter of the app’s own that fails is a line of log, once, and is told of the next session', async t => {
  watchForCrashes(t);
  const adapter = `const { Adapter } = require('socket.io-adapter'); exports.io.adapter = nsp => Object.assign(new Adapter(nsp), { serverSideEmit() {} });`;
  const { io, url, logs } = await start(t, filesWith(await startRedis(t), `${CONFIG} ${adapter}`));
  const told: unknown[] = [];
  const fail = (args: unknown[]): never => {
    told.push(args[0]);
    throw new Error('down');
  };
  for (const serverSideEmit of [fail, async (args: unknown[]) => fail(args), fail]) {
    Object.assign(io.of('/').adapter, { serverSideEmit });
    const page = await logIn(url, 'anna');
    await fetchText(`${url}/logout`, page.extraHeaders.cookie);
  }
  assert.deepEqual(told, Array(3).fill('$io:session'));
  assert.equal(logs.filter(line => /other servers could not be told .*: down/.test(line)).length, 1, logs.join('\n'));
});

test('a handler that ends the session ends its connections, too', async t => {
  const running = await start(t);
  const page = await logIn(running.url, 'anna');
  const clients = [await connect(t, running.url, page), await connect(t, running.url, page)];
  const ends = Promise.all(clients.map(endOf));
  clients[0]?.emit('logout');
  assert.deepEqual(await ends, [REVOKED, REVOKED]);
  await nobodyIsFollowed(running);
});

test('a logout refuses a client whose middleware runs, and one whose session has been read but not yet taken', async t => {
  const running = await start(t);
  const { app, url } = running;
  for (const gate of ['gate', 'reading']) {
    const page = await logIn(url, 'anna');
    let open = (): void => {};
    Object.assign(app, { [gate]: new Promise<void>(resolve => (open = resolve)) });
    const coming = next(app, gate === 'gate' ? 'coming' : 'reading');
    const client = newClient(t, url, page);
    const refused = refusal(client);
    await coming;
    if (gate === 'reading') Object.assign(app, { reading: undefined }); // for the logout
    await fetchText(`${url}/logout`, page.extraHeaders.cookie);
    open();
    const { message, data } = await refused;
    assert.deepEqual([message, data], ['The login has been revoked', { code: 'AUTH_REVOKED' }], gate);
    client.disconnect();
    await nobodyIsFollowed(running);
  }
});

test('a logout ends a client while functions of use() run, as soon as it has connected', async t => {
  const running = await start(t);
  const { app, url } = running;
  for (const version of [2, 4] as const) {
    const page = await logIn(url, 'anna');
    let open = (): void => {};
    Object.assign(app, { using: new Promise<void>(resolve => (open = resolve)) });
    const using = next(app, 'using');
    const client = newClient(t, url, page, version);
    const end = endOf(client);
    await using;
    await fetchText(`${url}/logout`, page.extraHeaders.cookie);
    open();
    assert.deepEqual(await end, REVOKED, `client ${version}`);
  }
  await nobodyIsFollowed(running);
});

test('a polling client that closes its connection when its session has ended leaves no timer', async t => {
  const running = await start(t);
  const page = await logIn(running.url, 'anna');
  const client = await connect(t, `${running.url}/news`, { ...page, transports: ['polling'] }, 2);
  const { setTimeout } = globalThis;
  const timers: unknown[] = [];
  t.mock.method(globalThis, 'setTimeout', (run: () => void, ms: number) => {
    const timer = setTimeout(run, ms);
    if (ms === 30_000) timers.push(timer); // that of Engine.IO
    return timer;
  });
  const end = endOf(client);
  await fetchText(`${running.url}/logout`, page.extraHeaders.cookie);
  assert.deepEqual(await end, REVOKED);
  await nobodyIsFollowed(running);
  t.mock.restoreAll();
  assert.deepEqual(
    timers.map(timer => Reflect.get(Object(timer) as object, '_destroyed')), // private
    timers.map(() => true),
  );
  assert.ok(timers.length > 0);
});

test('a store that is made for each context, ContextStore, is followed as well', async t => {
  const { 'app.js': _, ...files } = filesWith({ port: 1 } as RedisServer); // without Redis
  const running = await start(t, {
    ...files,
    'config/config.default.js': `${CONFIG}
      const sessions = new Map();
      exports.session = {
        ContextStore: class {
          async get(key) { return JSON.parse(sessions.get(key) ?? 'null'); }
          async set(key, value) { sessions.set(key, JSON.stringify(value)); }
          async destroy(key) { sessions.delete(key); }
        },
      };`,
  });
  const page = await logIn(running.url, 'anna');
  const end = endOf(await connect(t, running.url, page));
  await fetchText(`${running.url}/logout`, page.extraHeaders.cookie);
  assert.deepEqual(await end, REVOKED);
});

test('an app that has closed leaves the store as it was', async t => {
  const { 'app.js': _, ...files } = filesWith({ port: 1 } as RedisServer); // without Redis
  const destroyed: string[] = [];
  class Store {
    async get(): Promise<undefined> {}
    async set(): Promise<void> {}
    async destroy(key: string): Promise<void> {
      destroyed.push(key);
    }
  }
  const store = new Store();
  const destroyOf = (): PropertyDescriptor | undefined => Object.getOwnPropertyDescriptor(store, 'destroy');
  t.after(() => Reflect.deleteProperty(globalThis, 'giveStore'));
  const appFiles = { ...files, 'app.js': 'module.exports = app => globalThis.giveStore(app);' };
  for (const [isOwn, isWrapped] of [
    [false, false],
    [true, false],
    [false, true],
  ]) {
    const own = { value: async (key: string) => void destroyed.push(key), configurable: true, enumerable: true, writable: true };
    const giveStore = (app: { sessionStore: Store }): void => {
      app.sessionStore = store;
      Reflect.deleteProperty(store, 'destroy'); // egg 3 gives it one of its own
      if (isOwn) Object.defineProperty(store, 'destroy', own);
    };
    Object.assign(globalThis, { giveStore });
    const { close, io } = await start(t, appFiles);
    const sessions = internals(io).runtime.followedSessions;
    const watched = store.destroy;
    assert.ok(watched !== Store.prototype.destroy && watched !== own.value);
    if (isWrapped) store.destroy = async key => watched.call(store, key); // by somebody else
    const { destroy } = store;
    await close();
    const told: string[] = [];
    Object.assign(Object(sessions) as object, { tell: (hash: string) => told.push(hash) });
    await destroy.call(store, 'a key');
    assert.deepEqual([destroyed.splice(0), told], [['a key'], []]);
    if (isWrapped) assert.equal(store.destroy, destroy);
    else assert.deepEqual(destroyOf(), isOwn ? own : undefined);
  }
});

test('without an external store there is nothing to follow, and the boot stops', async t => {
  const error = await bootError(t, { 'config/config.default.js': CONFIG });
  assert.equal(error.code, 'IO_CONFIG_INVALID');
  assert.match(error.message, /config\.io\.auth\.followSession needs sessions in an external store.*set app\.sessionStore/);
});

test('a logout at one worker ends the connections to the other one', { timeout: 60_000 }, async t => {
  const cluster = await startCluster(t, filesWith(await startRedis(t)), { workers: 2 });
  const { url } = cluster;
  const page = await logIn(url, 'anna');
  const clients = new Map<unknown, Client>();
  while (clients.size < 2) {
    const client = await connect(t, url, page);
    clients.set(await ask(client, 'worker'), client);
  }
  const ends = Promise.all([...clients.values()].map(endOf));
  await fetchText(`${url}/logout`, page.extraHeaders.cookie);
  assert.deepEqual(await ends, [REVOKED, REVOKED]);
  assert.equal(await cluster.terminate(), 0); // before Redis
});

test('a logout at one server ends the connections to another one, which learns no key', async t => {
  const redis = await startRedis(t);
  const config = `exports.io = { auth: { followSession: true }, redis: { port: ${redis.port} } };`;
  const [one, two] = [await start(t, filesWith(redis, config)), await start(t, filesWith(redis, config))];
  const page = await logIn(one.url, 'anna');
  const told: unknown[] = [];
  const main = two.io.of('/');
  const receive = main._onServerSideEmit.bind(main);
  Object.assign(main, { _onServerSideEmit: (args: [string, ...unknown[]]) => (told.push(args), receive(args)) });
  const client = await connect(t, two.url, page);
  assert.equal(await ask(client, 'who'), 'anna');
  const end = endOf(client);
  await fetchText(`${one.url}/logout`, page.extraHeaders.cookie);
  assert.deepEqual(await end, REVOKED);
  assert.match(JSON.stringify(told), /^\[\["\$io:session","[\w-]{43}"\]\]$/);
});

/** The HTTP session of the cookie in a handshake. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from 'node:path';
import { type Files, ROOT, type RunningApp, startApp } from './support/app';
import { ask, connect, newClient, next, refusal } from './support/client';
import { internals } from './support/remains';
import { startRedis } from './support/redis';
import { until } from './support/until';

const APP: Files = {
  'config/config.default.js': `
    exports.io = { namespace: { '/': { connectionMiddleware: ['remember'], packetMiddleware: ['watch'] } } };`,
  'app/io/middleware/remember.js': `
    module.exports = app => async (ctx, next) => {
      if (ctx.handshake.query.greet) ctx.session.greeted = ctx.handshake.query.greet;
      if (ctx.handshake.query.guard && !ctx.session.user) throw new Error('log in first');
      await next();
      if (ctx.handshake.query.watch) app.emit('gone', ctx.session.user);
    };`,
  'app/io/middleware/watch.js': `module.exports = () => async (ctx, next) => { await next(); };`,
  'app/router.js': `
    module.exports = app => {
      app.router.get('/login', async ctx => { ctx.session = { user: ctx.query.user }; ctx.body = 'in'; });
      app.router.get('/logout', async ctx => { ctx.session = null; ctx.body = 'out'; });
      app.router.get('/set', async ctx => { ctx.session[ctx.query.key] = ctx.query.value; ctx.body = 'set'; });
      app.router.get('/session', async ctx => { ctx.body = { ...ctx.session.toJSON() }; });
      app.io.route('who', async ctx => ctx.session?.user ?? null);
      app.io.route('get', async ctx => ctx.session?.[ctx.args[0]] ?? null);
      app.io.route('set', async ctx => { ctx.session[ctx.args[0]] = ctx.args[1]; return 'set'; });
      app.io.route('set and fail', async ctx => { ctx.session.failed = true; throw new Error('a mishap'); });
      app.io.route('replace', async ctx => { ctx.session = { user: ctx.args[0] }; return 'replaced'; });
      app.io.route('remove', async ctx => { ctx.session = null; return 'removed'; });
      app.io.route('save', async ctx => {
        const { session } = ctx;
        if (ctx.args[0]) session[ctx.args[0]] = ctx.args[1];
        await session.save();
        return 'saved';
      });
      app.io.route('save by callback', async ctx => {
        ctx.session.color = 'red';
        const error = await new Promise(resolve => ctx.session.save(resolve));
        return error?.message ?? 'saved';
      });
      app.io.route('commit', async ctx => { ctx.session[ctx.args[0]] = ctx.args[1]; await ctx.session.manuallyCommit(); return 'committed'; });
      app.io.route('regenerate', async ctx => { await ctx.session.regenerate(); });
      app.io.route('reload', async ctx => {
        if (ctx.args[0]) ctx.session.draft = ctx.args[0];
        await ctx.session?.reload();
        return ctx.session && { ...ctx.session.toJSON() };
      });
      app.io.route('remember', async ctx => { ctx.session.maxAge = ctx.args[0]; return ctx.session.maxAge; });
      app.io.route('untouched', async () => 'untouched');
      app.io.route('disconnect', async ctx => {
        if (ctx.handshake.query.last) { ctx.session.last = ctx.args[0]; }
      });
    };`,
};

/** Logs in over HTTP; gives the headers that a browser would send from then on. */
async function logIn({ url }: RunningApp, user: string): Promise<{ cookie: string }> {
  const response = await fetch(`${url}/login?user=${user}`);
  assert.equal(await response.text(), 'in');
  return {
    cookie: response.headers
      .getSetCookie()
      .map(cookie => cookie.split(';')[0])
      .join('; '),
  };
}

async function httpSession({ url }: RunningApp, headers: { cookie: string }): Promise<Record<string, unknown>> {
  const { _expire, _maxAge, ...session } = (await (await fetch(`${url}/session`, { headers })).json()) as Record<string, unknown>;
  return session;
}

test('the session of an HTTP login is there in connection middleware, controllers and after the end', async t => {
  const running = await startApp(t, APP);
  const extraHeaders = await logIn(running, 'anna');
  for (const transports of [['websocket'], ['polling']]) {
    const client = await connect(t, running.url, { transports, extraHeaders, query: { guard: '1', watch: '1' } });
    assert.equal(await ask(client, 'who'), 'anna');
    const gone = next(running.app, 'gone');
    client.disconnect();
    assert.deepEqual(await gone, ['anna']);
  }
  assert.equal((await refusal(newClient(t, running.url, { query: { guard: '1' } }))).message, 'log in first');
});

test('the session in a cookie is decoded once for a connection, when something asks for it', async t => {
  const running = await startApp(t, {
    'config/config.default.js': `
      exports.session = {
        decode(text) { globalThis.decoded = (globalThis.decoded ?? 0) + 1; return JSON.parse(Buffer.from(text, 'base64')); },
        encode(session) { return Buffer.from(JSON.stringify(session)).toString('base64'); },
      };`,
    'app/router.js': `
      module.exports = app => {
        app.router.get('/login', async ctx => { ctx.session = { user: ctx.query.user }; ctx.body = 'in'; });
        app.io.route('decoded', async () => globalThis.decoded);
        app.io.route('who', async ctx => ctx.session.user);
      };`,
  });
  const extraHeaders = await logIn(running, 'anna');
  Reflect.set(globalThis, 'decoded', 0);
  const client = await connect(t, running.url, { extraHeaders });
  assert.equal(await ask(client, 'decoded'), 0);
  assert.deepEqual([await ask(client, 'who'), await ask(client, 'who')], ['anna', 'anna']);
  assert.equal(await ask(client, 'decoded'), 1);
  Reflect.deleteProperty(globalThis, 'decoded');
});

test('a cookie that is not ours is no session', async t => {
  const { url } = await startApp(t, APP);
  const client = await connect(t, url, { extraHeaders: { cookie: 'EGG_SESS=forged; EGG_SESS.sig=forged' } });
  assert.equal(await ask(client, 'who'), null);
});

test('packets of one connection share the session, and those of another do not', async t => {
  const running = await startApp(t, APP);
  const extraHeaders = await logIn(running, 'anna');
  const [client, other] = [await connect(t, running.url, { extraHeaders }), await connect(t, running.url, { extraHeaders })];
  assert.equal(await ask(client, 'set', 'color', 'red'), 'set');
  assert.equal(await ask(client, 'get', 'color'), 'red');
  assert.equal(await ask(client, 'who'), 'anna');
  assert.equal(await ask(other, 'get', 'color'), null);
  assert.equal(await ask(client, 'remove'), 'removed');
  assert.equal(await ask(client, 'who'), null);
});

test('a session in a cookie is changed for the connection only', async t => {
  const running = await startApp(t, APP);
  const extraHeaders = await logIn(running, 'anna');
  await ask(await connect(t, running.url, { extraHeaders }), 'set', 'color', 'red');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna' });
});

test('without a cookie there is an empty session, which its connection can use', async t => {
  const { url } = await startApp(t, APP);
  const client = await connect(t, url);
  assert.equal(await ask(client, 'who'), null);
  assert.equal(await ask(client, 'set', 'user', 'bert'), 'set');
  assert.equal(await ask(client, 'who'), 'bert');
});

test('with the session plugin off there is no ctx.session, and all else works', async t => {
  const { url, app } = await startApp(t, {
    'config/plugin.js': `exports.session = false;`,
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['around'], packetMiddleware: ['mark'] } } };`,
    'app/io/middleware/around.js': `module.exports = app => async (ctx, next) => { await next(); app.emit('gone', 'session' in ctx); };`,
    'app/io/middleware/mark.js': `module.exports = () => async (ctx, next) => { await next(); };`,
    'app/router.js': `module.exports = app => { app.io.route('has', async ctx => ['session' in ctx, ctx.session === undefined]); };`,
  });
  const client = await connect(t, url);
  assert.deepEqual(await ask(client, 'has'), [false, true]);
  const gone = next(app, 'gone');
  client.disconnect();
  assert.deepEqual(await gone, [false]);
});

/** The app with its sessions in a real Redis, where each read and write is counted. */
async function startStored(
  t: Parameters<typeof startApp>[0],
  files: Files = {},
): Promise<RunningApp & { counts: Record<'get' | 'set' | 'destroy', number> }> {
  const redis = await startRedis(t);
  const running = await startApp(t, {
    ...APP,
    ...files,
    'app.js': `
      const Redis = require('ioredis');
      module.exports = class {
        constructor(app) { this.app = app; }
        async didLoad() {
          const { app } = this;
          const redis = (this.redis = new Redis(${redis.port}, '127.0.0.1'));
          app.counts = { get: 0, set: 0, destroy: 0 };
          app.sessionStore = {
            async get(key) {
              app.counts.get++;
              if (app.storeFails) throw new Error('the store is down');
              const stored = await redis.get(key);
              app.emit('reading');
              await app.gate;
              return JSON.parse(stored);
            },
            async set(key, value) { app.counts.set++; app.stored = value; await redis.set(key, JSON.stringify(value)); },
            async destroy(key) { app.counts.destroy++; await redis.del(key); },
          };
        }
        async beforeClose() { await this.redis.quit(); }
      };`,
  });
  return { ...running, counts: Reflect.get(running.app, 'counts') as Record<'get' | 'set' | 'destroy', number> };
}

test('what a handler changes in a session of an external store is saved when it answers', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  assert.equal(await ask(client, 'who'), 'anna');
  assert.equal(await ask(client, 'set', 'color', 'red'), 'set');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', color: 'red' });
  assert.equal(await ask(client, 'replace', 'bert'), 'replaced');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'bert' });
  assert.equal(await ask(client, 'set', 'color', 'blue'), 'set');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'bert', color: 'blue' });
});

test('what connection middleware and a disconnect handler change is saved as well', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders, query: { greet: 'hello', last: '1', watch: '1' } });
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', greeted: 'hello' });
  const gone = next(running.app, 'gone');
  client.disconnect();
  await gone;
  await until(t, async () => (await httpSession(running, extraHeaders))['last'] !== undefined);
  const last = 'client namespace disconnect';
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', greeted: 'hello', last });
});

test('a session that is set to null is removed from the store', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  assert.equal(await ask(client, 'remove'), 'removed');
  assert.equal(running.counts.destroy, 1);
  assert.deepEqual(await httpSession(running, extraHeaders), {});
  assert.equal(await ask(client, 'who'), null);
  assert.equal(running.counts.destroy, 1);
});

test('a session is read once for a connection, and not written where nothing has changed', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const before = { ...running.counts };
  const client = await connect(t, running.url, { extraHeaders });
  for (const event of ['who', 'who', 'untouched', 'untouched']) await ask(client, event);
  await ask(client, 'get', 'user');
  assert.deepEqual(running.counts, { ...before, get: before.get + 1 });
  assert.equal(await ask(client, 'set', 'user', 'anna'), 'set');
  assert.equal(running.counts.set, before.set);
});

test('a logout over HTTP is seen at the next connection', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  assert.equal(await (await fetch(`${running.url}/logout`, { headers: extraHeaders })).text(), 'out');
  assert.equal(await ask(client, 'who'), 'anna');
  assert.equal(await ask(await connect(t, running.url, { extraHeaders }), 'who'), null);
});

test('reload() reads the session anew: what HTTP has changed is there, what was not saved is not, and a logout is seen', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  assert.equal(await ask(client, 'set', 'a', 'socket'), 'set');
  await (await fetch(`${running.url}/set?key=b&value=http`, { headers: extraHeaders })).text();
  assert.equal(await ask(client, 'get', 'b'), null);
  const { set } = running.counts;
  assert.deepEqual(await ask(client, 'reload', 'a draft'), { user: 'anna', a: 'socket', b: 'http' });
  assert.equal(await ask(client, 'get', 'b'), 'http');
  assert.equal(running.counts.set, set);
  assert.equal(await ask(client, 'set', 'c', 'socket'), 'set');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', a: 'socket', b: 'http', c: 'socket' });

  Reflect.set(running.app, 'storeFails', true);
  assert.deepEqual(await ask(client, 'reload'), { error: { code: 'INTERNAL_SERVER_ERROR', message: 'the store is down' } });
  Reflect.set(running.app, 'storeFails', false);
  assert.equal(await ask(client, 'who'), 'anna');
  await (await fetch(`${running.url}/logout`, { headers: extraHeaders })).text();
  assert.equal(await ask(client, 'reload'), null);
  assert.equal(await ask(client, 'who'), null);

  const stranger = await connect(t, running.url);
  assert.deepEqual(await ask(stranger, 'reload'), {});
});

test('reload() rejects where sessions are in cookies: there is nothing newer', async t => {
  const running = await startApp(t, APP);
  const client = await connect(t, running.url, { extraHeaders: await logIn(running, 'anna') });
  const { error } = (await ask(client, 'reload')) as { error: { message: string } };
  assert.match(error.message, /session\.reload\(\) needs an external store/);
  assert.equal(await ask(client, 'who'), 'anna');
});

test('a client comes back by itself when the store has failed, whatever the store says, and hears nothing of it', async t => {
  const running = await startStored(t);
  Object.assign(internals(running.io).runtime.arrivals.retryDelay, { least: 10, most: 20 });
  const extraHeaders = await logIn(running, 'anna');
  Reflect.set(running.app, 'storeFails', true);
  const client = newClient(t, running.url, { extraHeaders, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 });
  const errors: unknown[] = [];
  client.on('connect_error', error => errors.push(error));
  await running.logged(/^ERROR .*connection postponed, the client will try again.*the store is down/);
  const connected = next(client, 'connect');
  Reflect.set(running.app, 'storeFails', false);
  await connected;
  assert.equal(await ask(client, 'who'), 'anna');
  assert.deepEqual(errors, []);
});

test('what a handler changed before it threw is saved all the same, as over HTTP', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  await ask(client, 'set and fail');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', failed: true });
});

test('a session that HTTP has removed is not brought back by a packet', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  await (await fetch(`${running.url}/logout`, { headers: extraHeaders })).text();
  const { set } = running.counts;
  assert.equal(await ask(client, 'set', 'user', 'anna again'), 'set');
  assert.equal(await ask(client, 'who'), null);
  assert.equal(running.counts.set, set);
  assert.equal(await ask(await connect(t, running.url, { extraHeaders }), 'who'), null);
});

test('save() and manuallyCommit() write what the connection has changed and leave alone what others have', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  await ask(client, 'who');
  const set = async (key: string): Promise<void> => {
    await (await fetch(`${running.url}/set?key=${key}&value=http`, { headers: extraHeaders })).text();
  };
  await set('a');
  assert.equal(await ask(client, 'save', 'b', 'socket'), 'saved');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', a: 'http', b: 'socket' });
  await set('b');
  assert.equal(await ask(client, 'commit', 'c', 'socket'), 'committed');
  assert.equal(await ask(client, 'save by callback'), 'saved');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', a: 'http', b: 'http', c: 'socket', color: 'red' });
});

test('save() writes a session in which nothing has changed, so that it lives longer; manuallyCommit() does not', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  const { set } = running.counts;
  assert.equal(await ask(client, 'commit', 'user', 'anna'), 'committed');
  assert.equal(running.counts.set, set);
  assert.equal(await ask(client, 'save'), 'saved');
  assert.equal(running.counts.set, set + 1);
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna' });
});

test('save() and manuallyCommit() do not bring back a session that HTTP has removed', async t => {
  const running = await startStored(t);
  for (const event of ['save', 'commit', 'save by callback']) {
    const extraHeaders = await logIn(running, 'anna');
    const client = await connect(t, running.url, { extraHeaders });
    await (await fetch(`${running.url}/logout`, { headers: extraHeaders })).text();
    const { set } = running.counts;
    assert.match(String(await ask(client, event, 'color', 'red')), /saved|committed/);
    assert.equal(running.counts.set, set);
    assert.equal(await ask(client, 'who'), null);
    assert.equal(await ask(await connect(t, running.url, { extraHeaders }), 'who'), null);
  }
});

test('a failing store rejects save(), and what it should have saved is saved later', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  Reflect.set(running.app, 'storeFails', true);
  const refused = { error: { code: 'INTERNAL_SERVER_ERROR', message: 'the store is down' } };
  assert.deepEqual(await ask(client, 'save', 'a', 1), refused);
  assert.deepEqual(await ask(client, 'remember', 5000), refused);
  Reflect.set(running.app, 'storeFails', false);
  assert.equal(await ask(client, 'save'), 'saved');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', a: 1 });
  assert.equal((Reflect.get(running.app, 'stored') as Record<string, unknown>)['_maxAge'], 5000);
});

test('a maxAge that a packet sets is kept, and nothing else is written with it', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  await ask(client, 'who');
  await (await fetch(`${running.url}/set?key=a&value=http`, { headers: extraHeaders })).text();
  const stored = (): Record<string, unknown> => Reflect.get(running.app, 'stored') as Record<string, unknown>;
  const maxAge = 90 * 24 * 3600 * 1000;
  assert.equal(await ask(client, 'remember', maxAge), maxAge);
  assert.equal(stored()['_maxAge'], maxAge);
  assert.ok((stored()['_expire'] as number) > Date.now() + maxAge / 2);
  assert.equal(stored()['a'], 'http');
  const { set } = running.counts;
  await ask(client, 'who');
  assert.equal(running.counts.set, set);
  assert.equal(await ask(client, 'remember', 'session'), 'session');
  assert.equal(stored()['_session'], true);
  assert.equal(await ask(await connect(t, running.url, { extraHeaders }), 'who'), 'anna');
});

test('regenerate() rejects, since its cookie could not reach the client; the session stays', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  const { error } = (await ask(client, 'regenerate')) as { error: { message: string } };
  assert.match(error.message, /regenerate\(\).*HTTP/);
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna' });
});

test('without autoCommit a session is saved by manuallyCommit() alone, as over HTTP', async t => {
  const running = await startStored(t, {
    'config/config.default.js': `exports.session = { autoCommit: false };`,
    'app/router.js': `
      module.exports = app => {
        app.router.get('/login', async ctx => { ctx.session = { user: ctx.query.user }; await ctx.session.manuallyCommit(); ctx.body = 'in'; });
        app.router.get('/session', async ctx => { ctx.body = { ...ctx.session.toJSON() }; });
        app.io.route('set', async ctx => { ctx.session[ctx.args[0]] = ctx.args[1]; return 'set'; });
        app.io.route('commit', async ctx => { await ctx.session.manuallyCommit(); return 'committed'; });
        app.io.route('remove', async ctx => { const { session } = ctx; ctx.session = null; await session.manuallyCommit(); return 'removed'; });
      };`,
  });
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  assert.equal(await ask(client, 'set', 'color', 'red'), 'set');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna' });
  assert.equal(await ask(client, 'commit'), 'committed');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', color: 'red' });
  assert.equal(await ask(client, 'remove'), 'removed');
  assert.deepEqual(await httpSession(running, extraHeaders), {});
});

test('packets that change the session at the same time save what each has changed', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  let release = (): void => {};
  Reflect.set(running.app, 'gate', new Promise<void>(resolve => (release = resolve)));
  const reading = next(running.app, 'reading');
  const first = ask(client, 'set', 'a', 1);
  await reading;
  const second = ask(client, 'set', 'b', 2);
  assert.equal(await ask(client, 'who'), 'anna'); // so that both have been handled
  release();
  assert.deepEqual(await Promise.all([first, second]), ['set', 'set']);
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', a: 1, b: 2 });
});

test('what several packets could not save is saved when the store is back', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  let fail = (): void => {};
  const gate = new Promise<void>((_, reject) => (fail = () => reject(new Error('the store is away'))));
  gate.catch(() => {}); // whoever reads the session hears it
  Reflect.set(running.app, 'gate', gate);
  const reading = next(running.app, 'reading');
  const first = ask(client, 'set', 'a', 1);
  await reading;
  const second = ask(client, 'set', 'b', 2);
  assert.equal(await ask(client, 'who'), 'anna'); // so that both have been handled
  fail();
  for (const answer of await Promise.all([first, second])) assert.match(JSON.stringify(answer), /"error"/);
  Reflect.set(running.app, 'gate', undefined);
  assert.equal(await ask(client, 'set', 'c', 3), 'set');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', a: 1, b: 2, c: 3 });
});

test('what a handler of disconnect changes is saved without connection middleware, too', { timeout: 30_000 }, async t => {
  const running = await startStored(t, { 'config/config.default.js': '' });
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders, query: { last: '1' } });
  client.disconnect();
  await until(t, async () => (await httpSession(running, extraHeaders))['last'] !== undefined);
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', last: 'client namespace disconnect' });
});

test('a store that is made for each context, ContextStore, is saved to as well', async t => {
  const running = await startApp(t, {
    ...APP,
    'config/config.default.js': `
      const sessions = new Map();
      exports.session = {
        ContextStore: class {
          constructor(ctx) { this.ctx = ctx; }
          async get(key) { return JSON.parse(sessions.get(key) ?? 'null'); }
          async set(key, value) { sessions.set(key, JSON.stringify(value)); }
          async destroy(key) { sessions.delete(key); }
        },
      };`,
  });
  const extraHeaders = await logIn(running, 'anna');
  assert.equal(await ask(await connect(t, running.url, { extraHeaders }), 'set', 'color', 'red'), 'set');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', color: 'red' });
});

test('a packet saves what it has changed and leaves alone what others have', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const [first, second] = [await connect(t, running.url, { extraHeaders }), await connect(t, running.url, { extraHeaders })];
  await ask(first, 'set', 'a', 1);
  await ask(second, 'set', 'b', 2);
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', a: 1, b: 2 });
});

test('a change that could not be saved is saved with the next', async t => {
  const running = await startStored(t);
  const extraHeaders = await logIn(running, 'anna');
  const client = await connect(t, running.url, { extraHeaders });
  Reflect.set(running.app, 'storeFails', true);
  assert.deepEqual(await ask(client, 'set', 'a', 1), { error: { code: 'INTERNAL_SERVER_ERROR', message: 'the store is down' } });
  Reflect.set(running.app, 'storeFails', false);
  assert.equal(await ask(client, 'set', 'b', 2), 'set');
  assert.deepEqual(await httpSession(running, extraHeaders), { user: 'anna', a: 1, b: 2 });
});

test(
  'a session that begins or ends is seen by all namespaces of a page when the connection itself has ended, and not before',
  { timeout: 30_000 },
  async t => {
    const running = await startApp(t, {
      ...APP,
      'app/router.js': `
      module.exports = app => {
        app.router.get('/login', async ctx => { ctx.session = { user: ctx.query.user }; ctx.body = 'in'; });
        app.router.get('/end', async ctx => { app.io.of('/news').disconnectSockets(ctx.query.close === 'true'); ctx.body = 'ended'; });
        for (const name of ['/news', '/board']) app.io.of(name).route('who', async ctx => ctx.session.user ?? null);
      };`,
    });
    const headers: { cookie?: string } = {};
    const options = { forceNew: false, reconnection: true, reconnectionDelay: 10, extraHeaders: headers };
    const news = await connect(t, `${running.url}/news`, options);
    const board = await connect(t, `${running.url}/board`, options);
    assert.equal(news.io, board.io);
    const who = async (): Promise<unknown[]> => Promise.all([ask(news, 'who'), ask(board, 'who')]);

    Object.assign(headers, await logIn(running, 'anna')); // what a browser sends from now on
    news.disconnect();
    assert.equal(await ask(board, 'who'), null); // the server knows by now: Socket.IO closes a connection that asks for a namespace twice
    news.connect();
    assert.deepEqual(await who(), [null, null]);
    const back = Promise.all([next(news, 'connect'), next(board, 'connect')]);
    news.io.engine.close();
    await back;
    assert.deepEqual(await who(), ['anna', 'anna']);

    const end = async (close: boolean): Promise<void> => void (await (await fetch(`${running.url}/end?close=${close}`)).text());
    Object.assign(headers, await logIn(running, 'bert'));
    const left = next(news, 'disconnect');
    await end(false);
    assert.equal((await left)[0], 'io server disconnect');
    assert.ok(board.connected);
    news.connect();
    assert.deepEqual(await who(), ['anna', 'anna']);
    const bothLeft = Promise.all([next(news, 'disconnect'), next(board, 'disconnect')]);
    await end(true);
    await bothLeft;
    for (const socket of [news, board]) socket.connect();
    assert.deepEqual(await who(), ['bert', 'bert']);
  },
);

/** A plugin of the time of egg 3, which egg 4 loads as well. */
function pluginOf(name: string): string {
  return `exports.${name} = { enable: true, path: ${JSON.stringify(join(ROOT, 'test/hosts/plugins/node_modules', `egg-${name}`))} };`;
}

const PASSPORT: Files = {
  'config/plugin.js': pluginOf('passport'),
  'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['guard'] } } };`,
  'app.js': `
    module.exports = app => {
      app.passport.serializeUser(async (ctx, user) => user.name);
      app.passport.deserializeUser(async (ctx, name) => {
        app.emit('deserialized', name);
        if (name === 'down') throw Object.assign(new Error('the database is down'), { status: 503 });
        return name === 'gone' ? null : { name, hasContext: app.currentContext === ctx && ctx.socket !== undefined };
      });
    };`,
  'app/io/middleware/guard.js': `
    module.exports = () => async (ctx, next) => {
      if (ctx.handshake.query.guard && !ctx.isAuthenticated()) ctx.throw(401, 'sign in first');
      await next();
    };`,
  'app/router.js': `
    module.exports = app => {
      app.router.get('/login', async ctx => { await ctx.login({ name: ctx.query.user }); ctx.body = 'in'; });
      app.io.route('me', async ctx => [ctx.user ?? null, ctx.isAuthenticated()]);
      app.io.route('login', async ctx => { await ctx.login({ name: 'other' }); });
      app.io.route('logout', async ctx => { ctx.logout(); });
    };`,
};

test('the user of egg-passport is there before connection middleware, found once for a connection', async t => {
  const running = await startApp(t, PASSPORT);
  const extraHeaders = await logIn(running, 'anna');
  let count = 0;
  running.app.on('deserialized', () => count++);
  const client = await connect(t, running.url, { extraHeaders, query: { guard: '1' } });
  for (let index = 0; index < 2; index++) assert.deepEqual(await ask(client, 'me'), [{ name: 'anna', hasContext: true }, true]);
  assert.equal(count, 1);
  assert.deepEqual(await ask(await connect(t, running.url), 'me'), [null, false]);
  assert.equal((await refusal(newClient(t, running.url, { query: { guard: '1' } }))).message, 'sign in first');
  assert.equal(count, 1);
});

test('a user that egg-passport does not find any more is none, and one that it fails to find is no connection', async t => {
  const running = await startApp(t, PASSPORT);
  assert.deepEqual(await ask(await connect(t, running.url, { extraHeaders: await logIn(running, 'gone') }), 'me'), [null, false]);
  const client = newClient(t, running.url, { extraHeaders: await logIn(running, 'down') });
  const ended = new Promise(resolve => {
    client.once('connect_error', resolve);
    client.io.engine.once('close', resolve);
  });
  await running.logged(/the database is down/);
  await ended;
  assert.ok(!client.connected);
});

test('login() and logout() of egg-passport say where they belong', async t => {
  const running = await startApp(t, PASSPORT);
  const client = await connect(t, running.url, { extraHeaders: await logIn(running, 'anna') });
  for (const name of ['login', 'logout']) {
    const { error } = (await ask(client, name)) as { error: { message: string } };
    assert.match(error.message, new RegExp(`ctx\\.${name}\\(\\) needs a response that can set a cookie`));
  }
  assert.deepEqual(await ask(client, 'me'), [{ name: 'anna', hasContext: true }, true]);
});

test('a token that egg-jwt refuses is a 401 with its message, and a warning', async t => {
  const { app, url, logs } = await startApp(
    t,
    {
      'config/plugin.js': pluginOf('jwt'),
      'config/config.default.js': `
        exports.jwt = { secret: 'a secret', enable: false };
        exports.io = { namespace: { '/': { connectionMiddleware: ['token'] } } };`,
      'app/io/middleware/token.js': `
        module.exports = app => async (ctx, next) => {
          const { token } = ctx.handshake.auth;
          if (token) app.jwt.verify(token);
          await next();
        };`,
      'app/router.js': `
        module.exports = app => {
          const past = Math.floor(Date.now() / 1000) - 60;
          app.tokens = { expired: app.jwt.sign({ exp: past }), early: app.jwt.sign({ nbf: past + 3600 }), wrong: app.jwt.sign({}, 'another secret') };
          app.io.route('verify', async ctx => app.jwt.verify(ctx.args[0]));
        };`,
    },
    { env: 'prod' },
  );
  const client = await connect(t, url);
  const tokens = Reflect.get(app, 'tokens') as Record<string, string>;
  for (const [name, message] of [
    ['expired', 'jwt expired'],
    ['early', 'jwt not active'],
    ['wrong', 'invalid signature'],
  ] as const) {
    const token = tokens[name] ?? '';
    assert.deepEqual(await ask(client, 'verify', token), { error: { code: 'UNAUTHORIZED', message } });
    const refused = await refusal(newClient(t, url, { auth: { token } }));
    assert.deepEqual([refused.message, refused.data], [message, { code: 'UNAUTHORIZED' }]);
  }
  assert.deepEqual(
    logs.filter(line => line.startsWith('ERROR')),
    [],
  );
  assert.equal(logs.filter(line => line.startsWith('WARN') && /jwt expired/.test(line)).length, 2);
});

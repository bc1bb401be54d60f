/** Routes with an idempotency key: their handlers run once for it, and each retry gets the first answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, type Files, startApp } from './support/app';
import { ask, connect, newClient, next } from './support/client';
import { internals } from './support/remains';
import { until } from './support/until';

const FILES: Files = {
  'config/config.default.js': `
    const calls = (globalThis.onerrorCalls = []);
    exports.io = {
      namespace: Object.fromEntries(['/', '/other', '/callback'].map(name => [name, { connectionMiddleware: ['user'], packetMiddleware: ['count'] }])),
      onerror: error => { calls.push(error.message); if (error.message === 'mapped') return Object.assign(new Error('by onerror'), { status: 409, code: 'MAPPED' }); },
    };`,
  'app/io/middleware/user.js': `
    module.exports = () => async (ctx, next) => {
      const { user } = ctx.socket.handshake.auth ?? {};
      if (user !== undefined) ctx.socket.user = user;
      await next();
    };`,
  'app/io/middleware/count.js': `module.exports = app => async (ctx, next) => { app.attempts = (app.attempts ?? 0) + 1; await next(); };`,
  'app/io/middleware/allowed.js': `
    module.exports = app => async (ctx, next) => { if (!app.isAllowed) ctx.throw(403, 'not allowed', { code: 'NOT_ALLOWED' }); await next(); };`,
  'app/router.js': `
    module.exports = app => {
      app.runs = [];
      app.attempts = 0;
      const once = { idempotencyKey: ctx => ctx.args[0] };
      const run = (ctx, ...what) => app.runs.push([ctx.packet[0], ctx.args[0], ...what]);
      for (const name of ['/', '/other']) {
        const nsp = app.io.of(name);
        nsp.route('pay', async ctx => { run(ctx); return { paid: ctx.args[1], bytes: [Buffer.from([1, 2])], run: app.runs.length }; }, once);
        nsp.route('refund', async ctx => { run(ctx); return 'refunded'; }, once);
      }
      app.io.route('slow', async ctx => { run(ctx); await new Promise(resolve => (app.go = resolve)); return app.runs.length; }, once);
      app.io.route('nothing', async ctx => { run(ctx); }, once);
      app.io.route('ack', async ctx => { run(ctx); ctx.ack('one', app.runs.length); }, once);
      app.io.route('last', async ctx => { run(ctx); ctx.args.at(-1)('by args', app.runs.length); }, once);
      app.io.route('late', async ctx => { run(ctx); return new Error('a bug'); }, once);
      app.io.route('fail', async ctx => { run(ctx); const error = new TypeError('a bug'); throw error; }, once);
      app.io.route('refuse', async ctx => { run(ctx); ctx.throw(409, 'not again', { code: 'AGAIN', details: { run: app.runs.length } }); }, once);
      app.io.route('ack error', async ctx => { run(ctx); ctx.ack(new Error('mapped')); }, once);
      app.io.route('mapped', async ctx => { run(ctx); throw new Error('mapped'); }, once);
      app.io.route('large', async ctx => { run(ctx); return 'x'.repeat(70_000); }, once);
      app.io.route('circle', async ctx => { run(ctx); const circle = {}; circle.self = circle; return circle; }, once);
      app.io.route('guarded', 'allowed', async ctx => { run(ctx); return app.runs.length; }, once);
    };`,
};

const USER = { auth: { user: 'anna' } };

test('a route with a key', async t => {
  const { app, url, logs } = await startApp(t, FILES);
  const state = app as unknown as { runs: unknown[][]; attempts: number; go?: () => void; isAllowed?: boolean };
  const anna = await connect(t, url, USER);
  const runs = (): unknown[][] => state.runs.splice(0);

  await t.test('runs its handler once, and answers each retry with the first answer, bytes and all', async () => {
    const first = await ask(anna, 'pay', 'order 1', 5);
    assert.deepEqual(first, { paid: 5, bytes: [Buffer.from([1, 2])], run: 1 });
    assert.deepEqual(await ask(anna, 'pay', 'order 1', 5), first);
    assert.deepEqual(await ask(await connect(t, url, USER), 'pay', 'order 1', 7), first);
    assert.deepEqual(runs(), [['pay', 'order 1']]);
    assert.equal(state.attempts, 3);
  });

  await t.test('counts a key within a user, an event and a namespace; a number is its text', async () => {
    await ask(anna, 'pay', 7);
    await ask(anna, 'pay', '7');
    await ask(anna, 'refund', 7);
    await ask(await connect(t, url, { auth: { user: 'bert' } }), 'pay', 7);
    await ask(await connect(t, `${url}/other`, USER), 'pay', 7);
    assert.deepEqual(
      runs().map(([event]) => event),
      ['pay', 'refund', 'pay', 'pay'],
    );
  });

  await t.test('runs once while the first run is still going on, also for the retries of the official client', async () => {
    const client = newClient(t, url, { ...USER, retries: 3, ackTimeout: 50 });
    await next(client, 'connect');
    const before = state.attempts;
    const answer = client.emitWithAck('slow', 'order 2');
    const other = ask(anna, 'slow', 'order 2');
    await until(t, () => state.attempts >= before + 3);
    state.go?.();
    assert.deepEqual(await Promise.all([answer, other]), [1, 1]);
    assert.deepEqual(runs(), [['slow', 'order 2']]);
  });

  await t.test('answers with null for undefined, and with what the handler acknowledges', async () => {
    const twice = async (event: string): Promise<unknown[]> => {
      const all = async (): Promise<unknown> => new Promise(resolve => anna.emit(event, 'key', (...answer: unknown[]) => resolve(answer)));
      return [await all(), await all()];
    };
    assert.deepEqual(await twice('nothing'), [[null], [null]]);
    assert.deepEqual(await twice('ack'), [
      ['one', 2],
      ['one', 2],
    ]);
    assert.deepEqual(await twice('last'), [
      ['by args', 3],
      ['by args', 3],
    ]);
    assert.equal(runs().length, 3);
  });

  await t.test('keeps errors as well, which are logged and mapped once', async () => {
    for (const [event, code] of [
      ['fail', 'INTERNAL_SERVER_ERROR'],
      ['late', 'INTERNAL_SERVER_ERROR'],
      ['refuse', 'AGAIN'],
      ['mapped', 'MAPPED'],
      ['ack error', 'MAPPED'],
    ] as const) {
      const { onerrorCalls } = globalThis as unknown as { onerrorCalls: string[] }; // set by the config
      onerrorCalls.splice(0);
      const lines = logs.length;
      const first = (await ask(anna, event, 'key')) as { error: { code: string } };
      assert.equal(first.error.code, code);
      assert.deepEqual(await ask(anna, event, 'key'), first);
      assert.equal(logs.slice(lines).filter(line => line.includes(`event "${event}" failed`)).length, 1);
      assert.equal(onerrorCalls.length, 1);
    }
    assert.equal(runs().length, 5);
  });

  await t.test('does not run again for an answer that could not be kept, and says so', async () => {
    assert.equal(((await ask(anna, 'large', 'key')) as string).length, 70_000);
    const kept = { error: { code: 'ANSWER_NOT_KEPT', message: 'This has been handled before, but the answer could not be kept' } };
    assert.deepEqual(await ask(anna, 'large', 'key'), kept);
    await ask(anna, 'circle', 'key');
    assert.deepEqual(await ask(anna, 'circle', 'key'), kept);
    assert.equal(runs().length, 2);
  });

  await t.test('keeps no refusal of middleware', async () => {
    assert.deepEqual(await ask(anna, 'guarded', 'key'), { error: { code: 'NOT_ALLOWED', message: 'not allowed' } });
    state.isAllowed = true;
    assert.equal(await ask(anna, 'guarded', 'key'), 1);
    assert.equal(await ask(anna, 'guarded', 'key'), 1);
    runs();
  });

  await t.test('refuses what is no key', async () => {
    for (const key of [undefined, null, '', 'x'.repeat(201), 'x'.repeat(1_000_000 - 100), {}, ['key'], true, Buffer.from('key')])
      assert.deepEqual(await ask(anna, 'pay', key), {
        error: { code: 'INVALID_KEY', message: 'The idempotency key must be a number, or a string of 1 to 200 characters' },
      });
    assert.deepEqual(runs(), []);
  });

  await t.test('needs a user, or the secret of the client', async () => {
    const nobody = await connect(t, url);
    assert.deepEqual(await ask(nobody, 'pay', 'key'), {
      error: { code: 'UNKNOWN_OWNER', message: 'An event with an idempotency key needs a user' },
    });
    assert.deepEqual(runs(), []);
    const as = async (owner: string) => connect(t, url, { auth: { $io: { v: 1, owner } } });
    const first = await ask(await as('a secret of client 1'.replaceAll(' ', '-')), 'pay', 'key', 1);
    assert.deepEqual(await ask(await as('a-secret-of-client-1'), 'pay', 'key', 1), first);
    assert.notDeepEqual(await ask(await as('a-secret-of-client-2'), 'pay', 'key', 1), first);
    assert.equal(runs().length, 2);
  });

  await t.test('takes an event without an acknowledgement once, too', async () => {
    anna.emit('pay', 'quiet').emit('pay', 'quiet');
    await ask(anna, 'refund', 'quiet');
    assert.deepEqual(
      runs().map(([event]) => event),
      ['pay', 'refund'],
    );
  });
});

test('the options are checked while the app starts', async t => {
  const key = await bootError(t, {
    'app/router.js': "module.exports = app => app.io.route('pay', async () => 1, { idempotencyKey: 'id' });",
  });
  assert.match(key.message, /IO_ROUTE_INVALID: route\('pay'\) of namespace '\/': idempotencyKey must be a function/);
  const reserved = await bootError(t, {
    'app/router.js': "module.exports = app => app.io.route('disconnect', async () => 1, { idempotencyKey: ctx => 1 });",
  });
  assert.match(reserved.message, /IO_ROUTE_INVALID: route\('disconnect'\) of namespace '\/': idempotencyKey is for events of clients/);
  const ttl = await bootError(t, { 'config/config.default.js': "exports.io = { idempotencyTtl: '10m' };" });
  assert.match(ttl.message, /IO_CONFIG_INVALID: config.io.idempotencyTtl must be a number, not a string/);
  const store = await bootError(t, {
    'config/config.default.js': "const { Adapter } = require('socket.io-adapter'); exports.io = { adapter: nsp => new Adapter(nsp) };",
    'app/router.js': "module.exports = app => app.io.route('pay', async () => 1, { idempotencyKey: ctx => ctx.args[0] });",
  });
  assert.match(store.message, /IO_STORE_MISSING: route\('pay'\) of namespace '\/'/);
});

test('answers that go before their time, since a client has too many, are counted as a limit, and logged', async t => {
  const { io, url, logged } = await startApp(t, FILES);
  const { counts } = internals(io).runtime.limits;
  const anna = await connect(t, url, USER);
  const all = async (from: number, to: number): Promise<unknown> =>
    Promise.all(Array.from({ length: to - from }, async (_, n) => ask(anna, 'nothing', `key ${from + n}`)));
  await all(0, 1000);
  assert.equal(counts.answers, 0);
  await all(1000, 1003);
  await until(t, () => counts.answers === 3);
  await logged(/IO_LIMIT_REACHED.*too many answers to events with a key are kept: the oldest go first/);
});

test('an outcome is kept for idempotencyTtl', async t => {
  const { app, url } = await startApp(t, {
    ...FILES,
    'config/config.default.js': `${FILES['config/config.default.js'] ?? ''} exports.io.idempotencyTtl = 1;`,
  });
  const state = app as unknown as { runs: unknown[][] };
  const anna = await connect(t, url, USER);
  await until(t, async () => {
    await ask(anna, 'pay', 'key');
    return state.runs.length > 1;
  });
});

/** Handlers that do not end in time, and clients that cannot finish connecting. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app';
import { ask, type ClientVersion, connect, newClient, next, refusal } from './support/client';
import { internals, nothingRemains, watchForCrashes } from './support/remains';

const TIMEOUT = { error: { code: 'TIMEOUT', message: 'The event has not been handled within 50 ms' } };

test('handlerTimeout', async t => {
  watchForCrashes(t);
  const { url, io, logs, logged } = await startApp(t, {
    'config/config.default.js': `exports.io = {
      limits: { handlerTimeout: 50 },
      namespace: {
        '/': {},
        '/layers': { packetMiddleware: ['hang'] },
        '/own': { limits: { handlerTimeout: 60000 } },
        '/free': { limits: { handlerTimeout: false } },
        '/ordered': { ordered: true },
        '/room-{id}': {},
        '/once': { connectionMiddleware: ['user'] },
      },
    };`,
    'app/io/middleware/hang.js': `module.exports = () => async (ctx, next) => {
      await next();
      await new Promise((resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
    };`,
    'app/io/middleware/user.js': `module.exports = () => async (ctx, next) => { ctx.socket.user = 7; await next(); };`,
    'app/extend/application.js': `
      const { once } = require('node:events');
      module.exports = { abortOf: signal => once(signal, 'abort') };`,
    'app/router.js': `
      module.exports = app => {
        const untilAbort = async ctx => {
          await app.abortOf(ctx.signal);
          ctx.socket.emit('aborted', ctx.signal.reason.code);
          return 'too late';
        };
        const quick = async () => 'quick';
        for (const name of ['/', '/layers', '/own', '/free', '/ordered', '/room-{id}']) app.io.of(name).route('hang', untilAbort).route('quick', quick);
        app.io.route('touchLater', async ctx => {
          await new Promise(resolve => app.once('goOn', resolve));
          ctx.socket.emit('aborted', ctx.signal.reason.code);
        });
        app.io.route('goOn', () => app.emit('goOn'));
        app.io.route('failLater', async ctx => { await app.abortOf(ctx.signal); throw new TypeError('late bug'); });
        app.io.route('failBesides', async ctx => { await app.abortOf(ctx.signal); throw Object.assign(new Error('of a database'), { code: 'TIMEOUT' }); });
        app.io.route('wrap', async ctx => { await app.abortOf(ctx.signal); throw new Error('query cancelled', { cause: ctx.signal.reason }); });
        app.io.route('obey', async ctx => { await app.abortOf(ctx.signal); throw ctx.signal.reason; });
        app.io.route('disconnect', async ctx => {
          if (!ctx.socket.data.hangs) return;
          await app.abortOf(ctx.signal);
          app.coreLogger.warn('the route of disconnect has ended: ' + ctx.signal.reason.code);
        });
        app.io.route('hangAtEnd', async ctx => { ctx.socket.data.hangs = true; return true; });
        let runs = 0;
        app.io.of('/once').route('pay', async ctx => { await app.abortOf(ctx.signal); return 'paid ' + ++runs; }, { idempotencyKey: ctx => ctx.args[0] });
      };`,
  });
  const { counts } = internals(io).runtime.limits;
  const lines = (pattern: RegExp): string[] => logs.filter(line => pattern.test(line));
  const clear = (): void => void (logs as string[]).splice(0); // each part looks at its own lines

  for (const version of [2, 4] satisfies ClientVersion[]) {
    await t.test(`a handler that takes too long fails with TIMEOUT, protocol ${version === 2 ? 3 : 4}`, async () => {
      clear();
      const before = counts.handlerTimeout;
      const client = await connect(t, url, {}, version);
      const aborted = next(client, 'aborted');
      assert.deepEqual(await ask(client, 'hang'), TIMEOUT);
      assert.deepEqual(await aborted, ['TIMEOUT']);
      assert.equal(await ask(client, 'quick'), 'quick');
      const told = next(client, 'error');
      client.emit('hang');
      assert.deepEqual(await told, [TIMEOUT.error.message, { code: 'TIMEOUT', event: 'hang' }]);
      assert.equal(counts.handlerTimeout - before, 2);
      assert.equal(lines(/^ERROR .*event "hang" failed, namespace \/, .*IoError: The event has not been handled within 50 ms/).length, 2);
      client.disconnect();
      await nothingRemains(io);
      assert.equal(lines(/event "hang" failed[^]*\n +at /).length, 0, 'without a stack');
    });
  }

  await t.test('covers middleware, and a signal that is touched too late has aborted', async () => {
    const client = await connect(t, `${url}/layers`);
    assert.deepEqual(await ask(client, 'quick'), TIMEOUT);
    client.disconnect();
    const other = await connect(t, url);
    const aborted = next(other, 'aborted');
    assert.deepEqual(await ask(other, 'touchLater'), TIMEOUT);
    assert.equal(internals(io).runtime.inFlight.size, 1, 'the handler still runs');
    await ask(other, 'goOn');
    assert.deepEqual(await aborted, ['TIMEOUT']);
    other.disconnect();
    await nothingRemains(io);
  });

  await t.test('a failure that comes later is logged, unless it is the abort', async () => {
    clear();
    const client = await connect(t, url);
    assert.deepEqual(await ask(client, 'obey'), TIMEOUT);
    assert.deepEqual(await ask(client, 'wrap'), TIMEOUT);
    assert.deepEqual(await ask(client, 'failBesides'), TIMEOUT);
    assert.deepEqual(await ask(client, 'failLater'), TIMEOUT);
    await logged(/^ERROR .*event "failLater" failed.*TypeError: late bug\n +at /);
    assert.equal(lines(/event "failBesides" failed.*of a database/).length, 1, 'an error of its own, whatever its code');
    for (const event of ['obey', 'wrap']) assert.equal(lines(new RegExp(`event "${event}" failed`)).length, 1);
    client.disconnect();
    await nothingRemains(io);
  });

  await t.test('a namespace can have its own, and none; those of a pattern have it too', async () => {
    const [own, free, child] = await Promise.all([connect(t, `${url}/own`), connect(t, `${url}/free`), connect(t, `${url}/room-1`)]);
    let answered = 0;
    own.emit('hang', () => answered++);
    free.emit('hang', () => answered++);
    assert.deepEqual(await ask(child, 'hang'), TIMEOUT);
    assert.deepEqual(await ask(child, 'hang'), TIMEOUT, 'twice the time');
    assert.equal(answered, 0);
    for (const client of [own, free, child]) client.disconnect();
    await nothingRemains(io);
  });

  await t.test('in an ordered namespace, the next event begins', async () => {
    const client = await connect(t, `${url}/ordered`);
    const first = ask(client, 'hang');
    const second = ask(client, 'quick');
    assert.deepEqual(await Promise.all([first, second]), [TIMEOUT, 'quick']);
    client.disconnect();
    await nothingRemains(io);
  });

  await t.test('a route of disconnect that takes too long is logged, and its signal aborts', async () => {
    clear();
    const client = await connect(t, url);
    await ask(client, 'hangAtEnd');
    client.disconnect();
    await logged(/^ERROR .*event "disconnect" failed, namespace \/, .*IoError: The event has not been handled within 50 ms/);
    await logged(/the route of disconnect has ended: TIMEOUT/);
    await nothingRemains(io);
  });

  await t.test('a retry of an event with a key gets the answer of the handler that was too slow', async () => {
    const client = await connect(t, `${url}/once`);
    assert.deepEqual(await ask(client, 'pay', 'key'), TIMEOUT);
    assert.equal(await ask(client, 'pay', 'key'), 'paid 1');
    client.disconnect();
    await nothingRemains(io);
  });
});

test('a handler that goes on after its time still counts for the limit `pending`, until it ends', async t => {
  watchForCrashes(t);
  const { url, io, app } = await startApp(t, {
    'config/config.default.js': 'exports.io = { limits: { handlerTimeout: 50, pending: { max: 1, drop: true } } };',
    'app/router.js': `module.exports = app => {
      app.io.route('stuck', async () => { await new Promise(resolve => app.once('goOn', resolve)); });
      app.io.route('quick', async () => 'quick');
    };`,
  });
  const client = await connect(t, url);
  assert.deepEqual(await ask(client, 'stuck'), TIMEOUT);
  assert.equal(Reflect.get(Object(Reflect.get(Object(await ask(client, 'quick')), 'error')), 'code'), 'BUSY');
  app.emit('goOn');
  assert.equal(await ask(client, 'quick'), 'quick');
  client.disconnect();
  await nothingRemains(io);
});

test('connectTimeout', async t => {
  watchForCrashes(t);
  const { url, io, logs, logged } = await startApp(t, {
    'config/config.default.js': `exports.io = {
      init: { connectTimeout: 30000 },
      namespace: { '/': {}, '/hang': { connectionMiddleware: ['hang'] } },
    };`,
    'app/io/middleware/hang.js': `module.exports = app => async (ctx, next) => {
      ctx.signal.addEventListener('abort', () => app.coreLogger.warn('aborted: ' + ctx.signal.reason.code));
      await new Promise(resolve => app.once('goOn', resolve));
      await next();
    };`,
    'app.js': `module.exports = app => { app.io.of('/use').use(() => {}); };`,
    'app/router.js': `module.exports = app => { app.io.route('goOn', () => { app.emit('goOn'); }); };`,
  });
  const { arrivals, limits } = internals(io).runtime;
  const { counts } = limits;
  assert.equal(arrivals.late.ms, 30_000);
  arrivals.late.ms = 200; // not by the config: Socket.IO closes who does not ask for a namespace in that time
  arrivals.retryDelay.least = arrivals.retryDelay.most = 1;

  await t.test('refuses a client that cannot finish connecting, where another namespace is open', async () => {
    const client = await connect(t, url);
    for (const path of ['/hang', '/use']) {
      const before = counts.connectTimeout;
      const error = await refusal(client.io.socket(path, {}));
      assert.equal(error.message, 'The connection could not be completed in time');
      assert.deepEqual(error.data, { code: 'CONNECT_TIMEOUT', retry: true });
      assert.equal(counts.connectTimeout - before, 1);
    }
    await logged(/connection postponed.*namespace \/hang.*middleware 'hang' has not ended after 0.2 s: call next\(\), or throw/);
    assert.equal(logs.filter(line => line.includes('aborted: CONNECT_TIMEOUT')).length, 1);
    client.emit('goOn'); // the middleware goes on, too late
    client.disconnect();
    await nothingRemains(io);
  });

  await t.test('closes the connection where none is, so that the client tries again, protocols 3 and 4', async () => {
    for (const version of [2, 4] satisfies ClientVersion[]) {
      const client = newClient(t, `${url}/hang`, {}, version);
      client.once('connect', () => assert.fail('it was let in'));
      await next(client.io.engine as never, 'close');
      client.disconnect();
    }
    await logged(/aborted: (CONNECT_TIMEOUT|IO_CLIENT_GONE)/);
    const main = await connect(t, url);
    main.emit('goOn');
    main.disconnect();
    await nothingRemains(io);
  });
});

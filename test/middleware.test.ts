/** The onions around a connection and around a packet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, HOST, startApp } from './support/app';
import { type Client, newClient, next, refusal } from './support/client';
import { nothingRemains, watchForCrashes } from './support/remains';

/** A config with middleware of the main namespace. */
function configOf(connectionMiddleware: string[], packetMiddleware: string[] = []): string {
  return `exports.io = { namespace: { '/': ${JSON.stringify({ connectionMiddleware, packetMiddleware })} } };`;
}

const TRACING = (name: string): string => `
  module.exports = app => async (ctx, next) => {
    app.emit('trace', '${name} in');
    await next();
    app.emit('trace', '${name} out');
  };`;

test('connection middleware runs in order while the client is connecting, and in reverse when it has gone', async t => {
  const { open, app } = await startApp(t, {
    'config/config.default.js': configOf(['outer', 'inner']),
    'app/io/middleware/outer.js': TRACING('outer'),
    'app/io/middleware/inner.js': TRACING('inner'),
    'app/router.js': `
      module.exports = app => {
        app.io.on('connection', () => app.emit('trace', 'connection'));
        app.io.route('disconnect', async () => app.emit('trace', 'disconnect'));
        app.io.route('say', async () => 'said');
      };`,
  });
  const trace: unknown[] = [];
  const done = new Promise<void>(resolve =>
    app.on('trace', step => {
      trace.push(step);
      if (step === 'outer out') resolve();
    }),
  );
  const client = await open();
  assert.equal(await client.call('say'), 'said');
  assert.deepEqual(trace, ['outer in', 'inner in', 'connection']);
  client.disconnect();
  await done;
  assert.deepEqual(trace, ['outer in', 'inner in', 'connection', 'disconnect', 'inner out', 'outer out']);
});

test('next() of connection middleware resolves with the reason of the disconnect', async t => {
  const { open, app, io } = await startApp(t, {
    'config/config.default.js': configOf(['around']),
    'app/io/middleware/around.js': `module.exports = app => async (ctx, next) => { app.emit('left', await next()); };`,
  });
  for (const [reason, leave] of [
    ['client namespace disconnect', client => client.disconnect()],
    ['server namespace disconnect', () => io.disconnectSockets()],
    ['transport close', client => client.io.engine.close()],
  ] as [string, (client: Client) => void][]) {
    const left = next(app, 'left');
    leave((await open()).socket);
    assert.deepEqual(await left, [reason]);
  }
});

test('packet middleware runs in order around the controller, and next() resolves to what it returned', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': configOf([], ['outer', 'inner']),
    'app/io/middleware/outer.js': `
      module.exports = () => async (ctx, next) => {
        ctx.trace = ['outer in'];
        const result = await next();
        ctx.trace.push('outer out', result);
        ctx.ack(ctx.trace);
      };`,
    'app/io/middleware/inner.js': `
      module.exports = () => async (ctx, next) => {
        ctx.trace.push('inner in');
        const result = await next();
        ctx.trace.push('inner out');
        return result;
      };`,
    'app/router.js': `
      module.exports = app => { app.io.route('say', async ctx => { ctx.trace.push('controller'); return 'said'; }); };`,
  });
  assert.deepEqual(await (await open()).call('say'), ['outer in', 'inner in', 'controller', 'inner out', 'outer out', 'said']);
});

test('a packet that middleware drops reaches no controller and is not answered, and the outer ones resume', async t => {
  const { open, app } = await startApp(t, {
    'config/config.default.js': configOf([], ['outer', 'filter']),
    'app/io/middleware/outer.js': `
      module.exports = app => async (ctx, next) => { await next(); app.emit('resumed', ctx.packet[1]); };`,
    'app/io/middleware/filter.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.packet[1] === 'drop') return;
        if (ctx.packet[1] === 'answer') { ctx.ack('dropped'); return; }
        await next();
      };`,
    'app/router.js': `
      module.exports = app => { app.io.route('say', async ctx => { app.emit('handled', ctx.args[0]); return 'said'; }); };`,
  });
  const [handled, resumed]: unknown[][] = [[], []];
  app.on('handled', what => handled?.push(what));
  app.on('resumed', what => resumed?.push(what));
  const client = await open();
  let answered = false;
  client.socket.emit('say', 'drop', () => (answered = true));
  assert.equal(await client.call('say', 'answer'), 'dropped');
  assert.equal(await client.call('say', 'keep'), 'said');
  assert.equal(answered, false);
  assert.deepEqual(handled, ['keep']);
  assert.deepEqual(resumed, ['drop', 'answer', 'keep']);
});

test('what middleware returns without next() is no acknowledgement', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': configOf([], ['filter']),
    'app/io/middleware/filter.js': `
      module.exports = () => async (ctx, next) => ctx.packet[1] === 'drop' ? 'a value' : next();`,
    'app/router.js': `module.exports = app => { app.io.route('say', async () => 'said'); };`,
  });
  const client = await open();
  let answered = false;
  client.socket.emit('say', 'drop', () => (answered = true));
  assert.equal(await client.call('say', 'keep'), 'said');
  assert.equal(answered, false);
});

test('events that are not routed but listened to run through packet middleware', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': configOf([], ['filter']),
    'app/io/middleware/filter.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.packet[1] === 'drop') return;
        ctx.packet[1] += ', seen';
        await next();
      };`,
    'app/router.js': `
      module.exports = app => {
        app.io.on('connection', socket => socket.on('listened', (text, ack) => ack(text)));
      };`,
  });
  const client = await open();
  let answered = false;
  client.socket.emit('listened', 'drop', () => (answered = true));
  assert.equal(await client.call('listened', 'keep'), 'keep, seen');
  assert.equal(answered, false);
});

test('ctx.packet is [event, ...args]; what middleware changes in it or puts in its place is what controllers get', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': configOf([], ['change']),
    'app/io/middleware/change.js': `
      module.exports = () => async (ctx, next) => {
        const packet = ctx.packet.map(one => typeof one === 'function' ? 'ack' : one);
        ctx.seen = packet;
        if (ctx.packet[1] === 'in place') ctx.packet[2] = 'changed';
        if (ctx.packet[1] === 'replaced') ctx.packet = ['say', 'another'];
        if (ctx.packet[1] === 'redirected') ctx.packet[0] = 'other';
        if (ctx.packet[1] === 'args') ctx.args = ['own'];
        await next();
      };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('say', async ctx => ({ packet: ctx.seen, args: ctx.args.filter(one => typeof one !== 'function') }));
        app.io.route('other', async ctx => 'other ' + ctx.args[1]);
      };`,
  });
  const client = await open();
  assert.deepEqual(await client.call('say', 1, 2), { packet: ['say', 1, 2, 'ack'], args: [1, 2] });
  assert.deepEqual(await client.call('say', 'in place', 2), { packet: ['say', 'in place', 2, 'ack'], args: ['in place', 'changed'] });
  assert.deepEqual(await client.call('say', 'replaced'), { packet: ['say', 'replaced', 'ack'], args: ['another'] });
  assert.deepEqual(await client.call('say', 'args'), { packet: ['say', 'args', 'ack'], args: ['own'] });
  assert.equal(await client.call('say', 'redirected', 7), 'other 7');
});

test('a middleware that calls next() twice fails, whichever the onion', async t => {
  const { open, logged } = await startApp(t, {
    'config/config.default.js': configOf(['twiceAround'], ['twice']),
    'app/io/middleware/twice_around.js': `
      module.exports = () => async (ctx, next) => { if (!ctx.handshake.query.twice) return next(); await Promise.all([next(), next()]); };`,
    'app/io/middleware/twice.js': `module.exports = () => async (ctx, next) => { await next(); await next(); };`,
    'app/router.js': `module.exports = app => { app.io.route('say', async () => 'said'); };`,
  });
  const message = 'next() was called twice in one middleware';
  await assert.rejects((await open()).call('say'), { code: 'INTERNAL_SERVER_ERROR', message });
  await open('/', { query: { twice: '1' } });
  await logged(/connection middleware failed.*next\(\) was called twice/);
});

test('middleware of files in folders and of plugins is named with dots', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': configOf(['admin.isAllowed']),
    'app/io/middleware/admin/is_allowed.js': `module.exports = () => async () => { throw new Error('not you'); };`,
  });
  assert.equal((await open()).refused?.message, 'not you');
});

test('a middleware file may export the middleware itself, and may be synchronous', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': configOf([], ['plain', 'sync']),
    'app/io/middleware/plain.js': `module.exports = async (ctx, next) => { ctx.trace = ['plain']; await next(); };`,
    'app/io/middleware/sync.js': `module.exports = () => (ctx, next) => { ctx.trace.push('sync'); return next(); };`,
    'app/router.js': `module.exports = app => { app.io.route('say', async ctx => ctx.trace); };`,
  });
  assert.deepEqual(await (await open()).call('say'), ['plain', 'sync']);
});

test('a connection middleware that returns without next() refuses the client', async t => {
  const { open, logged } = await startApp(t, {
    'config/config.default.js': configOf(['guard']),
    'app/io/middleware/guard.js': `module.exports = () => async () => {};`,
  });
  assert.deepEqual((await open()).refused, { message: 'Connection refused', code: 'CONNECTION_REFUSED' });
  await logged(/^WARN .*connection refused/);
});

test('middleware that has `await next;` is named in the log when the app starts, around connections, packets and routes', async t => {
  const forgetful = 'async (ctx, next) => { await next; }';
  const { logs } = await startApp(t, {
    'config/config.default.js': configOf(['guard'], ['filter', 'right']),
    'app/io/middleware/guard.js': `module.exports = () => ${forgetful};`,
    'app/io/middleware/filter.js': `module.exports = () => ${forgetful};`,
    'app/io/middleware/right.js': 'module.exports = () => async (ctx, next) => { const value = await next(); return value; };',
    'app/router.js': `module.exports = app => app.io.route('say', ${forgetful}, async () => 'said');`,
  });
  const named = logs.flatMap(
    line => /^WARN .*IO_MIDDLEWARE_INVALID: (.*) has `await next;`, which waits for nothing/.exec(line)?.[1] ?? [],
  );
  assert.deepEqual(named.toSorted(), [
    'app/io/middleware/filter',
    'app/io/middleware/guard',
    "middleware 1 of route('say') of namespace '/'",
  ]);
});

test('next(error) fails like throw, whichever the onion, as in functions of use()', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': `
      exports.io = {
        namespace: {
          '/': { connectionMiddleware: ['guard'], packetMiddleware: ['filter'] },
          '/value': { connectionMiddleware: ['value'] },
        },
      };`,
    'app/io/middleware/guard.js': `
      module.exports = () => (ctx, next) => {
        const { name } = ctx.socket.handshake.auth;
        if (name === 'returned') return next(new Error('not you'));
        if (name === 'forgotten return') next(new Error('nor you'));
        return next();
      };`,
    'app/io/middleware/filter.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.args[0] === 'spam') await next(Object.assign(new Error('no spam'), { status: 422 }));
        else await next();
      };`,
    'app/io/middleware/value.js': `
      module.exports = () => (ctx, next) => Promise.resolve({ error: 'only a value' }).then(next);`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('say', async () => 'said');
        app.io.route('enter', (ctx, next) => next(new Error('no entry')), async () => 'entered');
      };`,
  });
  const refusalOf = async (name: string): Promise<unknown> => (await open('/', { auth: { name } })).refused;
  assert.deepEqual(await refusalOf('returned'), { message: 'not you', code: 'CONNECTION_REFUSED' });
  assert.deepEqual(await refusalOf('forgotten return'), { message: 'nor you', code: 'CONNECTION_REFUSED' });
  const client = await open();
  assert.equal(await client.call('say', 'hello'), 'said');
  await assert.rejects(client.call('say', 'spam'), { code: 'UNPROCESSABLE_ENTITY', message: 'no spam' });
  await assert.rejects(client.call('enter'), { code: 'INTERNAL_SERVER_ERROR', message: 'no entry' });
  assert.equal((await open('/value')).refused, undefined); // then(next) calls it with a value
});

test('ctx.emit() before next() does not reach a client that is refused', async t => {
  const { url, app } = await startApp(t, {
    'config/config.default.js': configOf(['guard']),
    'app/io/middleware/guard.js': `
      module.exports = app => async ctx => { ctx.emit('reason', 'not you'); app.emit('emitted'); };`,
  });
  const emitted = next(app, 'emitted');
  const client = newClient(t, url);
  let heard = false;
  client.on('reason', () => (heard = true));
  await refusal(client);
  await emitted;
  assert.equal(heard, false);
});

test('ctx.emit() before next() reaches a client that is admitted', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': configOf(['hello']),
    'app/io/middleware/hello.js': `module.exports = () => async (ctx, next) => { ctx.emit('hello', 1); await next(); };`,
  });
  const client = await open();
  assert.deepEqual(await client.next('hello'), [1]);
});

test('generator functions are middleware where Egg still runs them', { skip: HOST !== 'egg3' }, async t => {
  const { open, app } = await startApp(t, {
    'config/config.default.js': configOf(['outer', 'guard'], ['wrap', 'bare', 'catcher']),
    'app/io/middleware/outer.js': `
      module.exports = app => function* (next) {
        this.emit('welcome', this.id === this.socket.id);
        yield next;
        app.emit('gone', this.handshake.query.name);
      };`,
    'app/io/middleware/guard.js': `
      module.exports = app => function* (next) {
        const name = yield Promise.resolve(this.handshake.query.name);
        if (name === 'nobody') this.throw(401, 'not you');
        if (name !== 'silent') yield* next; // the other way to write it
      };`,
    'app/io/middleware/wrap.js': `
      module.exports = () => function* (next) {
        this.packet[1] = 'wrapped ' + this.packet[1];
        const returned = yield next;
        if (this.packet[0] === 'say') this.emit('returned', returned);
      };`,
    'app/io/middleware/bare.js': `module.exports = function* (next) { if (this.packet[0] !== 'drop') return yield next; this.ack('dropped'); };`,
    'app/io/middleware/catcher.js': `
      module.exports = () => function* (next) {
        try { return yield next; } catch (error) { this.ack(error.message); }
      };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('say', async ctx => 'said ' + ctx.packet[1]);
        app.io.route('fail', async () => { throw new Error('caught'); });
      };`,
  });
  const client = await open('/', { query: { name: 'anna' } });
  assert.deepEqual(await client.next('welcome'), [true]);
  assert.equal(await client.call('say', 'hello'), 'said wrapped hello');
  assert.deepEqual(await client.next('returned'), ['said wrapped hello']);
  assert.equal(await client.call('drop'), 'dropped');
  assert.equal(await client.call('fail', 1), 'caught');
  const gone = next(app, 'gone');
  client.disconnect();
  assert.deepEqual(await gone, ['anna']);
  assert.equal((await open('/', { query: { name: 'nobody' } })).refused?.message, 'not you');
  assert.equal((await open('/', { query: { name: 'silent' } })).refused?.message, 'Connection refused');
});

test('generator functions as middleware stop the boot where Egg does not run them', { skip: HOST === 'egg3' }, async t => {
  for (const exported of ['() => function* (next) { yield next; }', 'function* (next) { yield next; }', 'async function* (next) {}']) {
    const error = await bootError(t, { 'app/io/middleware/old.js': `module.exports = ${exported};` });
    assert.equal(error.code, 'IO_MIDDLEWARE_INVALID', error.stack);
    assert.match(error.message, /app\/io\/middleware\/old\.js is a generator function, .* make it an async function/);
  }
});

const CARELESS: Record<string, string> = {
  'async without await': 'async (ctx, next) => { next(); }',
  'no async function': '(ctx, next) => { next(); }',
  'await in a callback': '(ctx, next) => { (async () => { await next(); })().catch(() => {}); }',
  'after an await': 'async (ctx, next) => { await null; next(); await null; }',
};

for (const [how, middleware] of Object.entries(CARELESS)) {
  test(`what next() began is waited for where the middleware does not: ${how}`, async t => {
    watchForCrashes(t);
    const { open, io, logs, app } = await startApp(t, {
      'config/config.default.js': `exports.io = { namespace: {
        '/': { packetMiddleware: ['careless'] }, '/two': { packetMiddleware: ['careless', 'guard'] }, '/connection': { connectionMiddleware: ['careless', 'guard'] },
      } };`,
      'app/io/middleware/careless.js': `module.exports = () => ${middleware};`,
      'app/io/middleware/guard.js': `
        module.exports = app => async (ctx, next) => {
          if (ctx.packet?.[1] === 'refused' || ctx.socket.handshake.auth.refused) ctx.throw(403, 'not you');
          await next();
          app.emit('ascended');
        };`,
      'app/router.js': `
        module.exports = app => {
          for (const nsp of ['/', '/two', '/connection']) {
            app.io.of(nsp).route('slow', async () => { await new Promise(setImmediate); return 'an answer'; });
            app.io.of(nsp).route('fail', async ctx => { await new Promise(setImmediate); ctx.throw(403, 'not you'); });
          }
        };`,
    });
    const error = { code: 'FORBIDDEN', message: 'not you' };
    for (const nsp of ['/', '/two', '/connection']) {
      const client = await open(nsp);
      assert.equal(await client.call('slow'), 'an answer');
      await assert.rejects(client.call('fail'), error);
      if (nsp === '/two') await assert.rejects(client.call('slow', 'refused'), error);
      assert.equal(logs.filter(line => line.includes(client.id ?? '?')).length, nsp === '/two' ? 2 : 1);
      const ascended = next(app, 'ascended');
      client.disconnect();
      if (nsp === '/connection') await ascended;
    }
    assert.equal((await open('/connection', { auth: { refused: true } })).refused?.message, 'not you');
    await nothingRemains(io);
  });
}

test('a failure that careless middleware has caught stays caught', async t => {
  watchForCrashes(t);
  const { open } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['careless'] } } };`,
    'app/io/middleware/careless.js': `module.exports = () => (ctx, next) => { next().catch(error => ctx.ack('rescued from ' + error.message)); };`,
    'app/router.js': `module.exports = app => { app.io.route('fail', async () => { throw new Error('a mishap'); }); };`,
  });
  assert.equal(await (await open()).call('fail'), 'rescued from a mishap');
});

test('middleware that calls next() after it has ended is named in the log, once', async t => {
  watchForCrashes(t);
  const { open, logs, logged, app } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['admin.late'] }, '/connection': { connectionMiddleware: ['admin.late'] } } };`,
    'app/io/middleware/admin/late.js': 'module.exports = () => (ctx, next) => { setImmediate(next); };',
    'app/router.js': `
      module.exports = app => {
        app.io.route('say', async () => { app.emit('handled'); });
        app.io.route('fail', async () => { throw new Error('a mishap'); });
      };`,
  });
  const client = await open();
  for (let round = 0; round < 2; round++) {
    const handled = next(app, 'handled');
    client.send('say');
    await handled;
  }
  client.send('fail');
  await logged(/ERROR .*next\(\) failed, which app\/io\/middleware\/admin\/late has called after it had ended, .*Error: a mishap/);
  assert.equal((await open('/connection')).refused?.message, 'Connection refused');
  assert.equal(logs.filter(line => /^WARN .*app\/io\/middleware\/admin\/late has called next\(\) after it had ended/.test(line)).length, 1);
});

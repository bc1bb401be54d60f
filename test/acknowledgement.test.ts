/** What of a handler answers the client: the value that it returns, or the handler itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, startApp } from './support/app';

const MIDDLEWARE = {
  'app/io/middleware/drop.js': `module.exports = () => async (ctx, next) => { if (ctx.packet[1] !== 'drop') await next(); };`,
};

test('a part of Socket.IO that is returned, as by a call that can be chained, is no answer', async t => {
  const { open, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        const parts = {
          socket: ctx => ctx.socket,
          namespace: () => app.io.of('/'),
          server: () => app.io,
          operator: ctx => ctx.socket.to('room'),
          broadcast: ctx => ctx.socket.broadcast,
          local: () => app.io.local,
          remote: async () => (await app.io.fetchSockets())[0],
          ofNamespace: () => app.io.of('/').in('room'),
        };
        for (const [name, part] of Object.entries(parts)) {
          app.io.route(name, async ctx => { setImmediate(() => ctx.ack('by callback')); return part(ctx); });
          app.io.route(name + ' or null', async ctx => part(ctx), { acknowledge: true });
        }
        app.io.route('adapter', async () => ({ adapter: 'none', operator: null }));
      };`,
  });
  for (const part of ['socket', 'namespace', 'server', 'operator', 'broadcast', 'local', 'remote', 'ofNamespace']) {
    const client = await open();
    assert.equal(await client.call(part), 'by callback', part);
    assert.equal(await client.call(`${part} or null`), null, part);
    client.disconnect();
  }
  assert.deepEqual(await (await open()).call('adapter'), { adapter: 'none', operator: null }, 'what only looks like one is an answer');
  assert.deepEqual(
    logs.filter(line => line.startsWith('ERROR')),
    [],
  );
});

test("with acknowledge: 'callback' only the handler itself answers, and errors do", async t => {
  const { open } = await startApp(t, {
    ...MIDDLEWARE,
    'config/config.default.js': `exports.io = { acknowledge: 'callback', namespace: { '/around': { packetMiddleware: ['drop'] } } };`,
    'app/io/controller/chat.js': `
      module.exports = app => class extends app.Controller {
        async both() { setImmediate(() => this.ctx.ack('by callback')); return true; }
        async value() { setImmediate(() => this.ctx.ack('by callback')); return new Error('has no meaning'); }
        async fail() { this.ctx.throw(403, 'not you'); }
      };`,
    'app/router.js': `
      module.exports = app => {
        for (const nsp of ['/', '/around']) {
          const { chat } = app.io.controller;
          app.io.of(nsp).route('both', chat.both).route('value', chat.value).route('fail', chat.fail).route('asked', async () => 'returned', { acknowledge: true });
        }
      };`,
  });
  for (const nsp of ['/', '/around']) {
    const client = await open(nsp);
    for (const event of ['both', 'value']) assert.equal(await client.call(event), 'by callback');
    await assert.rejects(client.call('fail'), { code: 'FORBIDDEN', message: 'not you' });
    assert.equal(await client.call('asked'), 'returned', 'the route says more than the config');
  }
});

test('a route with acknowledge: true answers null for undefined when the handler has ended, unless it has answered itself', async t => {
  const { open, app } = await startApp(t, {
    ...MIDDLEWARE,
    'config/config.default.js': `exports.io = { namespace: { '/around': { packetMiddleware: ['drop'] } } };`,
    'app/router.js': `
      module.exports = app => {
        const options = { acknowledge: true };
        for (const nsp of ['/', '/around']) {
          app.io.of(nsp)
            .route('nothing', async function () { app.emit('handled', this.packet[0]); }, options)
            .route('value', () => 0, options)
            .route('itself', async ctx => { ctx.ack('first'); }, options)
            .route('fail', async ctx => { ctx.throw(403, 'not you'); }, options)
            .route('plain', async () => {}, { acknowledge: false });
        }
      };`,
  });
  const handled: unknown[] = [];
  app.on('handled', event => handled.push(event));
  for (const nsp of ['/', '/around']) {
    const client = await open(nsp);
    let answers = 0;
    client.socket.emit('plain', () => answers++);
    client.send('nothing'); // nobody asks
    if (nsp === '/around') client.socket.emit('nothing', 'drop', () => answers++);
    assert.equal(await client.call('nothing'), null);
    assert.equal(await client.call('value'), 0);
    assert.equal(await client.call('itself'), 'first');
    await assert.rejects(client.call('fail'), { code: 'FORBIDDEN', message: 'not you' });
    assert.equal(answers, 0);
  }
  assert.deepEqual(handled, ['nothing', 'nothing', 'nothing', 'nothing']);
});

test('acknowledge of another type or value stops the boot', async t => {
  for (const value of ['true', "'callbacks'", '1']) {
    const error = await bootError(t, { 'config/config.default.js': `exports.io = { acknowledge: ${value} };` });
    assert.equal(error.code, 'IO_CONFIG_INVALID');
    assert.match(error.message, /config\.io\.acknowledge must be 'return' or 'callback'/);
  }
  const error = await bootError(t, {
    'app/router.js': `module.exports = app => { app.io.route('x', async () => {}, { acknowledge: 'yes' }); };`,
  });
  assert.equal(error.code, 'IO_ROUTE_INVALID');
  assert.match(error.message, /route\('x'\) of namespace '\/': acknowledge must be true or false/);
});

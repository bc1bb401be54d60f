/** Events that have neither a route nor a listener. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, type Files, startApp } from './support/app';
import { ask, connect, next } from './support/client';

const NOT_FOUND = { error: { code: 'NOT_FOUND', message: 'Nothing handles this event' } };

/** The policy `error` in `/`, `/layers`, `/live` and `/any`, and a handler in the other namespaces. */
const POLICIES: Files = {
  'config/config.default.js': `
    exports.io = {
      unmatched: 'error',
      namespace: { '/': { connectionMiddleware: ['listen'] }, '/layers': { packetMiddleware: ['rename'] }, '/others': { packetMiddleware: ['rename'] } },
    };`,
  'app/io/middleware/listen.js': `
    module.exports = app => async (ctx, next) => {
      ctx.socket.on('listened', ack => ack('by a listener'));
      ctx.socket.once('once', ack => ack('by the first listener'));
      await next();
    };`,
  'app/io/middleware/rename.js': `
    module.exports = app => async (ctx, next) => {
      if (ctx.packet[0] === 'old') ctx.packet[0] = 'new';
      await next();
    };`,
  'app/io/controller/any.js': `
    exports.answer = async ctx => ['unmatched', ...ctx.packet.slice(0, 2)];
    exports.fail = async ctx => ctx.throw(409, 'failed on purpose');`,
  'app/router.js': `
    module.exports = app => {
      const { any } = app.io.controller;
      app.io.route('*', async () => 'star').route('say', async () => 'said');
      app.io.of('/layers').route('new', async () => 'renamed');
      app.io.of('/live');
      app.io.of('/any').on('connection', socket => socket.onAny((event, ack) => ack?.('by onAny')));
      app.io.of('/others').routeUnmatched(any.answer).route('new', async () => 'renamed');
      app.io.of('/named').routeUnmatched('any.answer', { acknowledge: true });
      app.io.of('/failing').routeUnmatched(any.fail);
    };`,
};

test('the policy for unmatched events is an error or a handler, and spares what has a route or a listener', async t => {
  const { url, logged, logs } = await startApp(t, POLICIES, { env: 'prod' });
  const to = async (namespace: string) => connect(t, url + namespace);

  await t.test('with error, the client gets NOT_FOUND as the acknowledgement, or else as an error event', async () => {
    const client = await to('/');
    assert.deepEqual(await ask(client, 'sya', 1), NOT_FOUND);
    assert.equal(
      await logged(/"sya"/),
      `WARN [egg-socket.io] event "sya" failed, namespace /, socket ${client.id}: IoError: Nothing handles this event`,
    );
    const error = next(client, 'error');
    client.emit('syb');
    assert.deepEqual(await error, ['Nothing handles this event', { code: 'NOT_FOUND', event: 'syb' }]);
  });

  await t.test('lines of unmatched events are limited together, whatever names the clients choose', async () => {
    const client = await to('/live');
    for (let i = 0; i < 8; i++) assert.deepEqual(await ask(client, `made up ${i}`), NOT_FOUND);
    assert.equal(logs.filter(line => line.includes('made up')).length, 5);
  });

  await t.test("a route is matched, and so is one for '*', which is a name like any other", async () => {
    const client = await to('/');
    assert.equal(await ask(client, 'say'), 'said');
    assert.equal(await ask(client, '*'), 'star');
  });

  await t.test('an event with a listener, or with one of onAny, is matched', async () => {
    const client = await to('/');
    assert.equal(await ask(client, 'listened'), 'by a listener');
    assert.equal(await ask(client, 'once'), 'by the first listener');
    assert.deepEqual(await ask(client, 'once'), NOT_FOUND); // it listened once
    assert.equal(await ask(await to('/any'), 'anything'), 'by onAny');
  });

  await t.test('an event is unmatched by the name that packet middleware has given it', async () => {
    for (const [namespace, unmatched] of [
      ['/layers', NOT_FOUND],
      ['/others', ['unmatched', 'sya', 1]],
    ] as const) {
      const client = await to(namespace);
      assert.equal(await ask(client, 'old'), 'renamed');
      assert.deepEqual(await ask(client, 'sya', 1), unmatched);
    }
  });

  await t.test('a handler of unmatched events is called like one of a route', async () => {
    assert.deepEqual(await ask(await to('/named'), '__proto__', 1), ['unmatched', '__proto__', 1]);
    assert.deepEqual(await ask(await to('/failing'), 'x'), { error: { code: 'CONFLICT', message: 'failed on purpose' } });
  });

  await t.test('an event of the server is not unmatched', async () => {
    for (const namespace of ['/', '/named'])
      assert.deepEqual(await ask(await to(namespace), 'error'), {
        error: { code: 'RESERVED_EVENT', message: "'error' is an event of the server" },
      });
  });
});

test('routeUnmatched() checks its handler like route(), and the first one stays', async t => {
  const error = await bootError(t, {
    'app/io/controller/any.js': 'exports.answer = async () => {};',
    'app/router.js': `module.exports = app => { app.io.of('/chat').routeUnmatched(app.io.controller.any.anwser); };`,
  });
  assert.equal(error.code, 'IO_ROUTE_INVALID');
  assert.match(error.message, /routeUnmatched\(\) of namespace '\/chat': the handler is undefined, not a function/);
  const { code } = await bootError(t, { 'app/router.js': `module.exports = app => { app.io.of(/x/).routeUnmatched(async () => {}); };` });
  assert.equal(code, 'IO_ROUTE_DYNAMIC');
  const { url, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => { app.io.routeUnmatched(async () => 'first').routeUnmatched(async () => 'second'); };`,
  });
  assert.equal(await ask(await connect(t, url), 'x'), 'first');
  assert.equal(logs.filter(line => /IO_ROUTE_DUPLICATE: routeUnmatched\(\) of namespace '\/' exists already/.test(line)).length, 1);
});

/** Events that have neither a route nor a listener. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, type Files, startApp } from './support/app';

const NOT_FOUND = { code: 'NOT_FOUND', message: 'Nothing handles this event', details: undefined };

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
      try {
        await next();
      } catch (error) {
        (app.caught ??= new Set()).add(error);
        Reflect.set(error, 'message', 'changed');
        throw error;
      }
    };`,
  'app/io/controller/any.js': `
    exports.answer = async ctx => ['unmatched', ...ctx.packet.slice(0, 2)];
    exports.fail = async ctx => ctx.throw(409, 'failed on purpose');`,
  'app/router.js': `
    module.exports = app => {
      const { any } = app.io.controller;
      app.io.route('*', async () => 'star').route('say', async () => 'said').route('silent', async () => {});
      app.io.of('/layers').route('new', async () => 'renamed').route('caught', async () => app.caught.size);
      app.io.of('/live');
      app.io.of('/any').on('connection', socket => socket.onAny((event, ack) => ack?.('by onAny')));
      app.io.of('/others').routeUnmatched(any.answer).route('new', async () => 'renamed');
      app.io.of('/named').routeUnmatched('any.answer', { acknowledge: true });
      app.io.of('/failing').routeUnmatched(any.fail);
    };`,
};

test('the policy for unmatched events is an error or a handler, and spares what has a route or a listener', async t => {
  const { open, logged, logs } = await startApp(t, POLICIES, { env: 'prod' });
  const to = async (namespace: string) => open(namespace);

  await t.test('with error, the client gets NOT_FOUND as the acknowledgement, or else as an error event', async () => {
    const client = await to('/');
    await assert.rejects(client.call('sya', 1), NOT_FOUND);
    assert.equal(
      await logged(/"sya"/),
      `WARN [egg-socket.io] event "sya" failed, namespace /, socket ${client.id}: IoError: Nothing handles this event`,
    );
    const error = client.next('error');
    client.send('syb');
    assert.deepEqual(await error, ['Nothing handles this event', { code: 'NOT_FOUND', event: 'syb' }]);
  });

  await t.test('lines of unmatched events are limited together, whatever names the clients choose', async () => {
    const client = await to('/live');
    for (let i = 0; i < 8; i++) await assert.rejects(client.call(`made up ${i}`), NOT_FOUND);
    assert.equal(logs.filter(line => line.includes('made up')).length, 5);
  });

  await t.test('in production, there is no warning of unmatched events, or of missing answers', async () => {
    const client = await to('/');
    client.socket.emit('silent', () => assert.fail('there is no answer'));
    assert.equal(await client.call('say'), 'said');
    assert.deepEqual(
      logs.filter(line => /IO_EVENT_UNMATCHED|IO_ANSWER_MISSING/.test(line)),
      [],
    );
  });

  await t.test("a route is matched, and so is one for '*', which is a name like any other", async () => {
    const client = await to('/');
    assert.equal(await client.call('say'), 'said');
    assert.equal(await client.call('*'), 'star');
  });

  await t.test('an event with a listener, or with one of onAny, is matched', async () => {
    const client = await to('/');
    assert.equal(await client.call('listened'), 'by a listener');
    assert.equal(await client.call('once'), 'by the first listener');
    await assert.rejects(client.call('once'), NOT_FOUND); // it listened once
    assert.equal(await (await to('/any')).call('anything'), 'by onAny');
  });

  await t.test('an event is unmatched by the name that packet middleware has given it', async () => {
    const [layers, others] = [await to('/layers'), await to('/others')];
    for (const client of [layers, others]) assert.equal(await client.call('old'), 'renamed');
    await assert.rejects(layers.call('sya', 1), NOT_FOUND);
    assert.deepEqual(await others.call('sya', 1), ['unmatched', 'sya', 1]);
  });

  await t.test('all of them fail with one error, which middleware cannot change', async () => {
    const client = await to('/layers');
    for (const event of ['sya', 'syb']) await assert.rejects(client.call(event), NOT_FOUND);
    assert.equal(await client.call('caught'), 1);
  });

  await t.test('a handler of unmatched events is called like one of a route', async () => {
    assert.deepEqual(await (await to('/named')).call('__proto__', 1), ['unmatched', '__proto__', 1]);
    await assert.rejects((await to('/failing')).call('x'), { code: 'CONFLICT', message: 'failed on purpose' });
  });

  await t.test('an event of the server is not unmatched', async () => {
    for (const namespace of ['/', '/named'])
      await assert.rejects((await to(namespace)).call('error'), {
        code: 'RESERVED_EVENT',
        message: "'error' is an event of the server",
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
  const { open, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => { app.io.routeUnmatched(async () => 'first').routeUnmatched(async () => 'second'); };`,
  });
  assert.equal(await (await open()).call('x'), 'first');
  assert.equal(logs.filter(line => /IO_ROUTE_DUPLICATE: routeUnmatched\(\) of namespace '\/' exists already/.test(line)).length, 1);
});

test('an unmatched event is ignored by default; in unittest it is warned of once, with the route that it resembles', async t => {
  const { open, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.on('connection', socket => { if (socket.handshake.auth.listens) socket.onAny(() => {}); });
        app.io.route('say', async () => 'said');
        app.io.of('/others').routeUnmatched(async () => 'handled').route('say', async () => 'said');
      };`,
  });
  const client = await open();
  const listens = await open('/', { auth: { listens: true } });
  const others = await open('/others');
  listens.send('heard');
  others.send('handled');
  for (const event of ['says', 'far away', 'says', 'x\ny']) client.socket.emit(event, () => assert.fail('there is no answer'));
  for (const one of [client, listens, others]) assert.equal(await one.call('say'), 'said');
  const warnings = (): string[] =>
    logs.filter(line => line.includes('IO_EVENT_UNMATCHED')).map(line => line.replace(/ \(egg-socket.*/, ''));
  const prefix = 'WARN [egg-socket.io] IO_EVENT_UNMATCHED: event';
  assert.deepEqual(warnings(), [
    `${prefix} "says" of namespace '/' has neither a route nor a listener; did you mean "say"?`,
    `${prefix} "far away" of namespace '/' has neither a route nor a listener; add one of them`,
    `${prefix} "x y" of namespace '/' has neither a route nor a listener; add one of them`,
  ]);
  for (let i = 0; i < 100; i++) client.send(`made up ${i}`);
  assert.equal(await client.call('say'), 'said');
  assert.equal(warnings().length, 100);
  assert.match(warnings().at(-1) ?? '', /; 100 events have been warned of, and no more will be$/);
});

test('in unittest, an unmatched event that fails with NOT_FOUND has one line in the log', async t => {
  const { open, logs } = await startApp(t, {
    'config/config.default.js': `exports.io = { unmatched: 'error' };`,
    'app/router.js': `module.exports = app => { app.io.route('say', async () => 'said'); };`,
  });
  const client = await open();
  for (let i = 0; i < 2; i++) await assert.rejects(client.call('says'), NOT_FOUND);
  const lines = logs.filter(line => /^(?:WARN|ERROR)/.test(line));
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(
    lines[0] ?? '',
    /IO_EVENT_UNMATCHED: event "says" of namespace '\/' has neither a route nor a listener; did you mean "say"\?/,
  );
});

test('in unittest, a handler that has ended without the answer that a client asked for is warned of once, and dropped packets are not', async t => {
  const { open, logs } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/layers': { packetMiddleware: ['answer'] } } };`,
    'app/io/middleware/answer.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.packet[0] === 'dropped') return;
        if (ctx.packet[0] === 'before') ctx.ack('early');
        await next();
        if (ctx.packet[0] === 'after') ctx.ack('late');
      };`,
    'app/router.js': `
      module.exports = app => {
        const later = [];
        app.io.on('connection', socket => socket.on('listened', ack => ack('by a listener')));
        app.io.route('say', async () => 'said')
          .route('forgets', async () => {})
          .route('calls', async ctx => { ctx.ack('called'); })
          .route('calls the last argument', async ctx => { ctx.args.at(-1)('called'); })
          .route('listened', async () => {})
          .route('always', async () => {}, { acknowledge: true })
          .route('chains', async ctx => ctx.socket.to('room'))
          .route('later', async ctx => { later.push(ctx.ack); })
          .route('guarded', async () => {}, async () => 'never called')
          .route('caught', async (ctx, next) => { await next().catch(() => {}); }, async () => { throw new Error('on purpose'); })
          .route('now', async () => { later.pop()('at last'); });
        app.io.of('/layers').route('before', async () => {}).route('after', async () => {}).route('say', async () => 'said')
          .route('dropped', async () => 'never called');
      };`,
  });
  const client = await open();
  const layers = await open('/layers');
  const noAnswer = (): void => assert.fail('there is no answer');
  for (const event of ['forgets', 'forgets', 'chains', 'guarded', 'caught']) client.socket.emit(event, noAnswer);
  for (const event of ['dropped', 'unmatched']) layers.socket.emit(event, noAnswer);
  client.send('forgets'); // asks for none
  const later = client.call('later');
  assert.deepEqual(await Promise.all(['calls', 'calls the last argument', 'listened', 'always'].map(async event => client.call(event))), [
    'called',
    'called',
    'by a listener',
    null,
  ]);
  assert.deepEqual(await Promise.all([layers.call('before'), layers.call('after')]), ['early', 'late']);
  client.send('now');
  assert.equal(await later, 'at last');
  for (const one of [client, layers]) assert.equal(await one.call('say'), 'said');
  assert.deepEqual(logs.flatMap(line => /IO_ANSWER_MISSING: event "(.*?)"/.exec(line)?.[1] ?? []).sort(), [
    'caught',
    'chains',
    'forgets',
    'later',
  ]);
  assert.match(
    logs.find(line => line.includes('"forgets"')) ?? '',
    /^WARN \[egg-socket\.io\] IO_ANSWER_MISSING: event "forgets" of namespace '\/' has ended without the answer that the client asked for; did the handler forget to return a value, or to call ctx\.ack\(\)\? Ignore this if it answers later/,
  );
});

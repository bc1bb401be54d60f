/** Middleware of a single route. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, type Files, startApp } from './support/app';
import { next } from './support/client';

const FILES: Files = {
  'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['outer'] } } };`,
  'app/io/middleware/outer.js': `module.exports = () => async (ctx, next) => { ctx.steps = ['outer']; await next(); };`,
  'app/io/middleware/guard.js': `
    module.exports = () => async (ctx, next) => {
      ctx.steps?.push('guard');
      if (ctx.args[0] === 'locked') ctx.throw(403, 'no entry');
      if (ctx.args[0] === 'dropped') return;
      await next();
    };`,
  'app/io/middleware/admin/audit.js': `
    module.exports = () => async (ctx, next) => { ctx.steps?.push('audit'); const value = await next(); ctx.steps?.push('saw ' + typeof value); };`,
  'app/io/controller/chat.js': `
    module.exports = app => class extends app.Controller { async say() { this.ctx.steps?.push('say'); return this.ctx.steps; } };
    `,
  'app/router.js': `
    module.exports = app => {
      const { controller, middleware } = app.io;
      const inline = async (ctx, next) => { ctx.steps.push('inline'); await next(); ctx.steps.push('too late'); };
      app.io.route('plain', controller.chat.say)
        .route('names', 'guard', 'admin.audit', 'chat.say')
        .route('functions', inline, middleware.guard, controller.chat.say)
        .route('options', 'guard', async () => {}, { acknowledge: true })
        .route('unawaited', (ctx, next) => { next(); }, async () => 'waited for')
        .route('factory', app => async (ctx, next) => next(), async () => 'never')
        .route('named factory', require('./io/middleware/guard'), async () => 'never')
        .route('late', (ctx, next) => { setImmediate(next); }, (ctx, next) => { setImmediate(next); }, function slow(ctx, next) { setImmediate(next); }, async () => {})
        .route('disconnect', 'admin.audit', async ctx => { app.emit('gone', ctx.args[0]); });
      app.io.of('/others').routeUnmatched('guard', async ctx => ctx.packet[0]);
    };`,
};

test('middleware of a route runs around its handler, in order, inside that of the namespace', async t => {
  const { open, app, logs, logged } = await startApp(t, FILES);
  const client = await open();

  await t.test('by name or as a function, and only for its route', async () => {
    assert.deepEqual(await client.call('plain'), ['outer', 'say']);
    assert.deepEqual(await client.call('names'), ['outer', 'guard', 'audit', 'say', 'saw object']);
    assert.deepEqual(await client.call('functions'), ['outer', 'inline', 'guard', 'say', 'too late']);
  });

  await t.test('what it throws is the answer, and without next() the packet is dropped', async () => {
    await assert.rejects(client.call('names', 'locked'), { code: 'FORBIDDEN', message: 'no entry' });
    client.socket.emit('names', 'dropped', () => assert.fail('there is no answer'));
    assert.deepEqual(await client.call('plain'), ['outer', 'say']);
  });

  await t.test('with options of the route, and with a next() that it does not await', async () => {
    assert.equal(await client.call('options'), null);
    assert.equal(await client.call('unawaited'), 'waited for');
  });

  await t.test('its mistakes are logged once each, with its position or its name', async () => {
    const PREFIX = 'WARN [egg-socket.io] ';
    const called = (which: string): string =>
      `${PREFIX}middleware ${which} of route('late') of namespace '/' has called next() after it had ended, which is too late; await next(), and await any callbacks before it`;
    const returned = (event: string, which: string): string =>
      `${PREFIX}IO_MIDDLEWARE_INVALID: middleware ${which} of route('${event}') of namespace '/' has returned a function and not called next(), so that it lets nothing pass; is it what a file in app/io/middleware exports? Then use the file's name, such as 'auth', or app.io.middleware.auth`;
    for (const event of ['late', 'late', 'factory', 'factory', 'named factory']) client.send(event);
    await Promise.all([logged(/middleware 3 \(slow\)/), logged(/'named factory'/)]);
    assert.equal(await client.call('unawaited'), 'waited for');
    assert.deepEqual(
      logs
        .filter(line => / of route\('/.test(line))
        .map(line => line.replace(/ \(egg-socket.*/, ''))
        .sort(),
      [called('1'), called('2'), called('3 (slow)'), returned('factory', '1'), returned('named factory', '1')].sort(),
    );
  });

  await t.test('around a handler of unmatched events', async () => {
    const others = await open('/others');
    assert.equal(await others.call('anything'), 'anything');
    await assert.rejects(others.call('anything', 'locked'), { code: 'FORBIDDEN', message: 'no entry' });
  });

  await t.test('around a handler of a reserved event', async () => {
    const gone = next(app, 'gone');
    client.disconnect();
    assert.deepEqual(await gone, ['client namespace disconnect']);
  });
});

test('without next(), a packet of a contract is dropped too, whatever the contract says of the answer', async t => {
  for (const env of ['unittest', 'prod']) {
    const { open, logs } = await startApp(
      t,
      {
        ...FILES,
        'config/config.default.js': 'exports.io = { init: { allowEIO3: false } };', // else production has a warning
        'app/router.js': `
          const text = { '~standard': { version: 1, vendor: 'own', validate: value => typeof value === 'string' ? { value } : { issues: [] } } };
          const contract = { namespace: '/chat', client: { say: { args: [text], ack: text }, note: { args: [text] } } };
          module.exports = app => {
            const say = async ctx => ctx.args[0];
            app.io.of(contract).route('say', 'guard', say).route('note', 'guard', say);
          };`,
      },
      { env },
    );
    const client = await open('/chat');
    const warnings = (): string[] => logs.filter(line => /^(?:WARN|ERROR)/.test(line));
    for (const event of ['say', 'note']) client.socket.emit(event, 'dropped', () => assert.fail('there is no answer'));
    assert.equal(await client.call('say', 'hello'), 'hello', env);
    assert.equal(await client.call('note', 'hello'), null, env);
    assert.deepEqual(warnings(), [], env);
    await assert.rejects(client.call('say', 'locked'), { code: 'FORBIDDEN', message: 'no entry' }, env);
    client.disconnect();
  }
});

test('wrong arguments of a route stop the boot with the place and the remedy', async t => {
  const { 'app/router.js': _, ...files } = FILES;
  for (const [args, code, message] of [
    [
      `'gaurd', 'chat.say'`,
      'IO_MIDDLEWARE_UNKNOWN',
      /route\('say'\) of namespace '\/' names 'gaurd'; create app\/io\/middleware\/gaurd or use one of: /,
    ],
    [`'guard', 'chat.sya'`, 'IO_CONTROLLER_UNKNOWN', /route\('say'\) of namespace '\/' names 'chat.sya'; use one of: chat.say/],
    [`'guard', controller.chat.sya`, 'IO_ROUTE_INVALID', /the handler is undefined, not a function/],
    [`{ acknowledge: true }, controller.chat.say`, 'IO_ROUTE_INVALID', /the options have to be the last argument, after the handler/],
    [`middleware.gaurd, controller.chat.say`, 'IO_ROUTE_INVALID', /the middleware is undefined, not a function or the name of one/],
    [
      `middleware.guard, controller.chat`,
      'IO_ROUTE_INVALID',
      /the last argument has 'say', which is no option; the options are acknowledge and idempotencyKey/,
    ],
    [`controller.chat.say, { acknowledge: 1 }`, 'IO_ROUTE_INVALID', /acknowledge must be true or false/],
    [``, 'IO_ROUTE_INVALID', /the handler is undefined, not a function/],
    [`controller.chat.say, undefined`, 'IO_ROUTE_INVALID', /the handler is undefined, .* If these are the options, leave them out/],
    [`controller.chat.say, []`, 'IO_ROUTE_INVALID', /the handler is object, not a function/],
  ] as const) {
    const error = await bootError(t, {
      ...files,
      'app/router.js': `module.exports = app => { const { controller, middleware } = app.io; app.io.route('say'${args && `, ${args}`}); };`,
    });
    assert.equal(error.code, code, args);
    assert.match(error.message, message);
  }
});

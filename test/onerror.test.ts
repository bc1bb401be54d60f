/** `config.io.onerror`: which errors it gets, and what its result changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Files, startApp } from './support/app';
import { refusalsBeside } from './support/client';

const APP: Files = {
  'config/config.default.js': `
    const { IoError } = require('egg-socket.io');
    const results = {
      own: error => new IoError('OWN', 'mapped: ' + error.message, { details: { seats: 2 }, cause: error }),
      plain: () => new Error('a plain one'),
      hidden: () => new TypeError('a secret'),
      temporary: () => new IoError('BUSY', 'come later', { status: 503 }),
      nothing: () => {},
      answer: () => ({ code: 'OWN' }),
      throws: () => { throw new Error('a mishap: throws'); },
      thenable: () => ({ then(resolve, reject) { reject(new Error('a mishap: thenable')); } }),
      rejects: async () => { throw new Error('a mishap: rejects'); },
      late: async () => new IoError('OWN', 'too late'),
      reports: async () => {},
    };
    const onerror = (error, ctx) => {
      const what = /\\[(\\w+)\\]/.exec(error.message)?.[1];
      ctx.app.reported.push([ctx.packet?.[0], error.message, ctx.socket.nsp.name, ctx.user]);
      return results[what]?.(error);
    };
    exports.io = {
      onerror,
      namespace: {
        '/': { connectionMiddleware: ['guard'], packetMiddleware: ['user'] },
        '/own': { onerror: error => new IoError('OF_NAMESPACE', error.message) },
        '/free': {},
      },
    };`,
  'app.js': 'module.exports = app => { app.reported = []; };',
  'app/io/middleware/guard.js': `
    module.exports = () => async (ctx, next) => {
      const { refused } = ctx.handshake.auth;
      if (refused) throw new Error(refused);
      await next();
      throw new Error('on leaving');
    };`,
  'app/io/middleware/user.js': `module.exports = () => async (ctx, next) => { ctx.user = 'ann'; await next(); };`,
  'app/router.js': `
    module.exports = app => {
      for (const nsp of [app.io.of('/'), app.io.of('/own'), app.io.of('/free')]) {
        nsp.route('fail', async ctx => { throw new TypeError(ctx.args[0]); });
        nsp.route('throw', async ctx => { throw ctx.args[0]; });
        nsp.route('return', async ctx => new Error(ctx.args[0]));
        nsp.route('ack', async ctx => { ctx.ack(new Error(ctx.args[0])); });
        nsp.route('refuse', async ctx => ctx.throw(403, ctx.args[0]));
        nsp.on('connection', socket => socket.on('listen', async text => { throw new Error(text); }));
      }
      app.io.route('disconnect', async () => { throw new Error('in the route disconnect'); });
    };`,
};

type Report = readonly [event: unknown, message: string, namespace: string, user: unknown];

test('onerror gets each error of packets and connections with its context, and the client an error that it returns', async t => {
  const { open, app, logs, logged } = await startApp(t, APP, { env: 'prod' });
  const reported = (): Report[] => (Reflect.get(app, 'reported') as Report[]).splice(0);
  const client = await open();
  const own = { code: 'OWN', message: 'mapped: [own]', details: { seats: 2 } };
  for (const event of ['fail', 'return', 'ack', 'refuse', 'throw']) {
    await assert.rejects(client.call(event, '[own]'), own, event);
    assert.deepEqual(reported(), [[event, '[own]', '/', 'ann']]);
  }
  await assert.rejects(client.call('listen', '[own]'), own);
  assert.deepEqual(reported(), [['listen', '[own]', '/', 'ann']]);
  await assert.rejects(client.call('error', 'boo'), { code: 'RESERVED_EVENT', message: "'error' is an event of the server" });
  assert.deepEqual(reported(), [['error', "'error' is an event of the server", '/', undefined]]);
  client.send('fail', '[own]');
  assert.deepEqual(await client.next('error'), ['mapped: [own]', { code: 'OWN', event: 'fail' }]);
  reported();
  const hidden = { code: 'INTERNAL_SERVER_ERROR', message: 'Internal Server Error', details: undefined };
  for (const what of ['[hidden]', '[nothing]']) await assert.rejects(client.call('fail', what), hidden, what);
  await assert.rejects(client.call('refuse', '[nothing]'), { code: 'FORBIDDEN', message: '[nothing]', details: undefined });
  reported();
  client.disconnect();
  await logged(/connection middleware failed.*on leaving/);
  await logged(/event "disconnect" failed.*in the route disconnect/);
  assert.deepEqual(reported().toSorted(), [
    [undefined, 'on leaving', '/', undefined],
    ['disconnect', 'in the route disconnect', '/', undefined],
  ]);
  const lines = logs.filter(line => line.includes('[own]'));
  assert.equal(lines.length, 7, 'each has been logged once');
  for (const line of lines)
    assert.match(line, /^WARN .*: (?:Type|Forbidden)?Error: \[own\]$/, 'the error of the app, at the level of the answer');
  assert.equal(logs.filter(line => /^ERROR .*TypeError: \[hidden\]\n/.test(line)).length, 1);
});

test('an error that onerror returns decides about a connection as if middleware had thrown it', async t => {
  const { open, logs } = await startApp(t, APP, { env: 'prod' });
  for (const [refused, message, code] of [
    ['[own]', 'mapped: [own]', 'OWN'],
    ['[plain]', 'a plain one', 'CONNECTION_REFUSED'],
    ['[hidden]', 'Internal Server Error', 'INTERNAL_SERVER_ERROR'],
    ['[nothing]', '[nothing]', 'CONNECTION_REFUSED'],
  ] as const) {
    const client = await open('/', { auth: { refused } });
    assert.deepEqual([client.refused?.message, client.refused?.code], [message, code]);
  }
  assert.equal(logs.filter(line => line.includes('connection refused')).length, 4);
  const refused = await refusalsBeside((await open('/free')).socket, '/')({ refused: '[temporary]' });
  assert.deepEqual([refused.message, refused.data], ['come later', { code: 'BUSY', retry: true }]);
  assert.ok(logs.some(line => /^ERROR .*connection postponed.*Error: \[temporary\]\n/.test(line)));
  assert.ok(logs.some(line => /^WARN .*connection refused.*Error: \[own\]$/.test(line)));
  assert.ok(logs.some(line => /^ERROR .*connection refused.*Error: \[hidden\]\n/.test(line)));
});

test('onerror of a namespace is called in place of that of all', async t => {
  const { open, app } = await startApp(t, APP);
  const client = await open('/own');
  await assert.rejects(client.call('fail', '[own]'), { code: 'OF_NAMESPACE', message: '[own]', details: undefined });
  assert.deepEqual(Reflect.get(app, 'reported'), []);
  await assert.rejects((await open('/free')).call('fail', '[own]'), { code: 'OWN' });
});

test('an onerror that fails, or returns what is no error, is logged, and the client is answered as without it', async t => {
  const { open, logs, logged } = await startApp(t, APP);
  const client = await open('/free');
  for (const [what, line] of [
    ['throws', /a mishap: throws/],
    ['rejects', /a mishap: rejects/],
    ['thenable', /a mishap: thenable/],
    ['answer', /IO_ONERROR_INVALID: config\.io\.onerror returned a value of the type object; return an Error, or nothing/],
    ['late', /IO_ONERROR_INVALID: config\.io\.onerror returned an error in a promise; return an Error, or nothing/],
  ] as const) {
    const before = logs.length;
    await assert.rejects(client.call('refuse', `[${what}]`), { code: 'FORBIDDEN', message: `[${what}]` });
    await logged(line);
    const lines = logs.slice(before);
    assert.equal(lines.filter(text => /^ERROR .*config\.io\.onerror failed, namespace \/free, socket /.test(text)).length, 1, what);
    assert.equal(lines.filter(text => text.includes(`event "refuse" failed`)).length, 1, what);
  }
  const before = logs.length;
  await assert.rejects(client.call('refuse', '[reports]'), { code: 'FORBIDDEN', message: '[reports]' });
  assert.equal(logs.length, before + 1);
});

/** What clients and logs get of the errors in controllers and packet middleware. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { IoError } from 'egg-socket.io';
import { type Files, ROOT, startApp } from './support/app';
import { ask, type ClientVersion, connect, newClient, next, refusal, refusalsBeside } from './support/client';
import { nothingRemains } from './support/remains';

const APP: Files = {
  'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['guard'] } } };`,
  'app/io/middleware/guard.js': `
    module.exports = () => async (ctx, next) => {
      if (ctx.packet[1] === 'middleware') throw new Error('a secret of the middleware');
      await next();
    };`,
  'app/router.js': `
    const { IoError } = require('egg-socket.io');
    const throwers = {
      plain() { throw new Error('a secret'); },
      type(ctx) { null.secret; },
      coded() { throw Object.assign(new Error('a secret'), { code: 'ECODE' }); },
      string() { throw 'a secret'; },
      object() { throw { secret: true }; },
      nothing() { throw undefined; },
      ioError() { throw new IoError('FULL', 'the room is full'); },
      ioDetails() { throw new IoError('FULL', 'the room is full', { status: 503, details: ['x'] }); },
      status() { throw Object.assign(new Error('gone for good'), { status: 410 }); },
      quoted(ctx) { throw new IoError('UNKNOWN', 'there is no ' + ctx.args[1]); },
      exposed() { throw Object.assign(new Error('shown on purpose'), { expose: true, code: 'SHOWN' }); },
      koa404(ctx) { ctx.throw(404, 'no such room'); },
      koa500(ctx) { ctx.throw(500, 'a secret'); },
      validation() { throw Object.assign(new Error('Validation Failed'), { status: 422, code: 'invalid_param', errors: [{ field: 'name' }] }); },
    };
    module.exports = app => {
      app.io.route('fail', async ctx => throwers[ctx.args[0]](ctx));
      app.io.route('hello', async () => 'pong');
    };`,
};

const SHOWN = {
  ioError: { code: 'FULL', message: 'the room is full' },
  ioDetails: { code: 'FULL', message: 'the room is full', details: ['x'] },
  status: { code: 'GONE', message: 'gone for good' },
  exposed: { code: 'SHOWN', message: 'shown on purpose' },
  koa404: { code: 'NOT_FOUND', message: 'no such room' },
  validation: { code: 'invalid_param', message: 'Validation Failed', details: [{ field: 'name' }] },
};

for (const env of ['prod', 'sit']) {
  test(`in the env ${env} a client gets a code for an unexpected error, and those made to be shown whole`, async t => {
    const { url } = await startApp(t, APP, { env });
    const client = await connect(t, url);
    for (const [thrown, error] of Object.entries(SHOWN)) assert.deepEqual(await ask(client, 'fail', thrown), { error }, thrown);
    const error = { code: 'INTERNAL_SERVER_ERROR', message: 'Internal Server Error' };
    for (const thrown of ['plain', 'type', 'coded', 'string', 'object', 'nothing', 'koa500', 'middleware'])
      assert.deepEqual(await ask(client, 'fail', thrown), { error }, thrown);
  });
}

test('while developing and testing a client gets the message of every error', async t => {
  for (const env of ['unittest', 'local']) {
    const { url, close } = await startApp(t, APP, { env });
    const client = await connect(t, url);
    for (const [thrown, error] of Object.entries(SHOWN)) assert.deepEqual(await ask(client, 'fail', thrown), { error }, thrown);
    for (const [thrown, message] of [
      ['plain', 'a secret'],
      ['string', 'a secret'],
      ['koa500', 'a secret'],
      ['middleware', 'a secret of the middleware'],
    ] as const)
      assert.deepEqual(await ask(client, 'fail', thrown), { error: { code: 'INTERNAL_SERVER_ERROR', message } }, thrown);
    await close();
  }
});

test('in production a client that is refused by an error of Node’s own learns nothing of it', async t => {
  const { url } = await startApp(
    t,
    {
      'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['guard'] }, '/free': {} } };`,
      'app/io/middleware/guard.js': `
        const { readFileSync } = require('node:fs');
        const { execSync } = require('node:child_process');
        const { createPrivateKey } = require('node:crypto');
        const { Writable } = require('node:stream');
        const withFields = fields => { throw Object.assign(new Error('a secret'), fields); };
        const throwers = {
          file() { readFileSync('/not/there'); },
          module() { require('/not/there'); },
          esm: () => import('file:///not/there.mjs'),
          command() { execSync('echo a secret >&2; exit 3', { stdio: 'pipe' }); },
          key() { createPrivateKey('none'); },
          stream: () => new Promise((_, reject) => new Writable().destroy().write('x', reject)),
          url() { new URL('a secret'); },
          cmd() { withFields({ cmd: 'ls', code: 2 }); },
          path() { withFields({ path: '/etc' }); },
          errno() { withFields({ errno: -2 }); },
          syscall() { withFields({ syscall: 'open' }); },
          socket() { withFields({ code: 'ERR_SOCKET_CLOSED' }); },
          status() { withFields({ status: 404, code: 'ENOENT', path: '/etc' }); },
          number() { withFields({ code: 401, path: '/login' }); },
          own() { withFields({ code: 'EXPIRED' }); },
        };
        module.exports = () => async ctx => { await throwers[ctx.socket.handshake.auth.how](); };`,
    },
    { env: 'prod' },
  );
  const main = await connect(t, `${url}/free`); // so that what fails for now is told, too
  const refused = refusalsBeside(main, '/');
  const told = async (how: string): Promise<unknown> => {
    const { message, data } = await refused({ how });
    Reflect.deleteProperty(data as object, 'retry');
    return { message, data };
  };
  const hidden = { message: 'Internal Server Error', data: { code: 'INTERNAL_SERVER_ERROR' } };
  for (const how of [
    ...['file', 'module', 'esm', 'command', 'key', 'stream', 'url'], // as Node throws them
    ...['cmd', 'path', 'errno', 'syscall', 'socket', 'status'],
  ])
    assert.deepEqual(await told(how), hidden, how);
  assert.deepEqual(await told('number'), { message: 'a secret', data: { code: 'CONNECTION_REFUSED' } }, 'a number from 400 to 499 refuses');
  assert.deepEqual(await told('own'), { message: 'a secret', data: { code: 'EXPIRED' } });
});

test('an error of an event without an acknowledgement reaches the client as an error event: message, then code and event', async t => {
  const { url } = await startApp(t, APP);
  for (const version of [2, 3, 4] satisfies ClientVersion[]) {
    const client = await connect(t, url, {}, version);
    const heard = next(client, 'error');
    client.emit('fail', 'ioDetails');
    assert.deepEqual(await heard, ['the room is full', { code: 'FULL', event: 'fail' }]);
    assert.equal(await ask(client, 'hello'), 'pong');
  }
});

test('in production the error event of an unexpected error says nothing of it', async t => {
  const { url } = await startApp(t, APP, { env: 'prod' });
  const client = await connect(t, url);
  const heard = next(client, 'error');
  client.emit('fail', 'plain');
  assert.deepEqual(await heard, ['Internal Server Error', { code: 'INTERNAL_SERVER_ERROR', event: 'fail' }]);
});

test('an error is logged in one line, once, with namespace, event and socket id, and without the payload', async t => {
  const { url, logs } = await startApp(t, {
    ...APP,
    'config/config.default.js': `exports.io = { namespace: { '/chat': { packetMiddleware: ['guard'] } } };`,
    'app/router.js': `
      const { IoError } = require('egg-socket.io');
      module.exports = app => {
        app.io.of('/chat').route('fail', async ctx => { throw ctx.args[0].shown ? new IoError('NO', 'shown') : new Error('a mishap'); });
      };`,
  });
  const client = await connect(t, url + '/chat');
  await ask(client, 'fail', { password: 'payload-1' });
  await ask(client, 'fail', { password: 'payload-2', shown: true });
  const lines = logs.filter(line => /^(WARN|ERROR)/.test(line));
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.ok(
    lines[0]?.startsWith(`ERROR [egg-socket.io] event "fail" failed, namespace /chat, socket ${client.id}: Error: a mishap`),
    lines[0],
  );
  assert.ok(lines[1]?.startsWith(`WARN [egg-socket.io] event "fail" failed, namespace /chat, socket ${client.id}: `), lines[1]);
  assert.doesNotMatch(logs.join('\n'), /payload/);
});

test('of failures of one place and message five a minute are logged, and the rest counted', async t => {
  const { url, logs, close } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['guard'] } } };`,
    'app/io/middleware/guard.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.packet[0].startsWith('unknown')) throw new Error('a mishap in the middleware');
        if (ctx.packet[0].startsWith('renamed')) ctx.packet[0] = 'other';
        await next();
      };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('fail', async ctx => { throw new Error('a mishap of ' + ctx.args[0]); });
        app.io.route('other', async () => { throw new Error('a mishap of 1'); });
      };`,
  });
  const client = await connect(t, url);
  const { id } = client;
  for (let n = 0; n < 20; n++) {
    for (const args of [['fail', 1], ['fail', 2], ['other'], [`renamed-${n}`], [`unknown-${n}`], ['error', n]] as [string, ...unknown[]][])
      assert.equal(typeof (await ask(client, ...args)), 'object', 'each is answered');
  }
  const last = await connect(t, url);
  const lastId = last.id;
  await ask(last, 'fail', 1);
  const lines = (): string[] => logs.filter(line => /^(?:WARN|ERROR) /.test(line));
  assert.equal(lines().length, 5 * 5);
  await close();
  assert.deepEqual(
    lines()
      .slice(5 * 5)
      .sort(),
    [
      `ERROR [egg-socket.io] event "fail" failed, namespace /, 15 more, last socket ${id}: Error: a mishap of 2`,
      `ERROR [egg-socket.io] event "fail" failed, namespace /, 16 more, last socket ${lastId}: Error: a mishap of 1`,
      `ERROR [egg-socket.io] event "other" failed, namespace /, 35 more, last socket ${id}: Error: a mishap of 1`,
      `ERROR [egg-socket.io] events without a route failed, namespace /, 15 more, last socket ${id}: Error: a mishap in the middleware`,
      `WARN [egg-socket.io] event "error" failed, namespace /, 15 more, last socket ${id}: IoError: 'error' is an event of the server`,
    ],
  );
});

test('the same refusal is logged five times a minute, and the rest counted', async t => {
  const { url, logs, close } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['guard'] } } };`,
    'app/io/middleware/guard.js': `module.exports = () => async () => { throw new Error('not with me'); };`,
  });
  for (let n = 0; n < 7; n++) assert.equal((await refusal(newClient(t, url))).message, 'not with me');
  await close();
  const lines = logs.filter(line => line.includes('not with me'));
  assert.equal(lines.length, 6);
  assert.match(lines[5] ?? '', /^WARN \[egg-socket\.io\] connection refused, namespace \/, 2 more, last socket \S+: Error: not with me$/);
});

test('a client that causes many errors at once is told of ten, and goes on to be answered', async t => {
  const { url } = await startApp(t, APP);
  const client = await connect(t, url);
  let told = 0;
  client.on('error', () => told++);
  for (let n = 0; n < 200; n++) client.emit('fail', 'plain');
  assert.deepEqual(await ask(client, 'fail', 'ioError'), { error: SHOWN.ioError });
  assert.ok(told >= 10 && told < 100, `${told} times`); // exactly ten where all of them came within a second
  assert.equal(await ask(client, 'hello'), 'pong');
});

for (const version of [2, 4] as const) {
  test(`no line of the plugin’s shows what a client of version ${version} has in its URL, whatever fails`, async t => {
    const { url, logs, logged } = await startApp(t, {
      'app/io/middleware/guard.js': `
        module.exports = () => async (ctx, next) => {
          if (ctx.handshake.query.refused) throw new Error('not with me');
          await next();
          throw new Error('a mishap on leaving');
        };`,
      'config/config.default.js': `
        const lines = global.linesWithUrlByTest = [];
        // called for a line that has a context, whose URL Egg puts in front of it
        exports.logger.contextFormatter = ({ paddingMessage, message }) => { lines.push(paddingMessage + message); return message; };
        exports.io = {
          generateId: request => (request.url.includes('anonymous') ? '' : Math.random().toString(36)),
          namespace: { '/': { connectionMiddleware: ['guard'] } },
        };`,
      'app/router.js': `
        module.exports = app => {
          app.io.route('fail', async ctx => {
            ctx.logger.warn("the app's own");
            throw new Error('a mishap in the controller');
          });
          app.io.route('disconnect', async () => { throw new Error('a mishap in disconnect'); });
        };`,
    });
    const query = { token: 'secret' };
    await assert.rejects(connect(t, url, { query: { ...query, refused: '1' } }, version));
    await assert.rejects(connect(t, url, { query: { ...query, anonymous: '1' } }, version));
    await assert.rejects(connect(t, url, { query, transports: ['polling'], extraHeaders: { origin: 'http://evil.example' } }, version));
    const client = await connect(t, url, { query }, version);
    await ask(client, 'fail');
    client.disconnect();
    for (const what of [/not with me/, /IO_ID_INVALID/, /IO_ORIGIN_REFUSED/, /in the controller/, /on leaving/, /in disconnect/])
      await logged(what);
    const lines = Reflect.get(globalThis, 'linesWithUrlByTest') as string[];
    assert.ok(
      lines.some(line => /token=secret.*the app's own/.test(line)),
      'what the app logs by itself has the URL, as over HTTP',
    );
    assert.deepEqual(
      [...lines, ...logs].filter(line => line.includes('secret') && !line.includes("the app's own")),
      [],
    );
  });
}

test('the name of an event cannot forge a line of the log, nor fill it', async t => {
  const { url, logged } = await startApp(t, {
    ...APP,
    'app/io/middleware/guard.js': `module.exports = () => async () => { throw new Error('a mishap'); };`,
  });
  const client = await connect(t, url);
  client.emit(`x\nERROR forged ${'y'.repeat(180)}`);
  const line = await logged(/a mishap/);
  assert.match(line, /^ERROR \[egg-socket\.io\] event "x ERROR forged y{1,100}" failed/);
});

test('an IoError carries code, message, status and details, and is an Error', () => {
  const cause = new Error('below');
  const error = new IoError('ROOM_FULL', 'the room is full', { status: 409, details: { seats: 2 }, cause });
  assert.ok(error instanceof Error);
  const { name, code, message, status, details, expose } = error as IoError & { expose?: boolean };
  assert.deepEqual(
    { name, code, message, status, details, cause: error.cause },
    { name: 'IoError', code: 'ROOM_FULL', message: 'the room is full', status: 409, details: { seats: 2 }, cause },
  );
  assert.notEqual(expose, false);
  assert.equal(new IoError('X', 'x').status, 400);
});

test('a packet whose failure cannot be logged settles all the same, and the next one is handled', async t => {
  const { url, io } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { ordered: true } } };`,
    'app/router.js': `module.exports = app => {
      app.io.route('fail', async () => { throw Object.defineProperty(new Error('a mishap'), 'status', { get() { throw new Error('of a getter'); } }); });
      app.io.route('hello', async () => 'pong');
    };`,
  });
  const ofRunner = process.listeners('unhandledRejection'); // it would fail the test for what Egg logs
  process.removeAllListeners('unhandledRejection');
  t.after(() => {
    for (const listener of ofRunner) process.on('unhandledRejection', listener);
  });
  const rejected = new Promise<unknown>(resolve => process.once('unhandledRejection', resolve));
  const client = await connect(t, url);
  client.emit('fail');
  assert.equal(await ask(client, 'hello'), 'pong');
  assert.match(String(await rejected), /of a getter/);
  client.disconnect();
  await nothingRemains(io);
});

test('an error whose message is no text refuses a client all the same', async t => {
  for (const message of ['42', 'undefined', '{ of: { an: "object" } }']) {
    const { url } = await startApp(t, {
      'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['guard'] } } };`,
      'app/io/middleware/guard.js': `module.exports = () => async () => { throw Object.assign(new Error(), { code: 'NO', message: ${message} }); };`,
      'app.js': `module.exports = app => { app.io.of('/use').use((_, next) => next({ message: ${message}, data: { code: 'NO' } })); };`,
    });
    for (const path of ['/', '/use']) {
      const { data } = (await refusal(newClient(t, url + path))) as { data?: { code?: unknown } };
      assert.equal(data?.code, 'NO', `${message} at ${path}`);
    }
  }
});

test('a string that is thrown is logged without a stack of the plugin, and with what would have one', async t => {
  const { url, logged } = await startApp(t, {
    'app/io/controller/chat.js': `exports.say = async () => { throw 'no room left'; };`,
    'app/router.js': `module.exports = app => { app.io.route('say', app.io.controller.chat.say); };`,
  });
  await ask(await connect(t, url), 'say');
  const line = await logged(/no room left/);
  assert.match(
    line,
    /^ERROR .*event "say" failed, namespace \/, socket \S+: \[Error: no room left\n +a string was thrown, which has no stack/,
  );
  assert.doesNotMatch(line, /\n +at |errors\.js/);
});

test('an error of status 500 or more is one ERROR with its stack, also where it is made to be shown', async t => {
  const { url, logs } = await startApp(t, APP);
  await ask(await connect(t, url), 'fail', 'ioDetails');
  const lines = logs.filter(line => line.includes('the room is full'));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^ERROR .*IoError: the room is full\n +at /);
});

test('a refusal that quotes the client is one short line of the log', async t => {
  const { url, logs } = await startApp(t, APP);
  await ask(await connect(t, url), 'fail', 'quoted', `x\u2028y\nz ${'long '.repeat(2000)}`);
  const lines = logs.filter(line => line.includes('there is no'));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^WARN .*IoError: there is no x y z long [long ]+$/);
  assert.ok((lines[0]?.length ?? 0) < 700, `${lines[0]?.length} characters`);
});

test('an Error that is returned, resolved or given to ctx.ack() counts as thrown', async t => {
  const { url, logs } = await startApp(t, {
    'config/config.default.js': `
      exports.io = { namespace: { '/around': { packetMiddleware: ['pass'] }, '/through': { packetMiddleware: ['through'] }, '/shown': { packetMiddleware: ['show'] } } };`,
    'app/io/middleware/pass.js': `module.exports = () => async (ctx, next) => { await next(); };`,
    'app/io/middleware/through.js': `
      module.exports = () => (ctx, next) => {
        if (ctx.packet[0] === 'pushed') ctx.packet.push('more');
        return next();
      };`,
    'app/io/middleware/show.js': `
      module.exports = () => async (ctx, next) => {
        try { await next(); } catch (error) { ctx.ack('caught: ' + error.message); }
      };`,
    'app/router.js': `
      const { runInNewContext } = require('node:vm');
      const { IoError } = require('egg-socket.io');
      class Full extends IoError {}
      const values = {
        plain: () => new Error('a mishap'),
        shown: () => new Full('FULL', 'the room is full', { details: { limit: 4 } }),
        foreign: () => runInNewContext("new TypeError('of another realm')"),
      };
      const lookalike = { name: 'Error', message: 'no error', stack: '', [Symbol.toStringTag]: 'Error' };
      module.exports = app => {
        for (const name of ['/', '/around', '/through', '/shown', '/route']) {
          const nsp = app.io.of(name);
          const middleware = name === '/route' ? [app.io.middleware.pass] : [];
          nsp.route('return', ...middleware, ctx => values[ctx.args[0]]());
          nsp.route('resolve', ...middleware, async ctx => values[ctx.args[0]]());
          nsp.route('ack', ...middleware, async ctx => { ctx.ack(values[ctx.args[0]]()); ctx.ack('too late'); });
          nsp.route('changed', ...middleware, async ctx => { ctx.packet.push('more'); ctx.ack(values[ctx.args[0]]()); });
          nsp.route('later', ...middleware, async ({ ack, args }) => { setImmediate(() => ack(values[args[0]]())); });
          nsp.route('lookalike', ...middleware, async () => lookalike);
          nsp.route('ack lookalike', ...middleware, async ctx => { ctx.ack(lookalike); });
          nsp.on('connection', socket => {
            socket.on('listen', (value, ack) => ack(values[value]()));
            socket.on('pushed', value => { throw values[value](); });
          });
        }
        app.io.of('/').route('middleware', async (ctx, next) => new Error('of the middleware'), async () => 'not called');
      };`,
  });
  const ERRORS = {
    plain: { code: 'INTERNAL_SERVER_ERROR', message: 'a mishap' },
    shown: { code: 'FULL', message: 'the room is full', details: { limit: 4 } },
    foreign: { code: 'INTERNAL_SERVER_ERROR', message: 'of another realm' },
  };
  for (const name of ['/', '/around', '/through', '/route']) {
    const client = await connect(t, url + name);
    for (const event of ['return', 'resolve', 'ack', 'changed', 'later', 'listen', 'pushed'])
      for (const [value, error] of Object.entries(ERRORS)) assert.deepEqual(await ask(client, event, value), { error }, `${event} ${name}`);
    for (const event of ['lookalike', 'ack lookalike'])
      assert.deepEqual(await ask(client, event), { name: 'Error', message: 'no error', stack: '' }, `${event} ${name}`);
    for (const event of name === '/around' ? [] : ['return', 'resolve']) {
      const heard = next(client, 'error');
      client.emit(event, 'shown'); // nobody asks
      assert.deepEqual(await heard, ['the room is full', { code: 'FULL', event }]);
    }
    const lines = logs.filter(line => line.includes(`namespace ${name},`));
    assert.ok(lines.some(line => /^ERROR .*event "resolve" failed.*Error: a mishap\n/.test(line)));
    assert.ok(lines.some(line => /^WARN .*event "ack" failed.*: the room is full$/.test(line)));
  }
  assert.equal(await ask(await connect(t, url + '/shown'), 'resolve', 'plain'), 'caught: a mishap');
  const client = await connect(t, url);
  assert.deepEqual(await ask(client, 'middleware'), { error: { code: 'INTERNAL_SERVER_ERROR', message: 'of the middleware' } });
});

test('errors of Egg and its plugins answer packets and refuse connections with code, message and details', async t => {
  const plugin = join(ROOT, 'test/hosts/plugins/node_modules/egg-validate');
  const { url, logs } = await startApp(
    t,
    {
      'config/plugin.js': `exports.validate = { enable: true, path: ${JSON.stringify(plugin)} };`,
      'config/config.default.js': `exports.io = { namespace: { '/guarded': { connectionMiddleware: ['guard'] } } };`,
      'app/extend/context.js': `
        const { ForbiddenError, HttpError, InternalServerError } = require('egg-errors');
        const withErrors = errors => Object.assign(new Error('invalid'), { status: 422, errors });
        class Item {
          constructor() { Object.assign(this, { message: 'of a class', path: 'name', instance: { secret: true }, stack: 'secret' }); }
        }
        exports.fail = function (how) {
          ({
            validate: () => this.validate({ name: 'string', age: { type: 'int', min: 18 } }, { age: 3 }),
            koa: () => this.throw(409, 'taken', { code: 'TAKEN', details: { by: 'ann' }, secret: true }),
            koaPlain: () => this.throw(404),
            koaFault: () => this.throw(503, 'a secret'),
            egg: () => { throw new ForbiddenError('not you'); },
            eggEmpty: () => { throw new HttpError({ status: 418, message: 'a teapot' }); },
            eggFault: () => { throw new InternalServerError('a secret'); },
            many: () => { throw withErrors(Array.from({ length: 25 }, (_, index) => ({ code: index }))); },
            odd: () => { throw withErrors([new Item(), 'x'.repeat(1000), new Error('a secret'), { message: new Date(0), children: [null] }, () => {}]); },
            classValidator: () => {
              throw withErrors([{ target: { name: 1 }, value: 'typed', property: 'name', children: [], constraints: { isString: 'no text' } }]);
            },
            ajv: () => {
              const params = { limit: 3, allowedValues: ['a', 'b'], data: { typed: true } };
              throw withErrors([{ instancePath: '/name', schemaPath: '#/minLength', keyword: 'minLength', params, message: 'too short', data: 'typed' }]);
            },
            joi: () => { throw withErrors([{ message: 'too short', path: ['list', 0], type: 'string.min', context: { value: 'typed' } }]); },
            getter: () => { throw withErrors({ get name() { throw new Error('a secret'); } }); },
            getterOfDetails: () => { throw Object.defineProperty(withErrors([]), 'details', { get() { throw new Error('a secret'); } }); },
            system: () => { this.throw(400, new AggregateError(['a secret', new Error('a secret')], 'no connection')); },
            bytes: () => { throw withErrors([Buffer.from('a'), { message: 'not these', value: Buffer.from('typed') }]); },
            circle: () => { const circle = { message: 'in a circle' }; circle.children = [circle, circle]; throw withErrors([circle]); },
            table: () => { throw withErrors({ name: ['too short'] }); },
          })[how]();
        };`,
      'app/io/middleware/guard.js': 'module.exports = () => async ctx => ctx.fail(ctx.handshake.auth.how);',
      'app/router.js': `module.exports = app => { app.io.route('fail', async ctx => ctx.fail(ctx.args[0])); };`,
    },
    { env: 'prod' },
  );
  const fault = (code: string, message: string): object => ({ code, message });
  const invalid = (details: object): object => ({ code: 'UNPROCESSABLE_ENTITY', message: 'invalid', details });
  const EXPECTED: Record<string, object> = {
    validate: {
      code: 'invalid_param',
      message: 'Validation Failed',
      details: [
        { message: 'required', field: 'name', code: 'missing_field' },
        { message: 'should bigger than 18', field: 'age', code: 'invalid' },
      ],
    },
    koa: { code: 'TAKEN', message: 'taken', details: { by: 'ann' } },
    koaPlain: { code: 'NOT_FOUND', message: 'Not Found' },
    egg: { code: 'FORBIDDEN', message: 'not you' },
    eggEmpty: { code: 'I_M_A_TEAPOT', message: 'a teapot' },
    many: invalid(Array.from({ length: 20 }, (_, index) => ({ code: index }))),
    odd: invalid([{ message: 'of a class', path: 'name' }, 'x'.repeat(500)]),
    classValidator: invalid([{ property: 'name', constraints: { isString: 'no text' } }]),
    ajv: invalid([{ message: 'too short', instancePath: '/name', keyword: 'minLength', params: { limit: 3, allowedValues: ['a', 'b'] } }]),
    joi: invalid([{ message: 'too short', path: ['list', 0], type: 'string.min' }]),
    getter: { code: 'UNPROCESSABLE_ENTITY', message: 'invalid' },
    getterOfDetails: { code: 'UNPROCESSABLE_ENTITY', message: 'invalid' },
    system: { code: 'BAD_REQUEST', message: 'no connection' },
    bytes: invalid([{ message: 'not these' }]),
    table: invalid({ name: ['too short'] }),
  };
  const FAULTS = {
    koaFault: fault('INTERNAL_SERVER_ERROR', 'Internal Server Error'),
    eggFault: fault('INTERNAL_SERVER_ERROR', 'Internal Server Error'),
  };
  const client = await connect(t, url);
  const refused = refusalsBeside(client, '/guarded');
  for (const [how, error] of Object.entries({ ...EXPECTED, ...FAULTS })) {
    assert.deepEqual(await ask(client, 'fail', how), { error }, how);
    const { message, data } = await refused({ how });
    assert.deepEqual({ message, ...(data as object) }, how in FAULTS ? { ...error, retry: true } : error, how);
  }
  const { error } = (await ask(client, 'fail', 'circle')) as { error: { details: unknown } };
  const messages = JSON.stringify(error.details).match(/in a circle/g) ?? [];
  assert.ok(messages.length > 10 && messages.length < 100, `a circle ends: ${messages.length}`);
  const failures = (level: string): string[] => logs.filter(line => line.startsWith(level) && line.includes('event "fail" failed'));
  assert.equal(failures('ERROR').length, Object.keys(FAULTS).length);
  assert.doesNotMatch(logs.filter(line => line.startsWith('WARN')).join('\n'), /\n +at |secret/);
});

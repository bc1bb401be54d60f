/** What `app/io/controller` may export, and what becomes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { bootError, HOST, startApp } from './support/app';

test('a method of a class controller runs on an instance of its own, with the context as this.ctx and as its argument', async t => {
  const { open } = await startApp(t, {
    'app/io/controller/chat.js': `
      'use strict';
      module.exports = app => class ChatController extends app.Controller {
        async who(ctx) {
          const first = this.mark === undefined;
          this.mark = true;
          return { first, pathName: this.pathName, file: this.fullPath.endsWith('app/io/controller/chat.js'), same: ctx === this.ctx, app: this.app === app, keys: this.config.keys, service: await this.service.greeter.greet('you') };
        }
      };`,
    'app/service/greeter.js': `
      module.exports = app => class extends app.Service { async greet(name) { return 'hello ' + name; } };`,
    'app/router.js': `module.exports = app => { app.io.route('who', app.io.controller.chat.who); };`,
  });
  const client = await open();
  const answer = { first: true, pathName: 'controller.chat', file: true, same: true, app: true, keys: 'test-keys', service: 'hello you' };
  assert.deepEqual(await client.call('who'), answer);
  assert.deepEqual(await client.call('who'), answer);
});

test('a class may be exported as it is, and needs no base class', async t => {
  const { open } = await startApp(t, {
    'app/io/controller/plain.js': `
      'use strict';
      module.exports = class {
        constructor(ctx) { this.ctx = ctx; }
        async echo() { return this.ctx.args[0]; }
      };`,
    'app/router.js': `module.exports = app => { app.io.route('echo', app.io.controller.plain.echo); };`,
  });
  assert.equal(await (await open()).call('echo', 'as it is'), 'as it is');
});

test('inherited methods are handlers; overridden ones are those of the subclass; getters and the constructor are none', async t => {
  const { open, io } = await startApp(t, {
    'app/base.js': `
      'use strict';
      module.exports = app => class Base extends app.Controller {
        async inherited() { return 'base ' + this.constructor.name; }
        async overridden() { return 'base'; }
        get notAHandler() { throw new Error('a getter was read'); }
      };`,
    'app/io/controller/room.js': `
      'use strict';
      module.exports = app => class Room extends require('../../base')(app) {
        async overridden() { return 'room over ' + await super.overridden(); }
      };`,
    'app/router.js': `
      module.exports = app => {
        const { room } = app.io.controller;
        app.io.route('inherited', room.inherited);
        app.io.route('overridden', room.overridden);
      };`,
  });
  const client = await open();
  assert.equal(await client.call('inherited'), 'base Room');
  assert.equal(await client.call('overridden'), 'room over base');
  assert.deepEqual(
    ['notAHandler', 'constructor'].filter(name => Object.hasOwn(io.controller['room'] ?? {}, name)),
    [],
  );
});

test('a function of an object is called with the context as this and as its argument', async t => {
  const { open } = await startApp(t, {
    'app/io/controller/chat.js': `
      exports.old = async function() { return 'this ' + this.args[0]; };
      exports.both = async function(ctx) { return this === ctx; };
      exports.arrow = async ctx => 'arrow ' + ctx.args[0];
      exports.sync = ctx => 'sync ' + ctx.args[0];
      exports.nested = { deep: async ctx => 'deep ' + ctx.args[0] };
      exports.notAHandler = 'a string';`,
    'app/router.js': `
      module.exports = app => {
        const { chat } = app.io.controller;
        for (const name of ['old', 'both', 'arrow', 'sync']) app.io.route(name, chat[name]);
        app.io.route('deep', chat.nested.deep);
      };`,
  });
  const client = await open();
  assert.equal(await client.call('old', 1), 'this 1');
  assert.equal(await client.call('both'), true);
  assert.equal(await client.call('arrow', 2), 'arrow 2');
  assert.equal(await client.call('sync', 3), 'sync 3');
  assert.equal(await client.call('deep', 4), 'deep 4');
});

test('a file may export one async function, as it is or from a factory', async t => {
  const { open } = await startApp(t, {
    'app/io/controller/ping.js': `module.exports = async ctx => 'ping ' + ctx.args[0];`,
    'app/io/controller/old.js': `module.exports = async function() { return 'old ' + this.args[0]; };`,
    'app/io/controller/made.js': `module.exports = app => async ctx => app.config.keys + ' ' + ctx.args[0];`,
    'app/io/controller/object.js': `module.exports = app => ({ async keys() { return app.config.keys; } });`,
    'app/router.js': `
      module.exports = app => {
        const { ping, old, made, object } = app.io.controller;
        app.io.route('ping', ping);
        app.io.route('old', old);
        app.io.route('made', made);
        app.io.route('keys', object.keys);
      };`,
  });
  const client = await open();
  assert.equal(await client.call('ping', 1), 'ping 1');
  assert.equal(await client.call('old', 2), 'old 2');
  assert.equal(await client.call('made', 3), 'test-keys 3');
  assert.equal(await client.call('keys'), 'test-keys');
});

test('folders nest, also beside a file of the same name, and names of files become camel case', async t => {
  const { open, io } = await startApp(t, {
    'app/io/controller/chat.js': `exports.say = async () => 'chat';`,
    'app/io/controller/chat/room.js': `exports.say = async () => 'chat/room';`,
    'app/io/controller/admin/v1/user_list.js': `exports.say = async () => 'user_list';`,
    'app/io/controller/BigRoom.js': `exports.say = async () => 'BigRoom';`,
    'app/router.js': `
      module.exports = app => {
        const { chat, admin, bigRoom } = app.io.controller;
        app.io.route('chat', chat.say);
        app.io.route('room', chat.room.say);
        app.io.route('list', admin.v1.userList.say);
        app.io.route('big', bigRoom.say);
      };`,
  });
  const client = await open();
  assert.equal(await client.call('chat'), 'chat');
  assert.equal(await client.call('room'), 'chat/room');
  assert.equal(await client.call('list'), 'user_list');
  assert.equal(await client.call('big'), 'BigRoom');
  assert.deepEqual(Object.keys(io.controller).sort(), ['admin', 'bigRoom', 'chat']);
});

test('plugins bring controllers and middleware, and factories find what other plugins put on the app', async t => {
  const { open } = await startApp(t, {
    'config/plugin.js': `
      const path = require('node:path');
      exports.friend = { enable: true, path: path.join(__dirname, '../lib/friend') };`,
    'config/config.default.js': `
      exports.io = { namespace: { '/': { packetMiddleware: ['fromPlugin', 'fromApp'] } } };`,
    'lib/friend/package.json': `{ "name": "friend", "eggPlugin": { "name": "friend" } }`,
    'lib/friend/app.js': `
      module.exports = class {
        constructor(app) { this.app = app; }
        configDidLoad() { this.app.friend = 'a friend'; }
      };`,
    'lib/friend/app/io/controller/friend.js': `
      module.exports = app => { const { friend } = app; return { who: async ctx => [friend, ...ctx.trace] }; };`,
    'lib/friend/app/io/middleware/from_plugin.js': `
      module.exports = app => { const { friend } = app; return async (ctx, next) => { ctx.trace = ['plugin: ' + friend]; await next(); }; };`,
    'app/io/controller/own.js': `
      module.exports = app => { const { friend } = app; return { who: async ctx => ['own', friend, ...ctx.trace] }; };`,
    'app/io/middleware/from_app.js': `module.exports = app => async (ctx, next) => { ctx.trace.push('app'); await next(); };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('friend', app.io.controller.friend.who);
        app.io.route('own', app.io.controller.own.who);
      };`,
  });
  const client = await open();
  assert.deepEqual(await client.call('friend'), ['a friend', 'plugin: a friend', 'app']);
  assert.deepEqual(await client.call('own'), ['own', 'a friend', 'plugin: a friend', 'app']);
});

test('app.controller keeps the HTTP controllers and nothing else', async t => {
  const { app, open, url } = await startApp(t, {
    'app/controller/home.js': `
      module.exports = app => class extends app.Controller { async index() { this.ctx.body = 'home'; } };`,
    'app/io/controller/chat.js': `exports.say = async () => 'said';`,
    'app/router.js': `
      module.exports = app => {
        app.router.get('/', app.controller.home.index);
        app.io.route('say', app.io.controller.chat.say);
      };`,
  });
  assert.deepEqual(Object.keys(Reflect.get(app, 'controller') as object), ['home']);
  assert.equal(await (await fetch(url)).text(), 'home');
  assert.equal(await (await open()).call('say'), 'said');
});

test('app.io.controllers and app.io.middlewares are the old names of app.io.controller and app.io.middleware, and warn once', async t => {
  const { io, logs, open } = await startApp(t, {
    'app/io/controller/chat.js': `exports.say = async () => 'said';`,
    'app/io/middleware/auth.js': `module.exports = () => async (ctx, next) => { await next(); };`,
    'app/router.js': `module.exports = app => { app.io.route('say', app.io.controllers.chat.say); };`,
  });
  assert.equal(io.controllers, io.controller);
  assert.equal(io.middlewares, io.middleware);
  assert.equal(typeof io.middleware['auth'], 'function');
  assert.equal(await (await open()).call('say'), 'said');
  assert.deepEqual(
    logs.filter(line => line.includes('IO_DEPRECATED')).map(line => line.replace(/ \(.*/, '')),
    [
      'WARN [egg-socket.io] IO_DEPRECATED: app.io.controllers is deprecated; use app.io.controller',
      'WARN [egg-socket.io] IO_DEPRECATED: app.io.middlewares is deprecated; use app.io.middleware',
    ],
  );
});

test('a controller file or folder that is not there is undefined, so that a route to it fails, and a warning names those that are, once', async t => {
  const { app, logs } = await startApp(t, {
    'app/io/controller/chat.js': `exports.say = async () => {};`,
    'app/io/controller/admin/time.js': `exports.now = exports.later = async () => {};`,
    'app/router.js': `module.exports = app => {
      const { chat, chta = 'none' } = app.io.controller;
      app.read = [typeof chat.say, chta, app.io.controller.chta, app.io.controller.admin.tiem];
      try {
        app.io.route('say', app.io.controller.chta.say);
      } catch (error) {
        app.thrown = error;
      }
    };`,
  });
  assert.deepEqual(Reflect.get(app, 'read'), ['function', 'none', undefined, undefined]);
  assert.match(String(Reflect.get(app, 'thrown')), /^TypeError: .* undefined .*'say'/); // the warning says what was undefined
  assert.deepEqual(
    logs.filter(line => line.includes('IO_CONTROLLER_UNKNOWN')).map(line => /app\.io\..*(?= \()/.exec(line)?.[0]),
    [
      "app.io.controller has no 'chta'; use one of: admin.time.later, admin.time.now, chat.say",
      "app.io.controller.admin has no 'tiem'; use one of: time.later, time.now",
    ],
  );
});

test('what only looks at app.io.controller finds an object like any other', async t => {
  const { io } = await startApp(t, { 'app/io/controller/chat.js': `exports.say = async () => {};` });
  assert.equal('chta' in io.controller, false);
  assert.equal(JSON.stringify(io.controller), '{"chat":{}}');
  assert.equal(await Promise.resolve(io.controller), io.controller);
  assert.match(inspect(io.controller), /^\{ chat: \{ say: \[\w*Function/);
});

test('an app without app/io has neither controllers nor middleware', async t => {
  const { io, open } = await startApp(t, {});
  assert.deepEqual([Object.keys(io.controller), Object.keys(io.middleware)], [[], []]);
  await open();
});

const GENERATORS = {
  'app/io/controller/old.js': `
    exports.say = function* () { return yield Promise.resolve('said ' + this.args[0]); };`,
  'app/io/controller/older.js': `
    module.exports = app => class extends app.Controller {
      * say() { return yield Promise.resolve('class said ' + this.ctx.args[0]); }
    };`,
  'app/io/controller/oldest.js': `module.exports = function* () { return yield Promise.resolve('file said ' + this.args[0]); };`,
  'app/router.js': `
    module.exports = app => {
      const { old, older, oldest } = app.io.controller;
      app.io.route('old', old.say);
      app.io.route('older', older.say);
      app.io.route('oldest', oldest);
      app.io.route('inline', function* () { return yield Promise.resolve('inline said ' + this.args[0]); });
    };`,
};

test('generator functions are controllers where Egg still runs them', { skip: HOST !== 'egg3' }, async t => {
  const { open } = await startApp(t, GENERATORS);
  const client = await open();
  assert.equal(await client.call('old', 1), 'said 1');
  assert.equal(await client.call('older', 2), 'class said 2');
  assert.equal(await client.call('oldest', 3), 'file said 3');
  assert.equal(await client.call('inline', 4), 'inline said 4');
});

test('generator functions stop the boot where Egg does not run them', { skip: HOST === 'egg3' }, async t => {
  for (const [path, place] of [
    ['old', /old\.js#say is a generator function/],
    ['older', /older\.js#say is a generator function/],
    ['oldest', /oldest\.js is a generator function/],
  ] as const) {
    const error = await bootError(t, {
      'app/io/controller/x.js': '',
      [`app/io/controller/${path}.js`]: GENERATORS[`app/io/controller/${path}.js`],
    });
    assert.equal(error.code, 'IO_CONTROLLER_INVALID', error.stack);
    assert.match(error.message, place);
    assert.match(error.message, /make it an async function/);
  }
  const routed = await bootError(t, { 'app/router.js': `module.exports = app => { app.io.route('x', function* () {}); };` });
  assert.match(routed.message, /IO_CONTROLLER_INVALID: route\('x'\) of namespace '\/' is a generator function/);
});

test('a file that exports no controller stops the boot and is named', async t => {
  for (const exported of [`'a string'`, '42', '() => undefined', '() => 1']) {
    const error = await bootError(t, { 'app/io/controller/wrong.js': `module.exports = ${exported};` });
    assert.equal(error.code, 'IO_CONTROLLER_INVALID', exported);
    assert.match(error.message, /app\/io\/controller\/wrong\.js must export a class/);
  }
});

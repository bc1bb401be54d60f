/** `config.io`: what a mistake in it gets, and the options that are this plugin's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, type Files, type RunningApp, startApp } from './support/app';
import { ask, connect, next } from './support/client';

function configOf(io: string, more: Files = {}): Files {
  return { 'config/config.default.js': `exports.io = ${io};`, ...more };
}

const MIDDLEWARE: Files = {
  'app/io/middleware/auth.js': `module.exports = () => async (ctx, next) => { await next(); };`,
  'app/io/middleware/admin/log.js': `module.exports = () => async (ctx, next) => { await next(); };`,
};

test('a name that no middleware file has stops the boot, and names the place, the file to create and those there are', async t => {
  for (const kind of ['connectionMiddleware', 'packetMiddleware']) {
    const error = await bootError(t, configOf(`{ namespace: { '/chat': { ${kind}: ['auth', 'auht'] } } }`, MIDDLEWARE));
    assert.equal(error.code, 'IO_MIDDLEWARE_UNKNOWN');
    assert.ok(
      error.message.includes(
        `config.io.namespace['/chat'].${kind} names 'auht'; create app/io/middleware/auht or use one of: auth, admin.log`,
      ),
      error.message,
    );
  }
  const none = await bootError(t, configOf(`{ namespace: { '/': { packetMiddleware: ['admin.auth'] } } }`));
  assert.match(none.message, /names 'admin\.auth'; create app\/io\/middleware\/admin\/auth \(/);
});

test('middleware is not looked up among the members of Object', async t => {
  for (const name of ['constructor', 'toString', '__proto__', 'auth.call', '']) {
    const error = await bootError(t, configOf(`{ namespace: { '/': { packetMiddleware: ['${name}'] } } }`, MIDDLEWARE));
    assert.equal(error.code, 'IO_MIDDLEWARE_UNKNOWN', name);
  }
});

test('a middleware file that exports no function stops the boot and is named', async t => {
  for (const exported of [`{}`, `'a string'`, '() => 1', '() => undefined', 'class {}']) {
    const error = await bootError(
      t,
      configOf(`{ namespace: { '/': { packetMiddleware: ['wrong'] } } }`, {
        'app/io/middleware/wrong.js': `module.exports = ${exported};`,
      }),
    );
    assert.equal(error.code, 'IO_MIDDLEWARE_INVALID', exported);
    assert.match(error.message, /app\/io\/middleware\/wrong\.js must export a function that takes the app/);
  }
});

test('a middleware file that exports nothing is warned of where the config does not name it', async t => {
  const { url, logged, logs } = await startApp(
    t,
    configOf(`{ namespace: { '/': { connectionMiddleware: ['auth'] } } }`, {
      ...MIDDLEWARE,
      'app/io/middleware/empty.js': '',
      'app/io/middleware/admin/empty.js': 'module.exports = undefined;',
    }),
  );
  for (const path of ['middleware/empty', 'admin/empty'])
    await logged(new RegExp(`^WARN .*IO_MIDDLEWARE_INVALID: \\S+${path}\\.js exports nothing; config\\.io does not name it`));
  assert.equal(logs.filter(line => line.includes('IO_MIDDLEWARE_INVALID')).length, 2);
  await connect(t, url);
  const named = await bootError(
    t,
    configOf(`{ namespace: { '/': { connectionMiddleware: ['admin.empty'] } } }`, { 'app/io/middleware/admin/empty.js': '' }),
  );
  assert.equal(named.code, 'IO_MIDDLEWARE_INVALID');
});

test('an unknown key of config.io or config.io.init warns with the nearest known one, and the app starts', async t => {
  const { url, logs } = await startApp(t, configOf(`{ namespaces: {}, generateID: () => 'x', init: { pingTimeOut: 1000 } }`));
  await connect(t, url);
  const warnings = logs.filter(line => line.includes('IO_CONFIG_UNKNOWN_KEY'));
  for (const [unknown, known] of [
    ['config.io.namespaces', 'namespace'],
    ['config.io.generateID', 'generateId'],
    ['config.io.init.pingTimeOut', 'pingTimeout'],
  ] as const)
    assert.ok(
      warnings.some(line => line.startsWith('WARN ') && line.includes(`${unknown} is not an option; did you mean ${known}?`)),
      warnings.join('\n'),
    );
  assert.equal(warnings.length, 3);
});

test('middleware beside the namespaces rather than in one stops the boot', async t => {
  const error = await bootError(t, configOf(`{ namespace: { connectionMiddleware: ['auth'] } }`));
  assert.match(error.message, /must be inside a namespace, as in config\.io\.namespace\['\/'\]\.connectionMiddleware/);
  const other = await bootError(t, configOf(`{ namespace: { '/chat': { cors: {} } } }`));
  assert.match(other.message, /it has cors, did you mean config\.io\.init\.cors\?/);
  const none = await bootError(t, configOf(`{ namespace: { '/chat': { colour: 1 } } }`));
  assert.match(none.message, /it has colour \(/);
});

test('options that are null or undefined are options that are not there', async t => {
  const { url, io, logs } = await startApp(
    t,
    configOf(`{
      init: { pingTimeout: null, connectTimeout: undefined, allowEIO3: null, serveClient: null, cookie: null, colour: null },
      namespace: { '/chat': null }, adapter: null, redis: null, cluster: null, acknowledge: null, generateId: null,
    }`),
  );
  await connect(t, url + '/chat');
  await connect(t, url, {}, 2); // allowEIO3 is true
  assert.equal(Reflect.get(io.engine.opts, 'pingTimeout'), 20_000);
  assert.equal(io.serveClient(), false);
  assert.equal(logs.filter(line => line.startsWith('WARN ')).length, 0, logs.join('\n'));
});

test("the app's own config is as the app has written it", async t => {
  const init = {
    cookie: 'io',
    cors: { origin: ['http://a.example'], credentials: true },
    connectionStateRecovery: {},
    transports: ['websocket'],
  };
  const { app } = await startApp(t, configOf(`{ init: ${JSON.stringify(init)} }`));
  assert.deepEqual((app.config['io'] as { init: object }).init, { ...init, wsEngine: 'ws', allowEIO3: true, serveClient: false });
});

test('a namespace may be written without its leading slash, in the config and in of()', async t => {
  const { io, url } = await startApp(t, {
    ...configOf(`{ namespace: { chat: { packetMiddleware: ['mark'] }, '/news': { packetMiddleware: ['mark'] } } }`),
    'app/io/middleware/mark.js': `module.exports = () => async (ctx, next) => { ctx.marked = true; await next(); };`,
    'app/router.js': `
      module.exports = app => {
        app.io.of('/chat').route('marked', async ctx => ctx.marked);
        app.io.of('news').route('marked', async ctx => ctx.marked);
      };`,
  });
  assert.equal(io.of('chat'), io.of('/chat'));
  assert.equal(await ask(await connect(t, url + '/chat'), 'marked'), true);
  assert.equal(await ask(await connect(t, url + '/news'), 'marked'), true);
});

test('init goes to Socket.IO and Engine.IO', async t => {
  const { io, url } = await startApp(
    t,
    configOf(`{ init: { path: '/live', pingInterval: 12345, maxHttpBufferSize: 777, serveClient: true } }`),
  );
  const client = await connect(t, url, { path: '/live' });
  assert.equal(Reflect.get(io.engine.opts as object, 'pingInterval'), 12345);
  assert.equal(Reflect.get(io.engine.opts as object, 'maxHttpBufferSize'), 777);
  assert.ok(client.connected);
  const bundle = await fetch(`${url}/live/socket.io.js`);
  assert.equal(bundle.status, 200);
  await bundle.body?.cancel();
});

test('the client bundle is not served unless asked', async t => {
  const { url } = await startApp(t, {});
  const response = await fetch(`${url}/socket.io/socket.io.js`);
  assert.notEqual(response.status, 200);
  await response.body?.cancel();
});

test('clients of Socket.IO 2 can connect unless allowEIO3 is turned off; those of 3 that speak protocol 4 can either way', async t => {
  const unsaid = await startApp(t, {});
  for (const transports of [['polling'], ['websocket']]) await connect(t, unsaid.url, { transports }, 2);
  await unsaid.close();

  const { url, io } = await startApp(t, configOf(`{ init: { allowEIO3: false } }`));
  const reasons: string[] = [];
  io.engine.on('connection_error', ({ code, message }: { code: number; message: string }) => reasons.push(`${code} ${message}`));
  await assert.rejects(connect(t, url, { transports: ['polling'] }, 2), /xhr poll error/);
  await assert.rejects(connect(t, url, {}, 2), /websocket error/);
  assert.deepEqual(new Set(reasons), new Set(['5 Unsupported protocol version']));
  for (const version of [3, 4] as const) await connect(t, url, {}, version);
});

/** A package that says it is a WebSocket engine, and is ws. */
function enginePackage(name: string, exported: string): Files {
  return {
    [`node_modules/${name}/package.json`]: JSON.stringify({ name, version: '1.0.0', main: 'index.js' }),
    [`node_modules/${name}/index.js`]: `const ws = require('ws');\nclass Server extends ws.WebSocketServer {}\nmodule.exports = ${exported};`,
  };
}

test('wsEngine may name another package that the app has installed', async t => {
  for (const exported of ['{ Server }', 'Server']) {
    const { url } = await startApp(t, {
      ...configOf(`{ init: { wsEngine: 'my-engine' } }`, enginePackage('my-engine', exported)),
      'app/router.js': `
        module.exports = app => {
          const engine = require('my-engine');
          app.io.route('engine', async () => app.io.engine.ws instanceof (engine.Server || engine));
        };`,
    });
    assert.equal(await ask(await connect(t, url), 'engine'), true);
  }
});

test('wsEngine may be a class', async t => {
  const { url } = await startApp(t, {
    ...configOf(`{ init: { wsEngine: require('my-engine').Server } }`, enginePackage('my-engine', '{ Server }')),
    'app/router.js': `
      module.exports = app => { app.io.route('engine', async () => app.io.engine.ws instanceof require('my-engine').Server); };`,
  });
  assert.equal(await ask(await connect(t, url), 'engine'), true);
});

// eiows itself is compiled from sources that it loads while it is installed; a package of its name stands in
test("wsEngine 'uws' means its fork eiows", async t => {
  const { url } = await startApp(t, {
    ...configOf(`{ init: { wsEngine: 'uws' } }`, enginePackage('eiows', '{ Server }')),
    'app/router.js': `
      module.exports = app => { app.io.route('engine', async () => app.io.engine.ws instanceof require('eiows').Server); };`,
  });
  assert.equal(await ask(await connect(t, url), 'engine'), true);
});

test('a WebSocket engine that is not installed, or is none, stops the boot with what to install', async t => {
  for (const [name, message] of [
    [
      'uws',
      /wsEngine is 'uws' \('uws' has been unmaintained since 2019; eiows is its maintained fork\): run `npm install eiows`, or use 'ws'/,
    ],
    ['no-such-engine', /wsEngine is 'no-such-engine': run `npm install no-such-engine`, or use 'ws'/],
    ['my-engine', /wsEngine is 'my-engine', but the package my-engine exports no WebSocket server/],
  ] as const) {
    const error = await bootError(t, configOf(`{ init: { wsEngine: '${name}' } }`, enginePackage('my-engine', '{ name: 1 }')));
    assert.equal(error.code, 'IO_WS_ENGINE_MISSING', name);
    assert.match(error.message, message);
  }
});

test('app.io.engine says from when on it is there, and then is', async t => {
  const early = (place: string): Files => ({
    'app.js': `module.exports = class { constructor(app) { this.app = app; } ${place} { this.app.io.engine.on('connection', () => {}); } };`,
  });
  for (const place of ['configDidLoad()', 'async willReady()']) {
    const error = await bootError(t, early(place));
    assert.equal(error.code, 'IO_ENGINE_MISSING');
    assert.match(error.message, /app\.io\.engine does not exist before the HTTP server; read it in serverDidReady\(\)/);
  }
  const { io, url, app } = await startApp(t, {
    'app.js': `
      module.exports = class {
        constructor(app) { this.app = app; }
        async serverDidReady() { this.app.io.engine.on('connection', ({ id }) => this.app.emit('arrived', id)); }
      };`,
  });
  const arrived = next(app, 'arrived');
  const { id } = (await connect(t, url)).io.engine;
  assert.deepEqual(await arrived, [id]);
  assert.equal(io.engine.clientsCount, 1);
});

test('a serverTimeout of Egg that is not longer than the ping interval is warned of: clients that poll are cut', async t => {
  const start = async (serverTimeout: number | null, init: string) =>
    startApp(t, { 'config/config.default.js': `exports.serverTimeout = ${serverTimeout}; exports.io = { init: ${init} };` });
  const warned = (app: RunningApp): boolean => app.logs.some(line => line.includes('IO_SERVER_TIMEOUT'));
  const app = await start(300, '{ pingInterval: 5000 }');
  assert.match(await app.logged(/IO_SERVER_TIMEOUT/), /^WARN .* config\.serverTimeout is 300 ms, .* every 5000 ms: /);
  app.app.emit('server', app.server); // as Egg's worker does; not every version's mock
  const client = await connect(t, app.url, { transports: ['polling'] });
  assert.equal((await next(client, 'disconnect'))[0], 'transport error');

  assert.ok(warned(await start(25_000, '{}')), 'by default a ping comes every 25 s');
  for (const [serverTimeout, init] of [
    [null, '{}'],
    [0, '{}'],
    [25_001, '{}'],
    [300, '{ pingInterval: 200 }'],
    [300, "{ transports: ['websocket'] }"],
  ] as const) {
    assert.ok(!warned(await start(serverTimeout, init)), `${serverTimeout} ${init}`);
  }
});

/** Namespaces by pattern: `'/room-{id}'`, and regular expressions. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Server } from 'egg-socket.io';
import { Redis } from 'ioredis';
import { bootError, type Files, ROOT, type RunningApp, startApp } from './support/app';
import { ask, type Client, connect, newClient, next, refusal } from './support/client';

import { startCluster } from './support/cluster';
import { history } from './support/parts';
import { RawClient } from './support/raw';
import { startRedis } from './support/redis';

import { internals, nothingRemains, watchForCrashes } from './support/remains';
import { until } from './support/until';

/** Rooms that ask for a key. What happens there is told to the app. */
const FILES: Files = {
  'app/io/middleware/guard.js': `
    module.exports = app => async (ctx, next) => {
      app.emit('connecting', ctx.params);
      if (!ctx.socket.handshake.auth.key) ctx.throw(403, 'no key');
      await next();
      app.emit('left', ctx.params);
    };`,
  'app/io/middleware/mark.js': `
    module.exports = app => async (ctx, next) => {
      ctx.args.push('marked in ' + ctx.params.id);
      await next();
    };`,
  'app/io/controller/room.js': `
    exports.say = async ctx => [ctx.params, ...ctx.args.filter(arg => typeof arg === 'string')];
    exports.gone = async ctx => { ctx.app.emit('gone', ctx.params); };`,
  'app/router.js': `
    module.exports = app => {
      const { room } = app.io.controller;
      app.io
        .of('room-{id}', socket => socket.emit('welcome', socket.nsp.name))
        .use((socket, next) => next(socket.handshake.auth.key === 'false' ? new Error('false key') : undefined))
        .route('say', room.say)
        .route('disconnect', room.gone)
        .routeUnmatched(async ctx => 'unmatched in ' + ctx.params.id);
      app.io.of('/room-lobby').route('say', async ctx => ['lobby', ctx.params]);
      app.io.of('/number-1').route('say', async ctx => 'one');
      app.io.of('/room-5').emit('nobody is there yet');
      app.io.of('/{team}/{first}-{last}.html').route('say', room.say);
      app.io.of(/^\\/number-(?<number>\\d+)(?<unit>[a-z]+)?$/).use((socket, next) => next()).route('say', room.say);
      app.io.of(/^\\/.*-7$/).route('say', async () => 'too late');
      app.io.of((name, auth, answer) => answer(null, name === '/asked' && auth.key === 1)).route('say', async ctx => ['asked', ctx.params]);
      app.io.route('say', async ctx => ['root', ctx.params]);
      app.router.get('/tell/:id', async ctx => {
        const room = app.io.of('/room-' + ctx.params.id);
        room.emit('told', ctx.params.id);
        ctx.body = String((await room.fetchSockets()).length);
      });
      app.router.get('/who', async ctx => { ctx.body = String(process.pid); });
    };`,
  'config/config.default.js': `
    exports.keys = 'keys';
    exports.io = { namespace: { '/room-{id}': { connectionMiddleware: ['guard'], packetMiddleware: ['mark'] } } };`,
};

const KEY = { auth: { key: 'key' } };

async function start(t: TestContext, config = ''): Promise<RunningApp> {
  watchForCrashes(t);
  return startApp(t, { ...FILES, 'config/config.default.js': `${FILES['config/config.default.js']}\n${config}` });
}

/** Removes the empty namespaces, as if the time for that had passed. */
function sweep(io: Server): string[] {
  const { children } = internals(io).namespaces;
  assert.ok(children);
  children.maxIdle = 0;
  children.sweep();
  return [...io._nsps.keys()];
}

test('namespaces of a pattern have its routes, middleware and listeners, and the parts of the name as ctx.params', async t => {
  const { url, app, io } = await start(t);

  await t.test('connection middleware, packet middleware, controllers and reserved events', async t => {
    const connecting = next(app, 'connecting');
    const client = newClient(t, `${url}/room-7`, KEY);
    assert.deepEqual(await next(client, 'welcome'), ['/room-7']);
    assert.deepEqual(await connecting, [{ id: '7' }]);
    assert.deepEqual(await ask(client, 'say', 'hello'), [{ id: '7' }, 'hello', 'marked in 7']);
    assert.equal(await ask(client, 'other'), 'unmatched in 7');
    const end = Promise.all([next(app, 'gone'), next(app, 'left')]);
    client.disconnect();
    assert.deepEqual(await end, [[{ id: '7' }], [{ id: '7' }]]);
  });

  await t.test('its middleware refuses clients, whoever has named the namespace first', async t => {
    io.of('/room-8').emit('news');
    for (const name of ['/room-8', '/room-9']) {
      assert.equal((await refusal(newClient(t, url + name))).message, 'no key');
      assert.equal((await refusal(newClient(t, url + name, { auth: { key: 'false' } }))).message, 'false key');
    }
  });

  await t.test('a namespace that the app gives a route while it starts goes before the pattern', async t => {
    assert.deepEqual(await ask(await connect(t, `${url}/room-lobby`), 'say'), ['lobby', {}]);
    assert.equal(await ask(await connect(t, `${url}/number-1`), 'say'), 'one');
    assert.equal((await refusal(newClient(t, `${url}/room-5`))).message, 'no key');
  });

  await t.test('of two that match, the first one wins', async t => {
    assert.deepEqual(await ask(await connect(t, `${url}/number-7`), 'say'), [{ number: '7' }]);
    assert.equal(await ask(await connect(t, `${url}/any-7`), 'say'), 'too late');
  });

  await t.test('a pattern may have several parts, which end at the text behind them', async t => {
    const params = async (name: string): Promise<unknown> => ask(await connect(t, url + name), 'say');
    assert.deepEqual(await params('/red/ann-lee.html'), [{ team: 'red', first: 'ann', last: 'lee' }]);
    assert.deepEqual(await params('/red/ann-lee-ray.html.html'), [{ team: 'red', first: 'ann', last: 'lee-ray.html' }]);
    assert.deepEqual(await params('/r%20d/-ann--.html'), [{ team: 'r%20d', first: '-ann', last: '-' }]);
  });

  await t.test('names that do not match are refused', async t => {
    for (const name of ['/room-', '/room-7/8', '/Room-8', '/x/room-8', '/red/annlee.html', '/red/-lee.html', '/red/ann-leeXhtml'])
      assert.equal((await refusal(newClient(t, url + name, KEY))).message, 'Invalid namespace', name);
  });

  await t.test('a regular expression has its named groups as ctx.params, a function and any other namespace none', async t => {
    assert.deepEqual(await ask(await connect(t, `${url}/number-12px`), 'say'), [{ number: '12', unit: 'px' }]);
    assert.deepEqual(await ask(await connect(t, `${url}/asked`, { auth: { key: 1 } }), 'say'), ['asked', {}]);
    assert.deepEqual(await ask(await connect(t, url), 'say'), ['root', {}]);
  });

  await t.test('names with braces belong to no pattern, and after the start they are refused as patterns', async t => {
    for (const name of ['/room-{id}', '/room-{}', '/room-{7'])
      assert.equal((await refusal(newClient(t, url + name, KEY))).message, 'Invalid namespace', name);
    const client = await connect(t, `${url}/room-7`, KEY);
    client.on('told', () => assert.fail('the clients of all rooms were told'));
    for (const name of ['/room-{id}', 'room-{id}', '/room-{x}']) assert.throws(() => io.of(name).emit('told'), { code: 'IO_PATTERN_LATE' });
    assert.equal(await ask(client, 'other'), 'unmatched in 7');
  });

  await t.test('a namespace of a pattern has no routes of its own', async () => {
    const message =
      /route\('x'\) of namespace '\/room-7': this namespace has the routes and the contract of '\/room-\{id\}'; add them there/;
    assert.throws(() => io.of('/room-7').route('x', async () => {}), { code: 'IO_ROUTE_DYNAMIC', message });
    assert.throws(() => io.of('/room-7').routeUnmatched(async () => {}), { code: 'IO_ROUTE_DYNAMIC' });
  });
});

test('more namespaces of patterns than there may be are counted as a limit, and logged', async t => {
  const { url, io, logged } = await start(t);
  const { children } = internals(io).namespaces;
  const { counts } = internals(io).runtime.limits;
  assert.ok(children);
  children.maxCount = 3; // the app has made /room-5
  for (const room of [1, 2]) await connect(t, `${url}/room-${room}`, KEY);
  assert.equal(counts.patterns, 0);
  await connect(t, `${url}/room-3`, KEY);
  assert.equal(counts.patterns, 1);
  await logged(/IO_LIMIT_REACHED.*as many namespaces of patterns as there may be: empty ones go at once, the oldest first/);
});

test('a namespace of a pattern goes when nobody has been there for a while, and comes back with its middleware', async t => {
  const { url, app, io } = await start(t, 'exports.io.init = {};');
  assert.equal(internals(io).namespaces.children?.maxIdle, 60_000);
  const fixed = sweep(io);
  const { children } = internals(io).namespaces;
  assert.ok(children);

  await t.test('one that is empty stays for a minute', async t => {
    const client = await connect(t, `${url}/room-7`, KEY);
    const left = next(app, 'left');
    client.disconnect();
    await left;
    await nothingRemains(io);
    children.maxIdle = 60_000;
    children.sweep();
    children.sweep();
    assert.deepEqual([...io._nsps.keys()], [...fixed, '/room-7']);
  });

  await t.test('and goes then, with its adapter', async () => {
    const { adapter } = io.of('/room-7');
    let hasClosed = false;
    adapter.close = () => void (hasClosed = true);
    assert.deepEqual(sweep(io), fixed);
    assert.ok(hasClosed);
  });

  await t.test('one with clients stays, and so does one that a client is connecting to', async t => {
    await connect(t, `${url}/room-1`, KEY);
    const raw = await RawClient.open(t, url);
    let sweptWhileConnecting: string[] = [];
    app.once('connecting', () => (sweptWhileConnecting = sweep(io)));
    raw.send('40/room-2,{"key":"key"}');
    await raw.frame(/^40\/room-2,/);
    assert.deepEqual(sweptWhileConnecting, [...fixed, '/room-1', '/room-2']);
    assert.deepEqual(sweep(io), [...fixed, '/room-1', '/room-2']);
    const left = next(app, 'left');
    raw.vanish();
    await left;
    await nextTurn();
    assert.deepEqual(sweep(io), [...fixed, '/room-1']);
  });

  await t.test('one that has listeners or functions of the app stays', async () => {
    io.of('/room-3').on('connection', () => {});
    io.of('/room-4').use((_socket, go) => go());
    io.of('/room-5').emit('nothing of the app');
    assert.deepEqual(sweep(io), [...fixed, '/room-1', '/room-3', '/room-4']);
  });

  await t.test('what the app has kept of one that has gone reaches the clients of the one that is there', async t => {
    const kept = io.of('/room-6');
    assert.ok(!sweep(io).includes('/room-6'));
    assert.equal((await refusal(newClient(t, `${url}/room-6`))).message, 'no key');
    const client = await connect(t, `${url}/room-6`, KEY);
    const told = next(client, 'told');
    kept.emit('told', 1);
    assert.deepEqual(await told, [1]);
    assert.equal((await kept.fetchSockets()).length, 1);
    assert.equal(kept.sockets.size, 1);
  });

  await t.test('and so do functions and listeners that it adds there', async t => {
    const kept = io.of('/room-8');
    sweep(io);
    const heard: string[] = [];
    kept
      .use((socket, go) => go(socket.handshake.auth.own ? undefined : new Error('no own key')))
      .on('connection', ({ nsp }) => heard.push(nsp.name));
    assert.equal((await refusal(newClient(t, `${url}/room-8`, KEY))).message, 'no own key');
    await connect(t, `${url}/room-8`, { auth: { key: 'key', own: true } });
    assert.deepEqual(heard, ['/room-8']);
  });

  await t.test('many go in several turns, and from a certain number on those that are empty go at once, the oldest first', async () => {
    sweep(io);
    for (let count = 0; count < 150; count++) io.of(`/room-many-${count}`);
    assert.equal(sweep(io).filter(name => name.startsWith('/room-many')).length, 50);
    await nextTurn();
    await nextTurn();
    assert.ok(![...io._nsps.keys()].some(name => name.startsWith('/room-many')));
    const stays = io._nsps.size;
    children.maxIdle = 60_000;
    children.maxCount = stays;
    for (let count = 0; count < 300; count++) io.of(`/room-more-${count}`);
    assert.ok(io._nsps.size < stays + 110, String(io._nsps.size));
    assert.ok(io._nsps.has('/room-more-299') && io._nsps.has('/room-3') && !io._nsps.has('/room-more-0'));
  });
});

test('what is kept of a room outlives the namespace of a pattern, which goes when nobody is there', async t => {
  const { url, io } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/game-{id}': { history: { 'room:*': {} } } } };`,
    'app/router.js': `module.exports = app => {
      app.io.of('/game-{id}').route('join', async ctx => { await ctx.socket.join('room:1'); return true; });
    };`,
  });
  const client = newClient(t, `${url}/game-7`, { autoConnect: false });
  const heard: unknown[] = [];
  history(client, { onGap: room => heard.push(`gap in ${room}`) });
  client.on('said', what => heard.push(what));
  const come = async (): Promise<void> => {
    const connected = next(client, 'connect');
    client.connect();
    await connected;
    await ask(client, 'join');
  };
  const say = (what: number): unknown => io.of('/game-7').to('room:1').emit('said', what);
  await come();
  say(1);
  await until(t, () => heard.length === 1);
  client.disconnect();
  await nothingRemains(io);
  for (const what of [2, 3]) {
    say(what);
    assert.ok(!sweep(io).includes('/game-7'));
  }
  await come();
  say(4);
  await until(t, () => heard.includes(4));
  assert.deepEqual(heard, [1, 2, 3, 4]);
});

test('a listener of "new_namespace" may ask for the namespace, which is made once and has the guard of its pattern', async t => {
  const { url, io, app } = await start(t);
  let connected = 0;
  io.on('new_namespace', ({ name }) => io.of(name).on('connection', () => connected++));
  assert.equal((await refusal(newClient(t, `${url}/room-7`))).message, 'no key');
  const connecting = next(app, 'connecting');
  const client = await connect(t, `${url}/room-7`, KEY);
  assert.deepEqual(await connecting, [{ id: '7' }]);
  assert.equal(await ask(client, 'other'), 'unmatched in 7');
  assert.equal(connected, 1);
});

test('the namespace / belongs to no pattern, and a pattern of a regular expression has no entry in the config', async t => {
  const { url, io } = await startApp(t, {
    'app/io/middleware/nobody.js': `module.exports = () => async ctx => ctx.throw(403, 'nobody');`,
    'config/config.default.js': `
      exports.io = { namespace: { '/^\\\\/.*$/': { connectionMiddleware: ['nobody'] } } };`,
    'app/router.js': `module.exports = app => { app.io.of(/^\\/.*$/).route('say', async () => 'pattern'); };`,
  });
  assert.equal(await ask(await connect(t, `${url}/any`), 'say'), 'pattern');
  sweep(io);
  await connect(t, url);
  assert.ok(sweep(io).includes('/'));
});

test('failures in namespaces of a pattern are counted together, and names that clients have made up stay on one line', async t => {
  const { url, logged, logs } = await startApp(t, {
    'app/router.js': `module.exports = app => {
      app.io.of('/room-{id}').use(() => { throw new Error('bad use'); });
      app.io.of(/^\\/free-/).on('connection', () => { throw new Error('bad listener'); });
    };`,
  });
  const { io: manager } = await connect(t, url);
  for (let count = 0; count < 8; count++) {
    const room = manager.socket(`/room-${count}`);
    await refusal(room.connect());
    await next(manager.socket(`/free-${count}\nERROR forged`).connect(), 'connect');
  }
  assert.equal((await refusal(manager.socket('/room-1\nERROR').connect())).message, 'Invalid namespace');
  await logged(/bad listener/);
  const lines = logs.filter(line => /bad (use|listener)/.test(line));
  assert.equal(lines.filter(line => line.includes('bad use')).length, 5, lines.join('\n'));
  assert.equal(lines.filter(line => line.includes('bad listener')).length, 5, lines.join('\n'));
  assert.match(lines[0] ?? '', /namespace \/room-0 \(\/room-\{id\}\), socket /);
  assert.ok(
    lines.some(line => line.includes('namespace /free-0 ERROR forged (of(/^\\/free-/)), socket')),
    lines.join('\n'),
  );
  assert.ok(!logs.some(line => /^\S* ?forged|^ERROR forged/m.test(line)));
});

test('a namespace of a pattern stays while clients may recover there', async t => {
  const running = await start(t, 'exports.io.init = { connectionStateRecovery: { maxDisconnectionDuration: 30_000 } };');
  await enterAndVanish(t, running);
  await nothingRemains(running.io);
  assert.ok(sweep(running.io).includes('/room-7'));
});

test('a namespace of a pattern goes when clients can no longer recover there, whatever the adapter', async t => {
  const recovery = 'exports.io.init = { connectionStateRecovery: { maxDisconnectionDuration: 30 } };';
  for (const adapter of ['', `exports.io.adapter = nsp => new (require('socket.io-adapter').SessionAwareAdapter)(nsp);`]) {
    const running = await start(t, `${recovery}\n${adapter}`);
    await enterAndVanish(t, running);
    await until(t, () => !sweep(running.io).includes('/room-7'));
  }
});

/** A client enters /room-7, and its network goes without a word. */
async function enterAndVanish(t: TestContext, { url, app }: RunningApp): Promise<void> {
  const raw = await RawClient.open(t, url);
  raw.send('40/room-7,{"key":"key"}');
  await raw.frame(/^40\/room-7,/);
  const left = next(app, 'left');
  raw.vanish();
  await left;
}

test('mistakes in a pattern stop the boot', async t => {
  const problems: Record<string, string> = {
    '/room-{}': '{} needs a name of letters, digits and _, such as {id}',
    '/room-{a b}': '{a b} needs a name of letters, digits and _, such as {id}',
    '/room-{__proto__}': '{__proto__} needs a name',
    '/{id}/{id}': 'it has {id} twice; give each part a name of its own',
    '/{a}{b}': '{a} and the part after it need a text between them',
    '/room-{id': 'a brace has no counterpart',
    '/room-id}': 'a brace has no counterpart',
  };
  const { io } = await startApp(t, {
    'app/router.js': `module.exports = app => {
      app.problems = ${JSON.stringify(Object.keys(problems))}.map(name => {
        try {
          return app.io.of(name).name;
        } catch ({ code, message }) {
          return code + ': ' + message;
        }
      });
      app.isSame = app.io.of('/a-{b}') === app.io.of('a-{b}');
    };`,
    'app.js': 'module.exports = app => app.ready(() => { app.io.problems = app.problems; app.io.isSame = app.isSame; });',
  });
  assert.equal(Reflect.get(io, 'isSame'), true);
  const seen = Reflect.get(io, 'problems') as string[];
  for (const [index, [name, problem]] of Object.entries(problems).entries())
    assert.ok(seen[index]?.includes(`IO_PATTERN_INVALID: of('${name}'): ${problem}`), seen[index]);
  const { code } = await bootError(t, { 'config/config.default.js': `exports.io = { namespace: { '/room-{}': {} } };` });
  assert.equal(code, 'IO_PATTERN_INVALID');
});

test('warnings about unmatched events name the pattern, once for all of its namespaces', async t => {
  const { url, logged, logs } = await startApp(t, {
    'app/router.js': `module.exports = app => app.io.of('/room-{id}').route('hello', async () => 'said');`,
  });
  for (const name of ['/room-1', '/room-2']) {
    const client = await connect(t, url + name);
    client.emit('helo');
    await ask(client, 'hello');
    await logged(/IO_EVENT_UNMATCHED/);
  }
  const lines = logs.filter(line => line.includes('IO_EVENT_UNMATCHED'));
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(lines[0] ?? '', /event "helo" of namespace '\/room-\{id\}' has neither a route nor a listener; did you mean "hello"\?/);
});

/** What clients in `/` ask of their worker. */
const WORKER: Files = {
  'app/router.js': `
    const routes = (app => { ${(FILES['app/router.js'] ?? '').replace('module.exports =', 'return')} })();
    const { lifecycleOf } = require(${JSON.stringify(join(ROOT, 'dist/server/lifecycle'))});
    module.exports = app => {
      routes(app);
      app.io.route('pid', async () => process.pid);
      app.io.route('tell', async ctx => {
        const room = app.io.of('/room-' + ctx.args[0]);
        room.emit('told', process.pid);
        return (await room.fetchSockets()).length;
      });
      app.io.route('sweep', async () => {
        const { children } = lifecycleOf(app.io).namespaces;
        children.maxIdle = 0;
        children.sweep();
        return app.io._nsps.has('/room-7');
      });
    };`,
};

test(
  'an emit to a namespace of a pattern reaches its clients in all workers, whoever asks first, and opens it to nobody',
  { timeout: 60_000 },
  async t => {
    const { url } = await startCluster(t, { ...FILES, ...WORKER }, { workers: 2 });
    const workers = new Map<unknown, Client>();
    while (workers.size < 2) {
      const client = await connect(t, url);
      workers.set(await ask(client, 'pid'), client); // the workers take turns
    }
    for (const worker of workers.values()) assert.equal(await ask(worker, 'tell', 7), 0);
    for (let count = 0; count < 4; count++) assert.equal((await refusal(newClient(t, `${url}/room-7`))).message, 'no key');
    for (const round of ['first', 'made again']) {
      const clients: Client[] = [];
      for (let count = 0; count < 4; count++) clients.push(await connect(t, `${url}/room-7`, KEY));
      for (const [pid, worker] of workers) {
        const told = Promise.all(clients.map(client => next(client, 'told')));
        assert.equal(await ask(worker, 'tell', 7), clients.length, round);
        assert.deepEqual(
          await told,
          clients.map(() => [pid]),
        );
      }
      for (const client of clients) client.disconnect();
      for (const worker of workers.values()) await until(t, async () => !(await ask(worker, 'sweep'))); // until it has seen the last one leave
    }
  },
);

test('an emit to a namespace of a pattern reaches its clients on other servers through Redis, also when it has been made again', async t => {
  const { port } = await startRedis(t);
  const [one, other] = [await start(t, `exports.io.redis = { port: ${port} };`), await start(t, `exports.io.redis = { port: ${port} };`)];
  const redis = new Redis(port);
  t.after(() => redis.disconnect());
  for (const { io } of [one, other]) sweep(io); // the one that the app has named while it started
  const globs = await redis.pubsub('NUMPAT');
  other.io.of('/room-7').emit('told', 'nobody');
  assert.equal((await refusal(newClient(t, `${other.url}/room-7`))).message, 'no key');
  const { io: manager } = await connect(t, one.url);
  for (const [name, round] of [
    ['/room-7', 'first'],
    ['/room-7', 'made again'],
    [String.raw`/room-[a]\b*?^`, 'with characters of globs'],
  ] as const) {
    const client = manager.socket(name, KEY).connect();
    await next(client, 'connect');
    await until(t, async () => (await other.io.of(name).fetchSockets()).length > 0); // until the server of the client has subscribed
    const told = next(client, 'told');
    other.io.of(name).emit('told', round);
    assert.deepEqual(await told, [round]);
    const left = next(one.app, 'left');
    client.disconnect();
    await left;
    await nextTurn();
    for (const { io } of [one, other]) assert.ok(!sweep(io).includes(name));
  }
  await until(t, async () => (await redis.pubsub('NUMPAT')) === globs); // until all have been given up
});

test('a contract may be for a pattern', async t => {
  const { url, io } = await startApp(t, {
    'app/router.js': `
      const string = { '~standard': { version: 1, vendor: 'test', validate: value => (typeof value === 'string' ? { value } : { issues: [{ message: 'no string' }] }) } };
      module.exports = app => {
        const room = { namespace: '/room-{id}', client: { say: { args: [string], ack: string } }, server: { told: { args: [string] } } };
        app.io.of('/room-1');
        app.io.of(room).route('say', async ctx => ctx.params.id + ': ' + ctx.args[0]);
      };`,
  });
  for (const name of ['/room-1', '/room-2']) {
    const client = await connect(t, url + name);
    assert.equal(await ask(client, 'say', 'hello'), `${name.at(-1)}: hello`);
    const refused = (await ask(client, 'say', 5)) as { error: { code: string } };
    assert.equal(refused.error.code, 'INVALID_ARGUMENT');
    assert.throws(() => io.of(name).emit('told', 5), { code: 'IO_CONTRACT_VIOLATED' });
    for (const socket of io.of(name).sockets.values()) assert.throws(() => socket.emit('told', 5), { code: 'IO_CONTRACT_VIOLATED' });
    const told = next(client, 'told');
    io.of(name).emit('told', 'hello');
    assert.deepEqual(await told, ['hello']);
  }
});

test('what is for single namespaces only says so for all of a pattern', async t => {
  const { io } = await startApp(t, {});
  const all = io.of(/^\/team-\d$/);
  for (const call of [() => all.user(1), () => all.exceptUser(1), () => all.emitWithAck('sure')])
    assert.throws(call, { name: 'TypeError', code: 'IO_PATTERN_UNSUPPORTED' });
  assert.equal(await io.of('/team-1').user(1).isOnline(), false);
  assert.deepEqual(await io.of('/team-1').emitWithAck('sure'), []);
});

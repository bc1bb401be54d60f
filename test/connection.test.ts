/** One client in one namespace, from the handshake to its end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { test } from 'node:test';
import type { Socket } from 'socket.io';
import { WebSocket } from 'ws';
import { bootError, type Files, startApp } from './support/app';
import { ask, connect, newClient, next, refusal } from './support/client';
import { RawClient } from './support/raw';
import { engineConnections, internals, nothingRemains, watchForCrashes } from './support/remains';

/** An app whose one connection middleware has this body. */
function guarded(body: string, more: Files = {}): Files {
  return {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['guard'] } } };`,
    'app/io/middleware/guard.js': `
      const { IoError } = require('egg-socket.io');
      module.exports = app => async (ctx, next) => { ${body} };`,
    'app/router.js': `module.exports = app => { app.io.route('say', async () => 'said'); };`,
    ...more,
  };
}

/** How a client of protocol 3 is refused. */
async function refusalOfOld(t: Parameters<typeof newClient>[0], url: string, version: 2 | 3, path = ''): Promise<unknown[]> {
  const client = newClient(t, url + path, {}, version);
  if (version === 3) return next(client, 'connect_error');
  return next(client, 'error');
}

test('an error thrown before next() refuses the client with its message and a code', async t => {
  const { url, app } = await startApp(t, guarded(`throw new Error('you are not invited');`));
  let connected = false;
  Reflect.get(app, 'io').on('connection', () => (connected = true));
  const { message, data } = await refusal(newClient(t, url));
  assert.deepEqual([message, data], ['you are not invited', { code: 'CONNECTION_REFUSED' }]);
  assert.equal(connected, false);
});

test('a client of protocol 3 is refused with the message as a string, whatever data there is', async t => {
  const { url } = await startApp(t, guarded(`throw new IoError('NO', 'you are not invited', { details: { a: 1 } });`));
  assert.deepEqual(await refusalOfOld(t, url, 2), ['you are not invited']);
});

test('what a refusal shows, in production and while developing', async t => {
  const cases = `
    const { thrown } = ctx.handshake.query;
    if (thrown === 'plain') throw new Error('not you');
    if (thrown === 'string') throw 'not even an Error';
    if (thrown === 'object') throw { password: 'secret' };
    if (thrown === 'coded') throw Object.assign(new Error('banned'), { code: 'BANNED' });
    if (thrown === 'io') throw new IoError('FULL', 'the room is full', { status: 409, details: { seats: 2 } });
    if (thrown === 'hidden') throw Object.assign(new Error('a secret'), { expose: false });
    if (thrown === 'koa') ctx.throw(401, 'log in first');
    if (thrown === 'type') null.secret;
    if (thrown === 'reference') secret;
    if (thrown === 'range') new Array(-1);
    if (thrown === 'syntax') JSON.parse('{secret');
    if (thrown === 'assertion') require('node:assert')(false, 'please log in');
    await next();`;
  const refusalsOf = async (env: string): Promise<Record<string, unknown>> => {
    const { url, close } = await startApp(t, guarded(cases), { env });
    const refusals: Record<string, unknown> = {};
    for (const thrown of [
      ...['plain', 'string', 'object', 'coded', 'io', 'hidden', 'koa'],
      ...['type', 'reference', 'range', 'syntax', 'assertion'],
    ]) {
      const { message, data } = await refusal(newClient(t, url, { query: { thrown } }));
      refusals[thrown] = [message, data];
    }
    await close();
    return refusals;
  };
  const shown = {
    plain: ['not you', { code: 'CONNECTION_REFUSED' }],
    string: ['not even an Error', { code: 'CONNECTION_REFUSED' }],
    coded: ['banned', { code: 'BANNED' }],
    io: ['the room is full', { code: 'FULL', details: { seats: 2 } }],
    koa: ['log in first', { code: 'UNAUTHORIZED' }],
    assertion: ['please log in', { code: 'ERR_ASSERTION' }],
  };
  const hidden = ['Internal Server Error', { code: 'INTERNAL_SERVER_ERROR' }];
  const prod = await refusalsOf('prod');
  assert.deepEqual(prod, {
    ...shown,
    ...{ hidden, object: hidden, type: hidden, reference: hidden, range: hidden, syntax: hidden },
  });
  assert.doesNotMatch(JSON.stringify([prod['type'], prod['reference'], prod['syntax']]), /secret/);
  const unittest = await refusalsOf('unittest');
  for (const [thrown, message] of [
    ['type', /of null/],
    ['reference', /secret is not defined/],
    ['range', /Invalid array length/],
  ] as const)
    assert.match(String((unittest[thrown] as unknown[])[0]), message);
  assert.deepEqual(unittest['hidden'], ['a secret', { code: 'INTERNAL_SERVER_ERROR' }]);
});

test('a refusal is logged once: a bug as an error, the rest as a warning', async t => {
  const { url, logs } = await startApp(t, guarded(`if (ctx.handshake.query.bug) null.x; throw new Error('not you');`));
  await refusal(newClient(t, url));
  await refusal(newClient(t, url, { query: { bug: '1' } }));
  const lines = logs.filter(line => line.includes('connection refused'));
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0] ?? '', /^WARN \[egg-socket\.io\] connection refused, namespace \/, socket \S+: Error: not you/);
  assert.match(lines[1] ?? '', /^ERROR \[egg-socket\.io\] connection refused, namespace \/, socket \S+: TypeError: /);
});

test('middleware that never called next() is named in the log, and so is an `await next;` in it', async t => {
  for (const [body, hint] of [
    ['', ''],
    ['await next;', ': it has `await next;`, which waits for nothing; write `await next\\(\\);`'],
    ['const go = next; await next', ': it has `await next;`'],
  ] as const) {
    const { url, logged, close } = await startApp(t, guarded(body));
    const { message, data } = await refusal(newClient(t, url));
    assert.deepEqual([message, data], ['Connection refused', { code: 'CONNECTION_REFUSED' }]);
    await logged(new RegExp(`^WARN .*Connection refused: next\\(\\) was never called by middleware 'guard'${hint}${hint ? '' : '$'}`));
    await close();
  }
});

test('the innermost middleware that has run is the one that called no next()', async t => {
  const { url, logged } = await startApp(
    t,
    guarded('await next();', {
      'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['guard', 'admin.inner', 'never'] } } };`,
      'app/io/middleware/admin/inner.js': `module.exports = () => async () => {};`,
      'app/io/middleware/never.js': `module.exports = () => async () => { throw new Error('not reached'); };`,
    }),
  );
  await refusal(newClient(t, url));
  await logged(/next\(\) was never called by middleware 'admin\.inner'$/);
});

test('middleware that does not end while its client waits is named in the log, once a minute for each namespace', async t => {
  const { url, io, app, logged, logs } = await startApp(
    t,
    guarded(`app.emit('entered'); await new Promise(() => {});`, {
      'config/config.default.js': `exports.io = { namespace: { '/free': {}, '/held': { connectionMiddleware: ['guard'] } } };`,
    }),
  );
  internals(io).runtime.arrivals.slow.ms = 50;
  const main = await connect(t, `${url}/free`);
  const entered = next(app, 'entered');
  main.io.socket('/held');
  await entered;
  newClient(t, `${url}/held`);
  await logged(
    /^WARN .*middleware 'guard' has not ended after 0\.05 s, and the client is waiting, namespace \/held, socket \S+: call next\(\), or throw$/,
  );
  io.of('/used').use(() => {});
  main.io.socket('/used');
  await logged(/^WARN .*middleware of use\(\) has not ended after 0\.05 s, and the client is waiting, namespace \/used/);
  assert.equal(logs.filter(line => line.includes('has not ended')).length, 2);
});

test('ctx.socket.disconnect() while connecting refuses the client, and nothing after it can admit it', async t => {
  const { url, app } = await startApp(t, guarded(`ctx.socket.disconnect(); app.emit('disconnected', ctx.connected); await next();`));
  const disconnected = next(app, 'disconnected');
  const { message, data } = await refusal(newClient(t, url));
  assert.deepEqual([message, data], ['Connection refused', { code: 'CONNECTION_REFUSED' }]);
  assert.deepEqual(await disconnected, [false]);
});

test('a client is admitted after the code that middleware has right after its next(): what that sets is seen, and it may disconnect', async t => {
  for (const session of [true, false]) {
    const { url, io, app, close } = await startApp(
      t,
      guarded(
        `
        const done = next();
        ctx.socket.data.user = 'ann';
        if (ctx.handshake.query.bad) ctx.socket.disconnect(true);
        app.emit('done', await done);`,
        { 'config/plugin.js': `exports.session = ${session};` },
      ),
    );
    const seen: string[] = [];
    io.use((socket, go) => {
      seen.push(`use() ${socket.data.user}`);
      go();
    });
    io.on('connection', socket => seen.push(`connection ${socket.data.user}`));
    let done = next(app, 'done');
    const { message, data } = await refusal(newClient(t, url, { query: { bad: '1' } }));
    assert.deepEqual([message, data], ['Connection refused', { code: 'CONNECTION_REFUSED' }]);
    assert.deepEqual(await done, [undefined]);
    assert.deepEqual(seen, []);
    done = next(app, 'done');
    const client = await connect(t, url);
    assert.deepEqual(seen, ['use() ann', 'connection ann']);
    client.disconnect();
    assert.deepEqual(await done, ['client namespace disconnect']);
    await nothingRemains(io);
    await close();
  }
});

test('ctx.disconnect(true) while connecting refuses the client and closes its connection', async t => {
  const { url } = await startApp(t, guarded(`ctx.disconnect(true);`));
  const client = newClient(t, url);
  const closed = next(client.io.engine, 'close');
  assert.equal((await refusal(client)).message, 'Connection refused');
  await closed;
});

test('ctx.socket.disconnect() after next() and in controllers is that of Socket.IO', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `module.exports = app => { app.io.route('leave', async ctx => { ctx.disconnect(); }); };`,
  });
  const client = await connect(t, url);
  const gone = next(client, 'disconnect');
  client.emit('leave');
  assert.equal((await gone)[0], 'io server disconnect');
});

test('an error after next() is logged, and the client has long been in', async t => {
  const { url, logged, logs } = await startApp(t, guarded(`await next(); throw new Error('too late');`));
  const client = await connect(t, url);
  client.disconnect();
  await logged(/^ERROR \[egg-socket\.io\] connection middleware failed, namespace \/, socket \S+: Error: too late/);
  assert.equal(logs.filter(line => line.includes('too late')).length, 1);
});

test('a client that vanishes while it is connecting does not leave its middleware hanging', async t => {
  const { url, app, io, logs } = await startApp(
    t,
    guarded(`
      app.emit('entered');
      await new Promise(resolve => app.once('go', resolve));
      await next();
      app.emit('left');`),
  );
  const entered = next(app, 'entered');
  const client = newClient(t, url);
  await entered;
  const gone = new Promise<unknown>(resolve => {
    for (const connection of Object.values(
      Reflect.get(io.engine, 'clients') as Record<string, { once(event: string, fn: () => void): void }>,
    ))
      connection.once('close', () => resolve(undefined));
  });
  client.io.engine.close();
  await gone;
  const left = next(app, 'left');
  app.emit('go');
  await left;
  assert.equal(io.sockets.sockets.size, 0);
  assert.equal((Reflect.get(io.sockets, '_preConnectSockets') as Map<string, unknown>).size, 0);
  assert.deepEqual(
    logs.filter(line => /^(ERROR|WARN)/.test(line)),
    [],
  );
});

/** A guard that holds each connection until the test lets it go on, and tries in vain to reach the client meanwhile. */
const HOLDING = guarded(`
  ctx.socket.join('early');
  await new Promise(resolve => app.emit('entered', resolve, ctx.socket));
  ctx.socket.join('late');
  ctx.socket.emit('news', 'of ' + ctx.socket.handshake.auth.run);
  ctx.socket.to('watchers').emit('news', 'to others');
  app.emit('left', await next(), ctx.socket);`);

type Entry = [letGo: () => void, socket: Socket];

for (const protocol of [3, 4] as const) {
  for (const [what, options] of [
    ['', ''],
    [', with ids of its own', `generateId: () => 'own-' + (global.ownIds = (global.ownIds ?? 0) + 1),`],
    [', with recovery', `init: { connectionStateRecovery: {} },`],
  ] as const) {
    test(`protocol ${protocol}: a CONNECT while an earlier one is connecting takes its place, and nobody hears of the earlier one${what}`, async t => {
      watchForCrashes(t);
      const { url, app, io, logs } = await startApp(t, {
        ...HOLDING,
        'config/config.default.js': `exports.io = { ${options} namespace: { '/held': { connectionMiddleware: ['guard'] } } };`,
      });
      const client = await RawClient.open(t, url, { protocol });
      const enter = async (run: number): Promise<Entry> => {
        const entered = next<Entry>(app, 'entered');
        client.send(protocol === 3 ? `40/held?run=${run}` : `40/held,{"run":${run}}`);
        return entered;
      };
      const [letFirstGo, first] = await enter(1);
      const firstLeft = next<[unknown, Socket]>(app, 'left');
      const [letSecondGo, second] = await enter(2);
      letFirstGo();
      const [reason, left] = await firstLeft;
      assert.equal(left, first, 'its onion ascends');
      assert.equal(reason, undefined);
      assert.deepEqual([...(io.of('/held').adapter.rooms.get('early') ?? [])], [second.id]);
      assert.equal(io.of('/held').adapter.rooms.has('late'), false);
      const connecting = [...(Reflect.get(io.of('/held'), '_preConnectSockets') as Map<string, Socket>).values()];
      assert.ok(connecting.length === 1 && connecting[0] === second);
      letSecondGo();
      await client.frame(/^40\/held,/);
      io.of('/held').to('late').emit('end');
      await client.frame(/"end"/);
      assert.deepEqual(
        client.frames.filter(frame => frame.includes('/held')).map(frame => /^40|"news","of \d|"end"/.exec(frame)?.[0]),
        options.includes('Recovery') ? ['40', '"news","of 2', '"end"'] : ['"news","of 2', '40', '"end"'],
      );
      assert.ok(io.of('/held').sockets.size === 1 && io.of('/held').sockets.get(second.id) === second);
      client.vanish();
      await nothingRemains(io);
      assert.deepEqual(
        logs.filter(line => /^(ERROR|WARN)/.test(line)),
        [],
      );
    });
  }
}

for (const version of [2, 3, 4] as const) {
  test(`a page of client ${version} that connects twice, or connects, disconnects and connects while its middleware runs, gets in`, async t => {
    watchForCrashes(t);
    const guard = `{ connectionMiddleware: ['guard'] }`;
    const { url, app, io } = await startApp(t, {
      ...HOLDING,
      'config/config.default.js': `exports.io = { namespace: { '/twice': ${guard}, '/mounted-twice': ${guard} } };`,
    });
    const main = await connect(t, url, {}, version);
    for (const path of ['/twice', '/mounted-twice']) {
      const first = next<Entry>(app, 'entered');
      const page = main.io.socket(path); // connects
      const heard: string[] = [];
      for (const event of ['connect', 'connect_error', 'error', 'disconnect']) page.on(event, () => heard.push(event));
      const held = [await first];
      const second = next<Entry>(app, 'entered');
      if (path === '/mounted-twice') page.disconnect();
      page.connect();
      held.push(await second);
      const connected = next(page, 'connect');
      for (const [letGo] of held) letGo();
      await connected;
      assert.deepEqual(heard, ['connect']);
      assert.equal(io.of(path).sockets.size, 1);
      page.removeAllListeners();
      page.disconnect();
    }
    main.disconnect();
    await nothingRemains(io);
  });
}

test('a client that asks for a namespace twice at once, where nothing waits, has one answer and one socket, and its other namespaces stay', async t => {
  watchForCrashes(t);
  const { url, io } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': {}, '/alone': {}, '/used': {} } };`,
  });
  io.of('/used').use((_, go) => go());
  const client = await RawClient.connect(t, url);
  for (const path of ['/alone', '/used']) {
    const connected = next<[Socket]>(io.of(path), 'connection');
    client.burst(`40${path},`, `40${path},`);
    const [socket] = await connected;
    socket.on('said', (answer: () => void) => answer());
    client.send(`42${path},2["said"]`);
    await client.frame(new RegExp(`^43${path},2`));
    assert.equal(client.frames.filter(frame => frame.startsWith(`40${path},`)).length, 1);
    assert.deepEqual([...io.of(path).sockets.values()], [socket]);
  }
  assert.equal(io.of('/').sockets.size, 1);
  client.vanish();
  await nothingRemains(io);
});

test('replaced runs of middleware that have ended do not count: a client may ask again as often as it likes', async t => {
  const { url, app, io } = await startApp(t, HOLDING);
  const client = await RawClient.open(t, url);
  let earlier: (() => void) | undefined;
  for (let run = 1; run <= 10; run++) {
    const entered = next<Entry>(app, 'entered');
    client.send('40');
    const [letGo] = await entered;
    const left = earlier && next(app, 'left');
    earlier?.();
    await left;
    earlier = letGo;
  }
  earlier?.();
  await client.frame(/^40/);
  assert.equal(client.frames.filter(frame => /^4[04]/.test(frame)).length, 1);
  client.vanish();
  await nothingRemains(io);
});

test('a CONNECT while what the app gave to nsp.use() runs takes the place of the earlier one, too', async t => {
  watchForCrashes(t);
  const { url, io, app } = await startApp(t, guarded(`app.emit('in'); await next(); app.emit('out');`));
  const entries: Entry[] = [];
  let onEntry = (): void => {};
  io.use((socket, go) => {
    entries.push([go, socket]);
    onEntry();
  });
  const client = await RawClient.open(t, url);
  for (const count of [1, 2]) {
    client.send('40');
    while (entries.length < count) await new Promise<void>(resolve => (onEntry = resolve));
  }
  const connected = next<[Socket]>(io, 'connection');
  for (const [letGo] of entries) letGo();
  assert.ok((await connected)[0] === entries[1]?.[1] && io.sockets.sockets.size === 1);
  await client.frame(/^40/);
  assert.equal(client.frames.filter(frame => frame.startsWith('4')).length, 1);
  const out = next(app, 'out');
  client.vanish();
  await out;
  await nothingRemains(io);
});

test('middleware that the app itself gives to nsp.use() runs after that of the config, and its refusal lets the onion ascend', async t => {
  const { url, app } = await startApp(
    t,
    guarded(`app.emit('trace', 'in'); await next(); app.emit('trace', 'out');`, {
      'app/router.js': `
        module.exports = app => {
          app.io.of('/other');
          app.io.use((socket, next) => { app.emit('trace', 'use'); next(Object.assign(new Error('not here'), { data: { code: 'OWN' } })); });
        };`,
    }),
  );
  const trace: unknown[] = [];
  const out = new Promise<void>(resolve =>
    app.on('trace', step => {
      trace.push(step);
      if (step === 'out') resolve();
    }),
  );
  const other = await connect(t, url + '/other'); // keeps the connection open, whose end would let the onion ascend as well
  const { message, data } = await refusal(other.io.socket('/'));
  assert.deepEqual([message, data], ['not here', { code: 'OWN' }]);
  await out;
  assert.deepEqual(trace, ['in', 'use', 'out']);
});

test('a client that is refused in one namespace stays connected in another', async t => {
  const { url } = await startApp(
    t,
    guarded('await next();', {
      'config/config.default.js': `exports.io = { namespace: { 'closed': { connectionMiddleware: ['no'] } } };`,
      'app/io/middleware/no.js': `module.exports = () => async () => { throw new Error('closed'); };`,
    }),
  );
  const main = await connect(t, url);
  const closed = main.io.socket('/closed');
  assert.equal((await refusal(closed)).message, 'closed');
  assert.equal(await ask(main, 'say'), 'said');
});

test('a client may leave a namespace and come back in the same tick: its other namespaces stay', async t => {
  const { url, app } = await startApp(
    t,
    guarded(`ctx.socket.data.token = ctx.socket.handshake.auth.token; await next();`, {
      'app/router.js': `module.exports = app => {
        app.io.of('/beside');
        app.io.route('token', async ctx => ctx.socket.data.token);
      };`,
    }),
  );
  const main = await connect(t, url, { auth: { token: 'old' } });
  const beside = main.io.socket('/beside');
  await next(beside, 'connect');
  const closed = next(beside, 'disconnect').then(([reason]) => assert.fail(`/beside: ${String(reason)}`));
  main.auth = { token: 'new' };
  main.disconnect().connect();
  await Promise.race([next(main, 'connect'), closed]);
  assert.equal(await ask(main, 'token'), 'new');
  assert.equal(Reflect.get(app, 'io').of('/').sockets.size, 1);
  assert.ok(beside.connected);
});

test('a recovered connection runs the middleware again, and the after-part runs at each disconnect', async t => {
  const { url, app } = await startApp(
    t,
    guarded(`app.emit('in', ctx.socket.recovered); await next(); app.emit('out');`, {
      'config/config.default.js': `
        exports.io = { init: { connectionStateRecovery: {} }, namespace: { '/': { connectionMiddleware: ['guard'] } } };`,
    }),
  );
  const entries: unknown[] = [];
  app.on('in', recovered => entries.push(recovered));
  const client = newClient(t, url, { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 1, randomizationFactor: 0 });
  await next(client, 'connect');
  const { id } = client;
  // a recovery needs an offset, which comes with the first event
  const heard = next(client, 'news');
  app.io.emit('news');
  await heard;
  const [out, again] = [next(app, 'out'), next(client, 'connect')];
  client.io.engine.close();
  await out;
  await again;
  assert.equal(client.id, id);
  assert.equal(client.recovered, true);
  assert.deepEqual(entries, [false, true]);
});

test('closing the app runs the after-part of connection middleware and waits for disconnect handlers', async t => {
  const { url, app, close } = await startApp(
    t,
    guarded(`await next(); await new Promise(resolve => setImmediate(resolve)); app.emit('trace', 'out');`, {
      'app/router.js': `
        module.exports = app => {
          app.io.route('disconnect', async ctx => {
            await new Promise(resolve => setImmediate(resolve));
            app.emit('trace', 'disconnect ' + ctx.args[0]);
          });
        };`,
    }),
  );
  const trace: unknown[] = [];
  app.on('trace', step => trace.push(step));
  const client = await connect(t, url);
  const gone = next(client, 'disconnect');
  await close();
  trace.push('closed');
  assert.deepEqual(trace.slice(0, 2).sort(), ['disconnect server shutting down', 'out']);
  assert.deepEqual(trace.slice(2), ['closed']);
  assert.equal((await gone)[0], 'transport close');
});

test('a closing app waits for handlers that are still running', async t => {
  const { url, app, close } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('slow', async () => {
          app.emit('begun');
          await new Promise(resolve => app.once('go', resolve));
          app.emit('ended');
        });
      };`,
  });
  let ended = false;
  app.on('ended', () => (ended = true));
  const client = await connect(t, url);
  const begun = next(app, 'begun');
  client.emit('slow');
  await begun;
  const gone = next(client, 'disconnect');
  const closing = close();
  await gone;
  assert.equal(ended, false);
  app.emit('go');
  await closing;
  assert.equal(ended, true);
});

test('a closing app cuts off a WebSocket peer that never answers the close frame, before Egg would kill its worker', async t => {
  const { url, close, io } = await startApp(t, {});
  // the plugin's patience has ended by then; that of ws, after which it gives up by itself, has not: it has 30 s
  const beforeEggKills = 4999;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const accepted = next<[TcpSocket]>(Reflect.get(io, 'httpServer') as HttpServer, 'connection');
  const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => ws.terminate());
  const [tcp] = await accepted;
  await once(ws, 'message');
  const connected = next<[Socket]>(io, 'connection');
  ws.send('40');
  const [socket] = await connected;
  // from here on the peer is deaf: it reads nothing, and so never answers
  ws.pause();
  const told = next(socket, 'disconnect');
  const closing = close();
  await told;
  assert.equal(tcp.destroyed, false, 'it is given time');
  t.mock.timers.tick(beforeEggKills);
  await closing;
  assert.equal(tcp.destroyed, true);
});

test('a closing app does not wait for a connection that a browser has opened and never used', async t => {
  const { port, close, server } = await startApp(t, {});
  const accepted = next<[TcpSocket]>(server, 'connection');
  const idle = connectTcp(port, '127.0.0.1');
  t.after(() => idle.destroy());
  const [tcp] = await accepted;
  await close();
  assert.equal(server.listening, false);
  assert.equal(tcp.destroyed, false, 'it is still open when the app has closed');
});

test('a client that is dismissed between its admission and its connection is disconnected', async t => {
  const { url, io } = await startApp(t, {});
  io.use((socket, go) => {
    socket.disconnect();
    go();
  });
  const [reason] = await next(newClient(t, url), 'disconnect');
  assert.equal(reason, 'io server disconnect');
});

test('middleware of use() that fails refuses the client, on namespaces by pattern too, and is logged even when it is late', async t => {
  const { url, io, logged } = await startApp(t, {});
  // users write async functions here, although Socket.IO does not wait for them
  io.of(/^\/room-\d$/).use((async () => {
    throw new Error('no rooms today');
  }) as () => void);
  assert.equal((await refusal(newClient(t, `${url}/room-1`))).message, 'no rooms today');
  io.use((async (socket: Socket, go: () => void) => {
    go();
    await next(socket, 'later');
    throw new Error('too late');
  }) as (socket: Socket, go: () => void) => void);
  (await connect(t, url)).emit('later');
  await logged(/use\(\) failed.*too late/);
});

test('recovery cannot be told to skip the middleware', async t => {
  const recovery = `exports.io = { init: { connectionStateRecovery: { skipMiddlewares: true } } };`;
  const error = await bootError(t, { 'config/config.default.js': recovery });
  assert.match(error.message, /skipMiddlewares must be false/);
});

test('a client that enters and leaves a namespace again and again leaves no listener on its connection', async t => {
  const { io, url } = await startApp(t, { 'app/router.js': `module.exports = app => { app.io.of('/chat'); };` });
  const main = await connect(t, url);
  const chat = main.io.socket('/chat');
  await next(chat, 'connect');
  const [connection] = engineConnections(io);
  assert.ok(connection);
  const listeners = connection.listenerCount('close');
  for (let round = 0; round < 20; round++) {
    const left = next([...io.of('/chat').sockets.values()][0] as Socket, 'disconnect');
    chat.disconnect();
    await left;
    chat.connect();
    await next(chat, 'connect');
  }
  assert.equal(connection.listenerCount('close'), listeners);
});

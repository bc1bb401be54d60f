/** What clients name, and what is kept for a name: namespaces, rooms, events. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, type Client, connect, newClient, next, refusal } from './support/client';
import { startCluster } from './support/cluster';
import { openPolling, RawClient } from './support/raw';
import { engineConnections, internals, nothingRemains, watchForCrashes } from './support/remains';
import { until } from './support/until';

const FILES: Files = {
  'app/router.js': `
    module.exports = app => {
      app.io.of('/room-{id}');
      app.io.of((name, auth, answer) => name.startsWith('/held') ? app.emit('asked', answer) : answer(null, name.startsWith('/asked')));
      app.io.of('/named-' + 'x'.repeat(300)).route('echo', async ctx => ctx.args[0]);
    };`,
};

async function start(t: TestContext, files: Files = {}): Promise<RunningApp & { counts: Record<string, number> }> {
  watchForCrashes(t);
  const running = await startApp(t, { ...FILES, ...files });
  return { ...running, counts: internals(running.io).runtime.limits.counts };
}

/** The namespaces that clients have made. */
function made({ io }: RunningApp): string[] {
  return [...io._nsps.keys()].filter(name => /^\/(room|asked|held)/.test(name));
}

test('a client may have 100 namespaces', async t => {
  const running = await start(t);
  const { io, url, counts, logged } = running;
  assert.equal(counts['namespaces'], 0);

  for (const protocol of [3, 4] as const) {
    await t.test(`protocol ${protocol}: one too many is refused, and one that it leaves makes room`, async t => {
      const before = counts['namespaces'] ?? 0;
      const client = await RawClient.open(t, url, { protocol });
      if (protocol === 4) client.send('40');
      for (let count = 1; count < 100; count++) client.send(`40/room-${count},`);
      await client.frame(/^40\/room-99,?/);
      client.send('40/asked-too-many,');
      const answer =
        protocol === 3
          ? '44/asked-too-many,"Too many namespaces"'
          : '44/asked-too-many,{"message":"Too many namespaces","data":{"code":"TOO_MANY_NAMESPACES"}}';
      assert.equal(await client.frame(/^44/), answer);
      client.frames.length = 0;
      client.send('40/room-100,');
      await client.frame(/^44\/room-100,/);
      client.send('41/room-1,', '40/room-100,');
      await client.frame(/^40\/room-100,?/);
      assert.equal(counts['namespaces'], before + 2);
      client.vanish();
      await nothingRemains(io);
    });
  }

  await t.test('the log has one line', async () => {
    await logged(
      /^WARN .*IO_LIMIT_REACHED: a client asks for too many namespaces.* \(config\.io\.limits\.namespaces\): that one is refused/,
    );
  });

  await t.test('those count that its parents are asked for, and that are in one request', async t => {
    const answers: ((error: unknown, isAllowed: boolean) => void)[] = [];
    running.app.on('asked', answer => answers.push(answer as (typeof answers)[number]));
    const address = await openPolling(url);
    const before = running.counts['namespaces'] ?? 0;
    const packets = Array.from({ length: 1000 }, (_, index) => `40/held-${index},`);
    await fetch(address, { method: 'POST', body: packets.join('\u001E') });
    await until(t, () => answers.length === 100);
    await fetch(address, { method: 'POST', body: '40/held-again,' });
    await until(t, () => running.counts['namespaces'] === before + 901);
    for (const answer of answers) answer(null, true);
    await until(t, () => io.of('/held-99').sockets.size === 1);
    assert.equal(answers.length, 100);
    assert.equal(made(running).filter(name => name.startsWith('/held')).length, 100);
    await fetch(address, { method: 'POST', body: '1' });
    await nothingRemains(io);
  });

  await t.test('another client is not concerned', async t => {
    await connect(t, `${url}/asked-other`);
  });
});

test('a namespace that is made on demand has a name of 200 characters at most', async t => {
  const running = await start(t);
  const { url, counts } = running;
  for (const [prefix, length, isAllowed] of [
    ['/room-', 200, true],
    ['/asked-', 200, true],
    ['/room-', 201, false],
    ['/asked-', 201, false],
    ['/nobody-', 1000, false],
  ] as const) {
    const name = prefix.padEnd(length, 'x');
    const client = newClient(t, url + name);
    if (isAllowed) await next(client, 'connect');
    else {
      const { message, data } = await refusal(client);
      assert.deepEqual([message, data], ['The name of the namespace is too long', { code: 'NAMESPACE_TOO_LONG' }]);
      assert.ok(!made(running).includes(name));
    }
  }
  assert.equal(counts['namespaces'], 3);
  assert.equal(await ask(await connect(t, `${url}/named-${'x'.repeat(300)}`), 'echo', 1), 1, 'one that the app has named while it started');
});

test('the limits of namespaces can be other ones, or off', async t => {
  for (const [config, isLimited] of [
    ['{ max: 2, nameLength: 10 }', true],
    ['false', false],
  ] as const) {
    await t.test(config, async t => {
      const { url, io } = await start(t, { 'config/config.default.js': `exports.io = { limits: { namespaces: ${config} } };` });
      const client = await RawClient.open(t, url);
      const long = '/room-'.padEnd(600, 'x');
      client.send(`40${long},`);
      await client.frame(isLimited ? /^44\/room-x+,/ : /^40\/room-x+,/);
      for (let count = 1; count <= 150; count++) client.send(`40/room-${count},`);
      await client.frame(isLimited ? /^44\/room-150,/ : /^40\/room-150,/);
      assert.equal([...io._nsps.values()].filter(({ sockets }) => sockets.size > 0).length, isLimited ? 2 : 151);
    });
  }
});

/** Rooms of at most 3, with names of at most 20 characters; in `/wide` there is no limit. */
const ROOMS: Files = {
  'config/config.default.js': `
    exports.io = {
      limits: { rooms: { max: 3, nameLength: 20 } },
      namespace: {
        '/': { connectionMiddleware: ['user'], history: { 'kept-*': {} } },
        '/wide': { limits: { rooms: false } },
        '/long-{id}': { limits: { rooms: { nameLength: 30 } } },
      },
    };`,
  'app/io/middleware/user.js': `
    module.exports = () => async (ctx, next) => {
      const { user, rooms } = ctx.socket.handshake.auth;
      ctx.socket.user = user;
      if (rooms) ctx.socket.join(rooms);
      await next();
    };`,
  'app/router.js': `
    module.exports = app => {
      for (const name of ['/', '/wide', '/long-{id}']) {
        app.io.of(name)
          .route('join', async ctx => { await ctx.socket.join(ctx.args[0]); return ctx.socket.rooms.size - 1; })
          .route('leave', async ctx => { await ctx.socket.leave(ctx.args[0]); return true; })
          .route('all', async ctx => { ctx.socket.nsp.socketsJoin(ctx.args[0]); return true; })
          .route('user', async ctx => { app.io.user('anna').join(ctx.args[0]); return true; })
          .route('rooms', async ctx => [...ctx.socket.rooms].filter(room => room !== ctx.socket.id))
          .route('worker', async () => process.pid);
      }
    };`,
};

/** The code of the error that is answered. */
function codeOf(answer: unknown): unknown {
  return (answer as { error?: { code: string } }).error?.code;
}

test('a connection has so many rooms, and their names so many characters', async t => {
  const running = await start(t, ROOMS);
  const { url, io, counts, logs } = running;

  await t.test('join() throws for one too many, and for a long name', async t => {
    const client = await connect(t, url);
    assert.equal(await ask(client, 'join', ['a', 'b', 'a']), 2);
    assert.equal(codeOf(await ask(client, 'join', ['c', 'd'])), 'TOO_MANY_ROOMS');
    assert.deepEqual(await ask(client, 'rooms'), ['a', 'b']);
    assert.equal(await ask(client, 'join', 'x'.repeat(20)), 3);
    for (const again of ['a', ['a', 'b'], client.id]) assert.equal(await ask(client, 'join', again), 3);
    assert.equal(codeOf(await ask(client, 'join', 'c')), 'TOO_MANY_ROOMS');
    for (const long of ['x'.repeat(21), ['a', 'x'.repeat(21)]]) assert.equal(codeOf(await ask(client, 'join', long)), 'ROOM_TOO_LONG');
    await ask(client, 'leave', 'a');
    assert.equal(await ask(client, 'join', 'c'), 3);
    assert.equal(counts['rooms'], 4);
    assert.equal(logs.filter(line => /IO_LIMIT_REACHED: .*limits\.rooms\): join\(\) throws/.test(line)).length, 1);
  });

  await t.test('also in connection middleware', async t => {
    const { data } = await refusal(newClient(t, url, { auth: { rooms: ['a', 'b', 'c', 'd'] } }));
    assert.deepEqual(data, { code: 'TOO_MANY_ROOMS' });
    assert.equal(await ask(await connect(t, url, { auth: { rooms: ['a', 'b', 'c'] } }), 'join', 'a'), 3);
  });

  await t.test('rooms of users and of this plugin do not count', async t => {
    const client = await connect(t, url, { auth: { user: 'anna', $io: { v: 1, history: true } } });
    assert.equal(await ask(client, 'join', ['kept-1', 'kept-2', 'kept-3']), 3);
    const [socket] = [...io.sockets.sockets.values()].filter(({ id }) => id === client.id);
    assert.equal(io.sockets.adapter.sids.get(socket?.id ?? '')?.size, 1 + 3 + 3 + 1); // its own, those three, their shadows, that of the user
    assert.equal(codeOf(await ask(client, 'join', 'a')), 'TOO_MANY_ROOMS');
  });

  await t.test('socketsJoin() leaves out who has too many, with one line of log', async t => {
    const [full, other] = [await connect(t, url, { auth: { user: 'anna' } }), await connect(t, url, { auth: { user: 'anna' } })];
    await ask(full, 'join', ['a', 'b', 'c']);
    const before = counts['rooms'] ?? 0;
    await ask(other, 'all', 'e');
    await ask(other, 'user', ['f', 'g']);
    await ask(other, 'all', 'x'.repeat(21));
    assert.deepEqual(
      [await ask(full, 'rooms'), await ask(other, 'rooms')],
      [
        ['a', 'b', 'c'],
        ['e', 'f', 'g'],
      ],
    );
    assert.equal(counts['rooms'], before + 4);
    await running.logged(/^WARN .*IO_LIMIT_REACHED: .*limits\.rooms\): it is left out of socketsJoin\(\)/);
    assert.equal(codeOf(await ask(other, 'join', 'h')), 'TOO_MANY_ROOMS', 'join() throws again');
  });

  await t.test('a join that is refused looks at the rooms once, and not again for each', async t => {
    const client = await connect(t, url);
    const socket = io.sockets.sockets.get(client.id ?? '');
    const rooms = io.sockets.adapter.sids.get(client.id ?? '');
    assert.ok(socket && rooms);
    await socket.join(['a', 'b', 'c']);
    let looks = 0;
    rooms[Symbol.iterator] = (): SetIterator<string> => {
      looks++;
      return Set.prototype.values.call(rooms) as SetIterator<string>; // of strings
    };
    for (const wanted of ['d', ['a', 'd']])
      for (let i = 0; i < 10; i++) assert.throws(() => socket.join(wanted), { code: 'TOO_MANY_ROOMS' });
    for (const again of ['a', ['a', 'b'], client.id ?? '']) await socket.join(again);
    assert.equal(looks, 1);
    await socket.leave('a');
    await socket.join('d');
    assert.throws(() => socket.join('a'), { code: 'TOO_MANY_ROOMS' });
  });

  await t.test('a listener that is called while others leave is told that a join is refused', async t => {
    const [full, leaving] = [await connect(t, url), await connect(t, url)];
    await ask(full, 'join', ['a', 'b', 'c']);
    await ask(leaving, 'join', 'leaving');
    const [socket, gone] = [full, leaving].map(({ id }) => io.sockets.sockets.get(id ?? ''));
    const thrown: unknown[] = [];
    gone?.on('disconnecting', () => {
      try {
        void socket?.join('d');
      } catch (error) {
        thrown.push((error as { code: unknown }).code);
      }
    });
    io.in('leaving').disconnectSockets();
    assert.deepEqual(thrown, ['TOO_MANY_ROOMS']);
  });

  await t.test('a namespace, and those of a pattern, may have other limits', async t => {
    const wide = await connect(t, `${url}/wide`);
    assert.equal(await ask(wide, 'join', ['a', 'b', 'c', 'd', 'x'.repeat(1000)]), 5);
    const long = await connect(t, `${url}/long-1`);
    assert.equal(await ask(long, 'join', ['a', 'b', 'c', 'x'.repeat(30)]), 4);
    assert.equal(codeOf(await ask(long, 'join', 'x'.repeat(31))), 'ROOM_TOO_LONG');
  });
});

test('by default a connection has 10,000 rooms, with names of 256 characters', async t => {
  const { url } = await start(t, { 'app/router.js': ROOMS['app/router.js'] ?? '' });
  const client = await connect(t, url);
  const rooms = Array.from({ length: 10_000 }, (_, index) => `room ${index}`);
  assert.equal(await ask(client, 'join', rooms.slice(1)), 9999);
  assert.equal(await ask(client, 'join', 'x'.repeat(256)), 10_000);
  assert.equal(codeOf(await ask(client, 'join', 'x'.repeat(257))), 'ROOM_TOO_LONG');
  assert.equal(codeOf(await ask(client, 'join', rooms[0])), 'TOO_MANY_ROOMS');
});

test('socketsJoin() of one worker leaves out who has too many rooms at another one', { timeout: 60_000 }, async t => {
  const { url, log } = await startCluster(t, ROOMS, { workers: 2 });
  const workers = new Map<unknown, Client>();
  while (workers.size < 2) {
    const client = await connect(t, url);
    const worker = await ask(client, 'worker');
    if (workers.has(worker)) client.disconnect();
    else workers.set(worker, client);
  }
  const [one, full] = [...workers.values()];
  assert.ok(one && full);
  await ask(full, 'join', ['a', 'b', 'c']);
  await ask(one, 'all', 'e');
  await ask(one, 'all', 'f');
  await until(t, async () => /limits\.rooms\): it is left out of socketsJoin\(\)/.test(await log()));
  assert.deepEqual(
    [await ask(one, 'rooms'), await ask(full, 'rooms')],
    [
      ['e', 'f'],
      ['a', 'b', 'c'],
    ],
  );
});

/** What ends the connection when a client sends it, and what does not, by the limit. */
const PACKETS: Record<string, { readonly ends: (frame: string) => string; readonly passes: string; readonly limit: string }> = {
  'the name of an event': { ends: prefix => `42${prefix}["${'x'.repeat(201)}"]`, passes: 'x'.repeat(200), limit: 'eventName' },
  'the name of an event with bytes': {
    ends: prefix => `451-${prefix}["${'x'.repeat(201)}",{"_placeholder":true,"num":0}]`,
    passes: 'ü'.repeat(200),
    limit: 'eventName',
  },
  'the id of an acknowledgement': { ends: prefix => `42${prefix}1000000000000000["x"]`, passes: 'x', limit: 'ackId' },
  'the id of an answer': { ends: prefix => `43${prefix}1000000000000000[]`, passes: 'x', limit: 'ackId' },
};

test('a client that sends the name of an event or an id that is too long is disconnected, and only that one', async t => {
  const running = await start(t, {
    'config/config.default.js': `exports.io = { namespace: { '/wide': { limits: { eventName: false } } } };`,
    'app/router.js': `
      module.exports = app => {
        for (const name of ['/', '/wide']) {
          app.io.of(name)
            .routeUnmatched(async ctx => ctx.packet[0].length)
            .route('disconnect', async ctx => { app.emit('gone', ...ctx.args); });
        }
      };`,
  });
  const { app, io, url, counts, logs } = running;
  const bystander = await connect(t, url);

  for (const [what, { ends, passes, limit }] of Object.entries(PACKETS)) {
    for (const protocol of [3, 4] as const) {
      await t.test(`${what}, protocol ${protocol}`, async t => {
        const client = await RawClient.connect(t, url, { protocol });
        client.send(`42999999999999999["${passes}"]`);
        assert.equal(await client.frame(/^43/), `43999999999999999[${passes.length}]`);
        const before = counts[limit] ?? 0;
        const gone = next(app, 'gone');
        client.send(ends(''));
        if (what.endsWith('bytes')) client.send(protocol === 3 ? Buffer.from([4, 1]) : Buffer.from([1]));
        assert.equal((await gone)[0], `limit reached: ${limit}`);
        await client.closed;
        assert.equal(client.frames.at(-1), `42["error","The limit ${limit} is reached",{"code":"LIMIT_REACHED","limit":"${limit}"}]`);
        assert.equal(counts[limit], before + 1);
      });
    }
  }

  await t.test('over polling', async () => {
    for (const protocol of [3, 4] as const) {
      const address = await openPolling(url, protocol);
      const post = async (body: string): Promise<unknown> =>
        fetch(address, { method: 'POST', body: protocol === 3 ? `${body.length}:${body}` : body });
      if (protocol === 4) await post('40');
      await post('40/wide,');
      const connection = engineConnections(io).find(({ id }) => address.includes(id));
      let got = '';
      while (!got.includes('40/wide,')) got += await (await fetch(address)).text();
      const gone = next(app, 'gone');
      const waiting = fetch(address);
      await until(t, () => connection?.transport.writable === true);
      await post(`42["${'x'.repeat(201)}"]`).catch(() => {}); // its connection ends
      assert.equal((await gone)[0], 'limit reached: eventName');
      const packets = (await (await waiting).text()).split(protocol === 3 ? /\d+:(?=42)/ : '\x1e').filter(one => one !== '');
      const error = '["error","The limit eventName is reached",{"code":"LIMIT_REACHED","limit":"eventName"}]';
      assert.deepEqual(packets, [`42${error}`, `42/wide,${error}`]);
      assert.equal((await fetch(address)).status, 400);
    }
  });

  await t.test('a namespace may have no limit', async t => {
    assert.equal(await ask(await connect(t, `${url}/wide`), 'x'.repeat(100_000)), 100_000);
  });

  assert.equal(await ask(bystander, 'alive'), 5);
  assert.ok(
    logs.some(line => line.includes('IO_LIMIT_REACHED') && line.includes('(config.io.limits.eventName): its connection is closed')),
  );
  await until(t, () => io.engine.clientsCount === 1);
});

test('the log names the limit of the namespace where that has one of its own', async t => {
  const config = (place: string): string => `{ rooms: { nameLength: 5 }, eventName: ${place}, perEvent: { typing: { perSecond: 1 } } }`;
  const { url, logs } = await start(t, {
    'config/config.default.js': `exports.io = {
      limits: ${config('50')},
      namespace: { 'own': { limits: ${config('100')} }, '/some-{id}': { limits: { eventName: 100 } } },
    };`,
    'app/router.js': `module.exports = app => {
      for (const name of ['/', '/own', '/some-{id}']) app.io.of(name).route('join', ctx => ctx.socket.join(ctx.args[0])).route('typing', () => true);
    };`,
  });
  for (const [path, place, ofRooms] of [
    ['/', 'config.io.limits', 'config.io.limits'],
    ['/own', "config.io.namespace['/own'].limits", "config.io.namespace['/own'].limits"],
    ['/some-1', "config.io.namespace['/some-{id}'].limits", 'config.io.limits'],
  ] as const) {
    const before = logs.length;
    const client = await connect(t, url + path);
    assert.equal(codeOf(await ask(client, 'join', 'x'.repeat(6))), 'ROOM_TOO_LONG');
    const answers = await Promise.all(Array.from({ length: 10 }, async () => ask(client, 'typing')));
    assert.ok(answers.some(answer => codeOf(answer) === 'TOO_MANY_EVENTS'));
    client.emit('x'.repeat(101));
    await next(client, 'disconnect');
    for (const option of [`${ofRooms}.rooms`, `${ofRooms}.perEvent`, `${place}.eventName`]) {
      // a line of each kind a second: at once, or with what came more in that time
      await until(t, () => logs.slice(before).some(line => line.includes('IO_LIMIT_REACHED') && line.includes(`(${option}): `)));
    }
  }
});

test('the name of a namespace cannot forge a line of the log', async t => {
  const { url, logged } = await start(t);
  const client = await RawClient.open(t, url);
  client.send('40/asked\u0085ERROR forged,');
  await client.frame(/^40/);
  client.send(`42/asked\u0085ERROR forged,["${'x'.repeat(201)}"]`);
  assert.match(await logged(/IO_LIMIT_REACHED/), / of "\/asked ERROR forged" from /);
});

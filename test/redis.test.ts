import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type RunningApp, startApp } from './support/app';
import { ask, type Client, connect, next } from './support/client';
import { newRedis, startRedis } from './support/redis';
import { internals, watchForCrashes } from './support/remains';
import { Redis } from 'ioredis';
import type { Socket } from 'socket.io';

const DOWN = /^ERROR .*IO_REDIS_DOWN: no Redis/;
const REFUSED = /^ERROR .*IO_REDIS_REFUSED: Redis at/;
const BACK = /INFO.*Redis at .* is back/;

async function start(t: TestContext, redis: object): Promise<RunningApp> {
  return startApp(t, {
    'app/io/controller/room.js': `
      exports.join = async ctx => { await ctx.socket.join(ctx.args[0]); return 'joined'; };
      exports.say = async ctx => { ctx.socket.nsp.to(ctx.args[0]).emit('said', ctx.args[1]); return 'said'; };
      exports.all = async ctx => { ctx.socket.nsp.emit('said', ctx.args[0]); return 'said'; };
      exports.others = async ctx => { ctx.socket.broadcast.emit('said', ctx.args[0]); return 'said'; };
      exports.count = async ctx => (await ctx.socket.nsp.in(ctx.args[0]).fetchSockets()).length;`,
    'app/router.js': `
      module.exports = app => {
        for (const nsp of [app.io, app.io.of('/chat')]) {
          for (const name of ['join', 'say', 'all', 'others', 'count']) nsp.route(name, app.io.controller.room[name]);
        }
      };`,
    'config/config.default.js': `
      exports.io = { redis: ${JSON.stringify({ requestsTimeout: 1000, ...redis })} };`,
  });
}

/** Everything that arrives as \`said\`, in order. */
function hear(client: Client): unknown[] {
  const heard: unknown[] = [];
  client.on('said', (value: unknown) => heard.push(value));
  return heard;
}

function count(logs: readonly string[], pattern: RegExp): number {
  return logs.filter(line => pattern.test(line)).length;
}

test('broadcasts and rooms cross servers', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const [one, other] = [await start(t, { host: '127.0.0.1', port }), await start(t, { host: '127.0.0.1', port })];
  const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];

  let said = next(bob, 'said');
  await ask(alice, 'all', { text: '大家好', bytes: Buffer.from([0, 255]) });
  assert.deepEqual(await said, [{ text: '大家好', bytes: Buffer.from([0, 255]) }]);

  await ask(bob, 'join', 'lobby');
  said = next(bob, 'said');
  await ask(alice, 'say', 'lobby', 'to the room');
  assert.deepEqual(await said, ['to the room']);

  said = next(bob, 'said');
  const own = hear(alice);
  await ask(alice, 'others', 'not to me');
  assert.deepEqual(await said, ['not to me']);
  assert.deepEqual(own, []);

  assert.equal(await ask(alice, 'count', 'lobby'), 1);
  one.io.in('lobby').socketsJoin('attic');
  one.io.in('attic').disconnectSockets();
  assert.deepEqual((await next(bob, 'disconnect'))[0], 'io server disconnect');
  assert.deepEqual(
    [one, other].map(({ logs }) => count(logs, /^(WARN|ERROR) .*egg-socket\.io/)),
    [0, 0],
  );
});

test('namespaces cross servers, each by itself', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const [one, other] = [await start(t, { port }), await start(t, { port })];
  const alice = await connect(t, `${one.url}/chat`);
  const [bobInChat, bobInRoot] = [await connect(t, `${other.url}/chat`), await connect(t, other.url)];
  const inRoot = hear(bobInRoot);
  const said = next(bobInChat, 'said');
  await ask(alice, 'all', 'to the chat');
  assert.deepEqual(await said, ['to the chat']);
  const after = next(bobInRoot, 'said');
  one.io.emit('said', 'to the root');
  await after;
  assert.deepEqual(inRoot, ['to the root']);
});

test('a password is auth_pass, as it was', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t, { password: 'secret' });
  const [one, other] = [await start(t, { port, auth_pass: 'secret' }), await start(t, { port, password: 'secret' })];
  const bob = await connect(t, other.url);
  const said = next(bob, 'said');
  one.io.emit('said', 'with the password');
  assert.deepEqual(await said, ['with the password']);
});

test('a wrong password is logged once, and the clients of the server are served', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t, { password: 'secret' });
  const app = await start(t, { port, auth_pass: 'wrong' });
  assert.match(await app.logged(REFUSED), /refuses AUTH; check the username and the password.*WRONGPASS/s);
  const alice = await connect(t, app.url);
  const said = next(alice, 'said');
  assert.equal(await ask(alice, 'all', 'here'), 'said');
  assert.deepEqual(await said, ['here']);
  assert.deepEqual([count(app.logs, REFUSED), count(app.logs, DOWN)], [1, 0]);
});

test('servers of one db hear each other, and no other', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const [one, same, none] = [await start(t, { port, db: 3 }), await start(t, { port, db: 3 }), await start(t, { port })];
  const [inSame, inNone] = [await connect(t, same.url), await connect(t, none.url)];
  const heard = hear(inNone);
  let said = next(inSame, 'said');
  one.io.emit('said', 'in db 3');
  assert.deepEqual(await said, ['in db 3']);
  said = next(inNone, 'said');
  none.io.emit('said', 'in db 0');
  await said;
  assert.deepEqual(heard, ['in db 0']);
});

test('the channels begin with socket.io, or with the key and the db of the config', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  for (const [config, prefix] of [
    [{ port }, 'socket.io'],
    [{ port, db: 0 }, 'socket.io'],
    [{ port, db: 3 }, 'socket.io-db3'],
    [{ port, key: 'mine' }, 'mine'],
    [{ port, key: 'mine', db: 3 }, 'mine-db3'],
  ] as const) {
    const { io, close } = await start(t, config);
    await redis.psubscribe(`${prefix}#/#*`);
    const heard = next(redis, 'pmessage');
    io.emit('said', 'x');
    assert.equal((await heard)[1], `${prefix}#/#`);
    await redis.punsubscribe();
    await close();
  }
});

test('an app starts while Redis is down, says so once, serves its own, and joins the others when it comes up', async t => {
  watchForCrashes(t);
  const redis = await newRedis(t);
  const [one, other] = [await start(t, { port: redis.port }), await start(t, { port: redis.port })];
  const [alice, carol, bob] = [await connect(t, one.url), await connect(t, one.url), await connect(t, other.url)];
  const said = next(carol, 'said');
  await ask(alice, 'all', 'to my own');
  assert.deepEqual(await said, ['to my own']);

  const isBack = Promise.all([one.logged(BACK), other.logged(BACK)]);
  await redis.start();
  await isBack;
  await subscribed(redis.port, 2);
  const crossed = next(bob, 'said');
  await ask(alice, 'all', 'to all');
  assert.deepEqual(await crossed, ['to all']);
  for (const { logs } of [one, other]) assert.deepEqual([count(logs, DOWN), count(logs, BACK)], [1, 1]);
});

test('when Redis dies, local clients are served on; each outage and each recovery is one line of log', async t => {
  watchForCrashes(t);
  const redis = await startRedis(t);
  const [one, other] = [await start(t, { port: redis.port }), await start(t, { port: redis.port })];
  const [alice, carol, bob] = [await connect(t, one.url), await connect(t, one.url), await connect(t, other.url)];
  await ask(carol, 'join', 'lobby');

  for (let outage = 1; outage <= 2; outage++) {
    await redis.kill();
    await Promise.all([one, other].map(({ app, logs }) => until(app, () => count(logs, DOWN) === outage)));
    const heard = hear(carol);
    for (let n = 0; n < 100; n++) alice.emit('all', n);
    alice.emit('say', 'lobby', 'room');
    alice.emit('others', 'last');
    await until(carol, () => heard.at(-1) === 'last', 'said');
    assert.deepEqual(heard, [...Array(100).keys(), 'room', 'last']);
    carol.off('said');
    // what needs the others fails, and does not hang
    const { error } = (await ask(alice, 'count', 'lobby')) as { error?: { message: string } };
    assert.ok(error);

    await redis.start();
    await Promise.all([one, other].map(({ app, logs }) => until(app, () => count(logs, BACK) === outage)));
    assert.match(one.logs.filter(line => BACK.test(line)).at(-1) ?? '', /messages to other servers lost meanwhile: 10[2-9]$/);
    await subscribed(redis.port, 2);
    const crossed = next(bob, 'said');
    await ask(alice, 'all', `after outage ${outage}`);
    assert.deepEqual(await crossed, [`after outage ${outage}`]);
  }
});

test('fetchSockets() rejects with IO_REDIS_DOWN while Redis is down, and local.fetchSockets() answers', async t => {
  watchForCrashes(t);
  const redis = await startRedis(t);
  const { url, io, logged } = await start(t, { port: redis.port });
  const alice = await connect(t, url);
  await redis.kill();
  await logged(DOWN);
  await assert.rejects(io.fetchSockets(), (error: Error & { code?: string }) => {
    assert.ok(error instanceof Error);
    assert.equal(error.code, 'IO_REDIS_DOWN');
    assert.match(error.message, /IO_REDIS_DOWN: the other servers cannot be asked; `local` asks this one alone/);
    return true;
  });
  assert.deepEqual(
    (await io.local.fetchSockets()).map(({ id }) => id),
    [alice.id],
  );
});

test('a client is joined, moved and disconnected by its id while Redis is down', async t => {
  watchForCrashes(t);
  const redis = await startRedis(t);
  const app = await start(t, { port: redis.port });
  const alice = await connect(t, app.url);
  await redis.kill();
  await app.logged(DOWN);
  const id = alice.id ?? '';
  app.io.in(id).socketsJoin(['a', 'b']);
  app.io.in(id).socketsLeave('b');
  assert.deepEqual([...(app.io.sockets.sockets.get(id)?.rooms ?? [])], [id, 'a']);
  const told = next(alice, 'disconnect');
  app.io.in(id).disconnectSockets();
  assert.equal((await told)[0], 'io server disconnect');
});

test('an app that closes leaves no connection to Redis, up or down', async t => {
  watchForCrashes(t);
  const redis = await startRedis(t);
  const up = await start(t, { port: redis.port });
  const down = await start(t, { port: redis.port });
  await connect(t, up.url);
  await up.close();
  const watch = new Redis({ port: redis.port });
  t.after(() => watch.disconnect());
  const clients = (await watch.client('LIST')) as string;
  assert.equal(clients.trim().split('\n').length, 3, 'its own and the two of the app that is open');
  watch.disconnect();
  await redis.kill();
  await down.logged(DOWN);
  await down.close();
  await internals(down.io).runtime.inFlight.idle();
  for (const { logs } of [up, down]) assert.equal(count(logs, DOWN), logs === down.logs ? 1 : 0);
});

/** Waits until so many servers listen to the requests of the namespace /. */
async function subscribed(port: number, servers: number): Promise<void> {
  const redis = new Redis({ port });
  try {
    for (;;) {
      const [, number] = (await redis.pubsub('NUMSUB', 'socket.io-request#/#')) as [string, number];
      if (number >= servers) return;
    }
  } finally {
    redis.disconnect();
  }
}

/** Waits, from one event to the next, until something is so. */
async function until(
  emitter: { once(event: string, listener: (...args: unknown[]) => void): unknown },
  condition: () => boolean,
  event = 'captured',
): Promise<void> {
  while (!condition()) await next(emitter, event);
}

test('what this server asks of its own sockets is done once, in order: what comes back from Redis of it changes nothing', async t => {
  const { port } = await startRedis(t);
  const [here, there] = [await start(t, { port }), await start(t, { port })];
  const old = await connect(t, here.url);
  const arrived = next<[Socket]>(here.io, 'connection');
  const client = await connect(t, here.url);
  const [socket] = await arrived;
  const gone = next(old, 'disconnect');
  here.io.except(socket.id).disconnectSockets();
  here.io.in(socket.id).socketsJoin(['left', 'joined']);
  await socket.leave('left');
  here.io.in(socket.id).socketsLeave('joined');
  await socket.join('joined');
  await gone;
  await there.io.fetchSockets(); // an answer through Redis: what was sent before it has come by
  assert.equal(client.connected, true);
  assert.deepEqual([...socket.rooms], [socket.id, 'joined']);
});

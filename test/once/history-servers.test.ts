/** Rooms with history on several servers, kept by each backend. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { type Files, ROOT, type RunningApp, startApp } from '../support/app';
import { ask, type Client, type ClientOptions, newClient, next } from '../support/client';
import { holdBack } from '../support/hold-back';
import { history } from '../support/parts';
import { newPostgres, runAt } from '../support/postgres';
import { type RedisServer, startRedis } from '../support/redis';
import { until } from '../support/until';

interface Backend {
  readonly config: string;
  /** Loses all that it keeps. */
  lose(): Promise<unknown>;
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function startRedisFor(t: TestContext, adapter: string): Promise<Backend> {
  const redis: RedisServer = await startRedis(t);
  const admin = new Redis({ port: redis.port, lazyConnect: true });
  admin.on('error', () => {}); // it is killed
  t.after(() => admin.disconnect());
  return {
    config: `adapter: '${adapter}', redis: { port: ${redis.port} }`,
    lose: async () => admin.flushall(),
    kill: async () => redis.kill(),
    start: async () => redis.start(),
  };
}

async function startPostgres(t: TestContext): Promise<Backend> {
  const postgres = await newPostgres(t);
  await postgres.start();
  return {
    config: `adapter: { name: 'postgres', connection: '${postgres.url}' }`,
    lose: async () => runAt(postgres.url, 'TRUNCATE socket_io_streams'),
    kill: async () => postgres.kill(),
    start: async () => postgres.start(),
  };
}

const BACKENDS: Record<string, (t: TestContext) => Promise<Backend>> = {
  redis: async t => startRedisFor(t, 'redis'),
  'redis-sharded': async t => startRedisFor(t, 'redis-sharded'),
  'redis-streams': async t => startRedisFor(t, 'redis-streams'),
  postgres: startPostgres,
};

/** @param otherConfig of the second one */
async function startServers(t: TestContext, config: string, init = '{}', otherConfig = config): Promise<[RunningApp, RunningApp]> {
  const filesWith = (config: string): Files => ({
    'config/config.default.js': `
      exports.io = { ${config}, init: ${init}, namespace: { '/': { history: { 'room:*': { size: 5 }, brief: { ttl: 1 }, 'open:*': { since: 'ever' } } } } };`,
    'app/router.js': `
      module.exports = app => {
        app.io.use((socket, next) => { socket.join(socket.handshake.auth.rooms ?? []); next(); });
        app.io.route('join', async ctx => { await ctx.socket.join(ctx.args[0]); return null; });
      };`,
  });
  const servers: [RunningApp, RunningApp] = [await startApp(t, filesWith(config)), await startApp(t, filesWith(otherConfig))];
  for (const { io } of servers) await until(t, async () => (await io.of('/').adapter.serverCount()) === 2);
  return servers;
}

interface Aware {
  readonly client: Client;
  readonly heard: unknown[];
  arrives(): Promise<void>;
}

function newcomer(t: TestContext, url: string, rooms: string[], options: ClientOptions = {}): Aware {
  const client = newClient(t, url, { autoConnect: false, ...options });
  const heard: unknown[] = [];
  history(client, { since: 'ever', onGap: room => heard.push(`gap in ${room}`) });
  client.on('said', what => heard.push(what));
  return {
    client,
    heard,
    async arrives() {
      client.connect();
      await next(client, 'connect');
      const told = new Set<string>();
      client.on('$io:event', ({ room }) => told.add(room as string));
      for (const room of rooms) await ask(client, 'join', room);
      await until(t, () => rooms.every(room => told.has(room)));
    },
  };
}

for (const [name, start] of Object.entries(BACKENDS))
  test(`the events of two servers are in one history, and an outage or a loss is a gap, by ${name}`, { timeout: 60_000 }, async t => {
    const backend = await start(t);
    const [one, other] = await startServers(t, backend.config);
    const [anna, bert] = [newcomer(t, one.url, ['room:1']), newcomer(t, other.url, ['room:1', 'room:2', 'brief'])];
    await anna.arrives();
    await bert.arrives();
    const say = async (what: unknown, rooms: string | string[] = 'room:1'): Promise<void> => {
      one.io.to(rooms).emit('said', what);
      await until(t, () => bert.heard.includes(what));
    };
    const bytes = Buffer.from([0, 255, 10]);
    await say('one');
    other.io.to('room:1').emit('said', 'two');
    await until(t, () => anna.heard.includes('two') && bert.heard.includes('two'));
    anna.client.disconnect();
    await say('three ü');
    one.io.to('room:1').emit('said', bytes);
    await say('to two', ['room:1', 'room:2', 'brief']);
    await anna.arrives();
    await until(t, () => anna.heard.length === 5);
    assert.deepEqual(anna.heard, ['one', 'two', 'three ü', bytes, 'to two']);
    assert.deepEqual(bert.heard, anna.heard);
    const room = other.io.history('room:1');
    const { epoch, events } = await room.read();
    assert.deepEqual(
      events.map(({ offset, args }) => [offset, args[0]]),
      [1, 2, 3, 4, 5].map(offset => [offset, bert.heard[offset - 1]]),
    );
    assert.deepEqual(await one.io.history('room:1').read({ since: { epoch, offset: 4 } }), {
      ...{ recovered: true, epoch, offset: 5, more: false },
      events: events.slice(4),
    });
    assert.deepEqual((await room.read({ last: 2, limit: 1 })).events, [events[3]]);
    assert.deepEqual((await other.io.history('brief').read()).events, [], 'they have expired');

    anna.client.disconnect();
    for (let index = 0; index < 7; index++) await say(`round ${index}`);
    await anna.arrives();
    await until(t, () => anna.heard.length === 11);
    assert.deepEqual(anna.heard.slice(5), ['gap in room:1', ...[2, 3, 4, 5, 6].map(index => `round ${index}`)]);

    await backend.lose();
    await say('after a loss');
    await until(t, () => anna.heard.length === 13);
    assert.deepEqual(anna.heard.slice(11), ['gap in room:1', 'after a loss']);
    assert.deepEqual(bert.heard.slice(12), ['gap in room:1', 'after a loss']);

    anna.heard.length = bert.heard.length = 0;
    await backend.kill();
    await until(t, () => one.logs.some(line => line.includes('_DOWN')) && other.logs.some(line => line.includes('_DOWN')));
    one.io.to('room:1').emit('said', 'during an outage');
    await until(t, () => anna.heard.includes('during an outage'));
    await assert.rejects(room.read(), { name: 'OutageError' });
    const answer = (await ask(bert.client, '$io:history', { room: 'room:1', epoch, offset: 1 })) as { error: { code: string } };
    assert.equal(answer.error.code, 'TRY_AGAIN');
    await backend.start();
    await until(t, () => one.logs.some(line => line.includes('is back;')) && other.logs.some(line => line.includes('is back;')));
    await until(t, () => anna.heard.includes('gap in room:1') && bert.heard.includes('gap in room:1')); // before anybody emits
    await say('after an outage');
    await until(t, () => anna.heard.length === 3 && bert.heard.length === 2);
    assert.deepEqual(anna.heard, ['during an outage', 'gap in room:1', 'after an outage']);
    assert.deepEqual(bert.heard, ['gap in room:1', 'after an outage']);
  });

for (const [name, start] of Object.entries(BACKENDS))
  test(`what a recovered client gets by recovery and by history it hears once, by ${name}`, { timeout: 60_000 }, async t => {
    const { config } = await start(t);
    const [one, other] = await startServers(t, config, '{ connectionStateRecovery: {} }');
    const anna = newcomer(t, one.url, ['room:1'], { reconnection: true, reconnectionDelay: 10 });
    await anna.arrives();
    let count = 0;
    const say = (): void => void (count++ % 2 === 0 ? one : other).io.to('room:1').emit('said', count);
    say();
    await until(t, () => anna.heard.length === 1);
    for (let round = 0; round < 3; round++) {
      const back = next(anna.client, 'connect');
      anna.client.io.engine.close();
      say();
      say();
      await back;
      assert.equal(anna.client.recovered, true);
      say();
      await until(t, () => anna.heard.includes(count));
    }
    await until(t, () => anna.heard.length >= count);
    const { events } = await one.io.history('room:1').read({ last: 1 });
    assert.equal(events[0]?.offset, count);
    await ask(anna.client, 'join', 'room:1'); // what was on its way has come
    const page = anna.heard.map(what => Number(what));
    assert.deepEqual(
      page.toSorted((a, b) => a - b),
      Array.from({ length: count }, (_, index) => index + 1),
    );
  });

test("a client's own room has no history; with the pattern *, another server takes it for a room of the app", async t => {
  const { port } = await startRedis(t);
  const files = {
    'config/config.default.js': `exports.io = { redis: { port: ${port} }, namespace: { '/': { history: { '*': { since: 'ever' } } } } };`,
  };
  const [one, other] = [await startApp(t, files), await startApp(t, files)];
  await until(t, async () => (await one.io.of('/').adapter.serverCount()) === 2);
  const anna = newcomer(t, one.url, []);
  await anna.arrives();
  const id = String(anna.client.id);
  one.io.to(id).emit('said', 'by her server');
  await until(t, () => anna.heard.length === 1);
  assert.deepEqual((await one.io.history(id).read()).events, []);
  other.io.to(id).emit('said', 'by another');
  await until(t, async () => (await other.io.history(id).read()).events.length === 1);
  const answer = (await ask(anna.client, '$io:history', { room: id, epoch: '', offset: 0 })) as { error: { code: string } };
  assert.equal(answer.error.code, 'NOT_IN_ROOM', 'nobody gets it again');
  assert.deepEqual(anna.heard, ['by her server', 'by another']);
});

for (const [how, rooms] of Object.entries({ 'an event': undefined, 'connection middleware': ['open:1'] }))
  test(`redis-sharded: who joins a room by ${how} is told its position when events of other servers arrive, so that none is missed`, async t => {
    const { port } = await startRedis(t);
    const network = await holdBack(t, port, '#$io:history:open:1#'); // the subscription to the channel of those that know of history
    const configFor = (port: number): string => `adapter: 'redis-sharded', redis: { port: ${port} }`;
    const [one, other] = await startServers(t, configFor(port), '{}', configFor(network.port));
    const anna = newcomer(t, other.url, [], { auth: { rooms } });
    await anna.arrives();
    const joining = rooms ? undefined : ask(anna.client, 'join', 'open:1');
    await until(t, () => network.isHolding());
    await other.io.history('open:1').read(); // what the server has asked Redis before is answered by now
    one.io.to('open:1').emit('said', 'meanwhile');
    await until(t, async () => (await one.io.history('open:1').read()).events.length === 1);
    await one.io.history('open:1').read(); // it has been published by now
    network.release();
    await joining;
    await until(t, () => anna.heard.includes('meanwhile'));
    assert.deepEqual(anna.heard, ['meanwhile']);
  });

test('Redis needs no more rights than the guide says, and a refused command is one line of log with the remedy', async t => {
  const { port } = await startRedis(t);
  const admin = new Redis({ port });
  t.after(() => admin.disconnect());
  const guide = readFileSync(join(ROOT, 'docs/backends.md'), 'utf8');
  const [, rules = ''] = /`(~socket\.io:history:.*?)`/.exec(guide) ?? [];
  const [, basic = ''] = /^\| `'redis'` +\| `(on .*?)`/m.exec(guide) ?? [];
  const may = async (...given: string[]): Promise<unknown> => admin.call('ACL', 'SETUSER', 'chat', '>secret', ...given);
  await may(...basic.split(' '), ...rules.split(' '));
  const [one] = await startServers(t, `redis: { port: ${port}, username: 'chat', password: 'secret' }`);
  const anna = newcomer(t, one.url, ['room:1']);
  await anna.arrives();
  const say = async (what: string): Promise<void> => {
    one.io.to('room:1').emit('said', what);
    await until(t, () => anna.heard.includes(what));
  };
  await say('one');
  assert.equal((await one.io.history('room:1').read()).events.length, 1);
  await may('-xadd');
  await say('two');
  await say('three');
  await may('+xadd');
  await until(t, async () => (await admin.keys('socket.io:history:*')).length === 0); // it has begun anew, since it lacks an event
  await say('four');
  assert.deepEqual(anna.heard, ['one', 'two', 'three', 'gap in room:1', 'four']);
  const lines = one.logs.filter(line => /IO_REDIS|XADD/.test(line)).map(line => line.split('\n')[0]);
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0] ?? '', /IO_REDIS_REFUSED: .* refuses XADD for rooms with history; .*gaps.*; give its user the rights .*NOPERM/);
  assert.match(lines[1] ?? '', /allows XADD for rooms with history again/);
});

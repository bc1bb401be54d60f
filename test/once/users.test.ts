/** Users on several servers, over each adapter. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startApp } from '../support/app';
import { type Client, connect, next } from '../support/client';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { repeatUntil, until } from '../support/until';

function filesFor(config: string): Record<string, string> {
  return {
    'config/config.default.js': `
      exports.io = {
        ${config},
        limits: { rooms: { max: 3 } },
        namespace: {
          '/': { connectionMiddleware: ['user'] },
          '/limited': { connectionMiddleware: ['user'], userLimits: { connections: 1 } },
        },
      };`,
    'app/io/middleware/user.js': `
      module.exports = () => async (ctx, next) => {
        ctx.socket.user = ctx.socket.handshake.auth.user;
        await next();
      };`,
  };
}

const as = (user: unknown): { auth: { user: unknown } } => ({ auth: { user } });

/** All that a client hears under `news`, in order. It answers a `question` with its `auth`. */
function newsOf(client: Client): unknown[] {
  const heard: unknown[] = [];
  client.on('news', what => heard.push(what));
  client.on('question', answer => answer(client.auth));
  return heard;
}

const redis = async (t: TestContext): Promise<string> => `redis: { port: ${(await startRedis(t)).port} }`;

const BACKENDS: Record<string, (t: TestContext) => Promise<string>> = {
  redis: async t => redis(t),
  'redis-sharded': async t => `adapter: 'redis-sharded', ${await redis(t)}`,
  'redis-streams': async t => `adapter: 'redis-streams', ${await redis(t)}`,
  postgres: async t => {
    const server = await newPostgres(t);
    await server.start();
    return `adapter: { name: 'postgres', connection: '${server.url}' }`;
  },
};

for (const [name, start] of Object.entries(BACKENDS))
  test(`a user is reached and limited at other servers, by ${name}`, { timeout: 60_000 }, async t => {
    const files = filesFor(await start(t));
    const [one, other] = [await startApp(t, files), await startApp(t, files)];
    for (const { io } of [one, other]) await until(t, async () => (await io.of('/').adapter.serverCount()) === 2);
    const [phone, laptop, bert] = [
      await connect(t, one.url, as('anna')),
      await connect(t, other.url, as('anna')),
      await connect(t, other.url, as('bert')),
    ];
    const all = [phone, laptop, bert].map(newsOf);
    /** What each of the three has heard, once all that was sent before has arrived. */
    const heard = async (): Promise<unknown[][]> => {
      for (const { io } of [one, other]) io.emit('news', 'end');
      await until(t, () => all.every(news => news.filter(what => what === 'end').length === 2));
      return all.map(news => news.splice(0).filter(what => what !== 'end'));
    };
    /** Waits until they are reached: `redis-sharded` subscribes to a room when somebody has joined it, and `socket.user` and `socketsJoin()` do not wait. */
    const reached = async (target: { emit(event: string): unknown }, clients: readonly Client[]): Promise<void> => {
      if (name !== 'redis-sharded') return;
      const heard = Promise.all(clients.map(async client => next(client, 'reached')));
      await repeatUntil(t, () => target.emit('reached'), heard);
    };
    const anna = one.io.user('anna');
    await reached(anna, [laptop]);
    await reached(one.io.user('bert'), [bert]);
    anna.emit('news', 'to anna');
    one.io.exceptUser('anna').emit('news', 'to others');
    one.io.user('bert').emit('news', 'to bert');
    assert.deepEqual(await heard(), [['to anna'], ['to anna'], ['to others', 'to bert']]);

    assert.deepEqual(await anna.emitWithAck('question'), [{ user: 'anna' }, { user: 'anna' }]);
    assert.deepEqual(await one.io.user('bert').emitWithAck('question'), [{ user: 'bert' }]);
    assert.deepEqual([(await anna.fetchSockets()).length, (await one.io.user('bert').fetchSockets()).length], [2, 1]);
    assert.deepEqual([await one.io.user('bert').isOnline(), await one.io.user('carl').isOnline()], [true, false]);

    anna.join(['a', 'b']);
    await until(t, async () => (await other.io.in('b').fetchSockets()).length === 2);
    for (const room of ['a', 'b']) await reached(other.io.to(room), [phone]);
    other.io.to('b').emit('news', 'to b');
    assert.deepEqual(await heard(), [['to b'], ['to b'], []]);
    anna.leave('b');
    await until(t, async () => (await other.io.in('b').fetchSockets()).length === 0);
    other.io.to('a').emit('news', 'to a');
    other.io.to('b').emit('news', 'to nobody');
    assert.deepEqual(await heard(), [['to a'], ['to a'], []]);

    const full = [...other.io.sockets.sockets.values()].find(({ id }) => id === laptop.id);
    await full?.join(['c', 'd']); // it is in 'a'
    one.io.socketsJoin('e');
    await until(t, async () => (await other.io.in('e').fetchSockets()).length === 2);
    await other.logged(/^WARN .*IO_LIMIT_REACHED: .*config\.io\.limits\.rooms\): it is left out of socketsJoin/);
    assert.deepEqual([full?.rooms.has('e'), full?.rooms.has('d')], [false, true]);

    const ends = [phone, laptop].map(async client => next(client, 'disconnect'));
    anna.disconnect();
    assert.deepEqual(
      (await Promise.all(ends)).map(([reason]) => reason),
      ['io server disconnect', 'io server disconnect'],
    );
    assert.deepEqual([await anna.isOnline(), bert.connected], [false, true]);

    const first = await connect(t, `${one.url}/limited`, as('anna'));
    const replaced = next(first, 'disconnect');
    const second = await connect(t, `${other.url}/limited`, as('anna'));
    assert.deepEqual([(await replaced)[0], second.connected], ['io server disconnect', true]);
  });

test('in an outage nobody who is not here counts as offline, and the connections of each server count alone', async t => {
  const server = await startRedis(t);
  const files = filesFor(`redis: { port: ${server.port} }`);
  const [one, other] = [await startApp(t, files), await startApp(t, files)];
  await connect(t, one.url, as('anna'));
  await connect(t, other.url, as('bert'));
  const there = await connect(t, `${other.url}/limited`, as('anna'));
  await server.kill();
  await Promise.all([one, other].map(app => app.logged(/IO_REDIS_DOWN/)));
  assert.deepEqual([await one.io.user('anna').isOnline(), await other.io.user('bert').isOnline()], [true, true]);
  await assert.rejects(one.io.user('bert').isOnline(), { code: 'IO_REDIS_DOWN' });
  const here = await connect(t, `${one.url}/limited`, as('anna'));
  const line = await one.logged(/IO_USER_UNCOUNTED/);
  assert.match(line, /WARN.*cannot be counted for now, namespace \/limited: .*IO_REDIS_DOWN/);
  const replaced = next(here, 'disconnect');
  await connect(t, `${one.url}/limited`, as('anna'));
  assert.deepEqual([(await replaced)[0], there.connected], ['io server disconnect', true]);
  assert.equal(one.logs.filter(text => text.includes('IO_USER_UNCOUNTED')).length, 1);
});

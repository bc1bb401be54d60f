/** Emits from programs that are no Socket.IO server, by @socket.io/redis-emitter. What the guide shows besides runs with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter } from '@socket.io/redis-emitter';
import { Redis } from 'ioredis';
import { startApp } from '../support/app';
import { connect, next } from '../support/client';
import { startRedis } from '../support/redis';

test('a program without a server emits to namespaces and rooms, with bytes; moves sockets, and ends them', async t => {
  const { port } = await startRedis(t);
  const config = `exports.io = { redis: { port: ${port} }, namespace: { '/chat': {} } };`;
  const [one, other] = [
    await startApp(t, { 'config/config.default.js': config }),
    await startApp(t, { 'config/config.default.js': config }),
  ];
  const [alice, bob] = [await connect(t, `${one.url}/chat`), await connect(t, `${other.url}/chat`)];
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  const chat = new Emitter(redis).of('/chat');
  const heard = [alice, bob].map(client => next(client, 'said'));
  chat.emit('said', { text: '大家好', bytes: Buffer.from([0, 255]) });
  for (const [value] of await Promise.all(heard)) assert.deepEqual(value, { text: '大家好', bytes: Buffer.from([0, 255]) });
  chat.in(String(bob.id)).socketsJoin('lobby');
  const toBob = next(bob, 'said');
  alice.once('said', () => assert.fail('alice is not in the lobby'));
  chat.to('lobby').emit('said', 'to the lobby');
  assert.deepEqual(await toBob, ['to the lobby']);
  const told = next(bob, 'disconnect');
  chat.in('lobby').disconnectSockets();
  assert.equal((await told)[0], 'io server disconnect');
  const news = next(one.io.of('/chat'), 'news');
  chat.serverSideEmit('news', 1);
  assert.deepEqual(await news, [1]);
});

test('with a redis.db the boot logs the key that emitters need, and with it they are heard', async t => {
  const { port } = await startRedis(t);
  const app = await startApp(t, { 'config/config.default.js': `exports.io = { redis: { port: ${port}, db: 3 } };` });
  const [, key] = /^INFO .*config\.io\.redis\.db is 3: .* key "(.*)"/.exec(await app.logged(/^INFO .*config\.io\.redis\.db/)) ?? [];
  assert.equal(key, 'socket.io-db3');
  const client = await connect(t, app.url);
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  const said = next(client, 'said');
  new Emitter(redis, { key }).emit('said', 'by the key');
  assert.deepEqual(await said, ['by the key']);
});

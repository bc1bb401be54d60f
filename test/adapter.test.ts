/** `config.io.adapter` and `config.io.redis`: what they take, and what a mistake gets. The adapters themselves have tests of their own. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type * as adapter from '../dist/backplane/adapter';
import { bootError, type Files, HOST, ROOT, type RunningApp, startApp } from './support/app';
import { connect, next } from './support/client';
import { readConfig } from './support/parts';
import { startRedis } from './support/redis';
import { watchForCrashes } from './support/remains';

function configOf(io: string, more = ''): Files {
  return { 'config/config.default.js': `exports.io = ${io}; ${more}` };
}

// all of them are in once/config-errors.test.ts
test('a mistake stops the boot', async t => {
  const error = await bootError(t, configOf(`{ adapter: 'redis-stream' }`));
  assert.equal(error.code, 'IO_ADAPTER_UNKNOWN');
  assert.match(error.message, /Did you mean redis-streams\?/);
});

test('a function makes the adapter of each namespace', async t => {
  const { io } = await startApp(
    t,
    configOf(`{
      namespace: { '/chat': {} },
      adapter: nsp => Object.assign(new (require(${JSON.stringify(require.resolve('socket.io-adapter'))}).Adapter)(nsp), { mine: nsp.name }),
    }`),
  );
  assert.deepEqual(
    ['/', '/chat'].map(name => Reflect.get(io.of(name).adapter, 'mine') as unknown),
    ['/', '/chat'],
  );
});

async function reaches(t: TestContext, from: RunningApp, to: RunningApp): Promise<void> {
  const client = await connect(t, to.url);
  const said = next(client, 'said');
  from.io.emit('said', 'across');
  assert.deepEqual(await said, ['across']);
}

for (const [what, io, redis] of [
  ['by its name', `'io'`, `{ clients: { cache: { host: '127.0.0.1', port: 1, password: '', db: 0, weakDependent: true }, io: CLIENT } }`],
  ['by its name, with options beside it', `{ use: 'io', key: 'socket.io' }`, `{ clients: { io: CLIENT } }`],
  ['as the only one', 'true', '{ client: CLIENT }'],
  ['as the only one with a name', 'true', '{ clients: { io: CLIENT } }'],
  ['with the defaults of all clients', 'true', `{ default: CLIENT, clients: { io: {} } }`],
] as const) {
  test(`a client of egg's Redis plugin is taken ${what}`, async t => {
    watchForCrashes(t);
    const { port } = await startRedis(t, { password: 'secret' });
    const client = `{ host: '127.0.0.1', port: ${port}, password: 'secret', db: 0 }`;
    const one = await startApp(t, configOf(`{ redis: ${io} }`, `exports.redis = ${redis.replace('CLIENT', client)};`));
    await reaches(t, one, await startApp(t, configOf(`{ redis: 'redis://:secret@127.0.0.1:${port}' }`)));
  });
}

for (const adapter of ['redis', 'redis-sharded', 'redis-streams']) {
  test(`${adapter}: the keyPrefix of a client in config.redis is no part of the channels`, { timeout: 30_000 }, async t => {
    watchForCrashes(t);
    const { port } = await startRedis(t);
    const client = `{ host: '127.0.0.1', port: ${port}, password: '', db: 0, keyPrefix: 'app:' }`;
    const one = await startApp(t, configOf(`{ adapter: '${adapter}', redis: true }`, `exports.redis = { client: ${client} };`));
    await reaches(t, one, await startApp(t, configOf(`{ adapter: '${adapter}', redis: { port: ${port} } }`)));
  });
}

test("a client of egg's Redis plugin is taken beside the plugin itself", async t => {
  const { port } = await startRedis(t);
  const start = (): Promise<RunningApp> =>
    startApp(t, {
      'config/plugin.js': `exports.redis = { enable: true, package: '${HOST === 'egg3' ? 'egg-redis' : '@eggjs/redis'}' };`,
      'config/config.default.js': `
        exports.io = { redis: true };
        exports.redis = { client: { host: '127.0.0.1', port: ${port}, password: '', db: 0 } };`,
      'app.js': `module.exports = app => { app.beforeClose(() => app.redis.disconnect()); };`,
    });
  const [one, other] = [await start(), await start()];
  await reaches(t, one, other);
  assert.equal(await (one.app as unknown as { redis: { ping(): Promise<string> } }).redis.ping(), 'PONG'); // of the plugin
});

test('a URL says all: user, password, host, port and db', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t, { args: '--user default off --user chat on >p%40ss ~* &* +@all'.split(' ') });
  const url = `redis://chat:${encodeURIComponent('p%40ss')}@127.0.0.1:${port}/3`;
  const [one, other] = [await startApp(t, configOf(`{ redis: '${url}' }`)), await startApp(t, configOf(`{ redis: { url: '${url}' } }`))];
  await reaches(t, one, other);
  const options = `{ host: '127.0.0.1', port: ${port}, username: 'chat', password: 'p%40ss', db: 3 }`;
  await reaches(t, one, await startApp(t, configOf(`{ redis: ${options} }`)));
});

test('options of the client of Socket.IO 2 are taken: connect_timeout, family, no_ready_check', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const old = `{ redis: { host: '127.0.0.1', port: '${port}', connect_timeout: 1000, family: 'IPv4', no_ready_check: true } }`;
  await reaches(t, await startApp(t, configOf(old)), await startApp(t, configOf(old)));
});

test('what stands beside a URL counts more, and port and db may be digits of process.env', () => {
  const { adapter } = readConfig({ io: { redis: { url: 'redis://a.example:1/1', port: '2', db: '3' } } }, 1, () => {});
  assert.deepEqual(adapter, { name: 'redis', options: {}, redis: { host: 'a.example', port: 2, db: 3 } });
});

test('no_ready_check of Socket.IO 2 is taken: nothing is asked before Redis is used', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const old = `{ redis: { host: '127.0.0.1', port: ${port}, no_ready_check: true } }`;
  await reaches(t, await startApp(t, configOf(old)), await startApp(t, configOf(old)));
  const watch = new Redis({ port, enableReadyCheck: false });
  t.after(() => watch.disconnect());
  assert.doesNotMatch(await watch.info('commandstats'), /cmdstat_info:/);
});

test('connect_timeout of Socket.IO 2 is connectTimeout of ioredis', () => {
  const { adapter } = readConfig({ io: { redis: { connect_timeout: 1234 } } }, 1, () => {});
  assert.deepEqual(adapter, { name: 'redis', options: {}, redis: { connectTimeout: 1234 } });
});

test('an adapter whose package is not installed stops the boot, and says what to run', () => {
  const { createBackplane } = require(join(ROOT, 'dist/backplane/adapter')) as typeof adapter; // no app of these tests lacks a package of ours
  for (const [settings, name] of [
    [{ name: 'redis-streams', options: {}, redis: {} }, '@socket.io/redis-streams-adapter'],
    [{ name: 'mongo', options: {} }, '@socket.io/mongo-adapter'],
    [{ name: 'postgres', options: {} }, '@socket.io/postgres-adapter'],
  ] as const) {
    assert.throws(() => createBackplane(settings, { logger: console, baseDir: '/nowhere', hub: undefined }), {
      code: 'IO_ADAPTER_MISSING',
      message: `[egg-socket.io] IO_ADAPTER_MISSING: config.io.adapter: '${settings.name}' needs a package: run \`npm i ${name}\` (egg-socket.io/docs/errors.md#io_adapter_missing)`,
    });
  }
});

test('MongoDB: its options are taken, and one that is not there is an outage like any other', async t => {
  watchForCrashes(t);
  const app = await startApp(
    t,
    configOf(
      `{ adapter: { name: 'mongo', url: 'mongodb://user:secret@127.0.0.1:1/?directConnection=true', database: 'io', collection: 'events' } }`,
    ),
  );
  const line = await app.logged(/^ERROR .*IO_DATABASE_DOWN: no MongoDB at 127\.0\.0\.1:1;/);
  assert.doesNotMatch(line, /secret/);
  const collection = Reflect.get(app.io.of('/').adapter, 'mongoCollection') as { namespace: string }; // private
  assert.equal(collection.namespace, 'io.events');
  const client = await connect(t, app.url);
  const said = next(client, 'said');
  app.io.emit('said', 'here');
  assert.deepEqual(await said, ['here']);
  await assert.rejects(app.io.fetchSockets(), { code: 'IO_DATABASE_DOWN' });
  assert.equal(app.logs.filter(line => line.startsWith('ERROR')).length, 1);
});

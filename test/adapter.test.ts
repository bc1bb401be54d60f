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

const EGG_REDIS = `exports.redis = { clients: { cache: { host: '127.0.0.1', port: 1, password: '', db: 0 }, io: { host: '127.0.0.1', port: 2, password: '', db: 0 } } };`;
const ONE_CLIENT = `exports.redis = { client: { host: '127.0.0.1', port: 1, password: '', db: 0 } };`;

for (const [what, config, code, message] of [
  [
    'an unknown adapter',
    configOf(`{ adapter: 'redis-stream' }`),
    'IO_ADAPTER_UNKNOWN',
    /config\.io\.adapter names 'redis-stream', which is unknown; use redis, redis-sharded, redis-streams, mongo, postgres or a function\. Did you mean redis-streams\?/,
  ],
  [
    'an adapter without a name',
    configOf(`{ adapter: { maxLen: 1 } }`),
    'IO_ADAPTER_UNKNOWN',
    /config\.io\.adapter has no name; use redis,/,
  ],
  ['a name of every object', configOf(`{ adapter: 'constructor' }`), 'IO_ADAPTER_UNKNOWN', /names 'constructor'/],
  [
    'a value that is no adapter',
    configOf(`{ adapter: 1 }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter must be the name of an adapter, an object with its name and options, or a function, not 1/,
  ],
  [
    'an option of another adapter',
    configOf(`{ adapter: { name: 'redis', maxLen: 100 } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.maxLen is an option of redis-streams; redis has requestsTimeout, publishOnSpecificResponseChannel/,
  ],
  [
    'an unknown option',
    configOf(`{ adapter: { name: 'redis-streams', maxlen: 100 } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.maxlen is not an option of redis-streams; did you mean maxLen\?/,
  ],
  [
    'an address at the wrong place',
    configOf(`{ adapter: { name: 'redis', host: '10.0.0.1' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.host belongs in config\.io\.redis/,
  ],
  [
    'an option of the wrong type',
    configOf(`{ adapter: { name: 'redis-streams', maxLen: '100' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.maxLen must be a number, not a string/,
  ],
  [
    'a number that cannot be',
    configOf(`{ adapter: { name: 'redis', requestsTimeout: 0 } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.requestsTimeout must be a whole number from 1 on, not 0/,
  ],
  [
    'a mode that there is not',
    configOf(`{ adapter: { name: 'redis-sharded', subscriptionMode: 'all' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.subscriptionMode must be static or dynamic or dynamic-private/,
  ],
  [
    'a missing option',
    configOf(`{ adapter: { name: 'mongo', url: 'mongodb://127.0.0.1' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.database is missing: mongo needs it/,
  ],
  [
    'a missing option',
    configOf(`{ adapter: 'postgres' }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.connection is missing: postgres needs it/,
  ],
  [
    'Redis beside an adapter that has no use for it',
    configOf(`{ adapter: { name: 'postgres', connection: 'postgres://127.0.0.1' }, redis: {} }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis has no effect with the adapter postgres; remove one of the two/,
  ],
  [
    'Redis beside an adapter of your own',
    configOf(`{ adapter: () => {}, redis: {} }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis has no effect with a config\.io\.adapter of your own/,
  ],
  [
    'two adapters',
    configOf(`{ adapter: 'redis', init: { adapter: () => {} } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter and config\.io\.init\.adapter are both set; keep one/,
  ],
  [
    'Redis beside an adapter for Socket.IO',
    configOf(`{ redis: {}, init: { adapter: () => {} } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis and config\.io\.init\.adapter are both set; keep one/,
  ],
  [
    'a URL of something else',
    configOf(`{ redis: 'http://127.0.0.1' }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis must be a URL like redis:\/\//,
  ],
  [
    'a URL that is none',
    configOf(`{ redis: { url: 'redis://' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis must be a URL like redis:\/\//,
  ],
  [
    'sentinels that are none',
    configOf(`{ redis: { sentinels: 'a:26379', name: 'main' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis\.sentinels must be an array of servers, such as \[\{ host: '10\.0\.0\.1', port: 6379 \}\], not a string/,
  ],
  [
    'sentinels without the name of the master',
    configOf(`{ redis: { sentinels: [{ host: '127.0.0.1', port: 26379 }] } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis\.name must be the sentinels' name of the master/,
  ],
  [
    'a Cluster without nodes',
    configOf(`{ redis: { cluster: true } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis\.nodes must be an array of servers/,
  ],
  [
    'streams of a Cluster in a database',
    configOf(`{ adapter: 'redis-streams', redis: { nodes: [{ port: 1 }], db: 1 } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis\.db: a Redis Cluster has no databases; set config\.io\.redis\.key instead/,
  ],
  [
    'sharded channels of a Cluster',
    configOf(`{ adapter: 'redis-sharded', redis: { nodes: [{ port: 1 }] } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter 'redis-sharded' does not support a Redis Cluster: .*; use 'redis'/,
  ],
  [
    'a client by name where there are none',
    configOf(`{ redis: 'io' }`),
    'IO_REDIS_CLIENT_UNKNOWN',
    /config\.io\.redis names the client 'io', but there is no config\.redis: enable egg-redis or @eggjs\/redis/,
  ],
  [
    'a client of another name',
    configOf(`{ redis: 'oi' }`, EGG_REDIS),
    'IO_REDIS_CLIENT_UNKNOWN',
    /names the client 'oi', which is not in config\.redis\.clients; its clients are: cache, io \(/,
  ],
  [
    'a client of a name of every object',
    configOf(`{ redis: 'toString' }`, EGG_REDIS),
    'IO_REDIS_CLIENT_UNKNOWN',
    /names the client 'toString'/,
  ],
  [
    'a name where the only client has none',
    configOf(`{ redis: { use: 'io' } }`, ONE_CLIENT),
    'IO_REDIS_CLIENT_UNKNOWN',
    /its clients are: none; config\.redis has one client, without a name: write true/,
  ],
  [
    'the only client where there are two',
    configOf(`{ redis: true }`, EGG_REDIS),
    'IO_REDIS_CLIENT_UNKNOWN',
    /config\.io\.redis is true, which needs exactly one client in config\.redis; its clients are: cache, io\. Name one/,
  ],
] as const) {
  test(`${what} stops the boot: ${message.source.slice(0, 60)}`, async t => {
    const error = await bootError(t, config);
    assert.equal(error.code, code);
    assert.match(error.message, message);
  });
}

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
      message: `[egg-socket.io] IO_ADAPTER_MISSING: config.io.adapter is '${settings.name}': run \`npm i ${name}\` (egg-socket.io/docs/errors.md#io_adapter_missing)`,
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

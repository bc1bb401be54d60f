/** Presence on several servers, over each adapter with a server of its own: who comes and goes, outages, and servers that are killed. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Present, PresenceChange } from 'egg-socket.io';
import { type Files, ROOT, startApp } from '../support/app';
import { ask, type Client, connect, next } from '../support/client';
import { startMongo } from '../support/mongo';
import { newPostgres } from '../support/postgres';
import { newRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';
import { startSingle } from '../support/single';
import { until } from '../support/until';

/** Time between the beats of servers, in ms. After four of them without a message a server has gone. */
const BEAT = 250;

/** More users than one message of a copy has. */
const CROWD = 2500;

interface Carrier {
  /** Of `config.io`. */
  readonly io: string;
  start(): Promise<void>;
  kill(): Promise<void>;
}

const CARRIERS: Record<string, (t: TestContext) => Promise<Carrier>> = {
  redis: async t => redisFor(t, 'redis'),
  'redis-sharded': async t => redisFor(t, 'redis-sharded'),
  'redis-streams': async t => redisFor(t, 'redis-streams'),
  postgres: async t => {
    const postgres = await newPostgres(t);
    return { ...postgres, io: `adapter: { name: 'postgres', connection: '${postgres.url}' }` };
  },
};

async function redisFor(t: TestContext, adapter: string): Promise<Carrier> {
  const redis = await newRedis(t);
  return { ...redis, io: `adapter: '${adapter}', redis: { port: ${redis.port} }` };
}

const filesFor = (io: string): Files => ({
  'config/config.default.js': `
    exports.io = { ${io}, namespace: { '/': { connectionMiddleware: ['user'], presence: { '*': { grace: 0 } } } } };`,
  'app/io/middleware/user.js': `
    module.exports = app => async (ctx, next) => {
      ctx.socket.user = ctx.socket.handshake.auth.user;
      await next();
    };`,
  'app.js': `
    const { lifecycleOf } = require(${JSON.stringify(join(ROOT, 'dist/server/lifecycle'))});
    module.exports = class {
      constructor(app) { this.app = app; }
      async didReady() {
        const { replication } = lifecycleOf(this.app.io).namespaces.presences;
        replication.interval = ${BEAT};
        replication.start();
      }
    };`,
  'app/controller/home.js': `exports.who = async ctx => { ctx.body = ctx.app.io.presence(ctx.query.room).list(); };`,
  'app/router.js': `
    module.exports = app => {
      app.get('/who', app.controller.home.who);
      app.io.route('join', async ctx => {
        const [room] = ctx.args;
        await ctx.socket.join(room);
        const presence = app.io.presence(room);
        presence.set(ctx.socket, ctx.socket.user.id + ' here');
        return presence.list();
      });
      app.io.route('join many', async ctx => {
        await ctx.socket.join(Array.from({ length: ctx.args[0] }, (_, n) => 'crowd ' + n));
        return null;
      });
    };`,
});

for (const [name, newCarrier] of Object.entries(CARRIERS)) {
  test(`${name}: both servers know the same, through an outage and after one of them is killed`, { timeout: 60_000 }, async t => {
    watchForCrashes(t);
    const carrier = await newCarrier(t);
    await carrier.start();
    const files = filesFor(carrier.io);
    const one = await startApp(t, files);
    const anna = await enter(t, one.url, 'anna');
    await ask(anna.client, 'join many', CROWD);

    // one more server starts, whose list has several parts
    const two = await startSingle(t, files, START);
    const bert = await enter(t, two.url, 'bert');
    await Promise.all([anna, bert].map(async person => person.sees('anna', 'bert')));
    await until(t, async () => (await who(two.url, `crowd ${CROWD - 1}`)).length === 1);
    assert.deepEqual(await who(two.url, 'crowd 0'), [{ id: 'anna' }]);

    // a user of both servers
    const phone = await enter(t, one.url, 'bert');
    phone.client.disconnect();
    const carl = await enter(t, one.url, 'carl');
    await Promise.all([anna, bert].map(async person => person.sees('anna', 'bert', 'carl')));
    assert.ok(!anna.left.includes('bert'));

    await carrier.kill();
    await one.logged(/ERROR .*IO_(?:REDIS|DATABASE)_DOWN/);
    assert.equal(one.io.presence('room').count(), 3, 'what was known is still so');
    await Promise.all([anna.sees('anna', 'carl'), bert.sees('bert')]);
    carl.client.disconnect();
    const dora = await enter(t, two.url, 'dora');
    await Promise.all([anna.sees('anna'), bert.sees('bert', 'dora')]);
    await carrier.start();
    for (const person of [anna, bert, dora]) await person.sees('anna', 'bert', 'dora');
    for (const { url } of [one, two])
      assert.deepEqual(
        (await who(url, 'room')).toSorted((a, b) => a.id.localeCompare(b.id)),
        ['anna', 'bert', 'dora'].map(id => ({ id, meta: `${id} here` })),
      );

    two.process.kill('SIGKILL');
    await anna.sees('anna');
    assert.deepEqual(await who(one.url, 'room'), [{ id: 'anna', meta: 'anna here' }]);
  });
}

test('mongo, with a stand-in for the database: both servers know the same, and who left with a server', async t => {
  const { files: packages } = await startMongo(t);
  const files = { ...filesFor("adapter: { name: 'mongo', url: 'mongodb://fake', database: 'io' }"), ...packages };
  const [one, two] = [await startApp(t, files), await startApp(t, files)];
  const anna = await enter(t, one.url, 'anna');
  const bert = await enter(t, two.url, 'bert');
  await Promise.all([anna, bert].map(async person => person.sees('anna', 'bert')));
  for (const { url } of [one, two]) await until(t, async () => (await who(url, 'room')).length === 2);
  await two.close();
  await anna.sees('anna');
});

const START = `
  const app = await egg.start(options);
  const server = http.createServer(app.callback());
  app.emit('server', server);
  server.listen(port, host, listening);`;

interface Person {
  readonly client: Client;
  /** Who has left, as the client has been told. */
  readonly left: readonly string[];
  /** Resolves when these users are there, by what the client knows, which follows the events. */
  sees(...users: string[]): Promise<void>;
}

async function enter(t: TestContext, url: string, user: string): Promise<Person> {
  const client = await connect(t, url, { auth: { user } });
  const left: string[] = [];
  const known = new Map<string, unknown>();
  client.on('presence', (change: PresenceChange) => {
    if (change.room !== 'room') return;
    for (const { id, meta } of [...change.joined, ...change.changed]) known.set(id, meta);
    for (const { id } of change.left) known.delete(id);
    left.push(...change.left.map(({ id }) => id));
  });
  for (const { id, meta } of (await ask(client, 'join', 'room')) as Present[]) known.set(id, meta);
  return {
    client,
    left,
    async sees(...users) {
      const isSo = (): boolean => known.size === users.length && users.every(user => known.get(user) === `${user} here`);
      while (!isSo()) await next(client, 'presence');
    },
  };
}

async function who(url: string, room: string): Promise<Present[]> {
  return (await (await fetch(`${url}/who?room=${encodeURIComponent(room)}`)).json()) as Present[]; // as the controller has it
}

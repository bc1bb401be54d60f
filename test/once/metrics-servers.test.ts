/** Metrics of messages to other servers, and of outages, with each adapter of Redis, and with PostgreSQL. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type RunningApp, startApp } from '../support/app';
import { connect, next } from '../support/client';
import { scrape } from '../support/metrics';
import { freePort } from '../support/port';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { until } from '../support/until';

interface Measured extends RunningApp {
  value(name: string): Promise<number>;
}

async function start(t: TestContext, adapter: string, io: object): Promise<Measured> {
  const port = await freePort();
  const app = await startApp(t, {
    'app/router.js': `module.exports = app => {
      app.io.route('tell', ctx => { ctx.app.io.emit('news', ctx.args[0]); });
      app.io.route('here', ctx => { ctx.app.io.local.emit('news', ctx.args[0]); });
    };`,
    'config/config.default.js': `exports.io = ${JSON.stringify({ ...io, prometheus: { port } })};`,
  });
  return { ...app, value: async name => (await scrape(port)).sum(name, { messaging_system: adapter }) ?? Number.NaN };
}

interface Backend {
  readonly io: object;
  kill(): Promise<void>;
}

const SENT = 'messaging_client_sent_messages_total';
const RECEIVED = 'messaging_client_consumed_messages_total';

/** Broadcasts that leave one server reach the other, and both count them. */
async function countsBroadcasts(t: TestContext, one: Measured, other: Measured): Promise<void> {
  const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
  const [sent, received] = [await one.value(SENT), await other.value(RECEIVED)];
  for (let n = 0; n < 3; n++) {
    const news = next(bob, 'news');
    alice.emit('tell', n);
    assert.deepEqual(await news, [n]);
    const own = next(alice, 'news');
    alice.emit('here', n);
    await own;
  }
  assert.equal((await one.value(SENT)) - sent, 3);
  assert.ok((await other.value(RECEIVED)) - received >= 3); // adapters have messages of their own, too
}

async function redisFor(t: TestContext, adapter: string): Promise<Backend> {
  const { port, kill } = await startRedis(t);
  return { io: { adapter, redis: { host: '127.0.0.1', port } }, kill };
}

const BACKENDS: Record<string, (t: TestContext, adapter: string) => Promise<Backend>> = {
  redis: redisFor,
  'redis-sharded': redisFor,
  'redis-streams': redisFor,
  postgres: async t => {
    const postgres = await newPostgres(t);
    await postgres.start();
    return { io: { adapter: { name: 'postgres', connection: postgres.url } }, kill: async () => postgres.kill() };
  },
};

for (const [adapter, startBackend] of Object.entries(BACKENDS)) {
  test(`${adapter}: what is sent and received is counted, and an outage with what is lost`, async t => {
    const { io, kill } = await startBackend(t, adapter);
    const [one, other] = [await start(t, adapter, io), await start(t, adapter, io)];
    await countsBroadcasts(t, one, other);
    assert.equal(await one.value('socketio_server_backplane_reachable'), 1);
    assert.equal(await one.value('socketio_server_backplane_outages_total'), 0);
    await kill();
    await until(t, async () => (await one.value('socketio_server_backplane_outages_total')) === 1);
    assert.equal(await one.value('socketio_server_backplane_reachable'), 0);
    const client = await connect(t, one.url);
    const own = next(client, 'news');
    client.emit('tell', 'alone');
    await own;
    assert.equal(await one.value('socketio_server_backplane_lost_messages_total'), 1);
  });
}

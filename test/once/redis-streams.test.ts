/** redis-streams on a Redis as it is found: idle cuts, dropped connections, an emptied server, refused commands. The tests share one Redis. */
import assert from 'node:assert/strict';
import { after, test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, enter, type Person, startServer } from '../support/adapters';
import { ROOT } from '../support/app';
import { next } from '../support/client';
import { Logs } from '../support/logs';
import { createAdapterFactory, createBackplane, Deprecations, readConfig } from '../support/parts';
import { type Proxy, startProxy } from '../support/proxy';
import { startRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';

const DOWN = /^ERROR .*IO_REDIS_DOWN/;
const BACK = /^INFO .*is back/;

const cleanups: (() => unknown)[] = [];
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** The Redis of this file, and a connection to it beside those of the servers. */
const redis = (async (): Promise<{ port: number; admin: Redis }> => {
  const { port } = await startRedis({ after: cleanup => void cleanups.push(cleanup as () => unknown) }); // it takes no arguments
  const admin = new Redis({ port });
  cleanups.unshift(() => admin.disconnect());
  return { port, admin };
})();

test('neither a Redis nor a proxy that closes idle connections finds one', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  await admin.config('SET', 'timeout', '1');
  t.after(() => admin.config('SET', 'timeout', '0'));
  const proxy = await startProxy(t, port, { idleTimeout: 2000 });
  const { logs } = await join(t, portOf(proxy.url));
  await pulses(admin, 15); // for 3 s
  assert.deepEqual(logs.lines, []);
});

for (const command of ['publish', 'subscribe', 'xread']) {
  test(`when nothing more comes through the connection of ${command.toUpperCase()} and nobody is told, it is replaced: one outage, and all is well`, async t => {
    watchForCrashes(t);
    const { port, admin } = await redis;
    const proxy = await startProxy(t, port);
    const [one, other] = [await join(t, port), await join(t, portOf(proxy.url))];
    const bob = await enter(t, other);
    const dropped = await connectionOf(admin, command, proxy);
    proxy.drop(dropped);
    await other.logs.logged(BACK);
    await admin.client('KILL', 'ADDR', `127.0.0.1:${dropped}`); // Redis counts it as a server until then; tcp-keepalive is its own way
    const heard = next(bob.client, 'said');
    one.io.emit('said', 'afterwards');
    assert.deepEqual(await heard, ['afterwards']);
    assert.equal((await other.io.fetchSockets()).length, 1);
    assert.equal((await one.io.fetchSockets()).length, 1);
    assert.deepEqual([other.logs.count(DOWN), other.logs.count(BACK), other.logs.lines.length], [1, 1, 2]);
  });
}

test('a connection that ends late, when the others have been made again, is no second outage', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const proxy = await startProxy(t, port);
  const { logs } = await join(t, portOf(proxy.url));
  proxy.drop(await connectionOf(admin, 'xread', proxy)); // which ends only when its client destroys it
  await admin.client('PAUSE', 60_000, 'WRITE'); // no pulse comes back
  await logs.logged(DOWN);
  await admin.client('UNPAUSE');
  await logs.logged(BACK);
  await pulses(admin, 5);
  assert.deepEqual([logs.count(DOWN), logs.lines.length], [1, 2], logs.lines.join('\n'));
});

/** An id of the stream that the clock reaches in two centuries: those of further entries count on from it. */
const AHEAD = 9_000_000_000_000;

test('when Redis has been emptied and its clock is behind, reading goes on', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const [one, other] = [await join(t, port), await join(t, port)];
  const bob = await enter(t, other);
  await admin.xadd(keyOf.get(t) ?? '', `${AHEAD}-0`, 'of', 'no server');
  await says(one, bob, 'before');
  await admin.flushall();
  await says(one, bob, 'after');
  await says(one, bob, 'and on');
  assert.deepEqual(bob.heard, [['before'], ['after'], ['and on']]);
  assert.deepEqual([...one.logs.lines, ...other.logs.lines], []);
});

test('when a failover has lost the end of the stream and the clock is behind, reading goes on where the two part', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const [one, other] = [await join(t, port), await join(t, port)];
  const bob = await enter(t, other);
  const stream = keyOf.get(t) ?? '';
  await admin.xadd(stream, `${AHEAD}-0`, 'of', 'no server');
  await says(one, bob, 'first');
  const first = await admin.xrevrange(stream, '+', '-', 'COUNT', 1);
  for (const n of [1, 2]) await admin.xadd(stream, `${AHEAD + n}-0`, ...fieldsOf('lost', n));
  await says(one, bob, 'second');
  await admin.xdel(stream, ...(await admin.xrange(stream, `${AHEAD + 1}`, '+')).map(([id]) => id));
  await admin.call('XSETID', stream, String(first[0]?.[0])); // as on a replica that has taken the master's place
  await says(one, bob, 'after');
  await says(one, bob, 'and on');
  assert.deepEqual(bob.heard, [['first'], ['lost', 1], ['lost', 2], ['second'], ['after'], ['and on']]);
});

type Joined = AdapterServer & { readonly logs: Logs };

let keys = 0;
/** Servers of one test reach each other; those of another test have another key. */
const keyOf = new WeakMap<TestContext, string>();

/** A server that reaches the others of its test. */
async function join(t: TestContext, port: number, { options = {}, redis = {} } = {}): Promise<Joined> {
  const key = keyOf.get(t) ?? `test-${++keys}`;
  keyOf.set(t, key);
  const logs = new Logs();
  const io = { adapter: { name: 'redis-streams', ...options }, redis: { port, key, ...redis } };
  const settings = readConfig({ io }, 1, () => {}).adapter;
  const backplane = createBackplane(settings, { logger: logs, baseDir: ROOT, hub: undefined });
  if (!backplane) throw new Error('no adapter is asked for');
  const create = createAdapterFactory({ init: {}, adapter: settings }, { backplane, deprecations: new Deprecations(logs) });
  const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
  const server = await startServer(t, { adapter }, () => void backplane.close());
  await backplane.ready();
  return { ...server, logs };
}

/** An event arrives at a client of another server. */
async function says({ io }: Joined, { client }: Person, event: string): Promise<void> {
  const heard = next(client, event);
  io.emit(event);
  await heard;
}

/** An entry of the stream, as a server writes it. */
function fieldsOf(...data: unknown[]): string[] {
  const opts = { rooms: [], except: [], flags: {} };
  return ['uid', 'emitter', 'nsp', '/', 'type', '3', 'data', JSON.stringify({ packet: { type: 2, data, nsp: '/' }, opts })];
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** The port of the connection through a proxy whose latest command is this one. */
async function connectionOf(admin: Redis, command: string, proxy: Proxy): Promise<number> {
  for (;;) {
    const list = (await admin.client('LIST')) as string; // declared as unknown
    const all = [...list.matchAll(/ addr=[\d.]+:(\d+) .* cmd=(\S+) /g)].map(([, port, cmd]) => ({ port: Number(port), cmd }));
    const [found, ...more] = all.filter(({ port, cmd }) => cmd === command && proxy.ports().includes(port));
    assert.equal(more.length, 0);
    if (found) return found.port;
    await nextTurn();
  }
}

/** Waits for so many pulses of a server, five a second. */
async function pulses(admin: Redis, count: number): Promise<void> {
  const subscriber = admin.duplicate();
  await subscriber.psubscribe('*#pulse-*');
  for (let seen = 0; seen < count; seen++) await next(subscriber, 'pmessage');
  subscriber.disconnect();
}

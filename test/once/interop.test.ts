/** Servers of this plugin and others on the same backend: plain ones of Socket.IO with the official adapters, and those of 5.0.0. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test, type TestContext } from 'node:test';
import { createAdapter as createPostgresAdapter } from '@socket.io/postgres-adapter';
import { createAdapter as createRedisAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, allHeard, allKnown, enter, startServer } from '../support/adapters';
import { next } from '../support/client';
import { partsOfFormerVersion } from '../support/former-version';
import { join, type Joined } from '../support/joined';
import { lifetimeOfFile } from '../support/lifetime';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';
import { repeatUntil, until } from '../support/until';

const { Pool } = createRequire(require.resolve('@socket.io/postgres-adapter'))('pg') as {
  Pool: new (options: { connectionString: string }) => Parameters<typeof createPostgresAdapter>[0];
};

/** The official adapter, typed as a class only and documented as a function; and how its connections end. */
interface Plain {
  readonly adapter: NonNullable<ServerOptions['adapter']>;
  end(): Promise<unknown>;
}

interface Backend {
  /** `config.io`. */
  readonly io: Parameters<typeof join>[1];
  plain(): Plain;
}

const file = lifetimeOfFile();

let redisServer: ReturnType<typeof startRedis> | undefined;

function redis(adapter: string, plainAdapter: (pub: Redis, sub: Redis) => Plain['adapter']): () => Promise<Backend> {
  return async () => {
    const { port } = await (redisServer ??= startRedis(file));
    const options = { port };
    return {
      io: { adapter, redis: options },
      plain: () => {
        const [pub, sub] = [new Redis(options), new Redis(options)];
        return { adapter: plainAdapter(pub, sub), end: () => Promise.all([pub.quit(), sub.quit()]) }; // answered after its UNSUBSCRIBE
      },
    };
  };
}

const BACKENDS: Record<string, () => Promise<Backend>> = {
  redis: redis('redis', (pub, sub) => createRedisAdapter(pub, sub)),
  'redis-sharded': redis('redis-sharded', (pub, sub) => createShardedAdapter(pub, sub)),
  'redis-streams': redis('redis-streams', pub => createStreamsAdapter(pub, { blockTimeInMs: 100 })),
  postgres: async () => {
    const server = await newPostgres(file);
    await server.start();
    return {
      io: { adapter: { name: 'postgres', connection: server.url } },
      plain: () => {
        const pool = new Pool({ connectionString: server.url });
        return { adapter: createPostgresAdapter(pool), end: () => pool.end() };
      },
    };
  },
};

/** What some values of a plain server have become, and docs/emitting.md has in words: its own adapter has changed them, beside what JSON changes. */
const FROM_PLAIN: Record<string, Record<string, unknown>> = {
  redis: { integer: 0, words: Buffer.from([1, 0x34]), buffer: Buffer.from([3]) },
  'redis-sharded': { integer: 2 ** 70, words: Buffer.from([1, 0x34]), buffer: Buffer.from([3]) },
  'redis-streams': { integer: 2 ** 70, words: Buffer.from([1, 0, 0x34, 0x12]), buffer: {} },
  postgres: { integer: 2 ** 70, words: Buffer.from([1, 0, 0x34, 0x12]), buffer: {} },
};

const BYTES = Buffer.from([0, 255]);

for (const [name, start] of Object.entries(BACKENDS)) {
  let started: Promise<Backend> | undefined;
  const backend = async (): Promise<Backend> => (started ??= start()); // not if its tests are skipped: it would begin after the end of the file

  test(`${name}: a plain server of Socket.IO on the same backend, both ways`, async t => {
    watchForCrashes(t);
    const { io, plain } = await backend();
    const { adapter, end } = plain();
    const own = await startOwn(t, io);
    const other = await startServer(t, { adapter }, end);
    await allKnown([own, other]);
    await hears(t, own, other);
    await ofPlainServer(t, own, other, FROM_PLAIN[name] ?? {});
    await both(t, own, other);
  });

  test(`${name}: a server of 5.0.0 on the same backend, both ways, as during a rolling deploy`, { timeout: 120_000 }, async t => {
    const former = await partsOfFormerVersion();
    if (!former) {
      t.skip('this clone does not reach back to 5.0.0');
      return;
    }
    watchForCrashes(t);
    const { io } = await backend();
    await both(t, await startOwn(t, io), await startOwn(t, io, former));
  });
}

async function startOwn(...args: Parameters<typeof join>): Promise<Joined> {
  const server = await join(...args);
  await server.ready();
  return server;
}

async function both(t: TestContext, own: AdapterServer, other: AdapterServer): Promise<void> {
  await bothWays(t, own, other);
  await others(t, own, other);
  await other.leave();
  await own.leave();
}

/** What either server sends arrives at the other one, if it is what all ways can carry. */
async function bothWays(t: TestContext, own: AdapterServer, other: AdapterServer): Promise<void> {
  await allKnown([own, other]);
  for (const [sender, receiver] of [
    [own, other],
    [other, own],
  ] as const) {
    const person = await enter(t, receiver);
    await person.socket.join('room');
    person.client.on('ask', (value: unknown, answer: (value: unknown) => void) => answer([value, 'answered']));
    await allHeard(sender.io.of('/'), [person]); // a room that is new is known everywhere
    const said = next(person.client, 'said'); // a plain server over PostgreSQL hears what comes after bytes before them
    sender.io.emit('said', 1.5, '大家好', null, { a: [BYTES, { b: true }] });
    assert.deepEqual(await said, [1.5, '大家好', null, { a: [BYTES, { b: true }] }]);
    const toRoom = next(person.client, 'to the room');
    sender.io.to('room').emit('to the room', 1);
    assert.deepEqual(await toRoom, [1]);
    assert.deepEqual(await sender.io.to(person.id).timeout(5000).emitWithAck('ask', { a: BYTES }), [[{ a: BYTES }, 'answered']]);
    person.socket.data = { name: 'bob' };
    const found = (await sender.io.fetchSockets()).find(({ id }) => id === person.id);
    assert.deepEqual(found?.data, { name: 'bob' });
    receiver.io.on('question', (value: unknown, answer: (value: unknown) => void) => answer({ value }));
    assert.deepEqual(await sender.io.serverSideEmitWithAck('question', { deep: ['大'] }), [{ value: { deep: ['大'] } }]);
    const heard = next(receiver.io, 'news');
    sender.io.serverSideEmit('news', 1);
    assert.deepEqual(await heard, [1]);
    sender.io.in(person.id).socketsJoin('more');
    await until(t, () => person.socket.rooms.has('more'));
    person.client.disconnect();
  }
}

/**
 * Waits until a plain server hears: with Redis Streams, it is counted before it reads. Over PostgreSQL, there is a table by then, since bytes go
 * through it: the boot does not wait for it, and a plain server loses what it cannot store.
 */
async function hears(t: TestContext, own: AdapterServer, plain: AdapterServer): Promise<void> {
  const { client, id } = await enter(t, plain);
  await repeatUntil(t, () => own.io.to(id).emit('bytes', BYTES), next(client, 'bytes'));
  client.disconnect();
}

async function ofPlainServer(t: TestContext, own: AdapterServer, plain: AdapterServer, changed: Record<string, unknown>): Promise<void> {
  const { client } = await enter(t, own);
  const values = { date: new Date(0), nan: Number.NaN, json: { toJSON: () => 'json' }, nothing: { a: undefined, b: [undefined] } };
  const others = { integer: 2 ** 70, words: new Uint16Array([1, 0x1234]), buffer: new Uint8Array([3]).buffer };
  const arrived: Record<string, unknown> = {};
  for (const [kind, value] of Object.entries({ ...values, ...others })) {
    const heard = next(client, kind); // a plain server over PostgreSQL sends events with bytes later
    plain.io.emit(kind, value, 'last');
    [arrived[kind]] = await heard;
  }
  assert.deepEqual(arrived, { date: '1970-01-01T00:00:00.000Z', nan: null, json: 'json', nothing: { b: [null] }, ...changed });
  client.disconnect();
}

/** What others cannot carry is nothing to them, or arrives changed; what comes after it arrives. */
async function others(t: TestContext, own: AdapterServer, other: AdapterServer): Promise<void> {
  const person = await enter(t, other);
  await allHeard(own.io.of('/'), [person]);
  const odd = [2 ** 70, 'a\ud800b', JSON.parse('{"__proto__":{"a":1},"b":2}'), nested(100)];
  for (const value of odd) {
    own.io.emit('odd', value);
    own.io.serverSideEmit('odd', value);
  }
  own.io.emit('even', 2);
  const [heard = []] = await allHeard(own.io.of('/'), [person]);
  assert.deepEqual(
    heard.map(([event]) => event),
    ['odd', 'odd', 'odd', 'even'], // what nests too deep does not arrive
  );
  assert.deepEqual(heard[2], ['odd', { b: 2 }]);
  const asked = next(other.io, 'after');
  own.io.serverSideEmit('after', 3);
  assert.deepEqual(await asked, [3]);
}

function nested(levels: number): unknown {
  return levels === 1 ? [] : [nested(levels - 1)];
}

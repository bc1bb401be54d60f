/** Streams of rooms with history: what their homes do that no app can see at once. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Cluster, Redis } from 'ioredis';
import { MemoryStreams, type RedisKeys, RedisStreams } from '../support/parts';
import { startRedis, startRedisCluster } from '../support/redis';

const LIMITS = { size: 5, ttl: 60_000 };

const event = (text: string): { content: string[] } => ({ content: [text] });

/** The streams of one more process. */
function processOf(t: TestContext, client: Redis | Cluster): RedisStreams {
  const streams = new RedisStreams({
    prefix: 'test',
    async run(command, args, expected) {
      const all = args.map(arg => (arg instanceof Uint8Array ? Buffer.from(arg) : arg));
      try {
        return await client.callBuffer(command, ...all);
      } catch (error) {
        if (expected?.test(String(error))) return undefined;
        throw error;
      }
    },
  } satisfies RedisKeys);
  t.after(() => streams.close());
  t.after(() => client.disconnect());
  return streams;
}

test('memory: beyond the largest number of streams, or of bytes, those go first that have had no event for longest, which begins an epoch', t => {
  const few = new MemoryStreams({ streams: 2, bytes: 10_000 });
  t.after(() => few.close());
  const { epoch } = few.append('a', event('1'), LIMITS);
  few.append('b', event('1'), LIMITS);
  few.append('a', event('2'), LIMITS);
  assert.equal(few.append('c', event('1'), LIMITS).offset, 1);
  assert.deepEqual([few.read('a', 0, 9).offset, few.read('b', 0, 9).offset, few.read('c', 0, 9).offset], [2, 0, 1]);
  assert.equal(few.read('a', 0, 9).epoch, epoch);
  assert.notEqual(few.append('b', event('1'), LIMITS).epoch, epoch, 'it lacks an event');
  assert.equal(few.read('a', 0, 9).offset, 0);

  const small = new MemoryStreams({ streams: 100, bytes: 10_000 });
  t.after(() => small.close());
  const large = 'x'.repeat(3000);
  for (const stream of ['a', 'b', 'c']) small.append(stream, event(large), LIMITS);
  small.append('a', event(large), LIMITS);
  assert.deepEqual(
    ['a', 'b', 'c'].map(stream => small.read(stream, 0, 9).entries.length),
    [2, 0, 1],
  );
  for (let index = 0; index < 4; index++) small.append('a', event(large), LIMITS);
  const { offset, entries } = small.read('a', 0, 9);
  assert.deepEqual([offset, entries.map(entry => entry.offset)], [6, [4, 5, 6]], 'one that is too large by itself loses its oldest events');
});

test('redis: streams of several processes at a Cluster have one epoch and one order; who has the former epoch continues nothing', async t => {
  const nodes = (await startRedisCluster(t)).map(({ host, port }) => ({ host, port }));
  const [one, other] = [processOf(t, new Cluster(nodes)), processOf(t, new Cluster(nodes))];
  const pages = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => [
      await one.read(`r${index}`, 0, 0, LIMITS),
      await other.read(`r${index}`, 0, 0, LIMITS),
    ]),
  );
  for (const [first, second] of pages) assert.deepEqual(first, second);
  const both = await Promise.all([one, other].map(async streams => streams.read('new', 0, 0, LIMITS)));
  assert.deepEqual(both[0], both[1], 'they have created it at once');

  const settled: number[] = [];
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const { offset } = await one.append('room', event(String(index)), { ...LIMITS, size: 100 });
      settled.push(offset);
    }),
  );
  assert.deepEqual(
    settled,
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  const page = await other.read('room', 0, 100, LIMITS);
  assert.deepEqual(
    page.entries.map(({ content }) => content[0]),
    Array.from({ length: 20 }, (_, index) => String(index)),
  );

  const { epoch } = await other.append('room', event('by the other one'), LIMITS);
  assert.equal(epoch, page.epoch);
  await one.restart('room');
  const anew = await one.append('room', event('anew'), LIMITS);
  assert.deepEqual([anew.offset, anew.epoch === epoch], [1, false]);
  assert.deepEqual(await other.append('room', event('later'), LIMITS), { epoch: anew.epoch, offset: 2 });
});

test('redis: a stream whose latest events are lost, as in a failover, begins anew; nothing stays for ever', async t => {
  const { port } = await startRedis(t);
  const admin = new Redis({ port });
  t.after(() => admin.disconnect());
  const streams = processOf(t, new Redis({ port }));
  const { epoch } = await streams.append('room', event('1'), LIMITS);
  const [key = ''] = await admin.keys('*');
  assert.ok((await admin.pttl(key)) > LIMITS.ttl);
  const before = await admin.dumpBuffer(key);
  await streams.append('room', event('2'), LIMITS);
  await admin.restore(key, 0, before ?? '', 'REPLACE');
  const after = await streams.append('room', event('3'), LIMITS);
  assert.deepEqual([after.offset, after.epoch === epoch], [1, false]);
  assert.ok((await admin.pttl(key)) > LIMITS.ttl);
  assert.deepEqual(await admin.keys('*'), [key]);
});

/** Streams of rooms with history: what their homes do that no app can see at once. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { ROOT } from '../support/app';
import { hubPath, startHub, startWorker } from '../support/hub';
import { Logs } from '../support/logs';
import { createBackplane, keepStreams, MemoryStreams, readConfig, type RemoteStreams, type Streams, streamsOf } from '../support/parts';
import { newPostgres, runAt } from '../support/postgres';
import { startRedis, startRedisCluster } from '../support/redis';
import { until } from '../support/until';

const LIMITS = { size: 5, ttl: 60_000 };

const event = (text: string): { content: string[] } => ({ content: [text] });

/** The streams of one more process. @param io `config.io` */
async function processOf(t: TestContext, io: object): Promise<Streams> {
  const logs = new Logs();
  const settings = readConfig({ io }, 1, message => logs.warn(message));
  const backplane = createBackplane(settings.adapter, { logger: logs, baseDir: ROOT, hub: undefined });
  t.after(() => backplane?.close());
  await backplane?.ready();
  const streams = streamsOf(backplane);
  t.after(() => streams.close());
  await until(t, async () => Promise.resolve(streams.read('ready', 0, 0, LIMITS)).then(Boolean, () => false)); // on a busy machine, a Cluster takes longer than the boot waits
  return streams;
}

async function postgresProcess(t: TestContext, connection: string): Promise<Streams> {
  return processOf(t, { adapter: { name: 'postgres', connection, cleanupInterval: 50 } });
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

test('agent: a worker learns that others had to go for its event', async t => {
  const path = await hubPath(t);
  const kept = new MemoryStreams({ streams: 1, bytes: 10_000 });
  t.after(() => kept.close());
  keepStreams(await startHub(t, path), kept);
  const streams = streamsOf((await startWorker(t, path, 'worker 1')).link);
  t.after(() => streams.close());
  assert.equal((await streams.append('a', event('1'), LIMITS)).hasEvicted, undefined);
  assert.equal((await streams.append('b', event('1'), LIMITS)).hasEvicted, true);
});

test('redis: streams of several processes at a Cluster have one epoch and one order; who has the former epoch continues nothing', async t => {
  const nodes = (await startRedisCluster(t)).map(({ host, port }) => ({ host, port }));
  const [one, other] = [await processOf(t, { redis: { nodes } }), await processOf(t, { redis: { nodes } })];
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
  const streams = await processOf(t, { redis: { port } });
  const { epoch } = await streams.append('room', event('1'), LIMITS);
  const [key = ''] = await admin.keys('*{room}');
  assert.ok((await admin.pttl(key)) > LIMITS.ttl);
  const before = await admin.dumpBuffer(key);
  await streams.append('room', event('2'), LIMITS);
  await admin.restore(key, 0, before ?? '', 'REPLACE');
  const after = await streams.append('room', event('3'), LIMITS);
  assert.deepEqual([after.offset, after.epoch === epoch], [1, false]);
  assert.ok((await admin.pttl(key)) > LIMITS.ttl);
  assert.deepEqual(await admin.keys('*{room}*'), [key]);
});

test('postgres: streams of several processes, also behind PgBouncer in transaction mode, have one epoch and one order', async t => {
  const postgres = await newPostgres(t);
  await postgres.start();
  const { url } = await postgres.startPgBouncer('transaction');
  const [one, other] = [await postgresProcess(t, postgres.url), await postgresProcess(t, url)];
  const both = await Promise.all([one, other].map(async streams => streams.read('room', 0, 0, LIMITS)));
  assert.deepEqual(both[0], both[1], 'they have created it at once');

  const settled: string[] = [];
  const texts = Array.from({ length: 300 }, (_, index) => `${index % 2 ? 'one' : 'other'} ${index}`);
  const limits = { size: 1000, ttl: 60_000 };
  await Promise.all(
    texts.map(async (text, index) => {
      await (index % 2 ? one : other).append('room', event(text), limits);
      settled.push(text);
    }),
  );
  const { entries, offset, epoch } = await other.read('room', 0, 1000, limits);
  assert.deepEqual([offset, epoch], [300, both[0]?.epoch]);
  assert.deepEqual(
    entries.map(entry => entry.offset),
    texts.map((_, index) => index + 1),
  );
  const kept = entries.map(({ content }) => String(content[0]));
  for (const name of ['one', 'other']) {
    const own = texts.filter(text => text.startsWith(`${name} `));
    for (const order of [kept, settled]) assert.deepEqual(order.filter(text => own.includes(text)), own); // prettier-ignore
  }
});

test('postgres: behind Pgpool-II, whose standby lags, streams are read where they are written', async t => {
  const postgres = await newPostgres(t);
  await postgres.start();
  const standby = await postgres.newStandby();
  await standby.start();
  await runAt(standby.url, 'SELECT pg_wal_replay_pause()');
  const url = await postgres.startPgpool(standby);
  const [one, other] = [await postgresProcess(t, url), await postgresProcess(t, url)];
  const { epoch, offset } = await one.append('room', event('1'), LIMITS);
  const page = await other.read('room', -1, 9, LIMITS);
  assert.deepEqual([page.epoch, page.offset, page.entries.map(entry => entry.content)], [epoch, offset, [['1']]]);
});

test('postgres: whoever has the former epoch continues nothing, and a stream whose latest events are lost begins anew', async t => {
  const postgres = await newPostgres(t);
  await postgres.start();
  const [one, other] = [await postgresProcess(t, postgres.url), await postgresProcess(t, postgres.url)];
  const { epoch } = await one.append('room', event('1'), LIMITS);
  assert.deepEqual(await other.append('room', event('2'), LIMITS), { epoch, offset: 2 });
  await one.restart('room');
  const anew = await other.append('room', event('anew'), LIMITS);
  assert.deepEqual([anew.offset, anew.epoch === epoch], [1, false]);
  assert.deepEqual(await one.append('room', event('later'), LIMITS), { epoch: anew.epoch, offset: 2 });

  await runAt(postgres.url, 'UPDATE socket_io_streams SET last = 1'); // as a failover leaves it
  await runAt(postgres.url, 'DELETE FROM socket_io_events WHERE number = 2');
  const after = await one.append('room', event('3'), LIMITS);
  assert.deepEqual([after.offset, after.epoch === anew.epoch], [1, false]);
});

test('postgres: bytes and ids stay as they are, a stream keeps no more than its size and for no longer than its time, and nothing stays for ever', async t => {
  const postgres = await newPostgres(t);
  await postgres.start();
  const streams = await postgresProcess(t, postgres.url);
  const content = ['ünï $1', Buffer.from([0, 255])];
  await streams.append('room', { content, id: 'id' }, LIMITS);
  assert.deepEqual((await streams.read('room', 0, 9, LIMITS)).entries, [{ offset: 1, content, id: 'id' }]);
  await Promise.all(Array.from({ length: 9 }, async (_, index) => streams.append('room', event(String(index)), LIMITS)));
  const numbers = async (after: number, count: number, limits = LIMITS): Promise<number[]> =>
    (await streams.read('room', after, count, limits)).entries.map(({ offset }) => offset);
  assert.deepEqual(await numbers(0, 9), [6, 7, 8, 9, 10]);
  assert.deepEqual([await numbers(-2, 9), await numbers(7, 2), await numbers(10, 9)], [[9, 10], [8, 9], []]);

  await runAt(postgres.url, 'UPDATE socket_io_events SET expires_at = now() WHERE number = 8'); // of a server with another ttl
  assert.deepEqual(await numbers(0, 9), [9, 10], 'a gap is at the beginning, where it shows');
  await streams.append('brief', event('1'), { size: 5, ttl: 1 });
  await until(t, async () => (await streams.read('brief', 0, 9, LIMITS)).entries.length === 0);
  assert.equal((await streams.read('brief', 0, 9, LIMITS)).offset, 1);
  await runAt(postgres.url, 'UPDATE socket_io_events SET expires_at = now(); UPDATE socket_io_streams SET expires_at = now()');
  const left = 'SELECT epoch FROM socket_io_events UNION SELECT epoch FROM socket_io_streams';
  await until(t, async () => (await runAt(postgres.url, left)).length === 0);
});

/** A place for streams that can refuse to keep events. */
interface Place {
  newProcess(): Promise<Streams>;
  refuse(): Promise<unknown>;
  permit(): Promise<unknown>;
}

const PLACES: Record<string, (t: TestContext) => Promise<Place>> = {
  agent: async t => {
    const path = await hubPath(t);
    const hub = await startHub(t, path);
    const streams = new MemoryStreams();
    t.after(() => streams.close());
    keepStreams(hub, streams);
    let number = 0;
    return {
      newProcess: async () => streamsOf((await startWorker(t, path, `worker ${++number}`)).link),
      refuse: async () =>
        hub.answer('streams', () => {
          throw new Error('the agent refuses');
        }),
      permit: async () => keepStreams(hub, streams),
    };
  },
  'a Cluster of Redis': async t => {
    const nodes = (await startRedisCluster(t)).map(({ host, port }) => ({ host, port }));
    const admins = nodes.map(node => new Redis(node));
    t.after(() => admins.forEach(admin => admin.disconnect()));
    const order = async (...rules: string[]): Promise<unknown> =>
      Promise.all(admins.map(async admin => admin.acl('SETUSER', 'default', ...rules)));
    return {
      newProcess: async () => processOf(t, { redis: { nodes, key: 'app[1]' } }),
      refuse: async () => order('-xadd', '-unlink'), // nothing begins anew meanwhile
      permit: async () => order('+xadd', '+unlink'),
    };
  },
  postgres: async t => {
    const postgres = await newPostgres(t);
    await postgres.start();
    // nothing begins anew meanwhile; for each row, so that the deletion of old ones, of which there are none, is refused in no process
    const refusal = `
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
      CREATE TRIGGER refused BEFORE UPDATE OR DELETE ON socket_io_streams FOR EACH ROW EXECUTE FUNCTION refuse()`;
    return {
      newProcess: async () => postgresProcess(t, postgres.url),
      refuse: async () => runAt(postgres.url, refusal),
      permit: async () => runAt(postgres.url, 'DROP FUNCTION refuse CASCADE'),
    };
  },
};

for (const [name, start] of Object.entries(PLACES))
  test(`${name}: streams that lack an event begin anew, and all of them if these are too many to be remembered`, async t => {
    const { newProcess, refuse, permit } = await start(t);
    const [one, other] = [await newProcess(), await newProcess()];
    const epochOf = async (stream: string): Promise<string> => (await other.read(stream, 0, 0, LIMITS)).epoch;
    const { epoch } = await other.append('complete', event('1'), LIMITS);
    const first = await epochOf('lacks 0');
    const fail = async (count: number): Promise<void> => {
      await refuse();
      for (let index = 0; index < count; index++) await assert.rejects(async () => one.append(`lacks ${index}`, event('lost'), LIMITS));
      await permit();
    };
    await fail(1);
    await one.untilRestarted('lacks 0');
    assert.notEqual(await epochOf('lacks 0'), first);
    assert.equal(await epochOf('complete'), epoch);

    Object.assign(one, { maxIncomplete: 5 } satisfies Partial<RemoteStreams>);
    await fail(6);
    await one.untilRestarted('complete');
    assert.notEqual(await epochOf('complete'), epoch);
    assert.equal((await one.append('complete', event('anew'), LIMITS)).offset, 1);
    await one.untilRestarted('lacks 0');
  });

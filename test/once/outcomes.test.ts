/** Outcomes of events with a key: each home of them has to meet the same cases. */
import assert from 'node:assert/strict';
import { after, test, type TestContext } from 'node:test';
import { ROOT } from '../support/app';
import { hubPath, startHub, startWorker } from '../support/hub';
import { Logs } from '../support/logs';
import { createBackplane, keepOutcomes, MemoryOutcomes, Outcomes, outcomeStoreOf, type OutcomeStore, readConfig } from '../support/parts';
import { newPostgres, type PostgresServer } from '../support/postgres';
import { startRedis, startRedisCluster } from '../support/redis';
import { until } from '../support/until';

/** Returns a function that makes the store of one more process. */
type Home = (t: TestContext) => Promise<() => Promise<OutcomeStore>>;

const HOMES: Record<string, Home> = {
  memory: async () => {
    const store = new MemoryOutcomes();
    return async () => store;
  },
  agent: async t => {
    const path = await hubPath(t);
    keepOutcomes(await startHub(t, path));
    let number = 0;
    return async () => (await startWorker(t, path, `worker ${++number}`)).link.kept.outcomes;
  },
  redis: async t => {
    const { port } = await startRedis(t);
    return async () => storeOf(t, { adapter: 'redis', redis: { port } });
  },
  'redis-sharded': async t => {
    const { port } = await startRedis(t);
    return async () => storeOf(t, { adapter: 'redis-sharded', redis: { port } });
  },
  'redis-streams': async t => {
    const { port } = await startRedis(t);
    return async () => storeOf(t, { adapter: 'redis-streams', redis: { port, db: 1 } });
  },
  postgres: async t => {
    const postgres = await startPostgres(t);
    return async () => storeOf(t, { adapter: { name: 'postgres', connection: postgres.url } });
  },
  'postgres behind PgBouncer in transaction mode': async t => {
    const { url } = await (await startPostgres(t)).startPgBouncer('transaction');
    return async () => storeOf(t, { adapter: { name: 'postgres', connection: url } });
  },
  'a Cluster of Redis': async t => {
    const [node] = await startRedisCluster(t);
    return async () => storeOf(t, { adapter: 'redis', redis: { nodes: [{ host: '127.0.0.1', port: node?.port }] } });
  },
};

async function startPostgres(t: TestContext): Promise<PostgresServer> {
  const postgres = await newPostgres(t);
  await postgres.start();
  return postgres;
}

/** The store of one more process. @param io `config.io` */
async function storeOf(t: TestContext, io: object): Promise<OutcomeStore> {
  const logs = new Logs();
  const settings = readConfig({ io }, 1, message => logs.warn(message));
  const backplane = createBackplane(settings.adapter, { logger: logs, baseDir: ROOT, hub: undefined });
  t.after(() => backplane?.close());
  await backplane?.ready();
  const store = outcomeStoreOf(backplane, settings, 1);
  assert.ok(store);
  await until(t, async () => store.claim('ready', 1).then(Boolean, () => false)); // on a busy machine, a Cluster takes longer than the boot waits
  return store;
}

/** As the server of an app does: what waits for an outcome does not keep the process alive. */
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

const LEASE = 5000;
const TTL = 60_000;

for (const [name, home] of Object.entries(HOMES)) {
  test(`outcomes in ${name}`, async t => {
    const newStore = await home(t);
    const [one, other] = [await newStore(), await newStore()];

    await t.test('the first one runs, others learn that it runs, and later the outcome', async () => {
      assert.deepEqual(await one.claim('a', LEASE), { state: 'first' });
      assert.deepEqual(await other.claim('a', LEASE), { state: 'running' });
      assert.deepEqual(await one.claim('a', LEASE), { state: 'running' });
      assert.deepEqual(await other.claim('b', LEASE), { state: 'first' });
      await one.settle('a', '"ünï\u0000 $1"', TTL);
      for (const store of [one, other]) assert.deepEqual(await store.claim('a', LEASE), { state: 'settled', outcome: '"ünï\u0000 $1"' });
    });

    await t.test('of many at once, one is the first', async () => {
      const claims = await Promise.all(Array.from({ length: 20 }, async (_, n) => (n % 2 ? one : other).claim('many', LEASE)));
      assert.equal(claims.filter(({ state }) => state === 'first').length, 1);
      assert.equal(claims.filter(({ state }) => state === 'running').length, 19);
    });

    await t.test('a lease ends, unless it is renewed', async () => {
      await one.claim('lost', 1);
      await until(t, async () => (await other.claim('lost', LEASE)).state === 'first');
      await one.claim('held', 500);
      await one.claim('not renewed', 500);
      await one.renew('held', LEASE);
      await until(t, async () => (await other.claim('not renewed', LEASE)).state === 'first');
      assert.deepEqual(await other.claim('held', LEASE), { state: 'running' });
    });

    await t.test('a renewal takes a lease again that has ended, and does nothing to an outcome', async () => {
      await one.claim('again', 1);
      await one.claim('as long', 1);
      await until(t, async () => (await other.claim('as long', LEASE)).state === 'first');
      await one.renew('again', LEASE);
      assert.deepEqual(await other.claim('again', LEASE), { state: 'running' });
      await one.settle('again', 'outcome', TTL);
      await one.renew('again', LEASE);
      assert.deepEqual(await other.claim('again', LEASE), { state: 'settled', outcome: 'outcome' });
    });

    await t.test('the first outcome stays', async () => {
      await one.claim('twice', LEASE);
      await one.settle('twice', 'first', TTL);
      await other.settle('twice', 'second', TTL);
      assert.deepEqual(await other.claim('twice', LEASE), { state: 'settled', outcome: 'first' });
    });

    await t.test('an outcome ends after its time', async () => {
      await one.claim('short', LEASE);
      await one.settle('short', 'outcome', 1);
      await until(t, async () => (await other.claim('short', LEASE)).state === 'first');
    });

    await t.test('work happens once in all processes, and all get its outcome', async () => {
      const processes = await Promise.all(Array.from({ length: 3 }, async () => new Outcomes(await newStore(), TTL)));
      let runs = 0;
      let end: () => void = () => {};
      const ended = new Promise<void>(resolve => (end = resolve));
      const work = async (): Promise<string> => {
        const run = ++runs;
        await ended;
        return `run ${run}`;
      };
      const all = Promise.all(Array.from({ length: 30 }, async (_, n) => processes[n % 3]?.once(`work ${n % 2}`, work)));
      await until(t, () => runs === 2);
      end();
      assert.equal(new Set((await all).map((outcome, n) => `${n % 2} ${outcome}`)).size, 2);
      assert.equal(runs, 2);
      for (const outcomes of processes) outcomes.close();
    });
  });
}

test('memory for outcomes is bounded: the oldest ones go first', async () => {
  const store = new MemoryOutcomes({ count: 3, characters: 10, perOwner: 3 });
  const settle = async (key: string, outcome: string): Promise<void> => {
    await store.claim(key, LEASE);
    await store.settle(key, outcome, TTL);
  };
  const stateOf = async (key: string): Promise<string> => (await store.claim(key, LEASE)).state;
  for (const key of ['a', 'b', 'c', 'd']) await settle(key, key);
  assert.deepEqual(
    [await stateOf('b'), await stateOf('c'), await stateOf('d'), await stateOf('a')],
    ['settled', 'settled', 'settled', 'first'],
  );
  await settle('long', '1234567890');
  assert.deepEqual([await stateOf('d'), await stateOf('long')], ['first', 'settled']);
  await settle('longer', '12345678901');
  assert.deepEqual([await stateOf('longer')], ['first']);
});

test('memory for the outcomes of one owner is bounded: only their own oldest ones go', async () => {
  const store = new MemoryOutcomes({ count: 100, characters: 1000, perOwner: 2 });
  const [anna, eve] = ['a'.repeat(16), 'e'.repeat(16)];
  for (const key of [`${anna}1`, ...Array.from({ length: 50 }, (_, n) => `${eve}${n}`), `${anna}2`]) await store.settle(key, key, TTL);
  const states = [`${anna}1`, `${anna}2`, `${eve}47`, `${eve}48`, `${eve}49`].map(async key => (await store.claim(key, LEASE)).state);
  assert.deepEqual(await Promise.all(states), ['settled', 'settled', 'first', 'settled', 'settled']);
});

test('agent: a worker learns that older outcomes had to go for its own', async t => {
  const newStore = await HOMES['agent']?.(t);
  const store = await newStore?.();
  const owner = 'a'.repeat(16);
  for (let n = 0; n < 1000; n++) assert.equal(await store?.settle(`${owner}${n}`, 'done', TTL), false);
  assert.equal(await store?.settle(`${owner}1000`, 'done', TTL), true);
});

test('in an outage no work is done, what is being done is kept after it, and this process has it meanwhile', async t => {
  const store = new MemoryOutcomes();
  let isDown = false;
  const check = async <T>(answer: Promise<T>): Promise<T> => {
    if (isDown) throw new Error('down');
    return answer;
  };
  const flaky: OutcomeStore = {
    claim: async (key, lease) => check(store.claim(key, lease)),
    renew: async (key, lease) => check(store.renew(key, lease)),
    settle: async (key, outcome, ttl) => check(store.settle(key, outcome, ttl)),
  };
  const outcomes = new Outcomes(flaky, TTL);
  t.after(() => outcomes.close());
  let end: (() => void) | undefined;
  const running = outcomes.once('running', async () => new Promise(resolve => (end = () => resolve('done'))));
  await until(t, () => end !== undefined);
  isDown = true;
  end?.();
  assert.equal(await running, 'done');
  await assert.rejects(
    outcomes.once('new', async () => assert.fail('it runs')),
    /down/,
  );
  assert.equal(await outcomes.once('running', async () => assert.fail('it runs')), 'done');
  isDown = false;
  await until(t, async () => (await store.claim('running', LEASE)).state === 'settled');
});

test('one that closes waits for nobody', async t => {
  const store = new MemoryOutcomes();
  await store.claim('elsewhere', LEASE);
  const claim = t.mock.method(store, 'claim');
  const outcomes = new Outcomes(store, TTL);
  const waiting = assert.rejects(
    outcomes.once('elsewhere', async () => assert.fail('it runs')),
    /closing/,
  );
  await until(t, () => claim.mock.callCount() > 0);
  outcomes.close();
  await waiting;
});

/** What an outage costs: local clients nothing, and the others only what has to come from other servers. With each adapter, and real servers. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type RunningApp, startApp } from '../support/app';
import { type Client, connect, next } from '../support/client';
import { documentedFault } from '../support/documented-fault';
import { newPostgres } from '../support/postgres';
import { startProxy } from '../support/proxy';
import { newRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';
import { repeatUntil, until } from '../support/until';

/** How long an outage lasts, in seconds. What has been measured for docs/adapters.md is 30. */
const OUTAGE = Number(process.env['OUTAGE'] ?? 3);

const DOWN = /^ERROR .*IO_(?:REDIS|DATABASE)_DOWN: no (?:Redis|PostgreSQL) at/;
const BACK = /^INFO .*(?:Redis|PostgreSQL) at .* is back/;

/** A server that carries messages between ours. */
interface Carrier {
  readonly port: number;
  /** `config.io` */
  readonly io: string;
  /** The same by way of another port. */
  ioThrough(port: number): string;
  start(): Promise<void>;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

const CARRIERS: Record<string, (t: TestContext) => Promise<Carrier>> = {
  redis: async t => redisFor(t, 'redis'),
  'redis-sharded': async t => redisFor(t, 'redis-sharded'),
  'redis-streams': async t => redisFor(t, 'redis-streams'),
  'redis-streams with recovery': async t => redisFor(t, 'redis-streams', 'init: { connectionStateRecovery: {} },'),
  postgres: async t => {
    const postgres = await newPostgres(t);
    const { port } = new URL(postgres.url);
    // servers are forgotten soon, in outages as well
    const ioThrough = (port: number): string =>
      `{ adapter: { name: 'postgres', connection: 'postgres://test@127.0.0.1:${port}/postgres', heartbeatInterval: 500, heartbeatTimeout: 1500 } }`;
    return { ...postgres, port: Number(port), io: ioThrough(Number(port)), ioThrough };
  },
};

async function redisFor(t: TestContext, adapter: string, more = ''): Promise<Carrier> {
  const redis = await newRedis(t);
  const ioThrough = (port: number): string => `{ ${more} adapter: '${adapter}', redis: { port: ${port} } }`;
  return { ...redis, io: ioThrough(redis.port), ioThrough };
}

for (const [name, newCarrier] of Object.entries(CARRIERS)) {
  test(`${name}: down at boot, the app starts, serves its own, and joins the others when it comes up`, async t => {
    watchForCrashes(t);
    const carrier = await newCarrier(t);
    const [one, other] = await Promise.all([start(t, carrier.io), start(t, carrier.io)]);
    const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
    await reaches(t, one, alice);
    await carrier.start();
    await Promise.all([reaches(t, one, bob), reaches(t, other, alice)]);
    await everybodyAnswers(t, one, 2);
    await Promise.all([one, other].map(oneLineEach));
  });

  for (const fault of ['killed', 'paused'] as const) {
    test(`${name}: ${fault} under load for ${OUTAGE} s, local delivery goes on, questions fail at once, and all is well afterwards`, async t => {
      watchForCrashes(t);
      const carrier = await newCarrier(t);
      await carrier.start();
      const [one, other] = [await start(t, carrier.io), await start(t, carrier.io)];
      const [adapter = ''] = name.split(' ');
      const documented = adapter === 'postgres' ? undefined : documentedFault(adapter, `${fault} under load for 3 s`);
      const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
      alice.on('question', (answer: (text: string) => void) => answer('from here'));
      bob.on('question', (answer: (text: string) => void) => answer('from there'));
      await Promise.all([reaches(t, one, bob), reaches(t, other, alice)]);
      await everybodyAnswers(t, one, 2);
      assert.deepEqual(((await one.io.timeout(5000).emitWithAck('question')) as string[]).toSorted(), ['from here', 'from there']);

      const load = new Load(one, alice);
      t.after(() => load.stop());
      const before = await load.during(1000);
      if (fault === 'killed') await carrier.kill();
      else carrier.pause();
      const questions = Promise.all([
        failsAtOnce(() => one.io.fetchSockets()),
        failsAtOnce(() => one.io.timeout(10_000).emitWithAck('question')).then(({ responses }) =>
          assert.deepEqual(responses, ['from here']),
        ),
        failsAtOnce(() =>
          one.io
            .to('a')
            .to(alice.id ?? '')
            .timeout(10_000)
            .emitWithAck('question'),
        ),
        failsAtOnce(() => one.io.serverSideEmitWithAck('hello')),
      ]);
      const meanwhile = await load.during(OUTAGE * 1000);
      await questions;
      await failsAtOnce(() => one.io.fetchSockets());
      await documented?.questions(one);
      await documented?.emits(one, bob);
      assert.equal((await one.io.local.fetchSockets()).length, 1);
      t.diagnostic(`${name}, ${fault}: local delivery before ${String(before)} ms, in the outage ${String(meanwhile)} ms`);
      assert.ok(meanwhile.onTheirWay <= before.onTheirWay + 1, `${meanwhile.onTheirWay} were on their way at a time`);

      if (fault === 'killed') await carrier.start();
      else carrier.resume();
      const since = performance.now();
      await Promise.all([reaches(t, one, bob), reaches(t, other, alice)]);
      t.diagnostic(`${name}, ${fault}: back after ${Math.round(performance.now() - since)} ms`);
      load.stop();
      await everybodyAnswers(t, one, 2);
      await Promise.all([one, other].map(oneLineEach));
      documented?.log(one.logs);
    });
  }
}

for (const name of ['redis', 'redis-sharded', 'redis-streams', 'postgres']) {
  test(`${name}: a burst of emits in an outage is not kept; its end logs how many emits other servers have not received, each outage by itself`, async t => {
    watchForCrashes(t);
    const carrier = await CARRIERS[name]?.(t);
    assert.ok(carrier);
    await carrier.start();
    const { io, logs, app } = await start(t, carrier.io);
    const text = 'x'.repeat(10_000); // of the burst, 100 MB if they were kept
    for (const [outage, emits] of [10_000, 2].entries()) {
      carrier.pause(); // pulses get no answer, and fail when the connections are replaced
      while (logs.filter(line => DOWN.test(line)).length === outage) await next(app, 'captured');
      const before = await memoryInUse();
      for (let n = 0; n < emits; n++) io.emit('lost', n, text);
      const growth = Math.round(((await memoryInUse()) - before) / 1024 ** 2);
      assert.ok(growth < 64, `${growth} MB`);
      io.local.emit('not lost');
      carrier.resume();
      while (logs.filter(line => BACK.test(line)).length === outage) await next(app, 'captured');
    }
    const counts = logs
      .filter(line => BACK.test(line))
      .map(line => Number(/messages to other servers lost meanwhile: (\d+)/.exec(line)?.[1]));
    assert.deepEqual(counts, [10_000, 2]);
  });
}

for (const name of ['redis', 'redis-sharded', 'redis-streams', 'postgres']) {
  test(`${name}: in an outage, and right after it, a question to many is not answered by the clients of this server alone`, async t => {
    watchForCrashes(t);
    const carrier = await CARRIERS[name]?.(t);
    assert.ok(carrier);
    await carrier.start();
    const proxy = await startProxy(t, carrier.port);
    const one = await start(t, carrier.io);
    const other = await start(t, carrier.ioThrough(proxy.port));
    for (const { url } of [one, other]) (await connect(t, url)).on('question', (answer: (text: string) => void) => answer('here'));
    await everybodyAnswers(t, one, 2);
    proxy.cut();
    await carrier.kill();
    await one.logged(DOWN);
    const forgotten = performance.now() + 3000;
    await until(t, async () => {
      const { responses } = await failsAtOnce(() => one.io.emitWithAck('question'));
      assert.deepEqual(responses, ['here']);
      return performance.now() >= forgotten;
    });
    await carrier.start();
    await one.logged(BACK);
    const early = one.io.timeout(4000).emitWithAck('question');
    proxy.lead(carrier.port); // it comes back later
    await assert.rejects(early);
    await everybodyAnswers(t, one, 2);
    assert.deepEqual(await one.io.timeout(5000).emitWithAck('question'), ['here', 'here']);
  });
}

test('a wrong password and a wrong host: a clear line of log within the time to connect, and the app serves its own', async t => {
  watchForCrashes(t);
  const redis = await newRedis(t, { password: 'secret' });
  await redis.start();
  for (const [io, reason] of [
    [`{ redis: { port: ${redis.port}, password: 'wrong' } }`, /REFUSED.*WRONGPASS/s],
    [`{ redis: { port: ${redis.port} } }`, /REFUSED.*NOAUTH/s],
    [`{ redis: { host: 'nowhere.invalid' } }`, /ENOTFOUND|EAI_AGAIN|no answer in 2000 ms/],
    [`{ redis: { host: '127.0.0.1', port: 1 } }`, /ECONNREFUSED/],
    [`{ redis: { nodes: [{ host: '127.0.0.1', port: 1 }] } }`, /ECONNREFUSED|Error: timeout/], // ioredis gives a node of a Cluster 1 s: little for a busy process
    [`{ redis: { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'main' } }`, /All sentinels are unreachable/],
    [`{ adapter: { name: 'postgres', connection: 'postgres://test@127.0.0.1:1/test' } }`, /ECONNREFUSED/],
  ] as const) {
    const app = await start(t, io);
    const line = await app.logged(/^ERROR .*_(?:DOWN|REFUSED)/);
    assert.match(line, reason);
    await reaches(t, app, await connect(t, app.url));
    await app.close();
    const errors = app.logs.filter(line => line.startsWith('ERROR'));
    const problems = errors.map(line => /refuses [A-Z]+|IO_\w+_DOWN/.exec(line)?.[0]); // without a password, each command that is sent is refused
    assert.equal(new Set(problems).size, errors.length, errors.join('\n'));
  }
});

/** In bytes, without garbage: whose buffers are freed in a thread of their own, some time after their collection. */
async function memoryInUse(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    gc();
    await nextTurn();
    const { heapUsed, arrayBuffers } = process.memoryUsage(); // `external` lags even more
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}

async function start(t: TestContext, io: string): Promise<RunningApp> {
  return startApp(t, { 'config/config.default.js': `exports.io = ${io};` });
}

/** Emits, again and again, until one arrives. */
async function reaches(t: TestContext, { io, url }: RunningApp, client: Client): Promise<void> {
  await repeatUntil(t, () => io.emit(url), next(client, url)); // a name that nobody else emits
}

/** Asks until all servers have found each other. */
async function everybodyAnswers(t: TestContext, { io }: RunningApp, sockets: number): Promise<void> {
  await until(t, async () => {
    const found = await io.fetchSockets().then(
      ({ length }) => length,
      () => 0,
    );
    return found === sockets;
  });
}

async function failsAtOnce(question: () => Promise<unknown>): Promise<Error & { responses?: unknown }> {
  const since = performance.now();
  try {
    await question();
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    const took = performance.now() - since;
    assert.match(String(code), /^IO_(REDIS|DATABASE)_DOWN$/, message);
    assert.ok(took < 2500, `it took ${took} ms`); // half of the shortest time that one of them has
    return error as Error;
  }
  throw new Error('it was answered');
}

/** Each server has said that it is down, and that it is back. */
async function oneLineEach({ logs, logged }: RunningApp): Promise<void> {
  await logged(BACK);
  const ours = logs.filter(line => line.includes('[egg-socket.io]') && !line.includes('takes all requests'));
  assert.equal(ours.length, 2, ours.join('\n'));
  assert.match(ours[0] ?? '', DOWN);
  assert.match(ours[1] ?? '', BACK);
}

/** A broadcast every few ms; how long each takes to a client of the same server, and how many others are on their way when it is sent. */
class Load {
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  #arrived = 0;
  #onTheirWay: number[] = [];
  #latencies: number[] = [];

  constructor({ io }: RunningApp, client: Client) {
    client.on('load', (sent: number) => {
      this.#arrived++;
      this.#latencies.push(performance.now() - sent);
    });
    this.#timer = setInterval(() => {
      this.#onTheirWay.push(this.#sent - this.#arrived);
      this.#sent++;
      io.emit('load', performance.now());
    }, 5);
  }

  /** Collects for some ms, which is what is measured here and no wait for something. */
  async during(ms: number): Promise<{ onTheirWay: number; toString(): string }> {
    this.#latencies = [];
    this.#onTheirWay = [];
    await wait(ms);
    const text = `p50 ${at(this.#latencies, 0.5).toFixed(2)}, p99 ${at(this.#latencies, 0.99).toFixed(2)}`;
    return { onTheirWay: at(this.#onTheirWay, 0.5), toString: () => text };
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The number that this part of them does not exceed. */
function at(numbers: readonly number[], part: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * part)] ?? Number.POSITIVE_INFINITY;
}

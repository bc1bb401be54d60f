/** Events with a key in several processes: workers with the agent as their memory, or with a backend, as several servers. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ask, type Client, connect } from '../support/client';
import { startCluster } from '../support/cluster';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { until } from '../support/until';

/** What keeps the outcomes, outside of the app. */
interface Backend {
  /** Of `config.io`. */
  readonly config: object;
  pause(): void;
  resume(): void;
}

const HOMES: Record<string, (t: TestContext) => Promise<Backend | undefined>> = {
  'the agent': async () => undefined,
  async Redis(t) {
    const redis = await startRedis(t);
    return { config: { redis: { port: redis.port } }, pause: redis.pause, resume: redis.resume };
  },
  async PostgreSQL(t) {
    const postgres = await newPostgres(t);
    await postgres.start();
    return { config: { adapter: { name: 'postgres', connection: postgres.url } }, pause: postgres.pause, resume: postgres.resume };
  },
};

const FILES = {
  'app/io/middleware/user.js': `module.exports = () => async (ctx, next) => { ctx.socket.user = 'anna'; await next(); };`,
  'app/router.js': `
    const { appendFileSync, readFileSync } = require('node:fs');
    module.exports = app => {
      const file = app.baseDir + '/runs';
      const run = ctx => appendFileSync(file, ctx.args[0] + ' ' + process.pid + '\\n');
      const once = { idempotencyKey: ctx => ctx.args[0] };
      app.io.route('worker', async () => process.pid);
      app.io.route('runs', async () => readFileSync(file, 'utf8').trim().split('\\n').map(line => line.split(' ')));
      app.io.route('pay', async ctx => { run(ctx); return process.pid; }, once);
      app.io.route('slow', async ctx => { run(ctx); await new Promise(resolve => setTimeout(resolve, 300)); return process.pid; }, once);
      app.io.route('crash', async ctx => { run(ctx); if (ctx.args[1] !== process.pid) process.kill(process.pid, 'SIGKILL'); return 'done'; }, once);
    };`,
};

/** A client of each of two workers. */
async function clientsOfTwo(t: TestContext, url: string): Promise<[one: Client, other: Client]> {
  const one = await connect(t, url);
  const pid = await ask(one, 'worker');
  for (;;) {
    const other = await connect(t, url);
    if ((await ask(other, 'worker')) !== pid) return [one, other];
    other.disconnect();
  }
}

for (const [name, start] of Object.entries(HOMES)) {
  test(
    `${name}: a retry that reaches another process gets the first answer, also if it comes during the first run or after that process has been killed`,
    { timeout: 60_000 },
    async t => {
      const backend = await start(t);
      const config = `Object.assign(exports.io = { namespace: { '/': { connectionMiddleware: ['user'] } } }, ${JSON.stringify(backend?.config ?? {})});`;
      const { url } = await startCluster(t, { ...FILES, 'config/config.default.js': config }, { workers: 2 });
      const [one, other] = await clientsOfTwo(t, url);
      const survivor = await ask(other, 'worker');
      const first = await ask(one, 'pay', 'order');
      assert.equal(await ask(other, 'pay', 'order'), first);
      const [slow, retry] = await Promise.all([ask(one, 'slow', 'slow'), ask(other, 'slow', 'slow')]);
      assert.equal(slow, retry);
      const gone = new Promise(resolve => one.once('disconnect', resolve));
      one.emit('crash', 'crash', survivor);
      await gone;
      assert.equal(await ask(other, 'pay', 'order'), first, 'the killed process had answered');
      assert.equal(await ask(other, 'crash', 'crash', survivor), 'done', 'its lease has ended');
      if (backend) await outage(t, other, backend);
      const runs = (await ask(other, 'runs')) as [string, string][];
      assert.deepEqual(
        runs.map(([key]) => key),
        ['order', 'slow', 'crash', 'crash', ...(backend ? ['begun', 'later'] : [])],
      );
      assert.equal(runs.at(-1)?.[1], String(survivor));
    },
  );
}

/** No handler runs, one that is running goes on, and its answer is kept after the outage. */
async function outage(t: TestContext, client: Client, { pause, resume }: Backend): Promise<void> {
  const isRefused = async (key: string): Promise<boolean> => {
    const answer = (await ask(client, 'pay', key)) as { error?: { code: string } };
    return answer.error?.code === 'TRY_AGAIN';
  };
  const begun = ask(client, 'slow', 'begun');
  await until(t, async () => ((await ask(client, 'runs')) as [string, string][]).some(([key]) => key === 'begun'));
  pause();
  assert.equal(await begun, await ask(client, 'worker'));
  assert.ok(await isRefused('later'));
  resume();
  await until(t, async () => !(await isRefused('later')));
  assert.equal(await ask(client, 'slow', 'begun'), await ask(client, 'worker'));
}

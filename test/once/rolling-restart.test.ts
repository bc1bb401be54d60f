/** Two servers behind HAProxy, with the configuration of the guide to deployment, are restarted one after the other: no client loses anything. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { move } from 'egg-socket.io/client';
import type { Files } from '../support/app';
import { type Client, newClient, next } from '../support/client';
import { type Cluster, startCluster } from '../support/cluster';
import { readPage } from '../support/page';
import { processesOf } from '../support/processes';
import { startRedis } from '../support/redis';
import { startReverseProxy } from '../support/reverse-proxy';
import { until } from '../support/until';

const CLIENTS = 20;
/** Of each server. */
const WORKERS = [2, 1];
const TRANSPORTS = [['websocket'], ['polling', 'websocket'], ['polling']];

const filesOf = (redisPort: number): Files => ({
  'config/config.default.js': `
    exports.io = {
      health: true,
      drain: { timeout: 2500, batch: 5, jitter: 200 },
      redis: { host: '127.0.0.1', port: ${redisPort} },
      init: { connectionStateRecovery: {}, cookie: 'io' },
    };`,
  'app/io/controller/home.js': `
    exports.work = async ctx => {
      await new Promise(resolve => setTimeout(resolve, 100));
      return ctx.args[0];
    };`,
  'app/router.js': `
    module.exports = app => {
      app.io.route('work', app.io.controller.home.work);
      app.get('/port', async ctx => { ctx.body = String(ctx.req.socket.localPort); });
    };`,
});

interface Site {
  readonly url: string;
  readonly servers: Cluster[];
  /** Stops a server and starts it again. Resolves when HAProxy sends clients to it. */
  restart(n: number): Promise<void>;
}

async function openSite(t: TestContext): Promise<Site> {
  const files = filesOf((await startRedis(t)).port);
  const servers: Cluster[] = [];
  t.after(async () => Promise.all(servers.map(async server => server.terminate()))); // before the folders of the former ones go
  servers.push(...(await Promise.all(WORKERS.map(async workers => startCluster(t, files, { workers })))));
  const portOf = (n: number): string => new URL(servers[n]?.url ?? '').port;
  const { samples } = await readPage('docs/deployment.md');
  const config = samples.find(({ language }) => language === 'haproxy')?.code;
  assert.ok(config);
  const { url } = await startReverseProxy(t, 'haproxy', config.replace('7001', portOf(0)).replace('7002', portOf(1)));
  const isInUse = async (n: number): Promise<boolean> => (await (await fetch(`${url}/port`)).text()) === portOf(n);
  const restart = async (n: number): Promise<void> => {
    const former = servers[n];
    assert.ok(former);
    const port = Number(portOf(n));
    assert.equal(await former.terminate(), 0);
    servers[n] = await startCluster(t, files, { workers: WORKERS[n] ?? 0, baseDir: former.baseDir, port });
    await until(t, async () => isInUse(n));
  };
  for (const n of servers.keys()) await until(t, async () => isInUse(n));
  return { url, servers, restart };
}

interface Asker {
  readonly client: Client;
  readonly id: string | undefined;
  /** What has gone wrong. */
  readonly wrong: string[];
  /** Asks no more, and resolves with the number of answers. */
  stop(): Promise<number>;
}

/** A client that sends events one after the other. The half of them move, by WebSockets; the others send again what has not been answered. */
async function startAsker(t: TestContext, url: string, n: number): Promise<Asker> {
  const moves = n % 2 === 0;
  const client = newClient(t, url, {
    autoConnect: false,
    reconnection: true,
    ...(!moves && { transports: TRANSPORTS[n % TRANSPORTS.length] ?? [], retries: 100, ackTimeout: 10_000 }),
  });
  if (moves) move(client);
  const wrong: string[] = [];
  client.connect();
  await next(client, 'connect');
  const stopped = new AbortController();
  const asking = (async () => {
    let count = 0;
    while (!stopped.signal.aborted) {
      const answer: unknown = await client.emitWithAck('work', count).catch((error: unknown) => String(error));
      if (answer !== count) wrong.push(`${count} was answered with ${String(answer)}`);
      count++;
    }
    return count;
  })();
  const stop = async (): Promise<number> => {
    stopped.abort();
    return asking;
  };
  return { client, id: client.id, wrong, stop };
}

async function startAskers(t: TestContext, { url }: Site): Promise<Asker[]> {
  return Promise.all(Array.from({ length: CLIENTS }, async (_, n) => startAsker(t, url, n)));
}

async function assertNothingLost(t: TestContext, askers: Asker[]): Promise<void> {
  await until(t, () => askers.every(({ client }) => client.connected));
  for (const { client, id, wrong, stop } of askers) {
    assert.ok((await stop()) > 0);
    assert.deepEqual(wrong, []);
    assert.equal(client.id, id);
  }
}

test(
  'a rolling restart of two servers, by their masters and worker by worker, loses no acknowledgement and no id',
  { timeout: 240_000 },
  async t => {
    const site = await openSite(t);
    const askers = await startAskers(t, site);
    for (const n of site.servers.keys()) await site.restart(n);
    for (const { master, printed, prints } of site.servers)
      for (const pid of processesOf(Number(master.pid)).workers) {
        const from = printed().length;
        process.kill(pid, 'SIGTERM');
        await prints(/app_worker#\d+:\d+ started/, from); // in its place
      }
    await assertNothingLost(t, askers);
  },
);

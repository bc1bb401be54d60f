/** Metrics of all workers of a machine: read by Debian's Prometheus with `config.io.prometheus`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Files } from '../support/app';
import { ask, connect, next } from '../support/client';
import { startCluster } from '../support/cluster';
import { expressions } from '../support/dashboard';
import { scrape } from '../support/metrics';
import { BOUNDS, METRIC_LIST, prometheusText } from '../support/parts';
import { freePort } from '../support/port';
import { Prometheus } from '../support/prometheus';
import { until } from '../support/until';

const FILES: Files = {
  'app/router.js': `module.exports = app => {
    app.io.route('who', () => ({ pid: process.pid, worker: String(require('node:cluster').worker.id) }));
    app.io.route('tell', ctx => { ctx.app.io.emit('news', ctx.args[0]); });
    app.io.route('here', ctx => { ctx.app.io.local.emit('news', ctx.args[0]); });
  };`,
};

interface Who {
  readonly pid: number;
  readonly worker: string;
}

test(
  'Prometheus reads the metrics of two workers; one that hangs is left out, and one that is killed ends',
  { timeout: 60_000 },
  async t => {
    const port = await freePort();
    const files = { ...FILES, 'config/config.default.js': `exports.io = { prometheus: { port: ${port} } };` };
    const { url } = await startCluster(t, files, { workers: 2 });
    const prometheus = await Prometheus.start(t, port);
    const clients = new Map<string, { client: Awaited<ReturnType<typeof connect>>; who: Who }>();
    while (clients.size < 2) {
      const client = await connect(t, url);
      const who = (await ask(client, 'who')) as Who;
      clients.set(who.worker, { client, who });
    }
    const [one, two] = [...clients.values()];
    assert.ok(one && two);
    for (let n = 0; n < 3; n++) {
      const news = next(two.client, 'news');
      one.client.emit('tell', n);
      await news;
    }
    const here = next(one.client, 'news');
    one.client.emit('here', 1);
    await here;

    // each worker has its own series
    const workers = [one.who.worker, two.who.worker].sort();
    await until(t, async () => {
      const handled = await prometheus.query('messaging_process_duration_seconds_count{socketio_event="tell"}', 'worker');
      const received = await prometheus.query('messaging_client_consumed_messages_total', 'worker');
      return handled[one.who.worker] === 3 && received[two.who.worker] === 3;
    });
    const connections = await prometheus.query('sum by (worker) (socketio_server_active_connections)', 'worker');
    assert.deepEqual(Object.keys(connections).sort(), workers);
    assert.ok(Object.values(connections).every(count => count > 0));
    const sent = await prometheus.query('messaging_client_sent_messages_total{messaging_system="hub"}', 'worker');
    assert.equal(sent[one.who.worker], 3, 'the local one is not sent');
    assert.deepEqual(
      await prometheus.query('socketio_server_backplane_reachable', 'worker'),
      Object.fromEntries(workers.map(worker => [worker, 1])),
    );
    assert.deepEqual(await prometheus.query('up', 'job'), { chat: 1 });

    // the dashboard shows what has happened here, once Prometheus has seen it for some time
    let empty: string[] = [];
    await until(t, async () => {
      const panels = (await expressions()).map(async ({ title, query }) => ({ title, values: await prometheus.query(query, 'worker') }));
      empty = (await Promise.all(panels)).filter(({ values }) => Object.keys(values).length === 0).map(({ title }) => title);
      return empty.length <= 4;
    });
    assert.deepEqual(empty.sort(), ['Disconnects', 'Errors', 'Limits reached', 'Refusals']);

    process.kill(two.who.pid, 'SIGSTOP');
    await until(t, async () => {
      const halved = await scrape(port);
      const [others, silent] = [halved.labels('worker'), halved.sum('socketio_server_silent_workers')];
      // a page that Prometheus has asked for may have its answer; and on a busy machine, the other one may be late as well
      return others.length === 1 && !others.includes(two.who.worker) && silent === 1;
    });
    process.kill(two.who.pid, 'SIGCONT');
    await until(t, async () => {
      const whole = await scrape(port);
      return whole.labels('worker').length === 2 && whole.sum('socketio_server_silent_workers') === 0;
    });

    process.kill(two.who.pid, 'SIGKILL');
    await until(t, async () => {
      const replaced = await scrape(port);
      const now = replaced.labels('worker');
      return now.length === 2 && !now.includes(two.who.worker) && replaced.sum('socketio_server_silent_workers') === 0;
    });
  },
);

test('promtool finds nothing wrong with a page of all metrics, whatever the app has for names', async () => {
  const attributes = { 'socketio.event': 'a "quoted" one, \\\nof two lines', 'socketio.namespace': '/房间' };
  const histogram = { counts: [...BOUNDS, 0].map((_, index) => index), sum: 2.5 };
  const pointOf = (kind: string): { attributes: typeof attributes; value: number | typeof histogram } => ({
    attributes,
    value: kind === 'histogram' ? histogram : 3,
  });
  const reading = Object.fromEntries(METRIC_LIST.map(([name, { kind }]) => [name, [pointOf(kind)]]));
  const page = prometheusText(
    ['1', '2'].map(worker => ({ worker, reading })),
    0,
  );
  const promtool = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  promtool.stdin.end(page);
  const [problems, remarks, [code]] = await Promise.all([text(promtool.stderr), text(promtool.stdout), once(promtool, 'exit')]);
  assert.deepEqual([problems, remarks, code], ['', '', 0]);
});

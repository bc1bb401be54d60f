/** The SDKs of OpenTelemetry, loaded before Egg in each of its processes. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ROOT } from '../support/app';
import { ask, connect } from '../support/client';
import { type Cluster, startCluster } from '../support/cluster';
import { until } from '../support/until';

/** Starts two workers. @param telemetry what all processes load */
async function startWith(t: TestContext, telemetry: string): Promise<Cluster> {
  const files = {
    'app/router.js': `module.exports = app => {
      app.io.route('who', () => process.pid);
      app.io.route('of ' + process.pid, () => null);
    };`,
    'config/config.default.js': 'exports.io = { tracing: true };',
    'telemetry.js': telemetry,
  };
  const { NODE_OPTIONS: former = '' } = process.env;
  process.env['NODE_OPTIONS'] = `${former} --require ./telemetry.js`;
  try {
    return await startCluster(t, files, { workers: 2 });
  } finally {
    process.env['NODE_OPTIONS'] = former;
  }
}

/** Connects to each worker, and has it handle an event that no other worker has. Resolves with the names of these. */
async function useEach(t: TestContext, { url }: Cluster): Promise<string[]> {
  const events = new Set<string>();
  await until(t, async () => {
    const client = await connect(t, url);
    const event = `of ${String(await ask(client, 'who'))}`;
    await ask(client, event);
    return events.add(event).size === 2;
  });
  return [...events];
}

async function printsMetrics({ prints }: Cluster, events: readonly string[]): Promise<void> {
  await prints(/name: 'socketio\.server\.active_connections'[^]*?'socketio\.transport': 'websocket'[^]*?value: [1-9]/);
  for (const event of events) await prints(new RegExp(`name: 'messaging\\.process\\.duration'[^]*?'socketio\\.event': '${event}'`));
}

test("the SDK of metrics that the guide loads reads each worker's metrics", async t => {
  const page = await readFile(join(ROOT, 'docs/metrics.md'), 'utf8');
  const [, sample = ''] = /^```js\n\/\/ telemetry\.js\n(.*?)^```$/ms.exec(page) ?? [];
  const often = sample.replace('10_000', '200');
  assert.notEqual(often, sample);
  const cluster = await startWith(t, often);
  await printsMetrics(cluster, await useEach(t, cluster));
});

test('NodeSDK gets the metrics and the spans of each worker', async t => {
  const cluster = await startWith(
    t,
    `const { metrics, NodeSDK, tracing } = require('@opentelemetry/sdk-node');
    const exporter = new metrics.ConsoleMetricExporter();
    new NodeSDK({
      metricReaders: [new metrics.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 200, exportTimeoutMillis: 200 })],
      spanProcessors: [new tracing.SimpleSpanProcessor(new tracing.ConsoleSpanExporter())],
    }).start();`,
  );
  const events = await useEach(t, cluster);
  await printsMetrics(cluster, events);
  for (const event of events) await cluster.prints(new RegExp(`name: 'process / ${event}'`));
});

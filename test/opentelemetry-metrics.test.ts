/** Metrics for OpenTelemetry, whose SDK the app has registered. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Attributes, metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { type Files, startApp } from './support/app';
import { ask, connect } from './support/client';
import { lifecycleOf, meterOf, METRIC_LIST } from './support/parts';

const FILES: Files = {
  'app/router.js': `module.exports = app => {
    app.io.route('echo', ctx => ctx.args[0]);
    app.io.route('fail', () => { throw Object.assign(new Error('no'), { code: 'FULL', status: 409, expose: true }); });
  };`,
};

/** Registers an SDK, and returns a function that reads all metrics. */
function register(t: TestContext): () => Promise<Map<string, MetricData>> {
  // it would export once an hour, and is asked instead, for what is new since it was asked before
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  assert.ok(metrics.setGlobalMeterProvider(provider));
  t.after(async () => {
    metrics.disable();
    await provider.shutdown();
  });
  return async () => {
    const { resourceMetrics, errors } = await reader.collect();
    assert.deepEqual(errors, []);
    const all = resourceMetrics.scopeMetrics.filter(({ scope }) => scope.name === 'egg-socket.io').flatMap(({ metrics }) => metrics);
    return new Map(all.map(metric => [metric.descriptor.name, metric]));
  };
}

/** The sum of the points with these attributes, or of what they have counted. */
function sumOf(metric: MetricData | undefined, wanted: Attributes = {}): number {
  assert.ok(metric);
  const isWanted = ({ attributes }: { attributes: Attributes }): boolean =>
    Object.entries(wanted).every(([name, value]) => attributes[name] === value);
  if (metric.dataPointType === DataPointType.HISTOGRAM)
    return metric.dataPoints.filter(isWanted).reduce((sum, { value }) => sum + value.count, 0);
  assert.notEqual(metric.dataPointType, DataPointType.EXPONENTIAL_HISTOGRAM);
  return (metric as Extract<MetricData, { dataPoints: { value: number }[] }>).dataPoints
    .filter(isWanted)
    .reduce((sum, { value }) => sum + value, 0);
}

test('an SDK that is there before the boot reads all metrics, with their units, and none once the app has closed', async t => {
  const read = register(t);
  const { url, close } = await startApp(t, FILES);
  const client = await connect(t, url);
  for (let n = 0; n < 3; n++) await ask(client, 'echo', n);
  await ask(client, 'fail');
  const all = await read();
  const withoutOthers = METRIC_LIST.filter(([name]) => !/backplane|messaging\.client/.test(name));
  assert.deepEqual(
    [...all.values()]
      .filter(({ dataPoints }) => dataPoints.length > 0)
      .map(({ descriptor }) => [descriptor.name, descriptor.unit])
      .sort(),
    withoutOthers
      .filter(([name]) => !/refusals|disconnects/.test(name)) // of which there were none
      .map(([name, { unit }]) => [name, unit])
      .sort(),
  );
  assert.equal(sumOf(all.get('socketio.server.active_connections'), { 'socketio.transport': 'websocket' }), 1);
  assert.equal(sumOf(all.get('socketio.server.active_sockets'), { 'socketio.namespace': '/' }), 1);
  const durations = all.get('messaging.process.duration');
  const ofNamespace = { 'messaging.system': 'socket.io', 'messaging.destination.name': '/' };
  assert.equal(sumOf(durations, { ...ofNamespace, 'socketio.event': 'echo' }), 3);
  assert.equal(sumOf(durations, { ...ofNamespace, 'socketio.event': 'fail', 'error.type': 'FULL' }), 1);
  assert.equal(sumOf(all.get('socketio.server.errors'), { 'error.type': 'FULL' }), 1);
  assert.equal(sumOf(all.get('socketio.server.packets'), { 'network.io.direction': 'receive' }), 4);
  await close();
  const after = await read();
  assert.deepEqual(after.get('socketio.server.active_connections')?.dataPoints ?? [], []);
});

test('an API without an SDK, and an app without the API, count nothing', async t => {
  const { io } = await startApp(t, FILES);
  const runtime = lifecycleOf(io)?.runtime;
  assert.ok(runtime);
  assert.deepEqual([runtime.connectionWatch, runtime.packetWatch], [undefined, undefined]);
  register(t);
  assert.ok(meterOf(__dirname));
  assert.equal(meterOf(tmpdir()), undefined);
});

test('an early version of the API, which another package has brought, has no metrics', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'early-'));
  t.after(() => rm(folder, { recursive: true }));
  const api = join(folder, 'node_modules/@opentelemetry/api');
  await mkdir(api, { recursive: true });
  await writeFile(join(api, 'index.js'), 'exports.trace = {};');
  assert.equal(meterOf(folder), undefined);
});

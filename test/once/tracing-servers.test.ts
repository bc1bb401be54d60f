/** The span of a broadcast on its way to other workers and servers. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { InMemorySpanExporter, NodeTracerProvider, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { type Files, startApp } from '../support/app';
import { ask, type Client, connect, next } from '../support/client';
import { startCluster } from '../support/cluster';
import { startMongo } from '../support/mongo';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { until } from '../support/until';

const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string | undefined;
  readonly clients: unknown;
  readonly pid: number;
}

/** In a form that can be sent. Runs in workers as well. */
const toSpan = (span: ReadableSpan): Span => ({
  name: span.name,
  traceId: span.spanContext().traceId,
  spanId: span.spanContext().spanId,
  parent: span.parentSpanContext?.spanId,
  clients: span.attributes['socketio.clients'],
  pid: process.pid,
});

const FILES: Files = {
  'app/router.js': `module.exports = app => {
    app.io.route('join', async ctx => { await ctx.socket.join(ctx.args[0]); return process.pid; });
    app.io.route('tell', ctx => { ctx.app.io.to(ctx.args[0]).emit('told'); return null; });
    app.io.route('ask', ctx => ctx.app.io.to(ctx.args[0]).timeout(20_000).emitWithAck('asked'));
    app.io.route('have the agent tell', ctx => ctx.app.messenger.sendToAgent('tell', ctx.args[0]));
    app.io.route('spans', () => app.spans?.());
  };`,
};

/** An app with the backend. */
const BACKENDS: Record<string, (t: TestContext) => Promise<Files>> = {
  redis: async t => withAdapter(`redis: { port: ${(await startRedis(t)).port} }`),
  'redis-sharded': async t => withAdapter(`adapter: 'redis-sharded', redis: { port: ${(await startRedis(t)).port} }`),
  'redis-streams': async t => withAdapter(`adapter: 'redis-streams', redis: { port: ${(await startRedis(t)).port} }`),
  'redis, with recovery': async t => withAdapter(`redis: { port: ${(await startRedis(t)).port} }, init: { connectionStateRecovery: {} }`),
  postgres: async t => {
    const postgres = await newPostgres(t);
    await postgres.start();
    return withAdapter(`adapter: { name: 'postgres', connection: '${postgres.url}' }`);
  },
  mongo: async t => ({
    ...withAdapter("adapter: { name: 'mongo', url: 'mongodb://fake', database: 'io' }"),
    ...(await startMongo(t)).files,
  }),
};

function withAdapter(config: string): Files {
  return { ...FILES, 'config/config.default.js': `exports.io = { tracing: true, ${config} };` };
}

/** Alice emits to a room in which only Bob is, who is elsewhere. */
async function checkHop(t: TestContext, alice: Client, bob: Client, spans: () => Promise<readonly Span[]>): Promise<readonly [Span, Span]> {
  await ask(bob, 'join', 'lobby');
  await ask(alice, 'join', 'attic');
  const told = next(bob, 'told');
  await ask(alice, 'tell', 'lobby');
  await told;
  let all: readonly Span[] = [];
  await until(t, async () => {
    all = await spans();
    return all.some(({ name }) => name === 'deliver /');
  });
  const of = (name: string): Span => {
    const [span, ...others] = all.filter(span => span.name === name);
    assert.ok(span, name);
    assert.deepEqual(others, [], name);
    return span;
  };
  const [packet, sent, delivered] = [of('process / tell'), of('send /'), of('deliver /')];
  assert.deepEqual([sent.traceId, sent.parent], [packet.traceId, packet.spanId]);
  assert.deepEqual([delivered.traceId, delivered.parent, delivered.clients], [packet.traceId, sent.spanId, 1]);

  bob.on('asked', (answer: (text: string) => void) => answer('here'));
  assert.deepEqual(await ask(alice, 'ask', 'lobby'), ['here']);
  return [sent, delivered];
}

for (const [name, filesOf] of Object.entries(BACKENDS))
  test(
    `${name}: a broadcast has a span on the server whose client gets it, in the trace of the one that emits it`,
    { timeout: 60_000 },
    async t => {
      exporter.reset();
      const files = await filesOf(t);
      const [one, other] = [await startApp(t, files), await startApp(t, files)];
      await until(t, async () => (await one.io.of('/').adapter.serverCount()) === 2);
      const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
      await checkHop(t, alice, bob, async () => Promise.resolve(exporter.getFinishedSpans().map(toSpan)));
    },
  );

/** Registers an SDK in a process of Egg. */
const SDK = `
  const { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');
  const exporter = new InMemorySpanExporter();
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
  const spans = () => exporter.getFinishedSpans().map(${toSpan.toString()});`;

const CLUSTER: Files = {
  ...FILES,
  'app.js': `${SDK}
    module.exports = app => {
      app.spans = () => [...spans(), ...(app.spansOfAgent ?? [])];
      app.messenger.on('spans', spans => (app.spansOfAgent = spans));
    };`,
  'agent.js': `${SDK}
    module.exports = agent => agent.messenger.on('tell', room => {
      agent.io.to(room).emit('told');
      agent.messenger.sendToApp('spans', spans());
    });`,
  'config/config.default.js': 'exports.io = { tracing: true };',
};

test('the hub: the same in the worker whose client gets it, also for what the agent emits', { timeout: 60_000 }, async t => {
  const cluster = await startCluster(t, CLUSTER, { workers: 2 });
  const alice = await connect(t, cluster.url);
  const pid = await ask(alice, 'join', 'attic');
  let bob = alice;
  await until(t, async () => {
    bob = await connect(t, cluster.url);
    return (await ask(bob, 'join', 'attic')) !== pid;
  });
  const spansOf = async (client: Client): Promise<Span[]> => ask(client, 'spans') as Promise<Span[]>;
  const spans = async (): Promise<Span[]> => [...(await spansOf(alice)), ...(await spansOf(bob))];
  const [sent, delivered] = await checkHop(t, alice, bob, spans);
  assert.equal(sent.pid, pid);
  assert.notEqual(delivered.pid, pid);

  const told = next(bob, 'told');
  alice.emit('have the agent tell', 'lobby');
  await told;
  await until(t, async () => {
    const all = await spans();
    const ofAgent = all.find(({ name }) => name === 'send'); // the agent knows no patterns, and so names none
    return all.some(({ name, parent, pid }) => name === 'deliver /' && ofAgent && parent === ofAgent.spanId && pid === delivered.pid);
  });
});

/** Spans of OpenTelemetry: `config.io.tracing`. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import type * as client from '../dist/client/client';
import { bootError, type Files, ROOT, type RunningApp, startApp } from './support/app';
import { ask, connect, newClient, next, refusal } from './support/client';
import { until } from './support/until';

const { createSend } = require(join(ROOT, 'client.js')) as typeof client;

const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

const FILES: Files = {
  'app/io/middleware/door.js': `
    const { trace } = require('@opentelemetry/api');
    module.exports = app => async (ctx, next) => {
      trace.getTracer('app').startSpan('who is it').end();
      const { as } = ctx.socket.handshake.auth;
      if (as === 'stranger') throw Object.assign(new Error('not you'), { code: 'NOT_WELCOME', status: 401 });
      if (as === 'bug') undefined.name;
      if (as === 'nobody') return;
      ctx.logger.warn('let in');
      await next();
    };`,
  'app/router.js': `
    const { trace } = require('@opentelemetry/api');
    const span = name => trace.getTracer('app').startSpan(name).end();
    module.exports = app => {
      for (const nsp of [app.io.of('/chat'), app.io.of('/room-{id}'), app.io.of('/ordered')]) {
        nsp.route('say', async ctx => {
          span('select');
          await new Promise(resolve => setImmediate(resolve));
          span('insert');
          ctx.logger.warn('said %s', ctx.args[0]);
          ctx.socket.nsp.to(['a', ctx.socket.id]).emit('said', ctx.args[0]);
          return ctx.tracer?.traceId ?? 'no trace';
        });
        nsp.route('break', () => { throw new TypeError('broken'); });
        nsp.route('refuse', ctx => ctx.throw(409, 'no room', { code: 'FULL' }));
        nsp.route('unsendable', ctx => ctx.socket.nsp.emit('it', Symbol.iterator, new Blob([''])));
        nsp.route('disconnect', () => { span('delete'); });
        nsp.on('connection', socket => socket.on('listened', ack => ack()));
      }
    };`,
  'app/io/middleware/note.js': 'module.exports = app => async (ctx, next) => { await next(); };',
};

const NAMESPACES = `namespace: {
  '/chat': { connectionMiddleware: ['door'] },
  '/room-{id}': { packetMiddleware: ['note'] },
  '/ordered': { ordered: true },
}`;

async function start(t: TestContext, tracing: unknown, files: Files = {}): Promise<RunningApp> {
  exporter.reset();
  const config = `exports.io = { tracing: ${JSON.stringify(tracing)}, ${NAMESPACES} };`;
  return startApp(t, { ...FILES, 'config/config.default.js': config, ...files });
}

/** Waits for the span, of which there is one. */
async function spanOf(t: TestContext, name: string): Promise<ReadableSpan> {
  await until(t, () => named(name).length > 0);
  const [span, ...others] = named(name);
  assert.ok(span);
  assert.deepEqual(others, []);
  return span;
}

function named(name: string): ReadableSpan[] {
  return exporter.getFinishedSpans().filter(span => span.name === name);
}

const traceIdOf = (span: ReadableSpan): string => span.spanContext().traceId;
const linksOf = (span: ReadableSpan): string[] => span.links.map(({ context }) => `${context.traceId} ${context.spanId}`);
const isChild = (child: ReadableSpan, parent: ReadableSpan): boolean => child.parentSpanContext?.spanId === parent.spanContext().spanId;

test('a packet has a span, by the conventions for messaging, and what its handler does is within it', async t => {
  const { url, baseDir } = await start(t, true);
  const alice = await connect(t, `${url}/chat`);
  const traceId = await ask(alice, 'say', 'hello');

  const packet = await spanOf(t, 'process /chat say');
  assert.equal(packet.kind, SpanKind.CONSUMER);
  assert.equal(packet.parentSpanContext, undefined);
  assert.deepEqual(packet.links, []);
  assert.equal(packet.status.code, SpanStatusCode.UNSET);
  assert.deepEqual(packet.attributes, {
    'messaging.system': 'socket.io',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': '/chat',
    'messaging.client.id': alice.id,
    'socketio.event': 'say',
  });
  for (const name of ['select', 'insert']) assert.ok(isChild(await spanOf(t, name), packet), name);

  const broadcast = await spanOf(t, 'send /chat');
  assert.ok(isChild(broadcast, packet));
  assert.equal(broadcast.kind, SpanKind.PRODUCER);
  assert.deepEqual(broadcast.attributes, {
    'messaging.system': 'socket.io',
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.destination.name': '/chat',
    'socketio.event': 'said',
    'socketio.rooms': ['a', alice.id],
  });

  await t.test('and the lines of Egg have its trace id', async t => {
    assert.equal(traceId, traceIdOf(packet));
    const connecting = traceIdOf(await spanOf(t, 'connect /chat'));
    assert.notEqual(connecting, traceId);
    let log = '';
    await until(t, async () => {
      log = await readFile(join(baseDir, 'logs/test-app-web.log'), 'utf8');
      return log.includes('said hello');
    });
    assert.match(log, new RegExp(`/${traceIdOf(packet)}/.*said hello`));
    assert.match(log, new RegExp(`/${connecting}/.*let in`));
  });

  await t.test('and a reserved event has one, too', async t => {
    alice.disconnect();
    const gone = await spanOf(t, 'process /chat disconnect');
    assert.ok(isChild(await spanOf(t, 'delete'), gone));
  });
});

test('a fault of the app is an error of the span, and what a client has caused is not', async t => {
  const { url, logged } = await start(t, true);
  const alice = await connect(t, `${url}/chat`);
  for (const event of ['break', 'refuse', 'unsendable']) await ask(alice, event);

  const broken = await spanOf(t, 'process /chat break');
  assert.deepEqual(broken.status, { code: SpanStatusCode.ERROR, message: 'INTERNAL_SERVER_ERROR' });
  assert.equal(broken.attributes['error.type'], 'INTERNAL_SERVER_ERROR');
  assert.deepEqual(
    broken.events.map(({ name, attributes }) => [name, attributes?.['exception.type'], attributes?.['exception.message']]),
    [['exception', 'TypeError', 'broken']],
  );
  await logged(new RegExp(`event "break" failed, namespace /chat, socket \\S+, trace ${traceIdOf(broken)}:`));

  const refused = await spanOf(t, 'process /chat refuse');
  assert.equal(refused.status.code, SpanStatusCode.UNSET);
  assert.equal(refused.attributes['error.type'], 'FULL');
  assert.deepEqual(refused.events, []);

  const unsendable = await spanOf(t, 'send /chat');
  assert.equal(unsendable.status.code, SpanStatusCode.ERROR);
  assert.equal(unsendable.attributes['error.type'], 'IO_EMIT_INVALID');
});

test('a connection has a span until it is admitted or refused', async t => {
  const { url } = await start(t, true);
  const alice = await connect(t, `${url}/chat`);
  const admitted = await spanOf(t, 'connect /chat');
  assert.equal(admitted.kind, SpanKind.SERVER);
  assert.equal(admitted.attributes['messaging.client.id'], alice.id);
  assert.equal(admitted.attributes['error.type'], undefined);
  assert.deepEqual(admitted.events, []);
  assert.ok(isChild(await spanOf(t, 'who is it'), admitted));

  const refusedAs = async (as: string): Promise<ReadableSpan> => {
    exporter.reset();
    await refusal(newClient(t, `${url}/chat`, { auth: { as } }));
    return spanOf(t, 'connect /chat');
  };
  const stranger = await refusedAs('stranger');
  assert.equal(stranger.attributes['error.type'], 'NOT_WELCOME');
  assert.equal(stranger.status.code, SpanStatusCode.UNSET);
  assert.equal((await refusedAs('nobody')).attributes['error.type'], 'CONNECTION_REFUSED');

  exporter.reset();
  const main = newClient(t, `${url}/chat`, { auth: { as: 'bug' } });
  await next(main.io, 'open');
  const bug = await spanOf(t, 'connect /chat');
  assert.deepEqual(bug.status, { code: SpanStatusCode.ERROR, message: 'INTERNAL_SERVER_ERROR' });
  assert.deepEqual(
    bug.events.map(({ name }) => name),
    ['exception'],
  );
});

test('names of spans have only what the app has declared', async t => {
  const { url } = await start(t, true);
  const alice = await connect(t, `${url}/room-${'1'.repeat(50)}`);
  await ask(alice, 'say', 'hello');
  await ask(alice, 'listened');
  const names = ['connect /room-{id}', 'process /room-{id} say', 'process /room-{id}', 'send /room-{id}'];
  for (const name of names) {
    const { attributes } = await spanOf(t, name);
    assert.equal(attributes['messaging.destination.name'], `/room-${'1'.repeat(50)}`);
    assert.equal(attributes['messaging.destination.template'], '/room-{id}');
  }
  assert.equal((await spanOf(t, 'process /room-{id}')).attributes['socketio.event'], undefined);
});

test('over polling, the request that brings a client or its events is not their parent', async t => {
  const { url, server } = await start(t, true);
  const emit = server.emit.bind(server);
  const tracer = trace.getTracer('http');
  // as OpenTelemetry's instrumentation of HTTP does it
  Object.assign(server, {
    emit: (...args: Parameters<typeof emit>) => tracer.startActiveSpan('request', span => [emit(...args), span.end()][0]),
  });
  const alice = await connect(t, `${url}/ordered`, { transports: ['polling'] });
  const traces = await Promise.all(['1', '2', '3'].map(text => ask(alice, 'say', text)));
  assert.equal(new Set(traces).size, 3);
  await until(t, () => named('process /ordered say').length === 3);
  for (const span of [...named('process /ordered say'), await spanOf(t, 'connect /ordered')])
    assert.equal(span.parentSpanContext, undefined);
  assert.ok(named('request').length > 0);
});

test("a client's traceparent is a link", async t => {
  const { url } = await start(t, true);
  const alice = newClient(t, `${url}/ordered`, { auth: { traceparent: TRACEPARENT } });
  const OTHER = TRACEPARENT.replaceAll('4', '5');
  let traceparent: string | undefined = OTHER;
  const send = createSend(alice, { traceparent: () => traceparent });
  await send('say', 'hello');
  for (const [name, expected] of [
    ['connect /ordered', TRACEPARENT],
    ['process /ordered say', OTHER],
  ] as const) {
    const span = await spanOf(t, name);
    assert.equal(span.parentSpanContext, undefined, name);
    assert.deepEqual(linksOf(span), [expected.split('-').slice(1, 3).join(' ')], name);
  }

  exporter.reset();
  traceparent = undefined;
  await send('say', 'hello');
  assert.deepEqual(linksOf(await spanOf(t, 'process /ordered say')), [`${TRACE} ${SPAN}`], 'that of the connection');
});

test("a client's traceparent is the parent with trust: true", async t => {
  const { url } = await start(t, { trust: true });
  const alice = await connect(t, `${url}/ordered`, { auth: { traceparent: TRACEPARENT } });
  await ask(alice, 'say', 'hello');
  for (const name of ['connect /ordered', 'process /ordered say']) {
    const span = await spanOf(t, name);
    assert.deepEqual([traceIdOf(span), span.parentSpanContext?.spanId, span.links], [TRACE, SPAN, []], name);
  }
});

test('what is no traceparent is ignored', async t => {
  const { url } = await start(t, { trust: true });
  const invalid = [
    TRACEPARENT.slice(0, -1),
    `${TRACEPARENT}-more`,
    TRACEPARENT.replace('00-', 'ff-'),
    TRACEPARENT.replace(TRACE, '0'.repeat(32)),
    TRACEPARENT.replace(SPAN, '0'.repeat(16)),
    TRACEPARENT.toUpperCase(),
    `${TRACEPARENT.replace('00-', '01-')}-${'0'.repeat(10_000)}`,
    { traceparent: TRACEPARENT },
    null,
  ];
  for (const traceparent of invalid) {
    exporter.reset();
    await connect(t, `${url}/ordered`, { auth: { traceparent } });
    assert.equal((await spanOf(t, 'connect /ordered')).parentSpanContext, undefined, JSON.stringify(traceparent).slice(0, 100));
  }
  exporter.reset();
  await connect(t, `${url}/ordered`, { auth: { traceparent: `${TRACEPARENT.replace('00-', '01-')}-more` } });
  assert.equal(traceIdOf(await spanOf(t, 'connect /ordered')), TRACE, 'of a later version');
});

test('clients of Socket.IO 2 have spans', async t => {
  const { url } = await start(t, true);
  const alice = await connect(t, `${url}/ordered`, {}, 2);
  await ask(alice, 'say', 'hello');
  assert.deepEqual((await spanOf(t, 'process /ordered say')).links, []);
});

test('by default there are no spans', async t => {
  const { url } = await start(t, undefined);
  assert.equal(await ask(await connect(t, `${url}/chat`), 'say', 'hello'), 'no trace');
  assert.deepEqual(new Set(exporter.getFinishedSpans().map(({ name }) => name)), new Set(['who is it', 'select', 'insert']));
});

test('without the API the boot stops', async t => {
  const error = await bootError(t, {
    'config/config.default.js': 'exports.io = { tracing: true };',
    'node_modules/@opentelemetry/api/package.json': '{ "main": "absent.js" }',
  });
  assert.equal(error.code, 'IO_TELEMETRY_MISSING');
  assert.match(error.message, /config\.io\.tracing needs a package: run `npm i @opentelemetry\/api`/);
});

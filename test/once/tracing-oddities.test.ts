/** Spans of what is not as it should be: each one ends, and takes no more than it may. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { trace } from '@opentelemetry/api';
import { NodeTracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { type Files, type RunningApp, startApp } from '../support/app';
import { ask, connect, newClient, next, refusal } from '../support/client';
import { internals } from '../support/remains';
import { until } from '../support/until';

const open = new Set<ReadableSpan>();
let ended: ReadableSpan[] = [];
const provider = new NodeTracerProvider({
  spanProcessors: [
    {
      onStart: span => void open.add(span),
      onEnd: span => void (open.delete(span), ended.push(span)),
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    },
  ],
});
provider.register();

const FILES: Files = {
  'app/io/middleware/door.js': `module.exports = app => async (ctx, next) => {
    if (ctx.socket.handshake.auth.as === 'forgotten') await new Promise(resolve => app.once('goOn', resolve));
    await next();
  };`,
  'app/router.js': `module.exports = app => {
    app.io.of('/door');
    app.io.of((name, auth, answer) => {
      if (name === '/broken') throw new TypeError('broken');
      answer(null, name.startsWith('/room-'));
    }).route('say', () => 'said');
    app.io.of('/ordered').route('break', () => { throw Object.assign(new Error('odd'), { code: Object.create(null) }); });
    app.io.of('/ordered').route('say', () => 'said');
    app.io.of('/ordered').route('own', ctx => {
      'use strict';
      ctx.tracer = { traceId: 'own' };
      return ctx.tracer.traceId;
    });
  };`,
};

const CONFIG = "namespace: { '/door': { connectionMiddleware: ['door'] }, '/ordered': { ordered: true } }";

async function start(t: TestContext, config = ''): Promise<RunningApp> {
  open.clear();
  ended = [];
  return startApp(t, { ...FILES, 'config/config.default.js': `exports.io = { tracing: true, ${CONFIG}, ${config} };` });
}

async function spanOf(t: TestContext, name: string): Promise<ReadableSpan> {
  await until(t, () => ended.some(span => span.name === name));
  const [span, ...others] = ended.filter(span => span.name === name);
  assert.ok(span);
  assert.deepEqual(others, []);
  return span;
}

test('each span ends: of clients that are accepted, refused and denied, and of one that goes while it connects', async t => {
  const { app, url, close } = await start(t);
  const room = await connect(t, `${url}/room-1`);
  await ask(room, 'say');
  await refusal(newClient(t, `${url}/absent`));
  const client = newClient(t, `${url}/door`, { auth: { as: 'forgotten' } });
  await next(client.io, 'open');
  await until(t, () => [...open].some(({ name }) => name === 'connect /door'));
  client.io.engine.close();
  const gone = await spanOf(t, 'connect /door');
  assert.deepEqual(
    gone.events.map(({ name }) => name),
    ['the client left'],
  );
  app.emit('goOn');
  await close();
  assert.deepEqual(
    [...open].map(({ name }) => name),
    [],
  );
  const connects = ended.map(({ name }) => name).filter(name => name.startsWith('connect'));
  assert.deepEqual(connects.sort(), ['connect /door', 'connect made on demand', 'connect of(function)'].sort());
});

test('a parent whose function throws is a fault of the app', async t => {
  const { url } = await start(t);
  await refusal(newClient(t, `${url}/broken`));
  const span = await spanOf(t, 'connect made on demand');
  assert.deepEqual(
    span.events.map(({ attributes }) => attributes?.['exception.message']),
    ['broken'],
  );
  assert.equal(span.attributes['error.type'], 'Invalid namespace');
});

test('a line about a client that connects for too long has the trace id', async t => {
  const { app, io, url, logged } = await start(t);
  internals(io).runtime.arrivals.late.ms = 1; // not by the config: Socket.IO closes who does not ask for a namespace in that time
  newClient(t, `${url}/door`, { auth: { as: 'forgotten' }, reconnection: false });
  const line = await logged(/connection postponed.*/);
  const span = await spanOf(t, 'connect /door');
  assert.equal(span.attributes['error.type'], 'CONNECT_TIMEOUT');
  assert.match(line, new RegExp(`, trace ${span.spanContext().traceId}:`));
  app.emit('goOn');
});

test("an app's middleware and handlers may give ctx.tracer a value of their own", async t => {
  const { url } = await start(t);
  assert.equal(await ask(await connect(t, `${url}/ordered`), 'own'), 'own');
});

test('an error that cannot be recorded holds up no packet', async t => {
  const { url } = await start(t);
  const alice = await connect(t, `${url}/ordered`);
  await ask(alice, 'break');
  assert.equal(await ask(alice, 'say'), 'said');
  assert.equal((await spanOf(t, 'process /ordered break')).status.message, 'INTERNAL_SERVER_ERROR');
});

test('no name in a span is longer than 256 characters, and rooms of any type are texts', async t => {
  const { url, io } = await start(t);
  await refusal(newClient(t, `${url}/room-${'x'.repeat(5000)}`));
  const [refused] = ended;
  assert.equal(String(refused?.attributes['messaging.destination.name']).length, 256);
  assert.equal(refused?.attributes['error.type'], 'NAMESPACE_TOO_LONG');

  io.of('/ordered')
    .to('y'.repeat(5000))
    .to(7 as unknown as string)
    .emit('z'.repeat(5000)); // the types forbid numbers
  const { attributes } = await spanOf(t, 'send /ordered');
  assert.deepEqual(attributes['socketio.rooms'], ['y'.repeat(256), '7']);
  assert.equal(attributes['socketio.event'], 'z'.repeat(256));
});

/** Records what it is given to publish, and fails if it is to. */
const ADAPTER = `adapter: nsp => {
  const { Adapter } = require('socket.io-adapter');
  return new (class extends Adapter {
    broadcast(packet, opts) {
      if (packet.data[0] === 'fail') throw new RangeError('the adapter fails');
      nsp.server.emitted = Object.keys(opts.flags ?? {});
    }
  })(nsp);
}`;

test('no span has the id of a user', async t => {
  const { io } = await start(t);
  io.of('/ordered').user('alice').emit('it');
  assert.deepEqual((await spanOf(t, 'send /ordered')).attributes['socketio.rooms'], []);
});

test('a message to other processes has a span only if there is one', async t => {
  const emitted = ({ io }: RunningApp): unknown => Reflect.get(io, 'emitted');
  const traced = await start(t, ADAPTER);
  traced.io.of('/ordered').emit('it');
  assert.deepEqual(emitted(traced), ['$io:span']);

  const off = await start(t, `${ADAPTER}, tracing: false`);
  off.io.of('/ordered').emit('it');
  assert.deepEqual(emitted(off), []);

  trace.disable();
  t.after(() => trace.setGlobalTracerProvider(provider));
  const withoutSdk = await start(t, ADAPTER);
  withoutSdk.io.of('/ordered').emit('it');
  assert.deepEqual(emitted(withoutSdk), []);
});

test('an emit that the adapter refuses has the name of its error', async t => {
  const { io } = await start(t, ADAPTER);
  assert.throws(() => io.of('/ordered').emit('fail'), RangeError);
  assert.equal((await spanOf(t, 'send /ordered')).attributes['error.type'], 'RangeError');
});

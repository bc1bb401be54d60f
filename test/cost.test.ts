/**
 * What packets and connections cost, counted rather than timed: the counts are the same on every machine, however busy it is.
 * What Egg has no part in is in test/once/memory.test.ts.
 * A limit that has become too generous, since the code has become better, is to be lowered.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { connect } from './support/client';
import { connectByHand, connectMany, garbageOf, memoryOf, MeteredServer, send } from './support/meter';

/** Promises that one packet makes. These limits are exact. */
const PROMISES = {
  '/bare': { note: 2, echo: 2 },
  '/layer': { note: 4, echo: 5 },
  '/five': { note: 12, echo: 13 },
  '/route': { note: 6, echo: 6 },
  '/contract': { note: 2, echo: 2 },
  '/user': { note: 2, echo: 2 },
  '/limited': { note: 2, echo: 2 },
  '/ordered': { note: 2, echo: 2 },
  '/present': { note: 2, echo: 2 },
  '/': { note: 6, echo: 7 },
};

/** Promises of an event whose handler throws, and of one that only the server may fire. Exact. */
const FAILING = { fail: 2, error: 0 };

/** Promises that a connect makes: three each of Engine.IO and Socket.IO, which both await a value once, and with middleware those of the onion. Exact. */
const CONNECT_PROMISES = { '/bare': 6, '/': 10, '/user': 10, '/limited': 10, '/places': 19 };

/** Writes to the system for a connect: the response of the upgrade together with Engine.IO's first packet, and the answer to CONNECT. */
const CONNECT_WRITES = 2;

/** Bytes that one packet allocates, as a multiple of what bare Socket.IO does for it. Today: see the second number. */
const GARBAGE = {
  '/bare': { note: [1.2, 0.97], echo: [0.95, 0.84] },
  '/': { note: [1.6, 1.4], echo: [1.25, 1.13] },
} as const;

/** Writes to the system in which 50 acknowledgements leave that were made in one tick. */
const WRITES = 1;

/** Bytes of heap that an idle connection occupies, as a multiple of one to bare Socket.IO. Today: see the second number. */
const IDLE = { '/bare': [1.15, 0.85], '/': [1.35, 1.1] } as const;

/** Promises of a connection whose middleware waits for its end: that of the middleware, what it awaits, and Node 20's for each of the two that wait. */
const WAITING = 4;

/** Namespaces by what their packets meet; on '/' it is one middleware and a service, and connections have middleware, too. */
const FILES = {
  'config/config.default.js': `exports.io = {
      limits: { events: { burst: 100_000 } }, // events that wait cost more
      namespace: {
        '/': { connectionMiddleware: ['pass'], packetMiddleware: ['pass'] },
        '/layer': { packetMiddleware: ['pass'] },
        '/user': { connectionMiddleware: ['user'] },
        '/limited': { connectionMiddleware: ['user'], userLimits: { events: 100000 } },
        '/places': { connectionMiddleware: ['user'], userLimits: { connections: 100000 } },
        '/ordered': { ordered: true },
        '/present': { connectionMiddleware: ['enter'], presence: { '*': {} } },
        '/five': { packetMiddleware: ['pass', 'pass', 'pass', 'pass', 'pass'] },
      },
    };`,
  'app/io/middleware/pass.js': 'module.exports = () => async (ctx, next) => { await next(); };',
  'app/io/middleware/user.js': 'module.exports = () => async (ctx, next) => { ctx.socket.user = 7; await next(); };',
  'app/io/middleware/enter.js':
    "module.exports = () => async (ctx, next) => { ctx.socket.user = 7; ctx.socket.join('room'); await next(); };",
  'app/service/notes.js': `
    const { Service } = require('egg');
    module.exports = class extends Service {
      async keep(note) { return note; }
    };`,
  'app/io/controller/packet.js': `
    const { Controller } = require('egg');
    module.exports = class extends Controller {
      async note() { await this.ctx.service.notes.keep(this.ctx.args[0]); }
      async echo() { return await this.ctx.service.notes.keep(this.ctx.args[0]); }
    };`,
  'app/io/controller/bare.js': `
    exports.note = async () => {};
    exports.fail = async () => { throw new Error('nothing works'); };
    exports.echo = async ctx => ctx.args[0];`,
  'app/router.js': `
    const any = { '~standard': { version: 1, vendor: 'own', validate: value => ({ value }) } };
    const contract = { namespace: '/contract', client: { note: { args: [any] }, echo: { args: [any], ack: any } } };
    module.exports = app => {
      const { packet, bare } = app.io.controller;
      app.io.route('note', packet.note).route('echo', packet.echo);
      app.io.of(contract).route('note', bare.note).route('echo', bare.echo);
      for (const name of ['/bare', '/layer', '/five', '/user', '/limited', '/ordered', '/present']) app.io.of(name).route('note', bare.note).route('echo', bare.echo);
      app.io.of('/bare').route('fail', bare.fail);
      app.io.of('/route').route('note', 'pass', bare.note).route('echo', 'pass', bare.echo);
    };`,
};

test('a packet makes no promise too many', async t => {
  const server = await MeteredServer.start(t, FILES);
  for (const [namespace, limits] of Object.entries({ ...PROMISES, '/bare': { ...PROMISES['/bare'], ...FAILING } })) {
    const client = await connect(t, server.url + namespace);
    for (const [event, limit] of Object.entries(limits)) {
      const before = await server.read('count promises');
      await send(client, event, 0);
      const between = await server.read();
      await send(client, event, 100);
      const after = await server.read();
      const made = Math.round((after.promises - between.promises - (between.promises - before.promises)) / 100); // a timer may make one, too
      t.diagnostic(`${event} to ${namespace}: ${made} promises`);
      assert.ok((made > 0 || limit === 0) && made <= limit, `${event} to ${namespace}: ${made} promises`);
    }
  }
});

test('a client connects with two writes, and makes no promise too many', async t => {
  const server = await MeteredServer.start(t, FILES);
  for (const [namespace, limit] of Object.entries(CONNECT_PROMISES)) {
    await connectMany(t, server, namespace, 10);
    const before = await server.read('count promises');
    const between = await server.read();
    await connectMany(t, server, namespace, 50);
    const after = await server.read();
    const made = Math.round((after.promises - between.promises - (between.promises - before.promises)) / 50); // a timer may make one, too
    const writes = (after.writes - between.writes) / 50;
    t.diagnostic(`${namespace}: ${made} promises, ${writes} writes`);
    assert.ok(made > 0 && made <= limit, `${namespace}: ${made} promises`);
    assert.equal(writes, CONNECT_WRITES);
  }
});

test('a packet makes little more garbage than with bare Socket.IO', { timeout: 60_000 }, async t => {
  const app = await MeteredServer.start(t, FILES);
  const bare = await MeteredServer.start(t);
  for (const [namespace, limits] of Object.entries(GARBAGE)) {
    for (const [event, [limit]] of Object.entries(limits)) {
      const [bytes, ofBare] = [await garbageOf(t, app, namespace, event), await garbageOf(t, bare, namespace, event)];
      t.diagnostic(`${event} to ${namespace}: ${bytes.toFixed()} bytes, ${(bytes / ofBare).toFixed(2)} times ${ofBare.toFixed()}`);
      assert.ok(ofBare > 0 && bytes / ofBare <= limit, `${event} to ${namespace}: ${bytes} bytes, bare Socket.IO ${ofBare}`);
    }
  }
});

test('the acknowledgements of one tick leave in one write', async t => {
  const writes = await writesOfBurst(t, await MeteredServer.start(t, FILES));
  assert.ok(writes > 0 && writes <= WRITES, `${writes} writes`);
  assert.equal(await writesOfBurst(t, await MeteredServer.start(t)), 50, 'bare Socket.IO writes each alone');
});

test(
  'an idle connection takes about as much memory as with bare Socket.IO, and little more with middleware that waits for its end',
  { timeout: 60_000 },
  async t => {
    const app = await MeteredServer.start(t, FILES);
    const bare = await MeteredServer.start(t);
    for (const [namespace, [limit]] of Object.entries(IDLE)) {
      const [bytes, ofBare] = [await memoryOf(t, app, namespace), await memoryOf(t, bare, namespace)];
      t.diagnostic(`${namespace}: ${bytes.toFixed()} bytes, ${(bytes / ofBare).toFixed(2)} times ${ofBare.toFixed()}`);
      assert.ok(ofBare > 0 && bytes / ofBare <= limit, `${namespace}: ${bytes} bytes, bare Socket.IO ${ofBare}`);
    }
  },
);

test('middleware that waits for the end of its connection keeps its own promises and no others', async t => {
  const server = await MeteredServer.start(t, FILES);
  await connectMany(t, server, '/', 10);
  const before = await server.read('count living promises');
  await connectMany(t, server, '/', 50);
  const after = await server.read('count living promises');
  const kept = (after.livingPromises - before.livingPromises) / 50;
  assert.ok(kept > 0 && kept <= WAITING, `${kept} promises`);
});

async function writesOfBurst(t: TestContext, server: MeteredServer): Promise<number> {
  const client = await connectByHand(t, server, '/');
  const before = await server.read();
  client.burst(...Array.from({ length: 50 }, (_, n) => `42${n}["echo",${n}]`));
  await client.frame(/^4349/); // the last acknowledgement
  const after = await server.read();
  return after.writes - before.writes;
}

/** Members of other packages that are not part of their public API: they are there, and a release that lacks one is told of at the boot. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import { Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createAdapter as createRedisAdapter, RedisAdapter } from '@socket.io/redis-adapter';
import { Namespace, Server, Socket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import { bootError, type Files, ROOT, startApp } from '../support/app';
import { connect, next } from '../support/client';
import { Logs } from '../support/logs';
import { nothingRemains } from '../support/remains';
import {
  Backlog,
  adapterInternals,
  AgentIo,
  checkFirstConnection,
  checkInternals,
  eggInternals,
  engineConnectionInternals,
  engineIoInternals,
  makeSpecimens,
  parserInternals,
  requireMembers,
  serverOf,
  socketIoInternals,
  TESTED_VERSIONS,
  transportInternals,
  wsInternals,
} from '../support/parts';

type Members = Parameters<typeof requireMembers>[0];

const { MongoAdapter } = require('@socket.io/mongo-adapter') as { MongoAdapter: { prototype: object } };
const { createAdapter: createStreamsAdapter } = require('@socket.io/redis-streams-adapter') as {
  createAdapter(client: object, options: object): (nsp: Namespace) => object;
};
const { PostgresAdapter } = require('@socket.io/postgres-adapter') as {
  PostgresAdapter: new (nsp: Namespace, options: object, client: { publish(): Promise<void> }) => { close(): void };
};

const LISTS = [
  adapterInternals,
  eggInternals,
  engineIoInternals,
  parserInternals,
  socketIoInternals,
  transportInternals,
  wsInternals,
].flatMap(part =>
  Object.values(part).filter((value: unknown): value is Members => typeof value === 'object' && value !== null && 'why' in value),
);

/** Of tegg there is nothing to check without egg 4.1: module-scope.test.ts would not boot. */
const NOT_HERE = [eggInternals.TEGG, eggInternals.TEGG_CONTEXT];

/** With external sessions, and with egg-passport; i18n is a part of Egg. */
const APP: Files = {
  'config/plugin.js': `exports.passport = { enable: true, path: ${JSON.stringify(join(ROOT, 'test/hosts/plugins/node_modules/egg-passport'))} };`,
  'config/config.default.js': 'exports.session = { store: { async get() {}, async set() {}, async destroy() {} } };',
};

/** Each list, with an object of the installed version that has all members. */
async function installed(t: TestContext): Promise<(readonly [Members, object | undefined])[]> {
  const { app, io, url } = await startApp(t, APP);
  for (const transport of ['websocket', 'polling']) await connect(t, url, { transports: [transport] });
  const [connection, polling] = Object.values(engineIoInternals.engineInternals(io.engine).clients);
  const nsp = new Server().of('/');
  const client = { on() {}, psubscribe() {}, subscribe() {} };
  const streams = { ...client, options: {}, duplicate: () => streams, xread: () => new Promise(() => {}) };
  const postgres = new PostgresAdapter(nsp, {}, { publish: async () => {} });
  t.after(() => postgres.close());
  const ctx = app.createAnonymousContext() as { service: object; session: object };
  return [
    ...makeSpecimens(),
    ...wsInternals.webSocketSpecimens(),
    [engineIoInternals.ENGINE_SOCKET, connection],
    [engineIoInternals.HEARTBEAT, connection],
    [engineIoInternals.ENGINE_LIMITS, connection],
    [engineIoInternals.ENGINE_TRANSPORT, connection?.transport],
    [transportInternals.ENGINE_POLLING, polling?.transport],
    [adapterInternals.ADAPTER, nsp.adapter],
    [adapterInternals.CLUSTER_ADAPTER, PostgresAdapter.prototype],
    [adapterInternals.RECOVERING_ADAPTER, new Adapter(nsp)],
    [adapterInternals.REDIS_ADAPTER, RedisAdapter.prototype],
    [adapterInternals.REDIS_ADAPTER_FIELDS, createRedisAdapter(client, client)(nsp)],
    [adapterInternals.STREAMS_ADAPTER, createStreamsAdapter(streams, {})(nsp)],
    [adapterInternals.HEARTBEAT_ADAPTER, postgres],
    [adapterInternals.MONGO_ADAPTER, MongoAdapter.prototype],
    [eggInternals.SERVICES, ctx.service],
    [eggInternals.LOCALE, ctx],
    [eggInternals.PASSPORT, Reflect.get(app, 'passport') as object],
    ...eggInternals.sessionSpecimens(() => ctx.session),
  ];
}

/** An object that has all members of a list but one. */
function without(member: string, { why }: Members): object {
  return Object.fromEntries(
    Object.keys(why)
      .filter(name => name !== member)
      .map(name => [name, 0]),
  );
}

test('the installed versions have every member that is used', async t => {
  const all = await installed(t);
  const lines: string[] = [];
  checkInternals(all, line => lines.push(line));
  assert.deepEqual(lines, []);
  const looked = new Set(all.map(([members]) => members));
  assert.deepEqual(
    LISTS.filter(members => !looked.has(members)),
    NOT_HERE,
  );
});

test('a TCP connection knows the server that has accepted it', async t => {
  const { app, url } = await startApp(t, {});
  const accepted = next<[Parameters<typeof serverOf>[0]]>(app.server, 'connection');
  await connect(t, url);
  const [connection] = await accepted;
  assert.equal(serverOf(connection), app.server);
  assert(app.server instanceof TcpServer);
});

test('the versions that are named as a remedy are those of the tests', t => {
  t.mock.method(process, 'cwd', () => join(ROOT, 'test/hosts/plugins'));
  for (const [name, version] of Object.entries(TESTED_VERSIONS)) {
    assert.throws(
      () => requireMembers({ package: name, owner: 'Any', why: { missing: '' } }, {}),
      (error: Error) => error.message.includes(`${name} ${version} has no Any.missing; update egg-socket.io, or `),
      name,
    );
  }
});

test('the remedy is a command where the app has installed the package, and an override where it comes with another one', () => {
  const remedies = {
    '@socket.io/mongo-adapter': 'run `npm i @socket.io/mongo-adapter@',
    ws: 'add "overrides": { "ws": "',
    'koa-session': 'has no Any.missing; update egg-socket.io (',
  };
  for (const [name, remedy] of Object.entries(remedies)) {
    assert.throws(
      () => requireMembers({ package: name, owner: 'Any', why: { missing: '' } }, {}),
      (error: Error) => error.message.includes(remedy),
      name,
    );
  }
});

test('a release that lacks a member which correctness needs stops the boot, and one that is only slower does not', () => {
  for (const members of LISTS) {
    for (const member of Object.keys(members.why)) {
      const lines: string[] = [];
      const check = (): void => checkInternals([[members, without(member, members)]], line => lines.push(line));
      const missing = new RegExp(
        `^\\[egg-socket\\.io\\] (IO_INTERNALS_MISSING: )?${members.package} \\S+.* has no ${members.owner}\\.${member}[:;] `,
      );
      if (members.fallback === undefined) assert.throws(check, { code: 'IO_INTERNALS_MISSING', message: missing });
      else {
        check();
        assert.equal(lines.length, 1);
        assert.match(lines[0] ?? '', missing);
        assert.ok(lines[0]?.endsWith(members.fallback));
      }
    }
  }
});

test('an app does not start where Socket.IO lacks a method, and starts where a newer version has it', async t => {
  const run = take(t, Namespace.prototype, 'run');
  const read = fs.readFileSync;
  t.mock.method(fs, 'readFileSync', (...args: Parameters<typeof read>) => {
    const content = read(...args);
    return /node_modules.socket\.io.package\.json$/.test(String(args[0]))
      ? String(content).replace('"version": "4', '"version": "94')
      : content;
  });
  const error = await bootError(t, {});
  assert.equal(error.code, 'IO_INTERNALS_MISSING');
  assert.match(
    error.message,
    /socket\.io 94\.\d+\.\d+ has no Namespace\.run; update egg-socket\.io, or add "overrides": \{ "socket\.io": "4\./,
  );
  Object.defineProperty(Namespace.prototype, 'run', run);
  await startApp(t, {});
});

test('agent.io looks at what it uses, too', t => {
  take(t, Namespace.prototype, '_createSocket');
  const logger = new Logs();
  const settings = { init: {}, adapter: undefined } as ConstructorParameters<typeof AgentIo>[1]; // all that it reads
  const agent = { baseDir: ROOT, logger } as unknown as ConstructorParameters<typeof AgentIo>[0]; // all that it reads
  assert.throws(() => new AgentIo(agent, settings, { hub: join(ROOT, 'no.sock') }), { code: 'IO_INTERNALS_MISSING' });
});

test('an app starts where no socket can be made to look at, and says so', async t => {
  t.mock.method(Socket.prototype, 'buildHandshake' as never, () => {
    throw new Error('of another constructor'); // private
  });
  const { logged } = await startApp(t, {});
  await logged(/^WARN \[egg-socket\.io\] Socket of socket\.io \d\S+ could not be checked: a missing member would fail only in use$/);
});

test('an app whose egg-passport lacks a member does not start, and any other app.passport is its own affair', async t => {
  const error = await bootError(t, { ...APP, 'app.js': 'module.exports = app => { delete app.passport._key; };' });
  assert.equal(error.code, 'IO_INTERNALS_MISSING');
  assert.match(error.message, /egg-passport .* has no Passport\._key/);
  await startApp(t, { 'app.js': 'module.exports = app => { app.passport = { deserializeUser() {} }; };' });
});

test('where services, locales or sessions cannot be looked at, the app does without', () => {
  const lines: string[] = [];
  const warn = (line: string): void => void lines.push(line);
  assert.equal(eggInternals.servicesOf({ service: {} }, warn), undefined);
  assert.equal(eggInternals.servicesOf({}, warn), undefined); // no services: nothing to say
  assert.equal(eggInternals.localeInternals({ __() {} }, warn), undefined);
  assert.equal(eggInternals.localeInternals({}, warn), undefined);
  checkInternals(
    eggInternals.sessionSpecimens(() => {
      throw new Error('a store of the app');
    }),
    warn,
  );
  const said = ['has no ctx.service._ctx', 'has no ctx.__getLocale', 'Session of koa-session'];
  assert.equal(lines.length, said.length);
  for (const [n, text] of said.entries()) assert.ok(lines[n]?.includes(text), lines[n]);
});

test('a tegg whose app or contexts lack a member stops the boot', () => {
  const context = { getEggObject() {} };
  const tegg = { context, abstractEggContext: class {}, identicalUtil: {} };
  assert.equal(eggInternals.teggOf({ context: {} }), undefined);
  assert.throws(() => eggInternals.teggOf({ context }), /has no Application\.abstractEggContext/);
  assert.throws(() => eggInternals.teggOf(tegg), /has no AbstractEggContext\.set/);
});

test('a connection that lacks a member is told of once, when the first client is there, and a WebSocket also after an upgrade', async t => {
  const { io, url, logs } = await startApp(t, {});
  let webSocket: unknown;
  io.engine.prependOnceListener('connection', ({ transport }: { transport: object }) => {
    webSocket = Reflect.get(transport, 'socket');
    Reflect.deleteProperty(transport, 'socket');
  });
  io.engine.once('connection', ({ transport }: { transport: object }) => Reflect.set(transport, 'socket', webSocket));
  const clients = [await connect(t, url, { transports: ['websocket'] }), await connect(t, url, { transports: ['websocket'] })];
  const missing = logs.filter(line => line.includes('engine.io') && line.includes(' has no '));
  assert.equal(missing.length, 1);
  assert.match(missing[0] ?? '', /^WARN \[egg-socket\.io\] engine\.io \S+ has no WebSocket\.socket: .* broadcasts cost more$/);
  const heard = Promise.all(clients.map(async client => next(client, 'said')));
  io.emit('said', 'to all');
  assert.deepEqual(await heard, [['to all'], ['to all']]);

  const engine = new EventEmitter();
  const lines: string[] = [];
  checkFirstConnection(engine as unknown as typeof io.engine, line => lines.push(line)); // all that it needs
  const connection = Object.assign(new EventEmitter(), { transport: { name: 'polling' } });
  engine.emit('connection', connection);
  const members = (): (string | undefined)[] => lines.map(line => / has no ([^:]+): /.exec(line)?.[1]);
  const missed = ['Socket.writeBuffer', 'Socket.pingTimeoutTimer', 'Socket.onClose', 'Polling.res'];
  assert.deepEqual(members(), missed);
  connection.emit('upgrade', { name: 'websocket' });
  assert.deepEqual(members(), [...missed, 'WebSocket.socket']);
});

test('where Engine.IO lacks a member, a connection that reaches a limit ends all the same, by any transport', async t => {
  const { io, url } = await startApp(t, {});
  for (const transport of ['polling', 'websocket']) {
    const client = await connect(t, url, { transports: [transport] });
    const [socket] = io.sockets.sockets.values();
    assert(socket);
    const gone = next(socket, 'disconnect');
    const lacking = new Proxy(socket.conn, { has: (connection, name) => name !== 'flush' && name in connection });
    engineConnectionInternals.writeAtOnce(lacking, () => assert.fail('nothing can be written at once'));
    engineConnectionInternals.terminate(lacking, 'limit reached: events');
    assert.deepEqual((await gone)[0], 'forced close');
    client.disconnect();
    await nothingRemains(io);
  }
});

test('where Engine.IO lacks a member, upgrades keep their responses, and answers to polled requests go on without being counted', async t => {
  const { io } = await startApp(t, {});
  const { handleUpgrade } = io.engine;
  engineIoInternals.forgetResponses(new Proxy(io.engine, { has: (engine, name) => name !== '_applyMiddlewares' && name in engine }));
  assert.equal(io.engine.handleUpgrade, handleUpgrade);

  const engine = Object.assign(new EventEmitter(), { opts: io.engine.opts });
  const backlog = new Backlog(1_000_000, () => assert.fail('nobody is over it'));
  t.after(() => backlog.close());
  backlog.attach(engine as unknown as typeof io.engine); // all that it needs
  for (const transport of [{ res: { writableFinished: false, destroyed: false, socket: null } }, {}]) {
    const connection = Object.assign(new EventEmitter(), { transport: { name: 'polling', ...transport } });
    engine.emit('connection', connection);
    connection.emit('flush', [{ data: 'x'.repeat(100_000) }]);
  }
  assert.equal(backlog.waiting.connections, 1, 'of the one whose response is known');
});

// the last one: what it hides stays hidden, since the app needs it until it has closed
test('where ws writes its frames in another way, the boot says so once, and each frame leaves by itself', async t => {
  const sendFrame = hideSender(t);
  const { io, url, logs } = await startApp(t, {
    'app/io/controller/chat.js': 'exports.echo = async ctx => ctx.args[0];',
    'app/router.js': `module.exports = app => app.io.route('echo', 'chat.echo');`,
  });
  assert.equal(logs.filter(line => line.includes('has no Sender.sendFrame: each frame is sent in a system call of its own')).length, 1);
  const client = await connect(t, url, { transports: ['websocket'] });
  const bytes = Buffer.alloc(70_000, 7);
  assert.equal(await client.emitWithAck('echo', 'text'), 'text');
  assert.deepEqual(await client.emitWithAck('echo', bytes), bytes);
  const said = next<[string, Buffer]>(client, 'said');
  io.emit('said', 'to all', bytes);
  assert.deepEqual(await said, ['to all', bytes]);
  assert.ok(sendFrame.mock.callCount() > 0);
});

/** Removes a member until the test has ended. */
function take(t: TestContext, object: object, member: string): PropertyDescriptor {
  const descriptor = Object.getOwnPropertyDescriptor(object, member);
  assert(descriptor);
  Reflect.deleteProperty(object, member);
  t.after(() => Object.defineProperty(object, member, descriptor));
  return descriptor;
}

/** From here on `_sender` of a WebSocket shows its public methods alone, and no `sendFrame`, which those go on to call. */
function hideSender(t: TestContext): ReturnType<typeof t.mock.fn> {
  const { WebSocket } = wsInternals;
  const { Sender } = WebSocket as unknown as { Sender: { prototype: object } }; // not declared
  const sendFrame = t.mock.fn(Reflect.get(Sender.prototype, 'sendFrame') as (...args: unknown[]) => unknown);
  Reflect.deleteProperty(Sender.prototype, 'sendFrame');
  const senders = new WeakMap<object, object>();
  Object.defineProperty(WebSocket.prototype, '_sender', {
    configurable: true,
    get(this: object) {
      return senders.get(this);
    },
    set(this: object, sender: object | null) {
      if (!sender) return;
      Object.assign(sender, { sendFrame });
      const bound = (method: unknown): unknown => (typeof method === 'function' ? method.bind(sender) : method);
      senders.set(this, new Proxy(sender, { get: (_, name) => (name === 'sendFrame' ? undefined : bound(Reflect.get(sender, name))) }));
    },
  });
  return sendFrame;
}

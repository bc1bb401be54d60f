/** The wrappers of adapters: one test for each row of their table that has to stand before or after another, and what becomes of questions. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Namespace, ServerOptions } from 'socket.io';
import { Adapter, ClusterAdapter, type ClusterMessage, MessageType } from 'socket.io-adapter';
import type * as pulsedBackplane from '../../dist/backplane/pulsed-backplane';
import { type AdapterServer, startServer } from '../support/adapters';
import { connect, newClient, next } from '../support/client';
import { Logs } from '../support/logs';
import { createAdapterFactory, Deprecations } from '../support/parts';
import { until } from '../support/until';

const { PulsedBackplane } = require(join(__dirname, '../../../dist/backplane/pulsed-backplane')) as typeof pulsedBackplane;

/** A backend that keeps what it is told, and has one more server. */
class Backend extends PulsedBackplane {
  readonly requestsTimeout = 1_000_000; // no test waits for it
  readonly published: ClusterMessage[] = [];
  reachable = true;
  servers = 2;
  readonly createAdapter = (nsp: Namespace): BackendAdapter => new BackendAdapter(nsp, this);

  override get isAnswering(): boolean {
    return this.reachable;
  }

  broadcasts(): ClusterMessage[] {
    return this.published.filter(({ type }) => type === MessageType.BROADCAST);
  }

  channelOf(name: string): string {
    return name;
  }

  protected sendPulse(): void {}
  protected reconnect(): void {}
  protected disconnect(): void {}
}

class BackendAdapter extends ClusterAdapter {
  readonly #backend: Backend;

  constructor(nsp: Namespace, backend: Backend) {
    super(nsp);
    this.#backend = backend;
  }

  override async serverCount(): Promise<number> {
    return this.#backend.servers;
  }

  /** Answers nothing while it cannot be reached. */
  override async restoreSession(): Promise<never> {
    if (this.#backend.reachable) throw new Error('no such session');
    return new Promise(() => {});
  }

  override persistSession(): void {}

  protected async doPublish(message: ClusterMessage): Promise<string> {
    this.#backend.published.push(message);
    return '1-0';
  }

  protected async doPublishResponse(): Promise<void> {}
}

interface Stage extends AdapterServer {
  readonly backend: Backend;
  readonly nsp: Namespace;
  readonly logs: Logs;
}

type Name = 'redis-sharded' | 'redis-streams' | 'postgres';

const NAMES: readonly Name[] = ['redis-sharded', 'redis-streams', 'postgres'];

async function start(
  t: TestContext,
  name: Name,
  { opened, interop = true }: { opened?: Promise<void>; interop?: boolean } = {},
): Promise<Stage> {
  const logs = new Logs();
  const backend = new Backend('the backend', 'IO_REDIS_DOWN', logs);
  const recovery = { connectionStateRecovery: { skipMiddlewares: false } };
  const options = { interop };
  const create = createAdapterFactory(
    {
      init: name === 'redis-streams' ? recovery : {},
      adapter: name === 'postgres' ? { name, options } : { name, options, redis: {} },
    },
    { backplane: backend, deprecations: new Deprecations(logs), logger: logs, ...(opened && { opened }) },
  );
  const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
  const server = await startServer(t, { adapter, ...(name === 'redis-streams' && recovery) }, () => void backend.close());
  return { ...server, backend, nsp: server.io.of('/'), logs };
}

for (const name of NAMES) {
  test(`a broadcast is published once, and reaches each local client once: ${name}`, async t => {
    const { backend, nsp, url } = await start(t, name);
    const client = await connect(t, url);
    const received: unknown[] = [];
    client.on('said', text => received.push(text));
    const last = next(client, 'last');
    nsp.emit('said', 'once');
    nsp.emit('last');
    await last;
    assert.deepEqual(received, ['once']);
    assert.equal(backend.broadcasts().length, 2);
  });
}

test('a client that comes back while the backend cannot be reached is a new one at once', async t => {
  const { backend, nsp, url } = await start(t, 'redis-streams');
  backend.reachable = false;
  const arrival = next<[{ recovered: boolean }]>(nsp, 'connection');
  await connect(t, url, { auth: { pid: 'of a session', offset: '1-0' } });
  const [socket] = await arrival;
  assert.equal(socket.recovered, false);
});

test('what middleware emits to a client that is connecting waits for it, though it goes out later, with its offset', async t => {
  const { nsp, url } = await start(t, 'redis-streams');
  nsp.use((socket, done) => {
    nsp.to(socket.id).emit('welcome');
    setImmediate(done);
  });
  nsp.on('connection', socket => socket.emit('last'));
  const client = newClient(t, url);
  const received: string[] = [];
  client.onAny((event: string) => received.push(event));
  await next(client, 'last');
  assert.deepEqual(received, ['welcome', 'last']);
});

test('a message that is none is dropped where clients can come back, too', async t => {
  const { nsp, logs } = await start(t, 'redis-streams');
  Reflect.apply(Reflect.get(nsp.adapter, 'onMessage') as (message: unknown) => void, nsp.adapter, [null]); // protected
  await logs.logged(/WARN .*IO_MESSAGE_INVALID/);
});

test('the sockets of a server where clients can come back have the operators of its namespace', async t => {
  const { nsp, url } = await start(t, 'redis-streams');
  const arrival = next<[{ to(room: string): object }]>(nsp, 'connection');
  await connect(t, url);
  const [socket] = await arrival;
  assert.equal(Object.getPrototypeOf(socket.to('room')), Object.getPrototypeOf(nsp.to('room')));
});

test('a local broadcast with acknowledgements waits for this server alone, whoever has just counted all of them', async t => {
  const { nsp } = await start(t, 'redis-sharded');
  for (let round = 0; round < 2; round++) {
    assert.equal(await nsp.adapter.serverCount(), 2);
    assert.deepEqual(await nsp.local.timeout(1000).emitWithAck('ask'), []);
  }
});

for (const name of NAMES.filter(name => name !== 'redis-streams')) {
  test(`what waits for the backend to open does nothing before: it publishes nothing, and no question fails: ${name}`, async t => {
    let open = (): void => {};
    const { backend, nsp } = await start(t, name, { opened: new Promise<void>(resolve => (open = resolve)) });
    backend.reachable = false;
    const failed: unknown[] = [];
    nsp.emit('said');
    nsp.adapter.addSockets({ rooms: new Set(), except: new Set() }, ['room']);
    nsp.adapter.serverSideEmit(['event', (error: unknown) => failed.push(error)]);
    await nextTurn();
    assert.deepEqual([backend.published, failed], [[], []]);
    backend.reachable = true;
    open();
    await nextTurn();
    assert.deepEqual(
      backend.published.map(({ type }) => type),
      [MessageType.BROADCAST, MessageType.SOCKETS_JOIN, MessageType.SERVER_SIDE_EMIT],
    );
  });
}

test('what cannot be sent throws at once where it is emitted, though calls wait for the backend to open', async t => {
  const opened = new Promise<void>(() => {});
  const { nsp } = await start(t, 'redis-sharded', { opened });
  assert.throws(() => nsp.emit('bad', 1n), { code: 'IO_EMIT_INVALID' });
  const settings = { name: 'own', create: (of: Namespace) => new Adapter(of) } as const;
  const logger = new Logs();
  const parts = { backplane: undefined, deprecations: new Deprecations(logger), logger, opened };
  const create = createAdapterFactory({ init: {}, adapter: settings }, parts);
  const { io } = await startServer(t, { adapter: create });
  assert.throws(() => io.emit('bad', 1n), { code: 'IO_EMIT_INVALID' });
});

test('clients of a process that is busy when an outage begins have time to acknowledge', async t => {
  const { backend, nsp, url } = await start(t, 'postgres');
  Object.assign(backend, { localTimeout: 1000 }); // on a busy machine, half of the usual one may be too short for the client
  const client = await connect(t, url);
  client.on('question', (answer: (text: string) => void) => answer('from here'));
  backend.reachable = false;
  const asked = nsp.timeout(5000).emitWithAck('question');
  setImmediate(() => {
    const end = performance.now() + backend.localTimeout;
    while (performance.now() < end);
  });
  await assert.rejects(asked, { code: 'IO_REDIS_DOWN', responses: ['from here'] });
});

test('acknowledgements that clients do not give are forgotten where another server has asked, in whatever form its packet has come', async t => {
  const [one, other] = [await start(t, 'redis-sharded', { interop: false }), await start(t, 'redis-sharded')];
  const { nsp } = other;
  const arrival = next<[object]>(nsp, 'connection');
  const client = await connect(t, other.url);
  const [socket] = await arrival;
  const asked = next(client, 'ask');
  one.nsp.timeout(20).emit('ask', () => {});
  for (const data of published(one.backend)) receive(nsp, data);
  const acks = Reflect.get(socket, 'acks') as Map<number, unknown>; // private
  assert.equal(acks.size, 1);
  await asked;
  await until(t, () => acks.size === 0);
});

test('fetchSockets() waits for other servers as long as timeout() says, not as long as the config', async t => {
  const { nsp } = await start(t, 'redis-sharded');
  await assert.rejects(nsp.timeout(20).fetchSockets(), /timeout reached/);
});

test('a question to other servers that is open when the backplane closes fails at once', async t => {
  const { backend, nsp } = await start(t, 'redis-sharded');
  const failed = assert.rejects(nsp.timeout(1000).fetchSockets(), { code: 'IO_REDIS_DOWN' });
  await until(t, () => backend.published.length !== 0);
  await backend.close();
  await failed;
});

test('serverSideEmitWithAck() that times out rejects with the answers that have come', async t => {
  const { backend, nsp } = await start(t, 'redis-sharded');
  backend.servers = 3;
  t.mock.timers.enable({ apis: ['setTimeout'] }); // the adapter waits 5 s
  const failed = assert.rejects(nsp.serverSideEmitWithAck('ask'), { responses: ['answer'] });
  await until(t, () => backend.published.length !== 0);
  const { requestId } = (backend.published[0] as { data: { requestId?: string } }).data; // a question has one
  const response = { uid: 'other', nsp: '/', type: MessageType.SERVER_SIDE_EMIT_RESPONSE, data: { requestId, packet: 'answer' } };
  Reflect.apply(Reflect.get(nsp.adapter, 'onResponse') as (response: object) => void, nsp.adapter, [response]); // protected
  t.mock.timers.tick(5000);
  await failed;
});

// How a broadcast travels

/** The data of the broadcasts that have been published, as another server reads it. */
function published(backend: Backend): Record<string, unknown>[] {
  return backend.broadcasts().map(message => (message as { data: Record<string, unknown> }).data); // a broadcast has it
}

/** What other servers publish comes in. */
function receive({ adapter }: Namespace, data: object): void {
  const message = { uid: 'another server', nsp: '/', type: MessageType.BROADCAST, data };
  Reflect.apply(Reflect.get(adapter, 'onMessage') as (message: object) => void, adapter, [message]); // protected
}

/** Counts how often this server decodes what it has encoded itself. */
function countDecoders({ server }: Namespace): () => number {
  let count = 0;
  const { Decoder } = server._parser;
  class Counted extends Decoder {
    constructor(...args: ConstructorParameters<typeof Decoder>) {
      super(...args);
      count++;
    }
  }
  Reflect.set(server, '_parser', { ...server._parser, Decoder: Counted });
  return () => count;
}

test('what clients cannot be sent is not published', async t => {
  const { backend, nsp } = await start(t, 'redis-sharded');
  assert.throws(() => nsp.emit('bad', 1n), { code: 'IO_EMIT_INVALID' });
  assert.throws(() => nsp.emit('bad', new Blob(['x'])), { code: 'IO_EMIT_INVALID' });
  await assert.rejects(nsp.timeout(1000).emitWithAck('bad', Array(11).fill(Buffer.from('x'))), { code: 'IO_EMIT_INVALID' });
  assert.deepEqual(backend.published, []);
});

test('a plain emit travels as it is, and is not decoded; what clients get otherwise travels as they get it', async t => {
  const { backend, nsp } = await start(t, 'redis-sharded');
  const decoded = countDecoders(nsp);
  const plain = { text: 'a', list: [1, -1.5, 2 ** 53, true, null, Buffer.from('x')], empty: {} };
  nsp.emit('said', plain);
  assert.equal(decoded(), 0);
  nsp.emit('said', new Date(0), undefined, new Uint16Array([256]));
  assert.equal(decoded(), 1);
  assert.deepEqual(
    published(backend).map(({ packet, ...others }) => [(packet as { data: unknown }).data, Object.keys(others)]),
    [
      [['said', plain], ['opts']],
      [['said', '1970-01-01T00:00:00.000Z', null, Buffer.from([0, 1])], ['opts']],
    ],
  );
});

for (const interop of [true, false]) {
  test(`what could change on the way travels encoded, ${interop ? 'beside what others read' : 'and so does all else, where all servers run this plugin'}`, async t => {
    const [one, other] = [await start(t, 'redis-sharded', { interop }), await start(t, 'redis-sharded', { interop })];
    const client = await connect(t, other.url);
    const heard: unknown[][] = [];
    client.onAny((...args: unknown[]) => heard.push(args));
    const emits = [
      ['large', 2 ** 64],
      ['half', '\ud800', { '\udc00': 1 }],
      ['key', JSON.parse('{"__proto__":{"a":1},"b":2}') as unknown],
      ['bytes', Buffer.from('x'), -(2 ** 70)],
      ['plain', 1],
    ] as [string, ...unknown[]][];
    for (const emit of emits) one.nsp.emit(...emit);
    const messages = published(one.backend);
    for (const data of messages) receive(other.nsp, data);
    await next(client, 'plain');
    assert.deepEqual(heard, emits);
    const names = messages.map(({ packet }) => (packet as { data: unknown[] }).data[0]);
    if (interop) {
      assert.deepEqual(names, ['large', 'half', 'key', 'bytes', 'plain']);
      assert.deepEqual(
        messages.map(data => 'encoded' in data),
        [true, true, true, true, false],
      );
      assert.ok(!JSON.stringify(messages[2]?.['packet']).includes('__proto__'), 'decoders of others would throw');
    } else assert.deepEqual(new Set(names), new Set(['egg-socket.io encoded']));
  });
}

test('what no backend carries reaches servers of this plugin, and others read a message to nobody', async t => {
  const [one, other] = [await start(t, 'redis-sharded'), await start(t, 'redis-sharded')];
  const client = await connect(t, other.url);
  let deep: unknown[] = [];
  for (let level = 0; level < 100; level++) deep = [deep];
  one.nsp.emit('deep', deep);
  one.nsp.to('room').emit('deep', deep);
  const [toAll, toRoom] = published(one.backend) as { opts: { rooms: string[]; except: string[] }; packet: { data: unknown[] } }[];
  assert.ok(toAll && toAll.opts.rooms.length > 1 && toAll.packet.data.length === 1);
  assert.ok(toRoom);
  assert.deepEqual([toRoom.opts.rooms, toRoom.opts.except, toRoom.packet.data], [['room'], ['room'], ['']]); // the channel of the room
  const heard = next(client, 'deep');
  receive(other.nsp, toAll);
  assert.deepEqual(await heard, [deep]);
});

/** The wrappers of adapters: one test for each row of their table that has to stand before or after another, and what becomes of questions. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Namespace, ServerOptions } from 'socket.io';
import { ClusterAdapter, type ClusterMessage, MessageType } from 'socket.io-adapter';
import type * as pulsedBackplane from '../../dist/backplane/pulsed-backplane';
import { type AdapterServer, startServer } from '../support/adapters';
import { connect, newClient, next } from '../support/client';
import { Logs } from '../support/logs';
import { createAdapterFactory, Deprecations } from '../support/parts';

const { PulsedBackplane } = require(join(__dirname, '../../../dist/backplane/pulsed-backplane')) as typeof pulsedBackplane;

/** A backend that keeps what it is told, and has one more server. */
class Backend extends PulsedBackplane {
  readonly requestsTimeout = 1_000_000; // no test waits for it
  readonly published: ClusterMessage[] = [];
  reachable = true;
  servers = 2;
  readonly createAdapter = (nsp: Namespace): BackendAdapter => new BackendAdapter(nsp, this);

  override get isReachable(): boolean {
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

async function start(t: TestContext, name: 'redis-sharded' | 'redis-streams', opened?: Promise<void>): Promise<Stage> {
  const logs = new Logs();
  const backend = new Backend('the backend', 'IO_REDIS_DOWN', logs);
  const recovery = { connectionStateRecovery: { skipMiddlewares: false } };
  const create = createAdapterFactory(
    { init: name === 'redis-streams' ? recovery : {}, adapter: { name, options: {}, redis: {} } },
    { backplane: backend, deprecations: new Deprecations(logs), ...(opened && { opened }) },
  );
  const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
  const server = await startServer(t, { adapter, ...(name === 'redis-streams' && recovery) }, () => void backend.close());
  return { ...server, backend, nsp: server.io.of('/'), logs };
}

for (const name of ['redis-sharded', 'redis-streams'] as const) {
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

test('what waits for the backend to open does nothing before: it publishes nothing, and no question fails', async t => {
  let open = (): void => {};
  const { backend, nsp } = await start(t, 'redis-sharded', new Promise<void>(resolve => (open = resolve)));
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

test('fetchSockets() waits for other servers as long as timeout() says, not as long as the config', async t => {
  const { nsp } = await start(t, 'redis-sharded');
  await assert.rejects(nsp.timeout(20).fetchSockets(), /timeout reached/);
});

test('a question to other servers that is open when the backplane closes fails at once', async t => {
  const { backend, nsp } = await start(t, 'redis-sharded');
  const failed = assert.rejects(nsp.timeout(1000).fetchSockets(), { code: 'IO_REDIS_DOWN' });
  while (backend.published.length === 0) await nextTurn();
  await backend.close();
  await failed;
});

test('serverSideEmitWithAck() that times out rejects with the answers that have come', async t => {
  const { backend, nsp } = await start(t, 'redis-sharded');
  backend.servers = 3;
  t.mock.timers.enable({ apis: ['setTimeout'] }); // the adapter waits 5 s
  const failed = assert.rejects(nsp.serverSideEmitWithAck('ask'), { responses: ['answer'] });
  while (backend.published.length === 0) await nextTurn();
  const { requestId } = (backend.published[0] as { data: { requestId?: string } }).data; // a question has one
  const response = { uid: 'other', nsp: '/', type: MessageType.SERVER_SIDE_EMIT_RESPONSE, data: { requestId, packet: 'answer' } };
  Reflect.apply(Reflect.get(nsp.adapter, 'onResponse') as (response: object) => void, nsp.adapter, [response]); // protected
  t.mock.timers.tick(5000);
  await failed;
});

/** Clients that come back, and what the server keeps of them. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Namespace, ServerOptions, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions, SessionAwareAdapter } from 'socket.io-adapter';
import { type AdapterServer, startServer } from '../support/adapters';
import { type Client, newClient, next, refusal } from '../support/client';
import { addOffsets, logBroadcasts, LoggedSource, PacketCodec, recoverConnections, StoredSource } from '../support/parts';
import { RawClient } from '../support/raw';
import { until } from '../support/until';

const logger = console as never; // it logs nothing here

interface Stage extends AdapterServer {
  readonly nsp: Namespace;
  /** How much is kept of clients that come back. */
  kept(): number;
}

async function start(t: TestContext, AdapterClass: new (nsp: Namespace) => Adapter): Promise<Stage> {
  let clients: ReturnType<typeof recoverConnections>['clients'] | undefined;
  const create = function (nsp: Namespace) {
    const adapter = new AdapterClass(nsp);
    if (adapter instanceof SessionAwareAdapter)
      ({ clients } = recoverConnections(adapter, nsp, found => new StoredSource(adapter, found), logger));
    else clients = logged(adapter, nsp);
    t.after(() => adapter.close());
    return adapter;
  };
  const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
  const server = await startServer(t, { adapter, connectionStateRecovery: { skipMiddlewares: false } });
  return { ...server, nsp: server.io.of('/'), kept: () => clients?.size ?? 0 };
}

/** Recovery in memory. */
function logged(adapter: Adapter, nsp: Namespace): InstanceType<typeof LoggedSource>['clients'] {
  const { source } = recoverConnections(adapter, nsp, clients => new LoggedSource(adapter, nsp, clients, undefined), logger);
  addOffsets(adapter, source.offsets);
  const codec = new PacketCodec(nsp);
  codec.setEncoder(adapter);
  const { broadcast } = adapter;
  Object.assign(adapter, { broadcast: (packet: never, opts: BroadcastOptions) => broadcast(codec.encodeEvent(packet), opts) });
  logBroadcasts(adapter, source);
  return source.clients;
}

/** Connects a client, as new or as one that comes back; resolves with its socket. */
async function enter(t: TestContext, { nsp, url }: Stage, auth: object = {}): Promise<{ client: Client; socket: Socket; auth: object }> {
  const arrival = next<[Socket]>(nsp, 'connection');
  const client = newClient(t, url, { auth });
  const connected = next(client, 'connect');
  const [socket] = await arrival;
  await connected;
  return { client, socket, auth: { pid: Reflect.get(socket, 'pid') as unknown, offset: '' } }; // private
}

/** A client that has a room and loses its network. It has heard something, so that it has an offset. */
async function loseOne(t: TestContext, stage: Stage): Promise<object> {
  const { client, socket, auth } = await enter(t, stage);
  await socket.join('room');
  const heard = next(client, 'said');
  stage.nsp.emit('said', 'before');
  const [, offset] = await heard;
  const left = next(socket, 'disconnect');
  socket.conn.close();
  await left;
  return { ...auth, offset };
}

test('the session of a client that has come back and left for good is nobody else’s: with the adapter of Socket.IO', async t => {
  const stage = await start(t, SessionAwareAdapter);
  const auth = await loseOne(t, stage);
  const { client, socket } = await enter(t, stage, auth);
  assert.equal(socket.recovered, true);
  const left = next(socket, 'disconnect');
  client.disconnect();
  await left;
  const second = await enter(t, stage, auth);
  assert.equal(second.socket.recovered, false);
});

test('nothing is kept of clients that have come back, or were refused, once they have gone', async t => {
  const stage = await start(t, Adapter);
  for (let round = 0; round < 3; round++) {
    const auth = await loseOne(t, stage);
    const { client, socket } = await enter(t, stage, auth);
    assert.equal(socket.recovered, true);
    const left = next(socket, 'disconnect');
    client.disconnect();
    await left;
  }
  const auth = await loseOne(t, stage);
  stage.nsp.use((_socket, done) => done(new Error('refused')));
  await refusal(newClient(t, stage.url, { auth }));
  await until(t, () => Reflect.get(stage.nsp, '_preConnectSockets').size === 0);
  await nextTurn();
  assert.equal(stage.kept(), 0);
});

test('while a client is coming back, what excepts a room of it is not kept for it', async t => {
  const stage = await start(t, Adapter);
  const auth = await loseOne(t, stage);
  stage.nsp.use((_socket, done) => {
    stage.nsp.except('room').emit('said', 'not to you');
    stage.nsp.emit('said', 'to all');
    done();
  });
  const client = newClient(t, stage.url, { auth });
  const [text] = await next(client, 'said');
  assert.equal(text, 'to all');
});

test('what is emitted while the session of a client is read arrives once', async t => {
  const stage = await start(
    t,
    class extends SessionAwareAdapter {
      override async restoreSession(...args: Parameters<SessionAwareAdapter['restoreSession']>) {
        this.nsp.emit('said', 'meanwhile');
        await nextTurn();
        return super.restoreSession(...args);
      }
    },
  );
  const auth = await loseOne(t, stage);
  const client = newClient(t, stage.url, { auth });
  const heard: unknown[] = [];
  client.on('said', (text: unknown) => heard.push(text));
  await next(client, 'connect');
  const end = next(client, 'end');
  stage.nsp.emit('end');
  await end;
  assert.deepEqual(heard, ['meanwhile']);
});

test('of two CONNECTs the newer one comes last to middleware, also where the session of the older one is read for longer', async t => {
  let readSession = (): void => {};
  const held = new Promise<void>(resolve => (readSession = resolve));
  let reads = 0;
  const stage = await start(
    t,
    class extends SessionAwareAdapter {
      override async restoreSession(...args: Parameters<SessionAwareAdapter['restoreSession']>) {
        if (++reads === 1) await held;
        return super.restoreSession(...args);
      }
    },
  );
  const arrivals: unknown[] = [];
  const arrived = new Promise<void>(resolve =>
    stage.nsp.use(({ handshake }) => {
      if (arrivals.push(handshake.auth['order']) === 3) resolve();
    }),
  );
  const client = await RawClient.open(t, stage.url);
  const add = stage.nsp._add.bind(stage.nsp);
  let asked = 0;
  stage.nsp._add = async (...args) => {
    const added = add(...args);
    if (++asked === 3) readSession(); // all have been received
    return added;
  };
  client.send('40{"pid":"unknown","offset":"","order":1}', '40{"pid":"unknown","offset":"","order":2}', '40{"order":3}');
  await arrived;
  assert.deepEqual(arrivals, [1, 2, 3]);
});

/** `move()` of `egg-socket.io/client`, at a server that does what it is told. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { move } from 'egg-socket.io/client';
import { Server, type Socket } from 'socket.io';
import { ask, type Client, newClient, next } from '../support/client';
import { history, socketIoInternals } from '../support/parts';
import { until } from '../support/until';

interface Scene {
  readonly client: Client;
  readonly server: Server;
  /** The server's end of the client's first connection. */
  readonly socket: Socket;
  readonly heard: string[];
  /** `go` answers what is slow. */
  readonly app: EventEmitter;
  /** Resolves when the client is ready to change over. */
  askToMove(): Promise<unknown>;
  /** Ends the first connection as a server that drains does. */
  leave(): void;
}

async function start(t: TestContext, prepare: (client: Client) => void = () => {}): Promise<Scene> {
  const http = createServer();
  const server = new Server(http);
  const app = new EventEmitter();
  t.after(() => server.close());
  for (const name of ['/', '/other'])
    server.of(name).on('connection', socket => {
      socket.on('who', (done: (id: string) => void) => done(socket.id));
      socket.on('slow', (done: () => void) => app.once('go', done));
    });
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`; // it listens to a port
  const client = newClient(t, url, { autoConnect: false });
  move(client);
  prepare(client);
  const heard: string[] = [];
  for (const event of ['connect', 'disconnect']) client.on(event, () => heard.push(event));
  const connected = next<[Socket]>(server, 'connection');
  client.connect();
  const [socket] = await connected;
  await next(client, 'connect');
  return {
    client,
    server,
    socket,
    heard,
    app,
    askToMove: async () => new Promise(resolve => socket.emit('$io:move', resolve)),
    leave: () => {
      for (const one of server.of('/other').sockets.values()) if (one.conn === socket.conn) one._onclose('server shutting down');
      socket._onclose('server shutting down');
      socketIoInternals.socketInternals(socket).packet({ type: 2, data: ['$io:move', null] });
      socket.conn.close();
    },
  };
}

/** The next connection of the client is that of a server that refuses it for as long. */
function refuse({ server }: Scene): () => void {
  const { handleUpgrade } = server.engine;
  server.engine.handleUpgrade = (_request: unknown, socket: { destroy(): void }) => socket.destroy();
  return () => Object.assign(server.engine, { handleUpgrade });
}

/** Resolves when the client has opened another connection. It changes over when it has the answers that are on their way. */
async function beginToMove(t: TestContext, scene: Scene): Promise<{ other: { close(): void }; ready: Promise<unknown> }> {
  const opened = nextEngine(scene);
  const ready = scene.askToMove();
  const [other] = await opened;
  await until(t, () => !scene.client.connected);
  return { other, ready };
}

const nextEngine = async ({ server }: Scene): Promise<[{ close(): void }]> => next(server.engine, 'connection');

test('a namespace that the client asks for while it moves moves as well, with its answer', async t => {
  const scene = await start(t);
  const { client, server, heard, app } = scene;
  const slow = ask(client, 'slow');
  const { ready } = await beginToMove(t, scene);
  const other = client.io.socket('/other', {}).connect();
  t.after(() => void other.disconnect());
  const id = next(server.of('/other'), 'connection').then(([socket]) => (socket as Socket).id);
  const otherSlow = ask(other, 'slow'); // it is sent once there is the namespace
  const first = await id;
  await until(t, () => app.listenerCount('go') === 2);
  const who = ask(other, 'who');
  app.emit('go');
  await Promise.all([slow, otherSlow, ready]);
  scene.leave();
  assert.notEqual(await who, first);
  assert.equal(client.connected, true);
  assert.deepEqual(heard, ['connect', 'connect']);
});

test('if the other connection is lost before it is used, what comes is heard all the same, and another one is opened', async t => {
  const scene = await start(t);
  const { client, socket, heard, app } = scene;
  const slow = ask(client, 'slow');
  const { other, ready } = await beginToMove(t, scene);
  const allow = refuse(scene);
  other.close();
  const news = next(client, 'news');
  socket.emit('news');
  await news;
  const again = nextEngine(scene);
  allow();
  await again;
  app.emit('go');
  await Promise.all([slow, ready]);
  const back = next(client, 'connect');
  scene.leave();
  await back;
  assert.deepEqual(heard, ['connect', 'connect']);
});

test('if an answer does not come in time, the client reconnects as ever', async t => {
  const scene = await start(t);
  scene.client.emit('slow', () => {});
  await beginToMove(t, scene);
  const gone = next(scene.client, 'disconnect');
  scene.leave();
  await gone;
  await until(t, () => scene.server.engine.clientsCount === 0);
  assert.deepEqual(scene.heard, ['connect', 'disconnect']);
});

test('an answer that comes together with the end of the connection is in time', async t => {
  const scene = await start(t);
  const { app, client, heard } = scene;
  const slow = ask(client, 'slow');
  await beginToMove(t, scene);
  const back = next(client, 'connect');
  app.emit('go');
  scene.leave();
  await Promise.all([slow, back]);
  assert.deepEqual(heard, ['connect', 'connect']);
});

test('a socket that the page disconnects meanwhile neither holds up the others nor moves', async t => {
  const scene = await start(t);
  const { client, server, app } = scene;
  const other = client.io.socket('/other', {}).connect();
  await next(other, 'connect');
  other.emit('slow', () => {});
  await until(t, () => app.listenerCount('go') === 1);
  const { ready } = await beginToMove(t, scene);
  other.disconnect();
  scene.socket.emit('anything');
  await ready;
  const back = next(client, 'connect');
  scene.leave();
  await back;
  await ask(client, 'who');
  assert.equal(other.connected, false);
  assert.equal(server.of('/other').sockets.size, 0);
});

test('with history(), a question that comes up while the client moves is asked when it has, and once', async t => {
  const position = { room: 'room', epoch: 'one', key: 'key' };
  let gaps = 0;
  const scene = await start(t, client => history(client, { onGap: () => gaps++ }));
  const { client, server, socket, app } = scene;
  const heard: unknown[] = [];
  client.on('said', what => heard.push(what));
  socket.emit('$io:event', { ...position, offset: 0 });
  const slow = ask(client, 'slow');
  const { ready } = await beginToMove(t, scene);
  socket.emit('$io:event', { ...position, offset: 2 }, 'said', 2); // the client asks for the first one, after a moment
  let questions = 0;
  server.on('connection', moved => {
    moved.on('$io:history', (_position: unknown, answer: (answer: unknown) => void) => {
      questions++;
      answer({ recovered: true, position: { ...position, offset: 2 }, more: false, events: [[1, null, 'said', 1]] });
    });
    moved.emit('$io:event', { ...position, offset: 2 }); // as the server says where the room is
  });
  app.emit('go');
  await Promise.all([slow, ready]);
  scene.leave();
  await until(t, () => heard.length === 2);
  assert.deepEqual([heard, gaps, questions], [[1, 2], 0, 1]);
});

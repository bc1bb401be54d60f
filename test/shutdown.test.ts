/** What a server does when it closes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Server } from 'egg-socket.io';
import WebSocket from 'ws';
import { type Files, type RunningApp, startApp } from './support/app';
import { type Client, type ClientVersion, connect, newClient, next } from './support/client';
import { RawClient } from './support/raw';
import { engineConnections, internals, remains } from './support/remains';

const FILES: Files = {
  'app/io/middleware/wait.js': `
    module.exports = app => async (ctx, next) => {
      app.emit('asked', ctx.socket.handshake.auth.name);
      await new Promise(resolve => app.once('enter', resolve));
      await next();
      app.emit('left');
    };`,
  'app/io/controller/home.js': `
    exports.slow = async ctx => {
      const go = new Promise(resolve => ctx.app.once('go', resolve));
      ctx.app.emit('begun');
      await go;
      return ctx.args[0];
    };
    exports.hang = async ctx => {
      ctx.app.emit('begun');
      await new Promise(() => {});
    };
    exports.late = async ctx => { ctx.app.emit('late'); return true; };
    exports.left = async ctx => {
      await new Promise(resolve => setImmediate(resolve));
      ctx.app.emit('left', ctx.args[0]);
    };`,
  'app/router.js': `
    module.exports = app => {
      const { home } = app.io.controller;
      for (const event of ['slow', 'hang', 'late']) app.io.route(event, home[event]);
      app.io.route('disconnect', home.left);
      app.io.of('/waits').route('late', home.late);
      app.io.of(/^\\/room-/).on('connection', socket => socket.on('late', answer => {
        app.emit('late');
        answer(true);
      }));
    };`,
  'config/config.default.js': `
    exports.io = { init: { transports: ['polling', 'websocket'] }, namespace: { '/waits': { connectionMiddleware: ['wait'] } } };`,
};

/** Closes as SIGTERM does; what is new is refused from this call on. */
async function retire(io: Server): Promise<void> {
  return internals(io).retire();
}

/** Resolves when the app has fired an event so often. */
async function times({ app }: RunningApp, event: string, count: number): Promise<void> {
  for (let left = count; left > 0; left--) await next(app, event);
}

const KINDS: readonly (readonly [ClientVersion, string])[] = ([2, 3, 4] as const).flatMap(version =>
  ['polling', 'websocket'].map(transport => [version, transport] as const),
);

async function connectAll(t: TestContext, url: string): Promise<Client[]> {
  return Promise.all(KINDS.map(async ([version, transport]) => connect(t, url, { transports: [transport] }, version)));
}

test('handlers that run when a server closes answer, over every transport; then clients hear that the connection has closed', async t => {
  const running = await startApp(t, FILES);
  const clients = await connectAll(t, running.url);
  const begun = times(running, 'begun', clients.length);
  const answers: unknown[] = [];
  for (const client of clients) client.emit('slow', 'x'.repeat(100_000), (answer: string) => answers.push(answer.length));
  await begun;
  const reasons = clients.map(async client => (await next<[string]>(client, 'disconnect'))[0]);
  const haveLeft = times(running, 'left', clients.length);
  const closed = running.close();
  running.app.emit('go');
  assert.deepEqual(
    await Promise.all(reasons),
    clients.map(() => 'transport close'),
  );
  assert.deepEqual(
    answers,
    clients.map(() => 100_000),
  );
  await haveLeft;
  await closed;
  assert.equal(remains(running.io).connections, 0);
});

test('a closing server begins nothing new: no session, no connection to a namespace, no event, of whatever namespace', async t => {
  const running = await startApp(t, FILES);
  const { app, io, url } = running;
  const clients = [...(await connectAll(t, url)), await connect(t, `${url}/room-1`)];
  const [first] = clients;
  assert.ok(first);
  const answers: unknown[] = [];
  app.on('late', () => answers.push('begun'));
  app.on('asked', () => answers.push('asked'));
  const begun = times(running, 'begun', 1);
  first.emit('slow', 'done', (answer: unknown) => answers.push(answer));
  await begun;

  const closed = retire(io);
  const closedClients = Promise.all(clients.map(client => next(client, 'disconnect')));
  for (const client of clients) client.emit('late', () => answers.push('late'));
  const raw = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  assert.match(String((await next(raw, 'error'))[0]), /503/);
  for (const sid of ['', '&sid=']) {
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling${sid}`);
    assert.deepEqual([response.status, response.headers.get('connection')], [503, 'close'], sid);
  }
  for (const name of ['/waits', '/room-1', '/room-2']) {
    for (const event of ['connect', 'connect_error', 'error'])
      clients[5]?.io.socket(name, {}).on(event as 'connect', () => answers.push(`${name}: ${event}`));
    clients[5]?.io.socket(name, {}).connect();
  }
  app.emit('go');
  await closedClients;
  await closed;
  assert.deepEqual(answers, ['done']);
});

test('a client that is connecting when the server closes is let in, begins nothing, hears that the connection has closed, and its middleware ends', async t => {
  const running = await startApp(t, FILES);
  const { app, io, url } = running;
  const begun = next(app, 'begun');
  (await connect(t, url)).emit('slow', 'keeps the server waiting');
  await begun;
  const asked = next(app, 'asked');
  const client = newClient(t, `${url}/waits`);
  const heard: unknown[] = [];
  for (const event of ['connect', 'connect_error']) client.on(event, () => heard.push(event));
  client.on('disconnect', reason => heard.push(reason));
  app.on('late', () => heard.push('the event has been handled'));
  await asked;
  const connection = engineConnections(io).at(-1);
  assert.ok(connection);
  const isLeft = next(app, 'left');
  const closed = retire(io);
  const end = next(client.io, 'close');
  const event = next(connection, 'message');
  client.emit('late'); // sent when it is let in
  app.emit('enter');
  await Promise.race([event, end]);
  await nextTurn();
  app.emit('go');
  await end;
  assert.deepEqual(heard, ['connect', 'transport close']);
  await isLeft;
  await closed;
  assert.equal(remains(io).inFlight, 0);
});

test('what does not end in its time, and clients that do not hear, keep no server from closing', async t => {
  const running = await startApp(t, FILES);
  const { io, url } = running;
  const client = await connect(t, url, { transports: ['polling'] });
  const begun = times(running, 'begun', 1);
  client.emit('hang');
  await begun;
  const frozen = await RawClient.connect(t, url);
  frozen.freeze();
  const { sid } = JSON.parse((await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text()).slice(1)) as { sid: string };
  assert.ok(sid, 'and one that polls once and never again');
  await running.close();
  assert.equal(remains(io).connections, 0);
});

test('an app without connections closes at once', async t => {
  const { close, io } = await startApp(t, FILES);
  t.mock.timers.enable({ apis: ['setTimeout'] }); // nothing that it waits for is a time
  await retire(io);
  t.mock.timers.reset();
  await close();
});

/** Listeners of the app's own, on sockets and namespaces, that fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, type ClientVersion, connect, next } from './support/client';
import { RawClient } from './support/raw';
import { nothingRemains, watchForCrashes } from './support/remains';

const LISTEN: Files = {
  'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['listen'] } } };`,
  'app/io/middleware/listen.js': `
    const { IoError } = require('egg-socket.io');
    module.exports = app => async (ctx, next) => {
      const { socket } = ctx;
      socket.on('throws', () => { throw new IoError('FULL', 'no more'); });
      socket.on('throws', () => app.emit('second listener'));
      socket.on('rejects', async () => { await null; throw new IoError('FULL', 'no more'); });
      socket.once('once', () => { throw new IoError('FULL', 'no more'); });
      socket.prependAny(event => { if (event === 'any') throw new IoError('FULL', 'none of any'); });
      socket.onAny(async event => { if (event === 'anyAsync') throw new IoError('FULL', 'none of anyAsync'); });
      socket.on('thenable', () => ({ then(_, reject) { reject(new IoError('FULL', 'no more')); } }));
      await next();
    };`,
  'app/router.js': `module.exports = app => { app.io.route('hello', async () => 'pong').route('routed', async () => 'routed'); };`,
};

test('a listener that fails answers like a handler that fails, and is logged like one', async t => {
  watchForCrashes(t);
  const { url, app, logs } = await startApp(t, LISTEN);
  for (const version of [2, 4] satisfies ClientVersion[]) {
    for (const event of ['throws', 'rejects', 'once', 'any', 'anyAsync', 'thenable']) {
      const client = await connect(t, url, {}, version);
      const second = event === 'throws' ? next(app, 'second listener') : undefined;
      const message = event.startsWith('any') ? `none of ${event}` : 'no more';
      assert.deepEqual(await ask(client, event), { error: { code: 'FULL', message } }, event);
      await second; // no listener suffers from another one
      const line = `WARN [egg-socket.io] event "${event}" failed, namespace /, socket ${client.id}: IoError: ${message}`;
      assert.deepEqual(
        logs.filter(one => one.includes(client.id ?? '?')),
        [line],
      );
      if (event !== 'once') {
        const heard = next(client, 'error');
        client.emit(event);
        assert.deepEqual(await heard, [message, { code: 'FULL', event }]);
      }
      assert.equal(await ask(client, 'hello'), 'pong');
    }
  }
});

test('a listener of an event with a route answers only if it comes first', async t => {
  watchForCrashes(t);
  const { url, io } = await startApp(t, LISTEN);
  io.on('connection', socket => {
    socket.on('routed', () => {
      throw new Error('a mishap');
    });
  });
  const client = await connect(t, url);
  assert.equal(typeof (await ask(client, 'routed')), 'object');
  assert.equal(await ask(client, 'hello'), 'pong');
});

for (const event of ['disconnecting', 'disconnect'] as const) {
  test(`a listener that fails at ${event} leaves no ghost, and no other listener suffers`, async t => {
    watchForCrashes(t);
    const { url, io, logged, app } = await startApp(t, { 'app/router.js': 'module.exports = () => {};' });
    io.on('connection', socket => {
      void socket.join('room');
      socket.on(event, () => {
        throw new Error('too late');
      });
      socket.on(event, async () => {
        await nextTurn();
        throw new Error('later still');
      });
      socket.on('disconnect', reason => app.emit('left', reason));
    });
    const [alice, bob] = [await connect(t, url), await connect(t, url)];
    const left = next(app, 'left');
    alice.disconnect();
    assert.deepEqual(await left, ['client namespace disconnect']);
    await logged(new RegExp(`ERROR .*listener of "${event}" failed, namespace /, socket .*too late`));
    await logged(/later still/);
    assert.deepEqual(
      (await io.in('room').fetchSockets()).map(({ id }) => id),
      [bob.id],
    );
    bob.disconnect();
    await nothingRemains(io);
  });
}

test('a listener of connection that fails is logged, and the client is connected all the same', async t => {
  watchForCrashes(t);
  const { url, io, logged } = await startApp(t, LISTEN);
  io.on('connection', () => {
    throw new Error('a mishap at first');
  });
  io.on('connection', async () => {
    await nextTurn();
    throw new Error('a mishap later');
  });
  io.of('/').on('connect', () => {
    throw new Error('a mishap at connect');
  });
  let connected = 0;
  io.on('connection', () => connected++);
  const client = await connect(t, url);
  assert.equal(await ask(client, 'hello'), 'pong');
  assert.equal(connected, 1);
  for (const what of ['at first', 'later', 'at connect'])
    await logged(new RegExp(`ERROR .*listener of "connect(?:ion)?" failed, namespace /, socket ${client.id}: Error: a mishap ${what}`));
});

test('a listener of what another server says that fails is logged, and an error that nobody listens to harms nobody', async t => {
  watchForCrashes(t);
  const { io, logged } = await startApp(t, LISTEN);
  io.on('tell' as 'connection', () => {
    throw new Error('a mishap');
  });
  const nsp = io.of('/');
  nsp._onServerSideEmit(['tell'] as never); // as adapters call it: the types know the app's own events only
  await logged(/ERROR .*listener of "tell" failed, namespace \/, socket none: Error: a mishap/);
  nsp._onServerSideEmit(['error', 'nobody listens'] as never);
});

test('an error of the connection harms nobody where its listeners have been removed', async t => {
  watchForCrashes(t);
  const running = await startApp(t, LISTEN);
  running.io.on('connection', socket => socket.removeAllListeners('error'));
  const client = await RawClient.connect(t, running.url);
  client.send('42["no JSON');
  await client.closed;
  await nothingRemains(running.io);
});

test('a callback of an acknowledgement that fails is logged, and so is a listener of outgoing events', async t => {
  watchForCrashes(t);
  const { url, io, logged } = await startApp(t, LISTEN);
  const connected = nextSocket(io);
  const client = await connect(t, url);
  const socket = await connected();
  client.on('question', (ack: (answer: string) => void) => ack('an answer'));
  socket.emit('question', () => {
    throw new Error('at once');
  });
  socket.emit('question', async () => {
    await nextTurn();
    throw new Error('a moment later');
  });
  socket.timeout(60_000).emit('question', () => {
    throw new Error('with a time-out');
  });
  for (const what of ['at once', 'a moment later', 'with a time-out'])
    await logged(new RegExp(`ERROR .*callback of an acknowledgement failed, namespace /, socket ${client.id}: Error: ${what}`));
  socket.onAnyOutgoing(() => {
    throw new Error('of outgoing ones');
  });
  const other = await connect(t, url);
  const heard = Promise.all([next(client, 'news'), next(other, 'news')]);
  io.emit('news');
  await heard;
  await logged(/ERROR .*listener of outgoing events failed.*of outgoing ones/);
});

test('listeners are found, counted and removed as they were given', async t => {
  const { url, io } = await startApp(t, LISTEN);
  const connected = nextSocket(io);
  const client = await connect(t, url);
  const socket = await connected();
  let heard = 0;
  const listener = (): number => heard++;
  socket.on('x', listener).once('x', listener).onAny(listener);
  assert.deepEqual(socket.listeners('x'), [listener, listener]);
  assert.equal(socket.listenerCount('x'), 2);
  assert.ok(socket.listenersAny().includes(listener));
  client.emit('x');
  await ask(client, 'hello');
  assert.equal(heard, 4, 'on, once and any; any once more for hello');
  assert.deepEqual(socket.listeners('x'), [listener]);
  socket.off('x', listener).offAny(listener);
  assert.equal(socket.listenerCount('x'), 0);
  client.emit('x');
  await ask(client, 'hello');
  assert.equal(heard, 4);
});

/** The server's side of the next client. */
function nextSocket(io: RunningApp['io']): () => Promise<Socket> {
  const connected = new Promise<Socket>(resolve => io.once('connection', resolve));
  return async () => connected;
}

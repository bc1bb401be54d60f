/** What the server asks one client, who may go without an answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app';
import { ask, type ClientVersion, connect, next } from './support/client';
import { RawClient } from './support/raw';
import { nothingRemains, watchForCrashes } from './support/remains';

const GONE = { name: 'ClientGoneError', code: 'IO_CLIENT_GONE' };

test('emitWithAck() rejects when the client goes, and the handler that waited for it ends', async t => {
  watchForCrashes(t);
  const { url, io, logged, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('wait', async ctx => { await ctx.socket.emitWithAck('question'); });
        app.io.route('waitLong', async ctx => { await ctx.socket.timeout(60000).emitWithAck('question'); });
      };`,
  });
  for (const version of [2, 4] satisfies ClientVersion[]) {
    for (const event of ['wait', 'waitLong']) {
      const client = await connect(t, url, {}, version);
      const { id } = client;
      const asked = next(client, 'question');
      client.emit(event);
      await asked;
      client.disconnect();
      const line = await logged(new RegExp(`event "${event}" failed, namespace /, socket ${id}`));
      assert.match(line, /^WARN .*: ClientGoneError: \[egg-socket\.io\] IO_CLIENT_GONE: the client disconnected before it answered/);
      await nothingRemains(io); // no handler either
    }
  }
  assert.equal(logs.filter(line => line.startsWith('ERROR')).length, 0);
});

test('a client that answers, or answers too late, is as with Socket.IO', async t => {
  const { url, io } = await startApp(t, {});
  const connected = new Promise<Parameters<Parameters<typeof io.on>[1]>[0]>(resolve => io.once('connection', resolve));
  const client = await connect(t, url);
  const socket = await connected;
  client.on('double', (n: number, ack: (...answer: unknown[]) => void) => ack(n * 2, 'more'));
  assert.equal(await socket.emitWithAck('double', 2), 4);
  assert.equal(await socket.timeout(60_000).emitWithAck('double', 3), 6);
  assert.deepEqual(await new Promise(resolve => socket.emit('double', 4, (...answer: unknown[]) => resolve(answer))), [8, 'more']);
  assert.deepEqual(await new Promise(resolve => socket.timeout(60_000).emit('double', 5, (...answer: unknown[]) => resolve(answer))), [
    null,
    10,
    'more',
  ]);
  await assert.rejects(socket.timeout(1).emitWithAck('silence'), { message: 'operation has timed out' });
  await assert.rejects(async () => socket.emitWithAck('disconnect'), { message: '"disconnect" is a reserved event name' });
  assert.deepEqual(
    await new Promise(resolve => socket.emit('double', 6, (...answer: unknown[]) => resolve(answer))),
    [12, 'more'],
    'nothing of the call before it is left',
  );
  assert.equal((Reflect.get(socket, 'acks') as Map<number, unknown>).size, 0, 'nothing waits any more');
});

test('an emit with a callback and a time-out is told at once that the client goes; one without a time-out never', async t => {
  watchForCrashes(t);
  const { url, io } = await startApp(t, {});
  const connected = new Promise<Parameters<Parameters<typeof io.on>[1]>[0]>(resolve => io.once('connection', resolve));
  const client = await connect(t, url);
  const socket = await connected;
  const order: unknown[] = [];
  socket.on('disconnect', () => order.push('disconnect'));
  socket.emit('question', () => order.push('never'));
  const told = new Promise<Error>(resolve => {
    socket.timeout(60_000).emit('question', (error: Error) => {
      order.push('told');
      resolve(error);
    });
  });
  client.disconnect();
  assert.deepEqual({ name: (await told).name, code: Reflect.get(await told, 'code') as unknown }, GONE);
  await assert.rejects(socket.emitWithAck('question'), GONE, 'of one that has gone already');
  await assert.rejects(socket.timeout(60_000).emitWithAck('question'), GONE);
  assert.deepEqual(order, ['disconnect', 'told']);
});

for (const [how, end] of [
  ['vanishes while it is connecting', (client: RawClient) => client.vanish()],
  ['gives the namespace up', (client: RawClient) => client.send('41')],
] as const) {
  test(`a middleware that waits for a client which ${how} ends`, async t => {
    watchForCrashes(t);
    const { url, io, app, logs } = await startApp(t, {
      'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['question'] } } };`,
      'app/io/middleware/question.js': `
        module.exports = app => async (ctx, next) => {
          app.emit('asking');
          try { await ctx.socket.emitWithAck('question'); } catch (error) { app.emit('failed', error.code); throw error; }
          await next();
        };`,
    });
    const client = await RawClient.open(t, url);
    const [asking, failed] = [next(app, 'asking'), next(app, 'failed')];
    client.send('40');
    await asking;
    end(client);
    assert.deepEqual(await failed, ['IO_CLIENT_GONE']);
    await nothingRemains(io);
    assert.equal(logs.filter(line => line.startsWith('ERROR')).length, 0);
  });
}

test('a middleware that waits for a client which is refused meanwhile ends', async t => {
  watchForCrashes(t);
  const { url, app, io } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['question'] } } };`,
    'app/io/middleware/question.js': `
      module.exports = app => async (ctx, next) => {
        setImmediate(() => ctx.socket.disconnect());
        try { await ctx.socket.emitWithAck('question'); } catch (error) { app.emit('failed', error.code); throw error; }
        await next();
      };`,
    'app/router.js': `module.exports = app => { app.io.of('/other').route('hello', async () => 'pong'); };`,
  });
  const failed = next(app, 'failed');
  await assert.rejects(connect(t, url), { message: 'Connection refused' });
  assert.deepEqual(await failed, ['IO_CLIENT_GONE']);
  const other = await connect(t, `${url}/other`);
  assert.equal(await ask(other, 'hello'), 'pong');
  other.disconnect();
  await nothingRemains(io);
});

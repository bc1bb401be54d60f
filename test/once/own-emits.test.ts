/** What the server sends to one client: what that could not read throws at the caller, as for a broadcast. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Socket } from 'socket.io';
import { REFUSED } from '../support/adapters';
import { ROOT, startApp } from '../support/app';
import { ask, connect, next } from '../support/client';
import { nothingRemains, watchForCrashes } from '../support/remains';

const BYTES = Buffer.from('bytes');

const INITS = {
  'by default': '{}',
  'with connection state recovery': '{ connectionStateRecovery: {} }',
};

for (const [how, init] of Object.entries(INITS)) {
  test(`${how}, what a client could not read throws where it is emitted to the client, and nothing waits for an answer`, async t => {
    watchForCrashes(t);
    const { url, io } = await startApp(t, { 'config/config.default.js': `exports.io = { init: ${init} };` });
    const connected = next<[Socket]>(io, 'connection');
    const client = await connect(t, url);
    const [socket] = await connected;
    client.on('ask', (...args: unknown[]) => (args.at(-1) as (answer: string) => void)('answer'));
    const heard: unknown[] = [];
    client.onAny((event: string) => heard.push(event));
    const never = (): never => assert.fail('the event was not sent');
    const pending = socket.timeout(600_000).emitWithAck('pending'); // of a question before, which goes on

    for (const [what, [values, reason]] of Object.entries({ ...REFUSED, 'no name': [[], /name of an event must be/] as const })) {
      const name = (what === 'no name' ? {} : 'bad') as string;
      const refusal = (error: Error): boolean => {
        assert.ok(error instanceof TypeError || error instanceof RangeError, what);
        assert.equal(Reflect.get(error, 'code'), 'IO_EMIT_INVALID', what);
        assert.match(error.message, /event '.*' cannot be emitted: /, what);
        assert.match(error.message, reason, what);
        return true;
      };
      assert.throws(() => socket.emit(name, ...values), refusal);
      assert.throws(() => socket.volatile.emit(name, ...values), refusal);
      assert.throws(() => socket.emit(name, ...values, never), refusal);
      assert.throws(() => socket.timeout(1).emit(name, ...values, never), refusal);
      await assert.rejects(socket.emitWithAck(name, ...values), refusal);
      await assert.rejects(socket.timeout(5000).emitWithAck(name, ...values), refusal);
    }
    assert.throws(() => socket.emit('disconnect', never), /reserved event name/);
    assert.equal((Reflect.get(socket, 'acks') as Map<number, unknown>).size, 1, 'that of the question before');

    const most = [...Array<unknown>(10).fill(BYTES), '"_placeholder":true'];
    assert.equal(await socket.emitWithAck('ask', ...most), 'answer');
    assert.equal(await socket.emitWithAck('ask', { _placeholder: true, num: 0 }), 'answer');
    assert.deepEqual(heard, ['pending', 'ask', 'ask']);
    client.disconnect();
    await assert.rejects(pending, { code: 'IO_CLIENT_GONE' });
    await nothingRemains(io);
  });
}

test('an answer that the client could not read is answered like an error of its handler, and logged once', async t => {
  watchForCrashes(t);
  const { url, app, logged, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('return', async () => app.answer);
        app.io.route('callback', async ctx => { ctx.ack(app.answer); });
        app.io.of('/').on('connection', socket => socket.on('listener', ack => ack(app.answer)));
      };`,
  });
  const client = await connect(t, url);
  for (const [what, [values, reason]] of Object.entries(REFUSED)) {
    Object.assign(app, { answer: values });
    for (const event of ['return', 'callback', 'listener']) {
      const { error } = (await ask(client, event)) as { error: { code: string; message: string } };
      assert.equal(error.code, 'INTERNAL_SERVER_ERROR', what);
      assert.match(error.message, /IO_EMIT_INVALID: an acknowledgement cannot be sent: /, what);
      assert.match(error.message, reason, what);
    }
  }
  Object.assign(app, { answer: Array(10).fill(BYTES) });
  for (const event of ['return', 'callback', 'listener']) assert.deepEqual(await ask(client, event), Array(10).fill(BYTES));
  await logged(/^ERROR .*event "listener" failed.*_placeholder/);
  assert.equal(logs.filter(line => line.startsWith('ERROR')).length, Object.keys(REFUSED).length * 3);
});

test('with a parser of the app, only what it cannot encode throws', async t => {
  const parser = join(ROOT, 'test/parsers/node_modules/socket.io-msgpack-parser');
  const { url, io } = await startApp(t, {
    'config/config.default.js': `exports.io = { init: { parser: require(${JSON.stringify(parser)}) } };`,
  });
  const connected = next<[Socket]>(io, 'connection');
  const client = await connect(t, url, { parser: require(parser) as object });
  const [socket] = await connected;
  client.on('ask', (...args: unknown[]) => (args.at(-1) as (answer: unknown) => void)(args.length - 1));
  assert.throws(() => socket.emit('bad', Symbol('no value')), { code: 'IO_EMIT_INVALID' });
  assert.equal(await socket.emitWithAck('ask', ...Array<unknown>(11).fill(BYTES), { _placeholder: true }), 12);
});

/** `send()` of `egg-socket.io/client`: an event that is sent again until it has been answered, and handled once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type * as client from '../dist/client/client';
import { type Files, ROOT, startApp } from './support/app';
import { ask, type Client, type ClientOptions, connect, newClient, next } from './support/client';
import { startProxy } from './support/proxy';
import { until } from './support/until';

const { createSend } = require(join(ROOT, 'client.js')) as typeof client;

const FILES: Files = {
  'config/config.default.js': "exports.io = { namespace: { '/': { packetMiddleware: ['note'] } } };",
  'app/io/middleware/note.js': `
    module.exports = app => async (ctx, next) => { app.attempts.push(ctx.packet.filter(part => typeof part !== 'function'));
      const code = app.refusals?.shift();
      if (code) ctx.throw(429, 'not now', { code });
      await next();
    };`,
  'app/router.js': `
    module.exports = app => {
      app.attempts = [];
      app.heard = [];
      app.auths = [];
      app.runs = [];
      app.io.on('connection', socket => {
        app.auths.push(socket.handshake.auth);
        socket.on('listened', ack => { app.heard.push('listened'); ack('by a listener'); });
        socket.onAny(event => app.heard.push(event));
      });
      app.io.route('say', async ctx => { app.runs.push(ctx.args[0]); return { said: ctx.args[0] }; });
      app.io.route('nothing', async ctx => { app.runs.push('nothing'); });
      app.io.route('slow', async ctx => { app.runs.push('slow'); await new Promise(resolve => (app.go = resolve)); return app.runs.length; });
      app.io.route('refuse', async () => ({ error: { code: 'FULL', message: 'no room' } }));
      app.io.route('fail', async ctx => ctx.throw(409, 'no room', { code: 'FULL', details: { limit: 2 } }));
      app.io.of('/typed').route('say', async ctx => 'said');
    };`,
};

interface State {
  readonly attempts: unknown[][];
  readonly heard: string[];
  readonly auths: Record<string, unknown>[];
  readonly runs: string[];
  go?: () => void;
  /** Codes of the next errors of the middleware. */
  refusals?: string[];
}

const COMES_BACK: ClientOptions = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 20 };

async function start(t: TestContext): Promise<{ state: State; url: string }> {
  const { app, url } = await startApp(t, FILES);
  return { state: app as unknown as State, url };
}

test('send()', async t => {
  const { state, url } = await start(t);

  await t.test('waits for the connection, keeps the order, and resolves with the answers, null for nothing', async () => {
    const socket = newClient(t, url);
    const send = createSend(socket);
    const answers = ['one', 'two', 'three'].map(async text => send('say', text));
    assert.deepEqual(await Promise.all(answers), [{ said: 'one' }, { said: 'two' }, { said: 'three' }]);
    assert.deepEqual(state.runs.splice(0), ['one', 'two', 'three']);
    assert.equal(await send('nothing'), null);
    assert.equal(state.runs.splice(0).length, 1);
    assert.deepEqual(
      state.attempts.map(([event]) => event),
      ['say', 'say', 'say', 'nothing'],
    );
    assert.deepEqual(state.heard.splice(0), ['say', 'say', 'say', 'nothing'], 'onAny gets the event itself');
  });

  await t.test('rejects with the error of the server', async () => {
    const send = createSend(newClient(t, url));
    await assert.rejects(send('refuse'), { code: 'FULL', message: 'no room' }, 'also one that the handler has returned');
    await assert.rejects(send('fail'), { name: 'SendError', code: 'FULL', message: 'no room', details: { limit: 2 } });
  });

  await t.test('sends again after a lost connection and after a time-out, and the handler runs once', async () => {
    const socket = newClient(t, url, COMES_BACK);
    const send = createSend(socket, { ackTimeout: 100 });
    state.attempts.splice(0);
    const answer = send('slow');
    await until(t, () => state.runs.length === 1);
    socket.io.engine.close();
    await next(socket, 'connect');
    await until(t, () => state.attempts.length >= 3);
    state.go?.();
    assert.equal(await answer, 1);
    assert.deepEqual(state.runs.splice(0), ['slow']);
    assert.equal(new Set(state.auths.map(auth => (auth['$io'] as { owner: string }).owner)).size, 1, 'the page has one secret');
  });

  await t.test('gets the answer over another connection when the network has vanished, of which the server knows nothing', async () => {
    const proxy = await startProxy(t, Number(new URL(url).port));
    const socket = newClient(t, proxy.url, COMES_BACK);
    const answered = createSend(socket)('slow');
    await until(t, () => state.runs.length === 1);
    const attempts = state.attempts.length;
    proxy.vanish();
    await until(t, () => state.attempts.length > attempts); // during the first run
    state.go?.();
    assert.equal(await answered, 1);
    assert.deepEqual(state.runs.splice(0), ['slow']);
  });

  await t.test('rejects when its time is over, and when too many wait', async () => {
    const socket = newClient(t, url, { autoConnect: false });
    const send = createSend(socket, { timeout: 500, limit: 1 });
    const late = assert.rejects(send('say', 'late'), { name: 'SendError', code: 'TIMEOUT' });
    await assert.rejects(send('say', 'too many'), { name: 'SendError', code: 'TOO_MANY_WAITING' });
    await late;
    socket.connect();
    assert.deepEqual(await send('say', 'in time'), { said: 'in time' });
    assert.deepEqual(state.runs.splice(0), ['in time']);
  });

  await t.test('leaves auth to the app: an object that it changes, another one, or a function', async () => {
    const auth = { user: 1 };
    const socket = newClient(t, url, { auth, autoConnect: false });
    const send = createSend(socket);
    createSend(socket); // a second one adds nothing
    const authAfter = async (): Promise<unknown> => {
      state.auths.splice(0);
      socket.connect();
      await send('nothing');
      socket.disconnect();
      const [{ $io: hello, ...others } = {}] = state.auths;
      assert.match(JSON.stringify(hello), /^\{"v":1,"owner":"\d+(?:-\d+){4}"\}$/);
      return others;
    };
    assert.deepEqual(await authAfter(), { user: 1 });
    auth.user = 2;
    assert.deepEqual(await authAfter(), { user: 2 });
    socket.auth = { token: 3 };
    assert.deepEqual(await authAfter(), { token: 3 });
    socket.auth = done => done({ token: 4 });
    assert.deepEqual(await authAfter(), { token: 4 });
  });

  await t.test('rejects for what cannot be encoded, and sends the others', async () => {
    const socket = newClient(t, url, { autoConnect: false });
    const send = createSend(socket);
    state.runs.splice(0);
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const answers = [send('say', circular), send('say', 'after it')];
    socket.connect();
    await assert.rejects(answers[0] as Promise<unknown>, RangeError);
    assert.deepEqual(await answers[1], { said: 'after it' });
    await assert.rejects(send('say', { toJSON: () => { throw new Error('no JSON'); } }), { message: 'no JSON' }); // prettier-ignore
    assert.deepEqual(state.runs.splice(0), ['after it']);
  });

  await t.test('waits and sends again, in order, what the server refuses for now', async () => {
    const socket = newClient(t, url);
    const send = createSend(socket);
    await send('nothing');
    state.refusals = ['TRY_AGAIN', 'TOO_MANY_EVENTS', 'TRY_AGAIN'];
    const answers = ['one', 'two', 'three'].map(async text => send('say', text));
    await until(t, () => state.refusals?.length === 0);
    await ask(socket, 'say', 'last'); // the client has the refusals now
    state.runs.splice(0);
    answers.push(send('say', 'four'));
    assert.deepEqual(
      await Promise.all(answers),
      ['one', 'two', 'three', 'four'].map(said => ({ said })),
    );
    assert.deepEqual(state.runs.splice(0), ['one', 'two', 'three', 'four']);
  });

  await t.test('reaches routes only', async () => {
    const send = createSend(newClient(t, url));
    state.heard.splice(0);
    await assert.rejects(send('listened'), { code: 'NOT_FOUND' });
    await assert.rejects(send('disconnect'), { code: 'RESERVED_EVENT' });
    for (const event of ['$io:send', '$io:made up']) await assert.rejects(send(event), { code: 'INVALID_ARGUMENT' });
    assert.deepEqual(state.heard, ['listened', 'disconnect'], 'onAny only');
  });
});

test('the packet of send() from a client in another language: what is not as the protocol says is answered with a code', async t => {
  const { state, url } = await start(t);
  const hello = { auth: { $io: { v: 1, owner: 'a-secret-of-this-very-client' } } };
  const socket = await connect(t, url, hello);
  const codeOf = async (client: Client, ...packet: unknown[]): Promise<unknown> =>
    ((await ask(client, '$io:send', ...packet)) as { error?: { code: string } }).error?.code;
  assert.deepEqual(await ask(socket, '$io:send', 'key', 'say', 'hello'), { answer: { said: 'hello' } });
  assert.deepEqual(await ask(socket, '$io:send', 'key', 'say', 'again'), { answer: { said: 'hello' } });
  for (const packet of [[], ['key'], ['key', 7], ['key', null, 1], ['key', ['say']]])
    assert.equal(await codeOf(socket, ...packet), 'INVALID_ARGUMENT');
  for (const key of [null, '', {}, 'x'.repeat(201), 'x'.repeat(1_000_000 - 100), true])
    assert.equal(await codeOf(socket, key, 'say'), 'INVALID_KEY');
  assert.equal(await codeOf(await connect(t, url), 'key', 'say'), 'UNKNOWN_OWNER');
  assert.equal(await codeOf(await connect(t, url, {}, 2), 'key', 'say'), 'UNKNOWN_OWNER');
  const error = next(socket, 'error');
  socket.emit('$io:send', 'key', 'say', 'without an acknowledgement');
  assert.deepEqual(((await error)[1] as { code: string }).code, 'INVALID_ARGUMENT');
  assert.deepEqual(state.runs, ['hello']);
});

/** `egg-socket.io/test`, for the tests of apps. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Server } from 'egg-socket.io';
import { defineContract, type StandardSchema } from 'egg-socket.io/contract';
import type { Application } from 'egg';
import { ioAt, type IoTest, ioTest, type IoTestOptions, ReplyError, type TestClient } from 'egg-socket.io/test';
import { type Files, hostFolder, removeApp, writeApp } from './support/app';
import { next } from './support/client';
import { childrenOf } from './support/processes';
import { watchForCrashes } from './support/remains';
import { until } from './support/until';

/** A schema that takes anything: only its type counts here. */
function anySchema<T>(): StandardSchema<T> {
  return { '~standard': { version: 1, vendor: 'test', validate: value => ({ value: value as T }) } };
}
const string = anySchema<string>();
const number = anySchema<number>();
const delivered = anySchema<{ delivered: boolean }>();

const FRAMEWORK = join(hostFolder(), 'node_modules/egg');

const FILES = {
  'app/service/clock.js': `module.exports = app => class extends app.Service { async now() { return 1; } };`,
  'app/io/middleware/auth.js': `module.exports = () => async (ctx, next) => {
    if (!ctx.session.user) ctx.throw(401, 'Sign in first');
    await next();
  };`,
  'app/router.js': `module.exports = app => {
    const { io } = app;
    io.of('/chat').route('say', async ctx => {
      const [text] = ctx.args;
      if (text === '') ctx.throw(422, 'Say something');
      ctx.app.io.of('/chat').emit('said', text, await ctx.service.clock.now());
      return { delivered: true };
    });
    io.of('/chat').route('silent', async () => {});
    io.of('/chat').route('leave', async ctx => { ctx.socket.disconnect(); });
    io.of('/members').route('me', async ctx => ctx.session.user.name);
  };`,
  'config/config.default.js': `exports.io = { namespace: { '/members': { connectionMiddleware: ['auth'] } } };`,
};

test('a client calls, and others hear of it', async t => {
  const { io } = await ioApp(t, FILES);
  const [alice, bob] = [await io('/chat'), await io('/chat')];
  assert.deepEqual(await alice.call('say', 'hello'), { delivered: true });
  assert.deepEqual(await bob.next('said'), ['hello', 1]);
  await alice.call('say', 'once more');
  await alice.call('say', 'and again');
  assert.deepEqual(await bob.all('said'), [
    ['once more', 1],
    ['and again', 1],
  ]);
  assert.deepEqual(await bob.all('said'), []);
});

test('an error that answers a call is thrown', async t => {
  const { io } = await ioApp(t, FILES);
  const alice = await io('/chat');
  await assert.rejects(alice.call('say', ''), (error: unknown) => {
    assert(error instanceof ReplyError);
    assert.equal(error.message, 'Say something');
    assert.equal(error.code, 'UNPROCESSABLE_ENTITY');
    return true;
  });
});

test('who waits in vain is told what was heard instead', async t => {
  const { io } = await ioApp(t, FILES, { timeout: 1000 });
  const alice = await io('/chat');
  await alice.call('say', 'hello');
  await assert.rejects(alice.next('saif'), { message: "no event 'saif' within 1000 ms; the client has heard said('hello', 1)" });
  await assert.rejects(alice.call('silent'), { message: "no answer to 'silent' within 1000 ms; the client has heard said('hello', 1)" });
});

test('who waits when the connection ends is told so at once', async t => {
  const { io } = await ioApp(t, FILES, { timeout: 60_000 });
  const alice = await io('/chat');
  const never = assert.rejects(alice.next('said'), {
    message: 'the client has been disconnected: io server disconnect; the client has heard nothing',
  });
  alice.send('leave');
  await never;
  assert.equal(await alice.gone(), 'io server disconnect');
  assert.equal(alice.connected, false);
  await assert.rejects(alice.call('say', 'x'), /no answer to 'say': the client has been disconnected: io server disconnect/);
  assert.throws(() => alice.send('say', 'x'), /'say' cannot be sent: the client has been disconnected/);
});

test('who waits for an end that does not come is told so, and who was refused at once', async t => {
  const { io } = await ioApp(t, FILES, { timeout: 1000 });
  const alice = await io('/chat');
  await alice.call('say', 'hello');
  await assert.rejects(alice.gone(), { message: "no end of the connection within 1000 ms; the client has heard said('hello', 1)" });
  alice.send('leave');
  assert.equal(await alice.gone(), 'io server disconnect');
  const nobody = await io('/members');
  await assert.rejects(nobody.gone(), /no end of the connection: the client was refused with UNAUTHORIZED/);
});

test('what a test still waits for when it ends fails no other test', async t => {
  watchForCrashes(t);
  const { io } = await ioApp(t, FILES);
  let clients: TestClient[] = [];
  await t.test('one that forgets', async () => {
    clients = [await io('/chat'), await io('/chat')];
    for (const client of clients) void Promise.all([client.next('said'), client.call('silent'), client.gone()]);
  });
  assert.deepEqual(
    clients.map(({ connected }) => connected),
    [false, false],
  );
  await nextTurn(); // Node tells of unhandled rejections
});

test('a namespace that does not exist stays so', async t => {
  const { io } = await ioApp(t, FILES);
  for (const name of ['one test', 'another']) {
    await t.test(name, async () => {
      assert.equal((await io('/nowhere')).refused?.message, 'Invalid namespace');
    });
  }
});

test('all() waits for what is on its way, also for a client with a query', async t => {
  const { app, io } = await ioApp<{ io: Server }>(t, FILES);
  const alice = await io('chat?lang=en');
  for (let count = 1; count <= 3; count++) app.io.of('/chat').emit('said', count);
  assert.deepEqual(await alice.all('said'), [[1], [2], [3]]);
  app.io.of('/chat').emit('said', 'good-bye');
  app.io.of('/chat').disconnectSockets();
  assert.deepEqual(await alice.all('said'), [['good-bye']]);
});

test('all() tells what has come before the connection ended, also if it ends meanwhile', async t => {
  const { app, io } = await ioApp<{ io: Server }>(t, FILES, { timeout: 60_000 });
  const alice = await io('/chat');
  app.io.of('/chat').emit('said', 'good-bye');
  alice.send('leave');
  assert.deepEqual(await alice.all('said'), [['good-bye']]); // her answer comes too late for the server
  assert.equal(await alice.gone(), 'io server disconnect');
  assert.deepEqual(await alice.all('said'), []);
});

test('a client that comes back may be refused, and let in again', async t => {
  const { app, io } = await ioApp<{ io: Server }>(t, FILES);
  const alice = await io('/chat');
  let isOpen = false;
  app.io.of('/chat').use((_, next) => next(isOpen ? undefined : new Error('closed')));
  alice.disconnect();
  const refused = next(alice.socket, 'connect_error');
  alice.socket.connect();
  await refused;
  assert.deepEqual(alice.refused, { code: '', message: 'closed' });
  assert.throws(() => alice.send('say', 'x'), /'say' cannot be sent: the client was refused/);
  isOpen = true;
  const connected = next(alice.socket, 'connect');
  alice.socket.connect();
  await connected;
  assert.equal(alice.refused, undefined);
  assert.deepEqual(await alice.call('say', 'hello'), { delivered: true });
});

test('an app that does not start says why each time, and nothing has to be closed', async t => {
  const baseDir = await writeApp({ 'config/config.default.js': "exports.io = { idempotencyTtl: '10m' };" });
  t.after(async () => removeApp(baseDir));
  const failure = async (): Promise<unknown> =>
    ioTest({ baseDir, framework: FRAMEWORK }).then(
      () => 'none',
      (error: unknown) => error,
    );
  const [first, beside] = await Promise.all([failure(), failure()]);
  assert.match(String(first), /IO_CONFIG_INVALID/);
  assert.equal(beside, first, 'they have started one app');
  const second = await failure();
  assert.match(String(second), /IO_CONFIG_INVALID/);
  assert.notEqual(second, first, 'it was started anew');
});

test('who closes an app twice does not end the next one', async t => {
  const first = await ioApp<{ baseDir: string }>(t, FILES);
  const options = { baseDir: first.app.baseDir, framework: FRAMEWORK };
  assert.equal((await ioTest(options)).app, first.app);
  await first.close();
  const second = await ioTest(options);
  t.after(second.close);
  await first.close();
  assert.equal((await ioTest(options)).app, second.app);
  assert.deepEqual(await (await second.io('/chat')).call('say', 'hello'), { delivered: true });
});

test('a session needs no login, and a refusal is told', async t => {
  const { io } = await ioApp(t, FILES);
  const alice = await io('/members', { session: { user: { name: 'Alice' } }, extraHeaders: { cookie: 'lang=en' } });
  assert.equal(alice.refused, undefined);
  assert.equal(await alice.call('me'), 'Alice');
  const nobody = await io('/members');
  assert.deepEqual(nobody.refused, { code: 'UNAUTHORIZED', message: 'Sign in first' });
  await assert.rejects(nobody.call('me'), { message: "no answer to 'me': the client was refused with UNAUTHORIZED: Sign in first" });
});

test('an app whose session is for HTTPS only has it, too', async t => {
  const { io } = await ioApp(t, {
    ...FILES,
    'config/config.default.js': `${FILES['config/config.default.js']} exports.session = { secure: true };`,
  });
  assert.equal(await (await io('/members', { session: { user: { name: 'Alice' } } })).call('me'), 'Alice');
});

test('a session without a login is for the env unittest only', async t => {
  const { app, io } = await ioApp<{ config: { env: string } }>(t, FILES);
  app.config.env = 'prod';
  await assert.rejects(io('/members', { session: { user: {} } }), {
    message: "a session without a login is for tests: the env of the app is 'prod', not 'unittest'",
  });
});

test('a folder without egg-mock is told what to install', async () => {
  await assert.rejects(ioTest({ baseDir: '/' }), /the app at \/ has neither @eggjs\/mock nor egg-mock: install/);
});

test('tests of a file share an app; clients and mocks end with each of them', async t => {
  type App = { mockService(...args: unknown[]): void; io: { of(name: string): { sockets: Map<string, unknown> } } };
  const { app, io, url } = await ioApp<App>(t, FILES);
  await t.test('one', async () => {
    app.mockService('clock', 'now', async () => 12);
    const alice = await io('/chat');
    await alice.call('say', 'what time is it?');
    assert.deepEqual(await alice.next('said'), ['what time is it?', 12]);
  });
  await t.test('another', async () => {
    const bob = await io('/chat');
    assert.deepEqual([...app.io.of('/chat').sockets.keys()], [bob.id]);
    await bob.call('say', 'what time is it?');
    assert.deepEqual(await bob.next('said'), ['what time is it?', 1]);
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  });
});

test('a cluster has sessions, too, and leaves no process', async t => {
  const before = childrenOf(process.pid);
  const { io, close } = await ioApp(t, FILES, { workers: 2 });
  const masters = childrenOf(process.pid).filter(pid => !before.includes(pid));
  const processes = [...masters, ...masters.flatMap(childrenOf)];
  assert.ok(processes.length >= 4, 'the master, the agent and two workers');
  const clients = await Promise.all(['Alice', 'Bob', 'Carol'].map(async name => io('/members', { session: { user: { name } } })));
  assert.deepEqual(await Promise.all(clients.map(async client => client.call('me'))), ['Alice', 'Bob', 'Carol']);
  const [alice, bob] = [await io('/chat'), await io('/chat')];
  await alice.call('say', 'hello');
  assert.deepEqual(await bob.next('said'), ['hello', 1]);
  await assert.rejects(bob.all('said'), /all\(\) needs an app in the process of the test/);
  await close();
  await until(t, () => !processes.some(pid => existsSync(`/proc/${pid}`)));
});

test('a server that runs already has clients, too, but no sessions without a login', async t => {
  const { url } = await ioApp(t, FILES);
  const io = ioAt(`${url}/`, { timeout: 1000 });
  const [alice, bob] = [await io('/chat'), await io('/chat')];
  assert.deepEqual(await alice.call('say', 'hello'), { delivered: true });
  assert.deepEqual(await bob.next('said'), ['hello', 1]);
  await assert.rejects(bob.next('left'), /no event 'left' within 1000 ms/);
  await assert.rejects(bob.all('said'), /all\(\) needs an app in the process of the test/);
  await assert.rejects(io('/members', { session: { user: {} } }), /a session without a login needs an app that ioTest\(\) has started/);
});

test('the events of a contract have their types', async t => {
  const chat = defineContract({
    namespace: '/chat',
    client: { say: { args: [string], ack: delivered }, silent: {} },
    server: { said: { args: [string, number] } },
  });
  const { io } = await ioApp(t, FILES);
  const alice = await io(chat);
  const answer: { delivered: boolean } = await alice.call('say', 'hello');
  assert.equal(answer.delivered, true);
  const [text, at]: [string, number] = await alice.next('said');
  assert.deepEqual([text, at], ['hello', 1]);
  // @ts-expect-error -- there is no such event
  const unknown = alice.call('shout', 'hello');
  // @ts-expect-error -- its argument is a text
  const wrong = alice.call('say', 1);
  alice.disconnect();
  await Promise.all([assert.rejects(unknown), wrong.catch(() => {})]);
});

/** Starts the app. It is closed and removed when the test ends. */
async function ioApp<App = Application>(t: TestContext, files: Files, options: IoTestOptions = {}): Promise<IoTest<App>> {
  const baseDir = await writeApp(files);
  const starting = ioTest<App>({ baseDir, framework: FRAMEWORK, ...options });
  t.after(async () => {
    const kit = await starting.catch(() => undefined); // it may not have started
    await kit?.close();
    await removeApp(baseDir);
  });
  return starting;
}

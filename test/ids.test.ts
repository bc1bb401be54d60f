/** `config.io.generateId` */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, type ClientVersion, connect, newClient, next } from './support/client';

function withIds(generateId: string): Files {
  return {
    'config/config.default.js': `
      let calls = 0;
      exports.io = { generateId: ${generateId}, namespace: { '/chat': {} } };`,
    'app/router.js': `
      module.exports = app => {
        for (const name of ['/', '/chat']) app.io.of(name).route('id', async ctx => [ctx.id, [...ctx.rooms]]);
        app.io.route('disconnect', async ctx => app.emit('gone', ctx.id));
      };`,
  };
}

/** How many sockets Socket.IO takes for connecting, in all namespaces: none may stay there. */
function preConnectSockets({ io }: RunningApp): number {
  return [...io._nsps.values()].reduce((sum, nsp) => sum + (Reflect.get(nsp, '_preConnectSockets') as Map<string, unknown>).size, 0);
}

test('what generateId returns is the id at both ends, with the namespace before it on others than the main one', async t => {
  for (const [kind, generateId] of [
    ['sync', `request => 'user-' + new URL(request.url, 'http://x').searchParams.get('user')`],
    ['async', `async request => { await null; return 'user-' + new URL(request.url, 'http://x').searchParams.get('user'); }`],
  ] as const) {
    const running = await startApp(t, withIds(generateId));
    const { url, io } = running;
    const main = await connect(t, url, { query: { user: 'anna' } });
    assert.equal(main.id, 'user-anna', kind);
    assert.deepEqual(await ask(main, 'id'), ['user-anna', ['user-anna']]);
    const chat = main.io.socket('/chat');
    await next(chat, 'connect');
    assert.equal(chat.id, '/chat#user-anna');
    assert.deepEqual(await ask(chat, 'id'), ['/chat#user-anna', ['/chat#user-anna']]);
    const heard = next(main, 'direct');
    io.to('user-anna').emit('direct', 1);
    assert.deepEqual(await heard, [1]);
    assert.equal(io.sockets.sockets.get('user-anna')?.connected, true);
    assert.equal(preConnectSockets(running), 0);
  }
});

test('generateId is called once for a connection, whatever its transports and namespaces', async t => {
  const running = await startApp(t, withIds(`() => 'call-' + ++calls`));
  const client = await connect(t, running.url, { transports: ['polling', 'websocket'] });
  const chat = client.io.socket('/chat');
  await next(chat, 'connect');
  assert.deepEqual([client.id, chat.id], ['call-1', '/chat#call-1']);
  assert.equal((await connect(t, running.url)).id, 'call-2');
  assert.equal(preConnectSockets(running), 0);
});

test('a client of protocol 3 has the id for its own, at both ends', async t => {
  const running = await startApp(t, withIds(`() => 'call-' + ++calls`));
  for (const transports of [['websocket'], ['polling', 'websocket']]) {
    const client = await connect(t, running.url, { transports }, 2 satisfies ClientVersion);
    const [id] = (await ask(client, 'id')) as [string];
    assert.match(id, /^call-\d$/);
    assert.equal(client.id, id);
    const chat = client.io.socket('/chat');
    if (!chat.connected) await next(chat, 'connect');
    assert.deepEqual([chat.id, await ask(chat, 'id')], [`/chat#${id}`, [`/chat#${id}`, [`/chat#${id}`]]]);
  }
  assert.equal(preConnectSockets(running), 0);
});

test('Engine.IO’s own sid stays secret for clients of protocol 4', async t => {
  const { url } = await startApp(t, withIds(`() => 'guessable'`));
  const client = await connect(t, url);
  assert.equal(client.id, 'guessable');
  assert.notEqual(client.io.engine.id, 'guessable');
});

test('an id that is none refuses the connection and is logged', async t => {
  for (const [generateId, reason] of [
    [`() => ''`, /returned an empty string/],
    [`() => 42`, /returned a value of type number, not a string/],
    [`() => null`, /returned null, not a string/],
    [`() => undefined`, /returned a value of type undefined/],
    [`async () => ({})`, /returned a value of type object/],
    [`() => 'x'.repeat(201)`, /returned 201 characters; at most 200/],
    [`() => 'a\\nb'`, /returned control characters/],
    [`() => '$io:user:anna'`, /returned a reserved name/],
    [`() => { throw new Error('no id for you'); }`, /no id for you/],
    [`async () => { throw new Error('no id for you'); }`, /no id for you/],
  ] as const) {
    const running = await startApp(t, withIds(generateId));
    for (const version of [2, 4] satisfies ClientVersion[]) {
      const client = newClient(t, running.url, {}, version);
      await next(client, 'connect_error');
    }
    await running.logged(/IO_ID_INVALID/);
    const lines = running.logs.filter(line => line.includes('IO_ID_INVALID'));
    assert.equal(lines.length, 2, lines.join('\n'));
    for (const line of lines) assert.match(line, reason);
    assert.equal(preConnectSockets(running), 0);
    await running.close();
  }
});

test('the longest id there may be works', async t => {
  const { url } = await startApp(t, withIds(`() => 'x'.repeat(200)`));
  assert.equal((await connect(t, url)).id, 'x'.repeat(200));
});

test('the id of another connection is refused while that one lives, and free again when it has gone', async t => {
  const running = await startApp(t, withIds(`() => 'the one'`));
  const first = await connect(t, running.url);
  await next(newClient(t, running.url), 'connect_error');
  await running.logged(/IO_ID_INVALID.*returned the id of another connection/);
  assert.equal(first.connected, true);
  assert.deepEqual(await ask(first, 'id'), ['the one', ['the one']]);
  const gone = next(running.app, 'gone');
  first.disconnect();
  await gone;
  await engineIsEmpty(running);
  assert.equal((await connect(t, running.url)).id, 'the one');
});

/** When Engine.IO has closed all connections. */
async function engineIsEmpty({ io }: RunningApp): Promise<void> {
  const clients = Reflect.get(io.engine, 'clients') as Record<string, { once(event: string, listener: () => void): unknown }>;
  for (const connection of Object.values(clients)) await next(connection, 'close');
}

test('without generateId ids are Socket.IO’s own, and differ', async t => {
  const { url } = await startApp(t, {});
  const [one, other] = [await connect(t, url), await connect(t, url)];
  assert.match(one.id ?? '', /^[\w-]{20}$/);
  assert.notEqual(one.id, other.id);
});

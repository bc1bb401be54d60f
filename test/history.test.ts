/** Rooms with history: who comes back gets what it has missed, or learns that something is missing. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootError, type Files, ROOT, startApp } from './support/app';
import { ask, type Client, type ClientOptions, connect, newClient, next } from './support/client';
import { Histories, history, readConfig } from './support/parts';
import { internals } from './support/remains';
import { until } from './support/until';

const FILES: Files = {
  'config/config.default.js': `
    exports.io = { namespace: { '/': { history: { 'room:*': { size: 5 }, 'open:*': { since: 'ever', size: 5 }, brief: { ttl: 1 }, 'long:*': { size: 200 } } } } };`,
  'app/router.js': `
    module.exports = app => {
      app.io.route('join', async ctx => void ctx.socket.join(ctx.args[0]) ?? null);
      app.io.route('leave', async ctx => void ctx.socket.leave(ctx.args[0]) ?? null);
      app.io.route('say', async ctx => app.io.to(ctx.args[0]).emit('said', ...ctx.args.slice(1, -1)) && null);
      app.io.route('say to others', async ctx => ctx.socket.to(ctx.args[0]).emit('said', ...ctx.args.slice(1, -1)) && null);
      app.io.route('say volatile', async ctx => app.io.volatile.to(ctx.args[0]).emit('said', ...ctx.args.slice(1, -1)) && null);
      app.io.route('rooms', async ctx => [...ctx.socket.rooms].sort());
    };`,
};

interface Aware {
  readonly client: Client;
  /** What its listeners have heard, and `gap` where it was told of one. */
  readonly heard: unknown[];
}

/** A client that knows of history, and joins rooms at each connection. */
async function follow(
  t: Parameters<typeof connect>[0],
  url: string,
  rooms: string[],
  options: Parameters<typeof history>[1] & { io?: ClientOptions } = {},
): Promise<Aware> {
  const client = newClient(t, url, { autoConnect: false, ...options.io });
  const heard: unknown[] = [];
  history(client, { ...options, onGap: room => heard.push(`gap in ${room}`) });
  client.on('said', (...args: unknown[]) => heard.push(args.length === 1 ? args[0] : args));
  client.on('connect', () => {
    for (const room of rooms) client.emit('join', room);
  });
  client.connect();
  await next(client, 'connect');
  await ask(client, 'rooms');
  return { client, heard };
}

/** Cuts the client's connection, does something, and lets it come back. */
async function without({ client }: Aware, run: () => Promise<unknown>): Promise<void> {
  client.disconnect();
  await run();
  client.connect();
  await next(client, 'connect');
  await ask(client, 'rooms');
}

test('a client that comes back gets what it has missed in its rooms, in order and once, and others get the events as ever', async t => {
  const { url } = await startApp(t, FILES);
  const [anna, bert] = [await follow(t, url, ['room:1', 'room:2']), await connect(t, url)];
  const berts: unknown[] = [];
  bert.on('said', what => berts.push(what));
  bert.onAny((event: string) => assert.equal(event, 'said'));
  await ask(bert, 'join', 'room:1');
  for (const what of ['one', 'two']) await ask(bert, 'say', 'room:1', what);
  await without(anna, async () => {
    await ask(bert, 'say', 'room:1', 'three');
    await ask(bert, 'say', 'room:2', 'four', { more: [1, Buffer.from('bytes')] });
    await ask(bert, 'say', 'room:3', 'not for Anna');
  });
  await until(t, () => anna.heard.length === 4);
  await ask(bert, 'say', 'room:1', 'five');
  await ask(anna.client, 'rooms');
  assert.deepEqual(anna.heard, ['one', 'two', 'three', ['four', { more: [1, Buffer.from('bytes')] }], 'five']);
  assert.deepEqual(berts, ['one', 'two', 'three', 'five']);
  assert.deepEqual(await ask(anna.client, 'rooms'), [anna.client.id, 'room:1', 'room:2'].sort(), 'the app sees its own rooms');
});

test('what is not for all of a room, or may be lost, is not kept, and neither is what is emitted to other rooms', async t => {
  const { url, io } = await startApp(t, FILES);
  const [anna, bert] = [await follow(t, url, ['room:1']), await follow(t, url, ['room:1'])];
  await without(anna, async () => {
    await ask(bert.client, 'say to others', 'room:1', 'to others');
    await ask(bert.client, 'say volatile', 'room:1', 'volatile');
    io.local.to('room:1').emit('said', 'local');
    io.emit('said', 'to all');
    void io
      .timeout(1)
      .to('room:1')
      .emit('said', 'question', () => {});
    await ask(bert.client, 'say', 'room:1', 'kept');
  });
  await until(t, () => anna.heard.length === 1);
  assert.deepEqual(anna.heard, ['kept']);
  assert.deepEqual(bert.heard, ['volatile', 'local', 'to all', ['question', bert.heard[3]?.[1 as never]], 'kept']);
});

test('an event that is emitted to several rooms is kept in each, and delivered once', async t => {
  const { url, io } = await startApp(t, FILES);
  const [anna, bert] = [await follow(t, url, ['room:1', 'room:2', 'lobby']), await follow(t, url, ['room:2', 'lobby'])];
  io.to(['room:1', 'room:2', 'lobby']).emit('said', 'to three');
  await without(anna, async () => {
    io.to(['room:1', 'room:2']).emit('said', 'to two');
    await ask(bert.client, 'rooms');
  });
  await until(t, () => anna.heard.length === 2);
  io.to('lobby').emit('said', 'last');
  await until(t, () => anna.heard.includes('last') && bert.heard.includes('last'));
  assert.deepEqual(
    [anna.heard, bert.heard],
    [
      ['to three', 'to two', 'last'],
      ['to three', 'to two', 'last'],
    ],
  );
});

test('rooms that go before their time, since there are too many, are counted as a limit, and logged', async t => {
  const { io, logged } = await startApp(t, FILES);
  const { counts } = internals(io).runtime.limits;
  for (let n = 0; n < 10_000; n++) io.to(`room:${n}`).emit('said', n);
  assert.equal(counts.history, 0);
  for (let n = 0; n < 10; n++) io.to(`room:more ${n}`).emit('said', n);
  assert.equal(counts.history, 10);
  await logged(/IO_LIMIT_REACHED.*rooms with history: the rooms go first that have had no event for longest/);
});

test('in one worker, events to rooms with history keep their place among other events', async t => {
  const { url, io } = await startApp(t, FILES);
  const anna = await follow(t, url, ['room:1', 'lobby']);
  const all = Array.from({ length: 30 }, (_, index) => index);
  for (const index of all) io.to(['room:1', 'lobby', String(anna.client.id)][index % 3] ?? '').emit('said', index);
  await until(t, () => anna.heard.length === all.length);
  assert.deepEqual(anna.heard, all);
});

test('a client is told where something is missing: between what it had and what is kept, or kept by nobody', async t => {
  const { url, io } = await startApp(t, FILES);
  const anna = await follow(t, url, ['room:1', 'brief']);
  io.to(['room:1', 'brief']).emit('said', 'zero');
  await until(t, () => anna.heard.length === 1);
  await without(anna, async () => {
    for (let index = 1; index <= 7; index++) io.to('room:1').emit('said', index);
    io.to('brief').emit('said', 'gone soon');
    await until(t, async () => (await io.history('brief').read()).events.length === 0);
  });
  await until(t, () => anna.heard.length === 8);
  assert.deepEqual(anna.heard.toSorted(), [3, 4, 5, 6, 7, 'gap in brief', 'gap in room:1', 'zero']);
  assert.equal(anna.heard.indexOf('gap in room:1') + 1, anna.heard.indexOf(3), 'the gap comes before what is kept');
});

test('a client gets nothing from before it joined, unless the room allows it and the client asks for that', async t => {
  const { url, io } = await startApp(t, FILES);
  for (const room of ['room:1', 'open:1']) for (let index = 1; index <= 7; index++) io.to(room).emit('said', `${room} ${index}`);
  const [anna, bert] = [await follow(t, url, ['room:1', 'open:1']), await follow(t, url, ['room:1', 'open:1'], { since: 'ever' })];
  await until(t, () => bert.heard.length === 5);
  for (const room of ['room:1', 'open:1']) io.to(room).emit('said', `${room} 8`);
  await until(t, () => anna.heard.length === 2 && bert.heard.length === 7);
  assert.deepEqual(anna.heard, ['room:1 8', 'open:1 8']);
  assert.deepEqual(bert.heard, [...[3, 4, 5, 6, 7].map(index => `open:1 ${index}`), 'room:1 8', 'open:1 8']);
});

test('a client that has joined an empty room with `since: ever` is told of a gap like any other', async t => {
  const { url, io } = await startApp(t, FILES);
  const anna = await follow(t, url, ['open:1'], { since: 'ever' });
  await without(anna, async () => {
    for (let index = 1; index <= 7; index++) io.to('open:1').emit('said', index);
  });
  await until(t, () => anna.heard.includes(7));
  assert.deepEqual(anna.heard, ['gap in open:1', 3, 4, 5, 6, 7]);
});

test('what a client may not ask is answered with a code, and a position that cannot be is a gap', async t => {
  const { url, io, logs } = await startApp(t, FILES);
  const { client } = await follow(t, url, ['room:1', 'open:1']);
  const plain = await connect(t, url);
  await ask(plain, 'join', 'room:1');
  io.to('open:1').emit('said', 'one');
  await next(client, '$io:event');
  io.to('room:1').emit('said', 'one');
  const [position] = await next(client, '$io:event');
  const known = position as { room: string; epoch: string; offset: number; key: string };
  const { room, epoch } = known;
  const history = async (given?: unknown): Promise<unknown> => ask(client, '$io:history', given);
  assert.deepEqual(await history(known), { recovered: true, position: known, events: [], more: false });
  const gap = { recovered: false, position: known, events: [], more: false };
  for (const other of [{ offset: 2 }, { epoch: 'another' }, { key: 'guessed' }, { offset: 0 }, { offset: -2 }, { key: undefined }])
    assert.deepEqual(await history({ ...known, ...other }), gap);
  const open = { room: 'open:1', epoch, offset: 1 };
  assert.deepEqual(await history({ ...open, offset: 7 }), { recovered: false, position: open, events: [], more: false });
  const code = (answer: unknown): unknown => Object(Object(answer).error).code;
  const large = 'x'.repeat(500_000);
  for (const other of [{ epoch: null }, { offset: null }, { offset: 0.5 }, { epoch: 7 }, { key: large }, { key: null }])
    assert.equal(code(await history({ ...known, ...other })), 'INVALID_ARGUMENT');
  for (const other of ['room:2', 'lobby', '$io:history:room:1', large, undefined, 7, ['room:1']])
    assert.equal(code(await history({ ...known, room: other })), 'NOT_IN_ROOM');
  for (const other of [undefined, null, 'ever', {}, [room, known]]) assert.equal(code(await history(other)), 'NOT_IN_ROOM');
  assert.equal(code(await ask(plain, '$io:history', known)), 'NOT_IN_ROOM', 'this client has not said that it knows of history');
  await ask(client, 'leave', room);
  assert.equal(code(await history(known)), 'NOT_IN_ROOM');
  assert.doesNotMatch(logs.join('\n'), /xxxx/);
});

test('a client that asks and does not read gets TRY_AGAIN, instead of filling the memory of the server', async t => {
  const { url, io } = await startApp(t, FILES);
  const { client } = await follow(t, url, ['room:1']);
  const known = next(client, '$io:event');
  io.to('room:1').emit('said', 'x'.repeat(100_000));
  const [position] = await known;
  const codes: unknown[] = [];
  for (let index = 0; index < 300; index++)
    client.emit('$io:history', position, (answer: { error?: { code: string } }) => codes.push(answer.error?.code));
  const paused = (client.io.engine.transport as unknown as { ws: { pause(): void; resume(): void } }).ws; // of the package ws
  paused.pause();
  const server = io.sockets.sockets.get(String(client.id));
  const unsent = (): number => (Reflect.get(server?.conn ?? {}, 'writeBuffer') as unknown[]).length; // private
  for (let index = 0; index < 30; index++) server?.emit('filler', 'x'.repeat(1_000_000));
  assert.ok(unsent() >= 10);
  await until(t, () => io.sockets.sockets.has(String(client.id)) && unsent() >= 100);
  paused.resume();
  await until(t, () => codes.length === 300);
  assert.ok(codes.includes('TRY_AGAIN'));
  assert.equal(Object((await ask(client, '$io:history', position)) as object).recovered, true);
});

test('the shadows of a recovered client follow what it says of itself now', async t => {
  const { url, io } = await startApp(t, {
    ...FILES,
    'config/config.default.js': `
      exports.io = { namespace: { '/': { history: { 'room:*': {} } } }, init: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } } };`,
  });
  const client = newClient(t, url, { autoConnect: false, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 20 });
  const heard: string[] = [];
  client.onAny((event: string) => heard.push(event));
  const connectAs = async (hello: object): Promise<void> => {
    client.auth = { $io: hello };
    if (client.connected) client.io.engine.close();
    else client.connect();
    await next(client, 'connect');
    await ask(client, 'rooms');
  };
  await connectAs({ v: 1, history: true });
  await ask(client, 'join', 'room:1');
  io.emit('any'); // has the first offset of recovery
  for (const [hello, expected] of [
    [{}, 'said'],
    [{ v: 1, history: true }, '$io:event'],
  ] as const) {
    await connectAs(hello);
    assert.ok(client.recovered);
    heard.splice(0);
    io.to('room:1').emit('said', 'hello');
    await ask(client, 'rooms');
    assert.deepEqual(heard, [expected]);
  }
});

test('listeners of outgoing events hear the events of a room, and not that another worker tells of a gap', async t => {
  const { url, io } = await startApp(t, FILES);
  const { client } = await follow(t, url, ['room:1']);
  const heard: unknown[] = [];
  for (const socket of io.sockets.sockets.values()) socket.onAnyOutgoing(name => heard.push(name));
  const told = next(client, '$io:event');
  const position = { room: 'room:1', epoch: '', offset: 0 };
  const shadow = { rooms: new Set(['$io:history:room:1']), except: new Set<string>() };
  io.of('/').adapter.broadcast({ type: 2, nsp: '/', data: ['$io:event', position, null] }, shadow); // as the hub's adapter does then
  io.to('room:1').emit('said', 'hello');
  assert.deepEqual(await told, [position, null]);
  assert.deepEqual(heard, ['said']);
});

test('the server reads pages of what is kept, or the last events', async t => {
  const { io } = await startApp(t, FILES);
  const room = io.history('room:1');
  const { epoch } = await room.read();
  assert.deepEqual(await room.read(), { recovered: true, epoch, offset: 0, events: [], more: false });
  for (let index = 1; index <= 7; index++) io.to('room:1').emit('said', index, Buffer.from('bytes'));
  const page = await room.read({ limit: 2 });
  const events = [3, 4].map(index => ({ offset: index, event: 'said', args: [index, Buffer.from('bytes')] }));
  assert.deepEqual(page, { recovered: true, epoch, offset: 4, events, more: true });
  const offsets = async (query: Parameters<typeof room.read>[0]): Promise<unknown> => {
    const { recovered, events, more } = await room.read(query);
    return [recovered, events.map(({ offset }) => offset), more];
  };
  assert.deepEqual(await offsets({ since: page, limit: 2 }), [true, [5, 6], true]);
  assert.deepEqual(await offsets({ since: { epoch, offset: 6 } }), [true, [7], false]);
  assert.deepEqual(await offsets({ since: { epoch, offset: 7 } }), [true, [], false]);
  assert.deepEqual(await offsets({ since: { epoch, offset: 1 } }), [false, [3, 4, 5, 6, 7], false]);
  assert.deepEqual(await offsets({ last: 2 }), [true, [6, 7], false]);
  assert.deepEqual(await offsets({ last: 99 }), [true, [3, 4, 5, 6, 7], false]);
  for (const since of [
    { epoch, offset: 8 },
    { epoch: 'another', offset: 3 },
    { epoch, offset: Number.NaN },
    { epoch, offset: -3 },
  ])
    assert.deepEqual(await offsets({ since }), [false, [], false]);
  for (let index = 1; index <= 150; index++) io.to('long:1').emit('said', index);
  const last = await io.history('long:1').read({ last: 120 });
  assert.deepEqual([last.events.length, last.events[0]?.offset, last.more], [120, 31, false]);
  assert.equal((await io.history('long:1').read({ last: 120, since: { epoch, offset: 0 } })).events.length, 100);
  assert.throws(() => io.history('lobby'), { name: 'TypeError', code: 'IO_ROOM_UNMATCHED' });
  for (const limit of [0, -1, 1.5, '7']) await assert.rejects(room.read({ limit: limit as number }), { code: 'IO_HISTORY_INVALID' });
});

const parser = join(ROOT, 'test/parsers/node_modules/socket.io-msgpack-parser');

for (const [kind, init, options] of [
  ['the parser of Socket.IO', '{}', {}],
  ['a parser of the app', `{ parser: require(${JSON.stringify(parser)}) }`, { parser: require(parser) as object }],
] as const)
  test(`namespaces made on demand have the history of their pattern, each its own, whatever their names: with ${kind}`, async t => {
    const { url, io } = await startApp(t, {
      'config/config.default.js': `exports.io = { init: ${init}, namespace: { '/team-{id}': { history: { 'room:*': {} } } } };`,
      'app/router.js': `
        module.exports = app => {
          const teams = app.io.of('/team-{id}');
          teams.route('join', async ctx => void ctx.socket.join(ctx.args[0]) ?? null);
          teams.route('rooms', async ctx => [...ctx.socket.rooms]);
        };`,
    });
    const names = ['/team-red', '/team-[blue'];
    const people = await Promise.all(names.map(async name => follow(t, url + name, ['room:1'], { io: options })));
    const bytes = Buffer.from([0, 255, 10]);
    for (const [index, name] of names.entries()) {
      const [nsp, person] = [io.of(name), people[index]];
      assert.ok(person);
      nsp.to('room:1').emit('said', 'here', name);
      await without(person, async () => nsp.to('room:1').emit('said', { name, bytes }));
      nsp.to('room:1').emit('said', bytes);
    }
    await until(t, () => people.every(({ heard }) => heard.length === 3));
    for (const [index, name] of names.entries()) {
      const all = [['here', name], { name, bytes }, bytes];
      assert.deepEqual(people[index]?.heard, all);
      const { events } = await io.of(name).history('room:1').read();
      assert.deepEqual(
        events.map(({ args }) => args),
        [['here', name], [{ name, bytes }], [bytes]],
      );
    }
  });

test('a history that is not possible, or whose options are wrong, stops the boot', async t => {
  const withHistory = (history: string, more = ''): Files => ({
    'config/config.default.js': `exports.io = { namespace: { '/': { history: ${history} } }, ${more} };`,
  });
  const codeOf = async (files: Files): Promise<unknown> => (await bootError(t, files)).code;
  const mongo = "adapter: { name: 'mongo', url: 'mongodb://127.0.0.1', database: 'chat' }";
  assert.equal(await codeOf(withHistory("{ 'room:*': {} }", mongo)), 'IO_STORE_MISSING');
  assert.equal(await codeOf(withHistory("{ 'room:*': {}, '*:1': {} }")), 'IO_ROOM_PATTERN_AMBIGUOUS');
  for (const wrong of ['{ size: 0 }', '{ size: 10001 }', "{ ttl: '5m' }", "{ since: 'always' }", '{ length: 7 }', '7'])
    assert.equal(await codeOf(withHistory(`{ 'room:*': ${wrong} }`)), 'IO_CONFIG_INVALID');
});

test('where no place can keep the events of all rooms, the error says why, and what to do', () => {
  const ways: [adapter: unknown, isShared: boolean, problem: string][] = [
    [
      { name: 'mongo', url: 'mongodb://127.0.0.1', database: 'chat' },
      true,
      "the adapter 'mongo' keeps no events of rooms; run the app on one",
    ],
    [() => ({}), true, 'an adapter of your own keeps no events of rooms; run the app on one machine without an adapter'],
    [undefined, false, 'the workers have no common place for events, since config.io.cluster is false, or this is Windows; run one worker'],
  ];
  for (const [adapter, isShared, problem] of ways) {
    const io = { namespace: { '/': { history: { 'room:*': {} } } }, ...(adapter !== undefined && { adapter }) };
    const settings = readConfig({ io }, 1, assert.fail);
    assert.throws(
      () => Histories.of(settings, isShared, () => assert.fail('it has no place')),
      ({ message }: Error) =>
        message.includes(`IO_STORE_MISSING: config.io.namespace['/'].history: ${problem}`) &&
        message.includes(', or use an adapter for Redis or PostgreSQL'),
    );
  }
});

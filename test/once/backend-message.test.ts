/** What comes from a backend and is no message: dropped, with one line of log a minute, whatever else is written there. */
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { createRequire } from 'node:module';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { Server, type ServerOptions } from 'socket.io';
import { Decoder, type Packet, PacketType } from 'socket.io-parser';
import { allHeard, allKnown, type AdapterServer, enter, startServer } from '../support/adapters';
import { ROOT } from '../support/app';
import { hubPath, startHub, startWorker } from '../support/hub';
import { Logs } from '../support/logs';
import { controlFrame, createAdapterFactory, createBackplane, Deprecations, Inbox, PacketCodec, readConfig } from '../support/parts';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';

type LoggedServer = AdapterServer & { readonly logs: Logs };

const DROPPED = /^WARN .*IO_MESSAGE_INVALID/;

async function startPair(t: TestContext, io: object): Promise<[LoggedServer, LoggedServer]> {
  const start = async (): Promise<LoggedServer> => {
    const settings = readConfig({ io }, 1, () => {}).adapter;
    const logs = new Logs();
    const link = createBackplane(settings, { logger: logs, baseDir: ROOT, hub: undefined });
    if (!link) throw new Error('no adapter is asked for');
    const create = createAdapterFactory(
      { init: {}, adapter: settings },
      { backplane: link, deprecations: new Deprecations(logs), logger: logs },
    );
    const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
    const server = await startServer(t, { adapter }, () => void link.close());
    await link.ready();
    return { ...server, logs };
  };
  const pair: [LoggedServer, LoggedServer] = [await start(), await start()];
  await allKnown(pair);
  return pair;
}

/** Whatever is written between, the two hear each other, and the log has one line for each channel, without what was written. */
async function survives(
  t: TestContext,
  pair: readonly LoggedServer[],
  channels: RegExp | readonly RegExp[],
  write: () => Promise<void>,
): Promise<void> {
  const [one, other] = pair as readonly [LoggedServer, LoggedServer];
  const [alice, bob] = [await enter(t, one), await enter(t, other)];
  await write();
  one.io.emit('said', 'after it');
  other.io.emit('said', 'there as well');
  const heardFromOne = await allHeard(one.io.of('/'), [bob]);
  await allHeard(other.io.of('/'), [alice]);
  assert.ok(heardFromOne[0]?.some(([, text]) => text === 'after it'));
  assert.equal((await one.io.fetchSockets()).length, 2);
  assert.deepEqual([...bob.socket.rooms], [bob.id]);
  for (const { logs } of pair) {
    const lines = [channels].flat().map(channel => new RegExp(`${DROPPED.source}.*${channel.source}`));
    for (const line of lines) {
      await logs.logged(line);
      assert.equal(logs.count(line), 1, logs.lines.join('\n'));
    }
    assert.equal(logs.count(DROPPED), lines.length, logs.lines.join('\n'));
    assert.equal(logs.count(/secret|_DOWN/), 0, logs.lines.join('\n'));
  }
}

/** Frames of packets that are no event of the namespace, or that clients could not read. */
const FRAMES: unknown[][] = [
  [],
  [5],
  ['secret'],
  ['2["secret"'],
  ['0{"secret":1}'],
  ['3["secret"]'],
  ['2["disconnect","secret"]'],
  ['2/other,["secret"]'],
  ['21["secret"]'],
  ['2["one","secret"]', '2["two","secret"]'],
  ['51-["secret",{"_placeholder":true,"num":0}]'],
  ['51-["secret",{"_placeholder":true,"num":1}]', 'secret'],
  [{ type: 'Buffer', data: [5] }],
];
const ENCODED = FRAMES.map(frames => ({ type: 2, nsp: '/', data: ['egg-socket.io encoded', ...frames] }));

/** Each has one thing wrong. */
const PACKETS: unknown[] = [
  ...ENCODED,
  undefined,
  5,
  { type: 2, nsp: '/', data: 'secret' },
  { type: 2, nsp: '/', data: [{ secret: 1 }] },
  { type: 2, nsp: '/', data: ['disconnect', 'secret'] },
  { type: 0, nsp: '/', data: ['secret'] },
  { type: 2, nsp: 5, data: ['secret'] },
];
const TARGETS: unknown[] = [undefined, 5, { rooms: 5 }, { rooms: [{}] }, { rooms: [], except: 'secret' }, { rooms: [], flags: 'secret' }];
const GOOD_PACKET = { type: 2, nsp: '/', data: ['said', 'secret'] };
const GOOD_TARGET = { rooms: [], except: [], flags: {} };

/** What stands beside a packet that others read. */
const BESIDE: unknown[] = [
  5,
  'secret',
  [],
  {},
  { packet: GOOD_PACKET },
  { packet: GOOD_PACKET, opts: 5 },
  ...ENCODED.map(packet => ({ packet, opts: GOOD_TARGET })),
];

/** Messages of adapters that stand on ClusterAdapter, each with one thing wrong. */
const CLUSTER_MESSAGES: object[] = [
  { type: 99, data: {} },
  { type: '3', data: { packet: GOOD_PACKET, opts: GOOD_TARGET } },
  { type: 3 },
  { type: 3, data: 5 },
  { type: 3, data: null },
  ...PACKETS.map(packet => ({ type: 3, data: { packet, opts: GOOD_TARGET } })),
  ...TARGETS.map(opts => ({ type: 3, data: { packet: GOOD_PACKET, opts } })),
  ...BESIDE.map(encoded => ({ type: 3, data: { packet: GOOD_PACKET, opts: GOOD_TARGET, encoded } })),
  { type: 3, data: { packet: GOOD_PACKET, opts: GOOD_TARGET, requestId: 5 } },
  { type: 4, data: { opts: GOOD_TARGET } },
  { type: 4, data: { opts: GOOD_TARGET, rooms: 'secret' } },
  { type: 5, data: { opts: GOOD_TARGET, rooms: [null] } },
  { type: 6, data: { opts: {}, close: 'secret' } },
  { type: 6, data: {} },
  { type: 7, data: { opts: GOOD_TARGET } },
  { type: 7, data: { requestId: 'a' } },
  { type: 8, data: { requestId: 'a' } },
  { type: 8, data: { requestId: 'a', sockets: [null] } },
  { type: 8, data: { requestId: 'a', sockets: [{ id: 'secret' }] } },
  { type: 9, data: {} },
  { type: 9, data: { packet: [] } },
  { type: 9, data: { packet: ['connection', 'secret'] } },
  { type: 9, data: { packet: 'secret' } },
  { type: 10, data: {} },
  { type: 11, data: { requestId: 'a', clientCount: 'secret' } },
  { type: 12 },
].map(message => ({ uid: 'a stranger', nsp: '/', ...message }));

const GARBAGE = [
  '',
  'secret',
  'null',
  '5',
  '[]',
  '{',
  '{}',
  '"secret"',
  Buffer.from([5]),
  Buffer.from([0xc0]),
  Buffer.from([0x90]),
  Buffer.from([0xc1, 0]),
];

async function clientOf(t: TestContext, port: number): Promise<Redis> {
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  return Promise.resolve(redis);
}

test('what is dropped has a line a minute for each channel, and one with its count; so do all channels beyond 20', () => {
  const logs = new Logs();
  const inbox = new Inbox(logs, 'Redis');
  for (const channel of ['a', 'b', 'a', 'a', 'b', 'c']) inbox.drop(channel);
  inbox.close();
  const line = (text: string): string => text.replace('#', 'that no server of this app can have sent');
  assert.deepEqual(
    logs.lines.map(text => text.replace(/^.*IO_MESSAGE_INVALID: (.*) \(.*$/, '$1')),
    [
      'Redis, channel a: a message # was dropped',
      'Redis, channel b: a message # was dropped',
      'Redis, channel c: a message # was dropped',
      '2 more messages # were dropped in the last minute, the last one from Redis, channel a',
      '1 more message # was dropped in the last minute, the last one from Redis, channel b',
    ].map(line),
  );
  for (let index = 0; index < 100; index++) inbox.drop(`made-up-${index}`);
  assert.equal(logs.count(/made-up/), 21);
  inbox.close();
  assert.match(logs.lines.at(-1) ?? '', /79 more messages .* the last one from Redis, channel made-up-99/);
});

test('redis: what is no broadcast, request or response is dropped', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const pair = await startPair(t, { adapter: 'redis', redis: { port } });
  const redis = await clientOf(t, port);
  const { encode } = createRequire(require.resolve('@socket.io/redis-adapter'))('notepack.io') as { encode(value: unknown): Buffer };
  const channels = ['', '-request', '-response'].map(kind => new RegExp(`Redis at 127\\.0\\.0\\.1:\\d+, channel socket\\.io${kind}#/#`));
  await survives(t, pair, channels, async () => {
    for (const garbage of GARBAGE) for (const kind of ['', '-request', '-response']) await redis.publish(`socket.io${kind}#/#`, garbage);
    const broadcasts = [
      ...PACKETS.map(packet => ['a stranger', packet, GOOD_TARGET]),
      ...TARGETS.map(opts => ['a stranger', GOOD_PACKET, opts]),
      [5, GOOD_PACKET, GOOD_TARGET],
      ...BESIDE.map(encoded => ['a stranger', GOOD_PACKET, GOOD_TARGET, encoded]),
    ];
    for (const broadcast of broadcasts) await redis.publish('socket.io#/#', encode(broadcast));
    const requests = [
      {},
      { type: 99 },
      { type: 0, rooms: 5 },
      { type: 1, requestId: 5 },
      { type: 2 },
      { type: 2, sid: 'a', room: {} },
      ...TARGETS.slice(1).map(opts => ({ type: 2, opts, rooms: ['secret'] })),
      { type: 2, opts: GOOD_TARGET, rooms: 5 },
      { type: 3, opts: GOOD_TARGET, rooms: [{}] },
      { type: 4, opts: 5 },
      { type: 5, requestId: 'a' },
      { type: 5, opts: GOOD_TARGET },
      { type: 6 },
      { type: 6, data: 'secret' },
      { type: 6, data: ['connection', 'secret'] },
      { type: 6, data: [], requestId: 'a' },
      ...PACKETS.map(packet => ({ type: 7, requestId: 'a', packet, opts: GOOD_TARGET })),
      ...TARGETS.map(opts => ({ type: 7, requestId: 'a', packet: GOOD_PACKET, opts })),
      ...BESIDE.map(encoded => ({ type: 7, requestId: 'a', packet: GOOD_PACKET, opts: GOOD_TARGET, encoded })),
    ];
    for (const request of requests) {
      await redis.publish('socket.io-request#/#', JSON.stringify(request));
      await redis.publish('socket.io-request#/#', encode(request));
    }
    const responses = [
      {},
      { requestId: 5 },
      { requestId: 'a', sockets: [null] },
      { requestId: 'a', rooms: 5 },
      { requestId: 'a', clientCount: -1 },
    ];
    for (const response of responses) await redis.publish('socket.io-response#/#', JSON.stringify(response));
  });
});

test('redis-sharded: what is no message of the adapter is dropped', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const pair = await startPair(t, { adapter: 'redis-sharded', redis: { port } });
  const redis = await clientOf(t, port);
  await survives(t, pair, /channel socket\.io#\/#/, async () => {
    for (const garbage of GARBAGE) await redis.spublish('socket.io#/#', garbage);
    for (const message of CLUSTER_MESSAGES) await redis.spublish('socket.io#/#', JSON.stringify(message));
  });
});

test('redis-streams: what is no message of the adapter is dropped, and reading goes on', async t => {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const pair = await startPair(t, { adapter: 'redis-streams', redis: { port } });
  const redis = await clientOf(t, port);
  const { encode } = createRequire(require.resolve('@socket.io/redis-streams-adapter'))('@msgpack/msgpack') as {
    encode(value: unknown): Uint8Array;
  };
  await survives(t, pair, /channel socket\.io#\/#/, async () => {
    for (const garbage of GARBAGE) {
      await redis.publish('socket.io#/#', garbage);
      await redis.xadd('socket.io', '*', 'uid', 'a', 'nsp', '/', 'type', '3', 'data', garbage);
    }
    await redis.xadd('socket.io', '*', 'secret', 'of another program');
    await redis.xadd('socket.io', '*', 'nsp', '/');
    for (const message of CLUSTER_MESSAGES as { type?: unknown; data?: unknown }[]) {
      await redis.publish('socket.io#/#', Buffer.from(encode(message)));
      if (typeof message.type !== 'number') continue; // in a stream all is text
      const data = message.data === undefined ? [] : ['data', JSON.stringify(message.data)];
      await redis.xadd('socket.io', '*', 'uid', 'a', 'nsp', '/', 'type', String(message.type), ...data);
    }
  });
});

test('postgres: what is no message of the adapter is dropped, and is no outage', async t => {
  watchForCrashes(t);
  const postgres = await newPostgres(t);
  await postgres.start();
  const pair = await startPair(t, { adapter: { name: 'postgres', connection: postgres.url } });
  const { Client } = createRequire(require.resolve('@socket.io/postgres-adapter'))('pg') as {
    Client: new (url: string) => {
      connect(): Promise<void>;
      on(event: string, listener: () => void): void;
      query(text: string, values: unknown[]): Promise<{ rows: { id: string }[] }>;
      end(): Promise<void>;
    };
  };
  const client = new Client(postgres.url);
  client.on('error', () => {}); // the test ends the server first
  await client.connect();
  t.after(() => client.end());
  const notify = async (payload: string): Promise<unknown> => client.query('SELECT pg_notify($1, $2)', ['socket.io#/', payload]);
  await survives(t, pair, /PostgreSQL at 127\.0\.0\.1:\d+, channel socket\.io#\//, async () => {
    for (const garbage of GARBAGE) if (typeof garbage === 'string') await notify(garbage);
    for (const message of CLUSTER_MESSAGES) await notify(JSON.stringify(message));
    for (const attachmentId of ['secret', 5, {}]) await notify(JSON.stringify({ uid: 'a', type: 3, attachmentId }));
  });
  const { logs } = pair[0];
  await notify(JSON.stringify({ uid: 'a', type: 3, attachmentId: '999' }));
  while ((await client.query(`SELECT 1 FROM pg_class WHERE relname = 'socket_io_attachments'`, [])).rows.length === 0); // the boot does not wait
  const { rows } = await client.query('INSERT INTO socket_io_attachments (payload) VALUES ($1) RETURNING id', [Buffer.from('secret')]);
  await notify(JSON.stringify({ uid: 'a', type: 3, attachmentId: rows[0]?.id }));
  await logs.logged(/^ERROR .*handling a message from PostgreSQL at .* failed/);
  assert.equal((await pair[0].io.fetchSockets()).length, 2);
  assert.equal(logs.count(/_DOWN/), 0);
});

test('postgres: no message is lost about the size that is too large for NOTIFY, whatever the config says', { timeout: 20_000 }, async t => {
  watchForCrashes(t);
  const postgres = await newPostgres(t);
  await postgres.start();
  const [one, other] = await startPair(t, { adapter: { name: 'postgres', connection: postgres.url, payloadThreshold: 8000 } });
  const { client } = await enter(t, other);
  const missing = new Set(Array.from({ length: 200 }, (_, index) => 7800 + index)); // with what is around it, one has 8000 bytes
  const allCame = new Promise<void>(resolve => {
    client.on('said', (text: string) => {
      missing.delete(text.length);
      if (missing.size === 0) resolve();
    });
  });
  for (const size of missing) one.io.emit('said', 'x'.repeat(size));
  await allCame;
  assert.equal(one.logs.count(/_DOWN/), 0);
});

// There is no MongoDB here: the documents are handed over where the adapter's change stream does.
test('mongo: what is no document of the adapter is dropped', async t => {
  watchForCrashes(t);
  const settings = readConfig(
    { io: { adapter: { name: 'mongo', url: 'mongodb://127.0.0.1:1/?directConnection=true', database: 'io' } } },
    1,
    () => {},
  ).adapter;
  const logs = new Logs();
  const link = createBackplane(settings, { logger: logs, baseDir: ROOT, hub: undefined });
  if (!link) throw new Error('no adapter is asked for');
  t.after(() => link.close());
  const adapter = createAdapterFactory(
    { init: {}, adapter: settings },
    { backplane: link, deprecations: new Deprecations(logs), logger: logs },
  ) as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
  const server = await startServer(t, { adapter });
  const alice = await enter(t, server);
  const hand = Reflect.get(server.io.of('/').adapter, 'onEvent') as (event: object) => Promise<void>; // not declared
  for (const fullDocument of [undefined, null, 5, 'secret', ...CLUSTER_MESSAGES]) await hand({ operationType: 'insert', fullDocument });
  await hand({
    fullDocument: { uid: 'a', nsp: '/', type: 3, data: { packet: { type: 2, nsp: '/', data: ['said', 'good'] }, opts: GOOD_TARGET } },
  });
  const heard = new Promise(resolve => alice.client.once('end', resolve));
  server.io.local.emit('end');
  await heard;
  assert.deepEqual(alice.heard, [['said', 'good'], ['end']]);
  assert.equal(logs.count(DROPPED), 1);
  assert.equal(logs.count(/secret/), 0);
});

test('the hub: what is no message of a worker is dropped by those who get it', async t => {
  watchForCrashes(t);
  const path = await hubPath(t);
  await startHub(t, path);
  const pair = [await startWorker(t, path, 'one'), await startWorker(t, path, 'other')] as const;
  await allKnown(pair);
  const frame = (content: Buffer): Buffer => {
    const header = Buffer.alloc(12);
    header.writeUInt32LE(content.length, 0);
    header.writeUInt32LE(0xffff_ffff, 4); // to all
    header.writeUInt32LE(99, 8);
    return Buffer.concat([header, content]);
  };
  const message = (head: unknown): Buffer => {
    const json = Buffer.from(JSON.stringify(head));
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32LE(0, 0); // no parts
    sizes.writeUInt32LE(json.length, 4);
    return Buffer.concat([sizes, json]);
  };
  const socket = createConnection(path);
  t.after(() => socket.destroy());
  await survives(t, pair, /the hub, worker 99/, async () => {
    socket.write(Buffer.concat([...controlFrame(0, { name: 'a stranger', isSendOnly: true }).bytes]));
    for (const garbage of GARBAGE) socket.write(frame(Buffer.from(garbage)));
    const heads = [
      null,
      5,
      {},
      { type: 'secret', nsp: '/' },
      { type: 'reply' },
      { type: 'broadcast', nsp: 5 },
      { type: 'broadcast', nsp: '/', rooms: 5 },
      { type: 'broadcast', nsp: '/', id: 'secret' },
      { type: 'join', nsp: '/' },
      { type: 'leave', nsp: '/', names: 'secret' },
      { type: 'disconnect', nsp: '/', close: 'secret' },
      { type: 'fetch', nsp: '/' },
    ];
    for (const head of heads) socket.write(frame(message(head)));
    await pair[0].logs.logged(DROPPED);
  });
});

test("an encoded text is read as Socket.IO's own decoder reads it, or refused as by that", () => {
  const data = ['["say"]', '["say",{"a":[1,null,"2"]}]', '[7,"a number"]', '["say",{"__proto__":1}]', ' ["say"]', '["say"] '];
  const noData = ['["connect"]', '["disconnecting",1]', '[]', '[null]', '[["say"]]', '{"0":"say"}', '"say"', '["say"', '["say"]]', '7'];
  const heads = ['2', '2/chat,', '2/other,', '2/chat', '27', '2/chat,7', '3', '51-', '0', ''];
  for (const name of ['/', '/chat']) {
    const codec = new PacketCodec(new Server().of(name));
    for (const text of heads.flatMap(head => [...data, ...noData].map(rest => head + rest))) {
      const expected = decoded(text);
      const isEvent = expected?.type === PacketType.EVENT && expected.nsp === name && expected.id === undefined;
      if (isEvent) assert.deepEqual(codec.read([text]).data, expected.data, text);
      else
        assert.throws(
          () => codec.read([text]),
          (error: Error) => error.constructor.name === 'InvalidMessage',
          text,
        );
    }
  }
});

/** Undefined for what is no packet, or not a whole one. */
function decoded(text: string): Packet | undefined {
  let packet: Packet | undefined;
  const decoder = new Decoder();
  decoder.on('decoded', (one: Packet) => (packet = one));
  try {
    decoder.add(text);
  } catch {}
  return packet;
}

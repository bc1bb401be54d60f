/** redis-streams on a Redis as it is found: idle cuts, dropped connections, an emptied server, refused commands. The tests share one Redis. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type { Socket } from 'socket.io';
import { enter, type Person } from '../support/adapters';
import { connect, newClient, next } from '../support/client';
import { ROOT } from '../support/app';
import { documentedFault } from '../support/documented-fault';
import { join as joinBy, type Joined } from '../support/joined';
import { lifetimeOfFile } from '../support/lifetime';
import { startProxy } from '../support/proxy';
import { connectionOf, pulses, startNodeWithoutSlots, startRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';
import { until } from '../support/until';

const msgpack = createRequire(require.resolve('@socket.io/redis-streams-adapter'))('@msgpack/msgpack') as {
  encode(value: unknown): Uint8Array;
};

const parser = require(`${ROOT}/test/parsers/node_modules/socket.io-msgpack-parser`) as object;

const DOWN = /^ERROR .*IO_REDIS_DOWN/;
const BACK = /^INFO .*is back/;

const file = lifetimeOfFile();

/** The Redis of this file, and a connection to it beside those of the servers. */
const redis = (async (): Promise<{ port: number; admin: Redis }> => {
  const { port } = await startRedis(file, { args: ['--dir', '/proc'] }); // where nobody can save anything
  const admin = new Redis({ port });
  file.after(() => admin.disconnect());
  await admin.bgsave();
  while (!(await admin.info('persistence')).includes('rdb_last_bgsave_status:err'));
  return { port, admin };
})();

for (const command of ['publish', 'subscribe', 'xread']) {
  test(`when nothing more comes through the connection of ${command.toUpperCase()} and nobody is told, it is replaced: one outage, and all is well`, async t => {
    watchForCrashes(t);
    const { port, admin } = await redis;
    const proxy = await startProxy(t, port);
    const [one, other] = [await join(t, port), await join(t, proxy.port)];
    const bob = await enter(t, other);
    const dropped = await connectionOf(admin, command, proxy);
    proxy.drop(dropped);
    await other.logs.logged(BACK);
    await admin.client('KILL', 'ADDR', `127.0.0.1:${dropped}`); // Redis counts it as a server until then; tcp-keepalive is its own way
    const heard = next(bob.client, 'said');
    one.io.emit('said', 'afterwards');
    assert.deepEqual(await heard, ['afterwards']);
    assert.equal((await other.io.fetchSockets()).length, 1);
    assert.equal((await one.io.fetchSockets()).length, 1);
    documentedFault(
      'redis-streams',
      'when nothing more comes through the connection of PUBLISH, SUBSCRIBE or XREAD and nobody is told',
    ).log(other.logs.lines);
    assert.deepEqual([other.logs.count(DOWN), other.logs.count(BACK), other.logs.lines.length], [1, 1, 2]);
  });
}

test('a connection that ends late, when the others have been made again, is no second outage', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const proxy = await startProxy(t, port);
  const { logs } = await join(t, proxy.port);
  proxy.drop(await connectionOf(admin, 'xread', proxy)); // which ends only when its client destroys it
  await admin.client('PAUSE', 60_000, 'WRITE'); // no pulse comes back
  await logs.logged(DOWN);
  await admin.client('UNPAUSE');
  await logs.logged(BACK);
  await pulses(admin, 5);
  documentedFault('redis-streams', 'a connection that ends late').log(logs.lines);
  assert.deepEqual([logs.count(DOWN), logs.lines.length], [1, 2], logs.lines.join('\n'));
});

/** An id of the stream that the clock reaches in two centuries: those of further entries count on from it. */
const AHEAD = 9_000_000_000_000;

test('when Redis has been emptied and its clock is behind, reading goes on', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const [one, other] = [await join(t, port), await join(t, port)];
  const bob = await enter(t, other);
  await admin.xadd(keyOf.get(t) ?? '', `${AHEAD}-0`, 'of', 'no server');
  await says(one, bob, 'before');
  await admin.flushall();
  await says(one, bob, 'after');
  await says(one, bob, 'and on');
  assert.deepEqual(bob.heard, [['before'], ['after'], ['and on']]);
  documentedFault('redis-streams', 'when Redis has been emptied and its clock is behind').log(other.logs.lines);
  assert.deepEqual([...one.logs.lines, ...other.logs.lines], []);
});

test('when a failover has lost the end of the stream and the clock is behind, reading goes on where the two part', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const [one, other] = [await join(t, port), await join(t, port)];
  const bob = await enter(t, other);
  const stream = keyOf.get(t) ?? '';
  await admin.xadd(stream, `${AHEAD}-0`, 'of', 'no server');
  await says(one, bob, 'first');
  const first = await admin.xrevrange(stream, '+', '-', 'COUNT', 1);
  for (const n of [1, 2]) await admin.xadd(stream, `${AHEAD + n}-0`, ...fieldsOf('lost', n));
  await says(one, bob, 'second');
  await admin.xdel(stream, ...(await admin.xrange(stream, `${AHEAD + 1}`, '+')).map(([id]) => id));
  await admin.call('XSETID', stream, String(first[0]?.[0])); // as on a replica that has taken the master's place
  await says(one, bob, 'after');
  await says(one, bob, 'and on');
  assert.deepEqual(bob.heard, [['first'], ['lost', 1], ['lost', 2], ['second'], ['after'], ['and on']]);
  documentedFault('redis-streams', 'when a failover has lost the end of the stream and the clock is behind').log(other.logs.lines);
});

/** Why Redis refuses to write, how that comes and goes, and what its operator is told. */
const NO_WRITES: Record<string, { begin: Args; end: Args; words: RegExp; remedy: RegExp }> = {
  'to this user': {
    begin: ['ACL', 'SETUSER', 'chat', '-xadd'],
    end: ['ACL', 'SETUSER', 'chat', '+xadd'],
    words: /xadd test-\d+: NOPERM/,
    remedy: /give its user the rights/,
  },
  'as its memory is full': {
    begin: ['CONFIG', 'SET', 'maxmemory', '1'],
    end: ['CONFIG', 'SET', 'maxmemory', '0'],
    words: /xadd test-\d+: OOM/,
    remedy: /raise its maxmemory/,
  },
  'as it cannot save to its disk': {
    begin: ['CONFIG', 'SET', 'save', '3600 1'],
    end: ['CONFIG', 'SET', 'save', ''],
    words: /xadd test-\d+: MISCONF/,
    remedy: /find out why it cannot save to its disk, or set stop-writes-on-bgsave-error to no/,
  },
  'without enough replicas': {
    begin: ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
    end: ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
    words: /xadd test-\d+: NOREPLICAS/,
    remedy: /lower min-replicas-to-write/,
  },
};

for (const [why, { begin, end, words, remedy }] of Object.entries(NO_WRITES)) {
  test(`a Redis that refuses XADD ${why}, until it takes entries again: emits to other servers are lost and counted, all else goes on`, async t => {
    watchForCrashes(t);
    const { port, admin } = await redis;
    await allowAll(admin);
    const [one, other] = [await join(t, port, USER), await join(t, port)];
    const [alice, bob] = [await enter(t, one), await enter(t, other)];
    await call(admin, begin);
    t.after(() => call(admin, end));
    const fault = documentedFault(
      'redis-streams',
      'a Redis that refuses XADD to this user, as its memory is full, as it cannot save to its disk or without enough replicas',
    );
    for (const event of ['lost', 'lost as well']) await says(one, alice, event);
    assert.match(await one.logs.logged(/IO_REDIS_REFUSED/), /^ERROR .* refuses XADD; events of this server do not reach clients of other/);
    assert.match(one.logs.lines[0] ?? '', remedy);
    assert.match(one.logs.lines[0] ?? '', words);
    await fault.questions(one);
    await fault.emits(one, bob.client);
    assert.equal((await one.io.fetchSockets()).length, 2);
    await says(other, bob, 'to those of the same server');
    await call(admin, end);
    assert.match(await one.logs.logged(/^INFO/), /allows XADD again; messages to other servers lost meanwhile: 3$/);
    await says(one, bob, 'afterwards');
    assert.deepEqual(bob.heard, [['to those of the same server'], ['afterwards']]);
    fault.log(one.logs.lines);
    assert.equal(one.logs.lines.length, 2);
    const written = (await admin.xrange(keyOf.get(t) ?? '', '-', '+')).map(([, fields]) => fields);
    assert.ok(
      written.every(fields => fields.includes('nsp')),
      'no trace of the attempts',
    );
  });
}

for (const command of ['xread', 'xrevrange']) {
  test(`a Redis that refuses ${command.toUpperCase()}, with which it is read: what other servers emit comes late, all else goes on`, async t => {
    watchForCrashes(t);
    const { port, admin } = await redis;
    await allowAll(admin);
    const [one, other] = [await join(t, port), await join(t, port, USER)];
    const [alice, bob] = [await enter(t, one), await enter(t, other)];
    await call(admin, ['ACL', 'SETUSER', 'chat', `-${command}`]);
    const line = await other.logs.logged(/IO_REDIS_REFUSED/);
    assert.match(
      line,
      new RegExp(`^ERROR .* refuses ${command.toUpperCase()}; events of other servers do not reach clients of this server`),
    );
    assert.match(line, new RegExp(`${command} test-\\d+: NOPERM`));
    one.io.emit('late');
    await says(other, alice, 'the other way');
    const fault = documentedFault('redis-streams', 'a Redis that refuses XREAD or XREVRANGE, with which it is read');
    await fault.questions(other);
    assert.equal((await other.io.fetchSockets()).length, 2);
    const heard = next(bob.client, 'late');
    await call(admin, ['ACL', 'SETUSER', 'chat', `+${command}`]);
    await heard;
    await other.logs.logged(new RegExp(`^INFO .* allows ${command.toUpperCase()} again`));
    assert.deepEqual(bob.heard, [['the other way'], ['late']]);
    fault.log(other.logs.lines);
    assert.equal(other.logs.lines.length, 2);
  });
}

for (const command of ['publish', 'pubsub']) {
  test(`a Redis that refuses ${command.toUpperCase()}, with which others are asked: questions fail at once, emits go on`, async t => {
    watchForCrashes(t);
    const { port, admin } = await redis;
    await allowAll(admin);
    const [one, other] = [await join(t, port, USER), await join(t, port)];
    const bob = await enter(t, other);
    await call(admin, ['ACL', 'SETUSER', 'chat', `-${command}`]);
    await one.io.fetchSockets().catch(() => {});
    const line = await one.logs.logged(/IO_REDIS_REFUSED/);
    assert.match(
      line,
      new RegExp(`^ERROR .* refuses ${command.toUpperCase()}; questions to other servers, such as fetchSockets\\(\\), fail`),
    );
    const fault = documentedFault('redis-streams', 'a Redis that refuses PUBLISH or PUBSUB, with which others are asked');
    await fault.questions(one);
    await fault.emits(one, bob.client);
    await call(admin, ['ACL', 'SETUSER', 'chat', `+${command}`]);
    await one.logs.logged(new RegExp(`^INFO .* allows ${command.toUpperCase()} again`));
    assert.equal((await one.io.fetchSockets()).length, 1);
    fault.log(one.logs.lines);
    assert.equal(one.logs.lines.length, 2);
  });
}

test('a node of a Cluster without slots, or whose slots another node has: pulses come back, and the log says what does not work', async t => {
  watchForCrashes(t);
  const node = await startNodeWithoutSlots(t);
  const { io, logs } = await join(t, node.port);
  const { client } = await enter(t, await join(t, node.port));
  io.emit('lost');
  assert.match(await logs.logged(/refuses XADD/), /IO_REDIS_REFUSED: .*see CLUSTER INFO.*xadd test-\d+: CLUSTERDOWN/s);
  await logs.logged(/refuses XREVRANGE; .*CLUSTERDOWN/s);
  const fault = documentedFault('redis-streams', 'a node of a Cluster without slots');
  await fault.questions({ io });
  await fault.emits({ io }, client);
  const admin = new Redis({ port: node.port });
  t.after(() => admin.disconnect());
  await pulses(admin, 4); // two of each server: what has been taken before has arrived
  fault.log(logs.lines);
  assert.equal(logs.lines.length, 2, logs.lines.join('\n'));

  await node.joinCluster();
  const late = await join(t, node.port);
  late.io.emit('lost');
  const line = await late.logs.logged(/refuses XADD/);
  assert.match(line, /it is one node of a Cluster: .*config\.io\.redis\.nodes.*xadd test-\d+: MOVED/s);
  await late.logs.logged(/refuses XREVRANGE; .*MOVED/s);
  fault.log(late.logs.lines);
});

test('a Redis that refuses what recovery needs, until it allows it: clients that come back connect as new ones', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  await allowAll(admin);
  const { io, url, logs } = await join(t, port, { ...USER, init: { connectionStateRecovery: {} } });
  const client = await connect(t, url, { reconnection: true, reconnectionDelay: 10 });
  /** Whether the client is recovered after it has lost its connection. */
  const comesBack = async (): Promise<boolean> => {
    await says({ io }, { client }, 'with an offset');
    const back = next(client, 'connect');
    client.io.engine.close();
    await back;
    return client.recovered;
  };
  for (const command of ['get', 'set', 'xrange']) {
    await call(admin, ['ACL', 'SETUSER', 'chat', `-${command}`]);
    assert.equal(await comesBack(), false, command);
    const name = command.toUpperCase();
    const line = await logs.logged(new RegExp(`IO_REDIS_REFUSED.* refuses ${name};`));
    assert.match(line, /returning clients are not recovered until that is over; give its user the rights/);
    assert.match(line, new RegExp(`${command}: NOPERM`), 'without the key of a session');
    await call(admin, ['ACL', 'SETUSER', 'chat', `+${command}`]);
    await logs.logged(new RegExp(`^INFO .* allows ${name} again`));
    await until(t, comesBack); // where the machine is busy, Redis may count as out of reach for a moment
  }
  documentedFault('redis-streams', 'a Redis that refuses what recovery needs').log(logs.lines);
  await call(admin, ['ACL', 'SETUSER', 'chat', '-publish']);
  await logs.logged(/refuses PUBLISH;/);
  await until(t, comesBack); // recovery does not need it
  await call(admin, ['ACL', 'SETUSER', 'chat', '+publish']);
  await logs.logged(/^INFO .* allows PUBLISH again/);
  assert.equal(logs.lines.length, 8, logs.lines.join('\n'));
});

test('an event waits for a Redis that is slow: its client is recovered, and gets it once', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  await allowAll(admin);
  const { io, url, logs } = await join(t, port, { init: { connectionStateRecovery: {} } });
  const client = await connect(t, url, { reconnection: true, reconnectionDelay: 10 });
  const heard: string[] = [];
  client.onAny((event: string) => heard.push(event));
  await admin.client('PAUSE', 150, 'WRITE');
  await says({ io }, { client }, 'late');
  const back = next(client, 'connect');
  client.io.engine.close();
  await back;
  await says({ io }, { client }, 'after');
  assert.deepEqual([client.recovered, heard, logs.lines], [true, ['late', 'after'], []]);
});

test('whoever knows the private id of a client, but not its offset, or is not let in, leaves its session where it is', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  await allowAll(admin);
  const { io, url } = await join(t, port, { init: { connectionStateRecovery: { skipMiddlewares: false } } });
  const client = await connect(t, url, { reconnectionDelay: 10 });
  await says({ io }, { client }, 'with an offset');
  const [pid, offset] = ['_pid', '_lastOffset'].map(name => Reflect.get(client, name) as unknown); // private
  const left = next(io.sockets.sockets.get(String(client.id)) as Socket, 'disconnect');
  client.io.engine.close();
  await left;
  const guessing = await connect(t, url, { auth: { pid, offset: '1-1' } });
  assert.equal(guessing.recovered, false);
  let enter = (): void => {};
  const waits = new Promise<void>(resolve => {
    io.use((_socket, done) => {
      enter = done;
      resolve();
    });
  });
  const other = newClient(t, url, { auth: { pid, offset } }); // it is not let in yet
  const closed = next(other.io, 'close');
  await waits;
  Reflect.set(io.of('/'), '_fns', []);
  const back = next(client, 'connect');
  client.connect();
  await back;
  assert.equal(client.recovered, true);
  enter();
  await closed;
  assert.equal(client.connected, true);
});

test('a client that comes back has the data that a client would decode, whatever the app has put into it', async t => {
  watchForCrashes(t);
  const { port } = await redis;
  const { io, url, logs } = await join(t, port, { init: { connectionStateRecovery: {} } });
  const client = await connect(t, url, { reconnection: true, reconnectionDelay: 10 });
  /** The data of the client's socket after it has lost its connection. */
  const dataAfter = async (data: unknown): Promise<unknown> => {
    await says({ io }, { client }, 'with an offset');
    Object.assign(io.sockets.sockets.get(client.id ?? '') ?? {}, { data });
    const back = next(client, 'connect');
    client.io.engine.close();
    await back;
    return io.sockets.sockets.get(client.id ?? '')?.data;
  };
  const user = { name: 'alice', save() {}, since: new Date(0), picture: Buffer.from('bytes'), half: '\ud83d' };
  const { save: _, ...rest } = user;
  assert.deepEqual(await dataAfter({ user }), { user: { ...rest, since: '1970-01-01T00:00:00.000Z' } });
  assert.equal(client.recovered, true);
  assert.deepEqual(logs.lines, []);
  assert.deepEqual(await dataAfter({ count: 1n }), {});
  assert.equal(client.recovered, false);
  assert.match(logs.lines.join('\n'), /^ERROR .*IO_ANSWER_INVALID\W.* the data of socket \S+ cannot be stored, .*BigInt[^\n]*$/);
});

test('a client that comes back gets what it has missed, also where entries of others have no empty fields or are no messages', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const { io, url, logs } = await join(t, port, { init: { connectionStateRecovery: {} } });
  const client = await connect(t, url);
  const heard: unknown[] = [];
  client.onAny((...event: unknown[]) => heard.push(event[0]));
  await says({ io }, { client }, 'with an offset');
  const gone = next(client, 'disconnect');
  client.io.engine.close();
  await gone;
  const packet = { type: 2, nsp: '/', data: ['missed'] };
  for (const data of [
    { packet, opts: {} },
    { packet },
    { opts: {} },
    { packet: { ...packet, data: [null] }, opts: {} },
    null,
    { packet, opts: { rooms: [] } },
  ])
    await admin.xadd(keyOf.get(t) ?? '', '*', ...ENTRY, JSON.stringify(data));
  const tooMany = { packet: { ...packet, data: ['of a server that does not count', ...Array<unknown>(11).fill(Buffer.from('bytes'))] } };
  await admin.xadd(keyOf.get(t) ?? '', '*', ...ENTRY, Buffer.from(msgpack.encode({ ...tooMany, opts: {} })).toString('base64'));
  await admin.xadd(keyOf.get(t) ?? '', '*', ...ENTRY, JSON.stringify({ packet, opts: {} }));
  const last = next(client, 'last');
  client.connect();
  await next(client, 'connect');
  io.emit('last');
  await last;
  assert.equal(client.recovered, true);
  assert.deepEqual(heard, ['with an offset', 'missed', 'missed', 'missed', 'last']);
  assert.deepEqual([logs.count(/^WARN .*IO_MESSAGE_INVALID/), logs.lines.length], [1, 1], logs.lines.join('\n'));
});

test('with onlyPlaintext, what a parser of the app has encoded as bytes arrives unchanged', async t => {
  const { port } = await redis;
  for (const interop of [true, false]) {
    const options = { init: { parser }, adapter: { name: 'redis-streams', onlyPlaintext: true, interop } };
    const [one, other] = [await join(t, port, options), await join(t, port, options)];
    const client = await connect(t, other.url, { parser });
    const values = ['text', undefined, new Date(0)]; // JSON has only one of them
    const [first, second] = [next(client, 'broadcast'), next(client, 'last')];
    one.io.emit('broadcast', ...values);
    one.io.emit('last');
    assert.deepEqual(await Promise.race([first, second]), values);
    const said = next(other.io, 'to servers');
    one.io.serverSideEmit('to servers', new Date(0));
    assert.deepEqual(await said, [new Date(0)]);
    assert.deepEqual([...one.logs.lines, ...other.logs.lines], []);
  }
});

test('a session that cannot be read is one line of log, and its client a new one', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  const { io, url, logs } = await join(t, port, { init: { connectionStateRecovery: {} } });
  const client = await connect(t, url);
  await says({ io }, { client }, 'with an offset');
  const before = new Set(await admin.keys('*session*'));
  const gone = next(client, 'disconnect');
  client.io.engine.close();
  await gone;
  for (let found; !found;) {
    found = (await admin.keys('*session*')).find(name => !before.has(name));
    if (found) await admin.set(found, 'of another program');
  }
  client.connect();
  await next(client, 'connect');
  assert.equal(client.recovered, false);
  assert.match(logs.lines.join('\n'), /^ERROR .*handling a message from Redis at \S+ failed/);
  assert.equal(logs.lines.length, 1);
});

test('redis-streams connected to a replica, which reads and does not write', async t => {
  watchForCrashes(t);
  const { port } = await redis;
  const replica = await startRedis(t, { args: ['--replicaof', '127.0.0.1', String(port), '--repl-diskless-sync-delay', '0'] });
  const admin = new Redis({ port: replica.port });
  t.after(() => admin.disconnect());
  await until(t, async () => (await admin.info('replication')).includes('master_link_status:up'));
  const [one, other] = [await join(t, port), await join(t, replica.port)];
  const [alice, bob] = [await enter(t, one), await enter(t, other)];
  assert.match(await other.logs.logged(/IO_REDIS_REFUSED/), /is a replica; .* point config\.io\.redis at the master/);
  await says(one, bob, 'from the master');
  const fault = documentedFault('redis-streams', 'redis-streams connected to a replica');
  await fault.emits(other, alice.client);
  assert.match(await other.logs.logged(/refuses XADD/), /it is a replica: point config.io.redis at the master .*xadd test-\d+: READONLY/s);
  await fault.questions(other);
  assert.deepEqual(alice.heard, [['from the master']]);
  await admin.replicaof('NO', 'ONE');
  await other.logs.logged(/^INFO .* is a master now/);
  await other.logs.logged(/^INFO .* allows XADD again; messages to other servers lost meanwhile: 1$/);
  fault.log(other.logs.lines);
});

test('a server that reads later than maxLen entries says so; one that is behind by less gets all, and a client whose last event is gone is not recovered', async t => {
  watchForCrashes(t);
  const { port, admin } = await redis;
  await allowAll(admin);
  const adapter = { name: 'redis-streams', maxLen: 1000 };
  const { io, url, logs, leave } = await join(t, port, { ...USER, adapter, init: { connectionStateRecovery: {} } });
  const client = await connect(t, url);
  const heard: unknown[] = [];
  client.on('n', (n: unknown) => heard.push(n));
  const stream = keyOf.get(t) ?? '';
  let sent = 0;
  /** Others write while the server cannot read, of which the stream keeps some. */
  const behind = async (entries: number, kept: number): Promise<unknown[]> => {
    await call(admin, ['ACL', 'SETUSER', 'chat', '-xread']);
    await logs.logged(/refuses XREAD/);
    const writes = admin.multi();
    for (let n = 0; n < entries; n++) writes.xadd(stream, '*', ...fieldsOf('n', ++sent));
    await writes.xtrim(stream, 'MAXLEN', kept).exec();
    await admin.xadd(stream, '*', ...fieldsOf('end'));
    const end = next(client, 'end');
    await call(admin, ['ACL', 'SETUSER', 'chat', '+xread']);
    await end;
    logs.lines.splice(0, logs.lines.length, ...logs.lines.filter(line => !line.includes('XREAD')));
    return heard.splice(0);
  };
  await says({ io }, { client }, 'before');
  assert.equal((await behind(350, 1000)).length, 350);
  assert.deepEqual(logs.lines, []);
  assert.deepEqual(
    await behind(350, 150),
    Array.from({ length: 150 }, (_, n) => n + 551),
  );
  const line = await logs.logged(/IO_MESSAGES_MISSED/);
  assert.match(
    line,
    /^ERROR .*Redis at \S+: entries of the stream test-\d+ were removed before this server had read them; .*; raise maxLen of config\.io\.adapter, which is 1000/,
  );
  documentedFault('redis-streams', 'a server that reads later than maxLen entries').log(logs.lines);
  for (const time of [1, 2]) assert.equal((await behind(350, 150)).length, 150, String(time));

  const gone = next(client, 'disconnect');
  client.io.engine.close();
  await gone;
  await admin.xtrim(stream, 'MAXLEN', 0);
  client.connect();
  await next(client, 'connect');
  assert.equal(client.recovered, false);
  assert.deepEqual(logs.lines, [line]);
  await leave();
  assert.match(logs.lines.at(-1) ?? '', /IO_MESSAGES_MISSED.*, 2 more times in the last minute; /);
});

/** A command of Redis with its arguments. */
type Args = readonly [command: string, ...args: string[]];

async function call(admin: Redis, [command, ...args]: Args): Promise<void> {
  await admin.call(command, ...args);
}

/** A user of Redis for the tests that forbid it something. */
const USER = { redis: { username: 'chat', password: 'secret' } };

async function allowAll(admin: Redis): Promise<void> {
  await call(admin, ['ACL', 'SETUSER', 'chat', 'reset', 'on', '>secret', '+@all', '~*', '&*']);
}

let keys = 0;
/** Servers of one test reach each other; those of another test have another key. */
const keyOf = new WeakMap<TestContext, string>();

/** A server that reaches the others of its test. */
async function join(t: TestContext, port: number, { init = {}, redis = {}, adapter = { name: 'redis-streams' } } = {}): Promise<Joined> {
  const key = keyOf.get(t) ?? `test-${++keys}`;
  keyOf.set(t, key);
  const server = await joinBy(t, { init, adapter, redis: { port, key, ...redis } });
  await server.ready();
  return server;
}

/** An event arrives at a client. */
async function says({ io }: Pick<Joined, 'io'>, { client }: Pick<Person, 'client'>, event: string): Promise<void> {
  const heard = next(client, event);
  io.emit(event);
  await heard;
}

/** The beginning of an entry with a broadcast. */
const ENTRY = ['uid', 'emitter', 'nsp', '/', 'type', '3', 'data'] as const;

/** An entry of the stream, as a server writes it. */
function fieldsOf(...data: unknown[]): string[] {
  const opts = { rooms: [], except: [], flags: {} };
  return [...ENTRY, JSON.stringify({ packet: { type: 2, data, nsp: '/' }, opts })];
}

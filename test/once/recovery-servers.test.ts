/** Clients that come back to another worker or server than the one that they have left. */
import assert from 'node:assert/strict';
import { createConnection, createServer, type Socket as Connection } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Server, type Socket } from 'socket.io';
import { type AdapterServer, allKnown } from '../support/adapters';
import { newClient, next, refusal } from '../support/client';
import { enterMute, hubPath, joinByHub, startHub, startWorker } from '../support/hub';
import { join } from '../support/joined';
import { startMongo } from '../support/mongo';
import { newPostgres } from '../support/postgres';
import { LoggedSource, recoverConnections } from '../support/parts';
import { RawClient } from '../support/raw';
import { startRedis } from '../support/redis';
import { until } from '../support/until';
import { answersTo, authOf, flush, hears, lose, vanish, visit } from '../support/visit';

const RECOVERY = { connectionStateRecovery: { skipMiddlewares: false } };

type Enter = () => Promise<AdapterServer>;

const SETUPS: Record<string, (t: TestContext) => Promise<Enter>> = {
  async hub(t) {
    const enter = await joinByHub(t);
    return () => enter(RECOVERY);
  },
  redis: t => overRedis(t, 'redis'),
  'redis-sharded': t => overRedis(t, 'redis-sharded'),
  async postgres(t) {
    const server = await newPostgres(t);
    await server.start();
    return () => over(t, { adapter: { name: 'postgres', connection: server.url } });
  },
  async 'mongo, with a stand-in for the database'(t) {
    const { folder } = await startMongo(t);
    return () =>
      over(
        t,
        { adapter: { name: 'mongo', url: 'mongodb://fake', database: 'io', heartbeatInterval: 500, heartbeatTimeout: 5000 } },
        folder,
      );
  },
};

async function overRedis(t: TestContext, adapter: string): Promise<Enter> {
  const { port } = await startRedis(t);
  return () => over(t, { adapter, redis: { port } });
}

async function over(t: TestContext, io: object, baseDir?: string): Promise<AdapterServer> {
  const server = await join(t, { init: RECOVERY, ...io }, undefined, baseDir);
  await server.ready();
  return server;
}

/** The questions and answers of other servers that come to a server from now on. */
function questionsTo(io: Server): string[] {
  const questions: string[] = [];
  const nsp = io.of('/');
  const { _onServerSideEmit: receive } = nsp;
  Object.assign(nsp, {
    _onServerSideEmit(args: Parameters<typeof receive>[0]) {
      questions.push(JSON.stringify(args));
      receive.call(nsp, args);
    },
  });
  return questions;
}

for (const [name, setUp] of Object.entries(SETUPS)) {
  test(`recovery over ${name}`, async t => {
    const enter = await setUp(t);
    const [one, two, three] = [await enter(), await enter(), await enter()];
    const all = [one, two, three];
    await allKnown(all);

    await t.test('a client that was cut off gets what it has missed at another server, in order, once', async st => {
      const before = await visit(st, one);
      const { id } = before.socket;
      await before.socket.join('lobby');
      before.socket.data.name = 'alice';
      one.io.emit('said', 1);
      await hears(st, before, 1);
      await lose(before);
      one.io.to('lobby').emit('said', 2);
      one.io.to('elsewhere').emit('said', 'not to you');
      one.io.except('lobby').emit('said', 'nor this');
      one.io.volatile.emit('said', 'nor what may be lost');
      before.socket.emit('said', { bytes: Buffer.from([3]) });
      await flush(one.io);
      three.io.to(['lobby', id]).emit('said', 4);
      await flush(three.io);
      const after = await visit(st, two, before);
      assert.deepEqual([after.socket.recovered, after.socket.id, after.client.id], [true, id, id]);
      assert.deepEqual([after.socket.data, after.socket.rooms.has('lobby')], [{ name: 'alice' }, true]);
      await hears(st, after, 4);
      one.io.to('lobby').emit('said', 5);
      await hears(st, after, 5);
      before.socket.emit('said', 6); // a handler of the server that the client has left may still have the socket
      await hears(st, after, 6);
      assert.deepEqual(after.heard, [1, 2, { bytes: Buffer.from([3]) }, 4, 5, 6]);
      await lose(after);
    });

    await t.test('a client whose network has vanished is let in at another server, and its old connection ends then', async st => {
      const before = await visit(st, one);
      const { heard } = before;
      one.io.emit('said', 1);
      await hears(st, before, 1);
      const auth = authOf(vanish(before));
      one.io.emit('said', 2);
      await flush(one.io);
      let goOn = (): void => {};
      const waits = new Promise<void>(resolve => {
        two.io.use((socket, done) => {
          if (socket.recovered) [goOn] = [done];
          else done();
          if (socket.recovered) resolve();
        });
      });
      const reasons: unknown[] = [];
      before.socket.on('disconnect', reason => reasons.push(reason));
      const client = newClient(st, two.url, { auth });
      client.on('said', (value: unknown) => heard.push(value));
      const connected = next(client, 'connect');
      await waits;
      Reflect.set(two.io.of('/'), '_fns', []);
      before.socket.emit('said', 3); // its old server knows of nothing yet
      three.io.emit('said', 4);
      await flush(three.io);
      assert.deepEqual([before.socket.connected, reasons], [true, []]);
      goOn();
      await connected;
      await until(st, () => heard.length === 4);
      assert.deepEqual([heard, reasons], [[1, 2, 3, 4], ['forced close']]);
      assert.equal((await three.io.fetchSockets()).length, 1, 'there is no ghost');
      client.disconnect();
      await until(st, async () => (await three.io.fetchSockets()).length === 0);
    });

    await t.test('a client gets what was emitted to its rooms of that moment, wherever it comes back', async st => {
      for (const back of [one, two]) {
        const before = await visit(st, one);
        await before.socket.join('game');
        one.io.emit('said', 1);
        await hears(st, before, 1);
        await flush(one.io);
        const former = vanish(before);
        one.io.to('team').emit('said', 'before it came');
        one.io.to('game').emit('said', 2);
        one.io.in('game').socketsLeave('game');
        await before.socket.join('team');
        one.io.to('game').emit('said', 'after it went');
        one.io.to('team').emit('said', 3);
        await flush(one.io);
        const after = await visit(st, back, former);
        await hears(st, after, 3);
        back.io.emit('said', 4);
        await hears(st, after, 4);
        assert.deepEqual(after.heard, [1, 2, 3, 4]);
        assert.deepEqual([after.socket.recovered, [...after.socket.rooms].sort()], [true, [after.socket.id, 'team'].sort()]);
        await lose(after);
      }
    });

    await t.test('what happens to the old connection while the new one waits holds for that, too', async st => {
      for (const back of [one, two]) {
        const before = await visit(st, one);
        await before.socket.join('game');
        Object.assign(before.socket.data, { name: 'alice', step: 1, old: true });
        const former = vanish(before);
        await flush(one.io);
        const waits = new Promise<() => void>(resolve => {
          back.io.use((socket, done) => {
            socket.data.step = 'of middleware';
            resolve(done);
          });
        });
        const arrival = visit(st, back, former);
        const goOn = await waits;
        Reflect.set(back.io.of('/'), '_fns', []);
        await before.socket.leave('game');
        await before.socket.join('team');
        Object.assign(before.socket.data, { name: 'bob', step: 2, fresh: true });
        Reflect.deleteProperty(before.socket.data as object, 'old');
        one.io.to('team').emit('said', 1);
        one.io.to('game').emit('said', 'to nobody');
        await flush(one.io);
        goOn();
        const after = await arrival;
        await hears(st, after, 1);
        assert.deepEqual([after.socket.recovered, after.socket.data], [true, { name: 'bob', step: 'of middleware', fresh: true }]);
        assert.deepEqual([after.socket.rooms.has('team'), after.socket.rooms.has('game')], [true, false]);
        await lose(after);
      }
    });

    await t.test('whoever comes with the private id of a client and is refused changes nothing for it', async st => {
      const owner = await visit(st, one);
      two.io.use((_socket, done) => done(new Error('who are you?')));
      assert.match((await refusal(newClient(st, two.url, { auth: authOf(owner) }))).message, /who are you/);
      Reflect.set(two.io.of('/'), '_fns', []);
      two.io.emit('said', 1);
      await hears(st, owner, 1);
      assert.deepEqual([owner.socket.connected, owner.heard], [true, [1]]);
      await lose(owner);
      const after = await visit(st, three, owner);
      assert.equal(after.socket.recovered, true);
      await lose(after);
    });

    await t.test('a client that nobody knows is a new one, at once', async st => {
      const answers = answersTo(two, 'find');
      const { client, socket } = await visit(st, two, { auth: { pid: 'x'.repeat(20), offset: '' }, heard: [] });
      assert.equal(socket.recovered, false);
      assert.deepEqual(answers, [[null, [false, false]]], 'the others say that they do not know it');
      client.disconnect();
    });

    await t.test('a client that goes on from server to server loses nothing, whatever order each has had the events in', async st => {
      let current = await visit(st, one);
      await current.socket.join('lobby');
      for (let round = 0; round < 6; round++) {
        if (round % 2 === 0) await lose(current);
        else current = vanish(current);
        for (const [index, { io }] of all.entries()) io.to('lobby').emit('said', `${round} ${index}`);
        for (const { io } of all) await flush(io);
        current = await visit(st, all[(round + 1) % 3] as AdapterServer, current);
        assert.equal(current.socket.recovered, true);
      }
      await hears(st, current, 18);
      assert.deepEqual(new Set(current.heard).size, 18);
      assert.deepEqual(
        current.heard.map(text => String(text)[0]),
        Array.from('000111222333444555'),
      );
      assert.equal((await two.io.fetchSockets()).length, 1);
      await lose(current);
    });

    await t.test('of two claims to a session, the first that is let in wins, and the other client tries again', async st => {
      const before = await visit(st, one);
      await lose(before);
      const waiting: (() => void)[] = [];
      for (const { io } of [two, three]) io.use((_socket, done) => void waiting.push(done));
      const clients = [two, three].map(({ url }) => newClient(st, url, { auth: authOf(before), reconnection: false }));
      await until(st, () => waiting.length === 2);
      for (const { io } of [two, three]) Reflect.set(io.of('/'), '_fns', []);
      const connected = Promise.race(clients.map(client => next(client, 'connect')));
      const closed = Promise.race(clients.map(client => next(client.io, 'close')));
      for (const goOn of waiting) goOn();
      await Promise.all([connected, closed]);
      assert.deepEqual(
        clients.flatMap(({ id }) => id ?? []),
        [before.socket.id],
      );
      assert.equal((await one.io.fetchSockets()).length, 1);
      for (const client of clients) client.disconnect();
      await until(st, async () => (await one.io.fetchSockets()).length === 0);
    });
  });
}

test('what a client sends as an offset, and cannot be one, goes to no other server', async t => {
  const enter = await joinByHub(t);
  const [one, two] = [await enter(RECOVERY), await enter(RECOVERY)];
  await allKnown([one, two]);
  const before = await visit(t, one);
  one.io.emit('said', 1);
  await hears(t, before, 1);
  await lose(before);
  const questions = questionsTo(one.io);
  let current = before;
  for (const offset of ['x'.repeat(100_000), `~aaaaaaaa.${'1'.repeat(100_000)}`]) {
    const server = current === before ? two : one;
    current.heard.length = 0;
    current = await visit(t, server, { ...current, auth: { ...authOf(current), offset } });
    assert.equal(current.socket.recovered, true);
    await hears(t, current, 1);
    assert.deepEqual(current.heard, [1], 'a client that does not say what it has got gets all since it connected');
    await lose(current);
  }
  assert.ok(questions.length > 0 && questions.every(question => question.length < 500));
});

test('a burst of CONNECTs asks the other servers for the first and the last, and not at all when the connection has gone', async t => {
  const enter = await joinByHub(t);
  const [one, two] = [await enter(RECOVERY), await enter(RECOVERY)];
  await allKnown([one, two]);
  const questions = questionsTo(one.io);
  const burst = Array.from({ length: 50 }, () => `40${JSON.stringify({ pid: 'x'.repeat(20), offset: '' })}`);
  const patient = await RawClient.open(t, two.url);
  patient.send(...burst);
  await patient.frame(/^40/);
  const finds = (): number => questions.filter(question => question.includes('"find"')).length;
  await until(t, async () => finds() > 0 && (await two.io.fetchSockets()).length > 0);
  assert.ok(finds() <= 2, String(finds()));

  const { socket } = await visit(t, two);
  const created: unknown[] = [];
  const create = Reflect.get(two.io.of('/'), '_createSocket') as (client: Socket['client'], auth: object) => Promise<Socket>; // private
  const before = finds();
  for (let count = 0; count < 5; count++) created.push(create.call(two.io.of('/'), socket.client, { pid: 'y'.repeat(20), offset: '' }));
  socket.conn.close(true);
  await Promise.all(created);
  assert.ok(finds() - before <= 1, 'that of the first was on its way');
});

test('a flood of clients that nobody knows has no more than 1,000 questions open', async () => {
  const server = new Server();
  const nsp = server.of('/');
  const { adapter } = nsp;
  let questions = 0;
  Object.assign(adapter, { serverSideEmit: () => void questions++ });
  const { source } = recoverConnections(
    adapter,
    nsp,
    clients => new LoggedSource(adapter, nsp, clients, { kept: {}, losses: { count: 0, onTell: () => {} }, isDown: false } as never), // all that it needs of a backplane
    console as never, // it logs nothing here
  );
  const asked = Array.from({ length: 1010 }, async () => source.find('x'.repeat(20), ''));
  await adapter.close();
  assert.deepEqual(new Set(await Promise.all(asked)), new Set([undefined]));
  assert.equal(questions, 1000);
});

test('a client that is not recovered ends its former connection, at this server or another one, unless that is another user’s', async t => {
  const enter = await joinByHub(t);
  const [one, two] = [await enter(RECOVERY), await enter(RECOVERY)];
  await allKnown([one, two]);
  for (const server of [one, two]) {
    const before = vanish(await visit(t, one));
    const auth = { ...authOf(before), offset: '' };
    for (let count = 0; count < 18; count++) one.io.emit('many', 'x'.repeat(2 ** 20)); // more than is kept
    const adapter = one.io.of('/').adapter;
    await adapter.addAll(before.socket.id, new Set(['$io:user:anna']));
    const stranger = await visit(t, server, { ...before, auth });
    assert.equal(stranger.socket.recovered, false);
    await flush(two.io);
    assert.equal(before.socket.connected, true);
    await lose(stranger);
    await adapter.del(before.socket.id, '$io:user:anna');
    const ended = next(before.socket, 'disconnect');
    const after = await visit(t, server, { ...before, auth });
    assert.equal(after.socket.recovered, false);
    assert.equal((await ended)[0], 'forced close');
    await lose(after);
  }
});

test('a server that answers with what is no event makes the client a new one, and lets nobody in by half', async t => {
  const enter = await joinByHub(t);
  const [one, two] = [await enter(RECOVERY), await enter(RECOVERY)];
  await allKnown([one, two]);
  const before = await visit(t, one);
  await lose(before);
  for (const text of [1, 2, 3]) one.io.emit('said', text);
  const { adapter } = one.io.of('/');
  const serverSideEmit = adapter.serverSideEmit.bind(adapter);
  Object.assign(adapter, {
    serverSideEmit(args: [string, { answer?: { missed?: { frames: string[] }[] } }]) {
      const missed = args[1]?.answer?.missed;
      if (missed?.[1]) missed[1] = { ...missed[1], frames: ['2["said'] };
      return serverSideEmit(args) as unknown;
    },
  });
  const heard: unknown[] = [];
  const client = newClient(t, two.url, { auth: authOf(before), reconnection: true, reconnectionDelay: 10 });
  client.on('said', text => heard.push(text));
  const arrival = next<[Socket]>(two.io, 'connection');
  await next(client, 'connect');
  assert.equal((await arrival)[0].recovered, false);
  two.io.emit('said', 4);
  await until(t, () => heard.length > 0);
  assert.deepEqual(heard, [4]);
});

test('a worker that hangs delays no client whose session another one has; a client that nobody knows waits 2 s', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, two] = [await startWorker(t, path, 'one', RECOVERY), await startWorker(t, path, 'two', RECOVERY)];
  await allKnown([one, two]);
  await enterMute(t, path);
  await until(t, () => [one, two].every(({ link }) => link.peers.count === 2));
  const before = await visit(t, one);
  await lose(before);
  const start = performance.now();
  const after = await visit(t, two, before);
  assert.deepEqual([after.socket.recovered, performance.now() - start < 2000], [true, true]); // nor does it wait as long as the next one
  await lose(after);
  const stranger = await visit(t, one, { ...after, auth: { pid: 'x'.repeat(20), offset: '' } });
  assert.equal(stranger.socket.recovered, false);
  assert.ok(performance.now() - start > 2000);
});

test('a client that was away while the hub was not there is a new one, at any worker; later ones are recovered', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  const [one, two] = [await startWorker(t, path, 'one', RECOVERY), await startWorker(t, path, 'two', RECOVERY)];
  const workers = [one, two];
  await allKnown(workers);
  const [stays, goes] = [await visit(t, one), await visit(t, one)];
  for (const client of [stays, goes]) await lose(client);
  await hub.close();
  await until(t, () => workers.every(({ link }) => link.isDown));
  assert.equal((await visit(t, two, goes)).socket.recovered, false, 'while it lasts');
  await startHub(t, path);
  await until(t, () => workers.every(({ link }) => link.isReachable));
  for (const [client, worker] of [
    [stays, one],
    [goes, two],
  ] as const)
    assert.equal((await visit(t, worker, client)).socket.recovered, false);
  const later = await visit(t, one);
  await lose(later);
  two.io.emit('said', 1);
  const back = await visit(t, two, later);
  await hears(t, back, 1);
  assert.deepEqual([back.socket.recovered, back.heard], [true, [1]]);
});

test('what a worker has emitted while it alone had lost the hub makes the clients of all others new ones', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const links = new Set<Connection>();
  const relay = createServer(near => {
    const far = createConnection(path);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      links.add(from.on('error', () => {}).on('close', () => to.destroy()));
      from.pipe(to);
    }
  });
  await new Promise<void>(resolve => relay.listen(`${path}-relay`, resolve));
  t.after(() => relay.close());
  const [one, two] = [await startWorker(t, path, 'one', RECOVERY), await startWorker(t, path, 'two', RECOVERY)];
  const alone = await startWorker(t, `${path}-relay`, 'alone', RECOVERY);
  await allKnown([one, two, alone]);
  const before = await visit(t, one);
  one.io.emit('said', 1);
  await hears(t, before, 1);
  await lose(before);
  for (const link of links) link.destroy();
  await until(t, () => alone.link.isDown);
  alone.io.emit('said', 2);
  const back = new Promise<void>(resolve => alone.link.onReachable(resolve));
  await back;
  await flush(alone.io);
  await flush(two.io);
  assert.deepEqual([one.link.isDown, two.link.isDown], [false, false]);
  assert.equal((await visit(t, two, before)).socket.recovered, false);
  const later = await visit(t, one);
  await lose(later);
  alone.io.emit('said', 3);
  const after = await visit(t, two, later);
  await hears(t, after, 1);
  assert.deepEqual([after.socket.recovered, after.heard], [true, [3]]);
});

test('what a worker cannot send, since it is too large, makes the clients of others new ones', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, two] = [await startWorker(t, path, 'one', RECOVERY), await startWorker(t, path, 'two', RECOVERY)];
  await allKnown([one, two]);
  const before = await visit(t, one);
  await lose(before);
  let isTold = false;
  const { _onServerSideEmit: receive } = one.io.of('/');
  Object.assign(one.io.of('/'), {
    _onServerSideEmit(args: Parameters<typeof receive>[0]) {
      isTold ||= JSON.stringify(args).includes('lost');
      receive.call(one.io.of('/'), args);
    },
  });
  two.io.emit('said', 'x'.repeat(33 * 1024 * 1024));
  await until(t, () => isTold);
  assert.equal((await visit(t, one, before)).socket.recovered, false);
});

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Socket as Connection } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import { Adapter } from 'socket.io-adapter';
import { allHeard, allKnown, conformance, enter, forgetsQuestion } from '../support/adapters';
import { ROOT } from '../support/app';
import { debugLines } from '../support/debug-log';
import { next } from '../support/client';
import { Forked } from '../support/forked';
import { enterMute, hubPath, joinByHub, startHub, startWorker, type Worker } from '../support/hub';
import { Logs } from '../support/logs';
import { controlFrame, eachFrame, FrameReader, HEADER, Hub, MAX_FRAME, writeHeader } from '../support/parts';
import { watchForCrashes } from '../support/remains';
import { until } from '../support/until';
import { valuesConform } from '../support/value-cases';

const DOWN = /^ERROR .*IO_HUB_DOWN: no hub at/;
const BACK = /^INFO .*the hub is back/;
const OVERFLOW = /^ERROR .*IO_HUB_OVERFLOW/;

conformance('the hub', joinByHub);
valuesConform('the hub', joinByHub);

async function startTwo(t: TestContext, path: string): Promise<[Worker, Worker]> {
  const workers = await Promise.all([startWorker(t, path, 'one'), startWorker(t, path, 'other')]);
  await allKnown(workers);
  return workers;
}

function ids(sockets: readonly { readonly id: string }[]): string[] {
  return sockets.map(({ id }) => id).sort();
}

// Namespaces

test('a namespace that only one worker has is not waited for', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  const alice = await enter(t, one, '/late');
  alice.client.on('ask', (answer: (value: string) => void) => answer('alice'));
  const nsp = one.io.of('/late');
  assert.deepEqual(ids(await nsp.fetchSockets()), [alice.id]);
  assert.deepEqual(await nsp.serverSideEmitWithAck('event'), []);
  assert.deepEqual(await nsp.timeout(60_000).emitWithAck('ask'), ['alice']);
  assert.deepEqual(ids(await other.io.of('/late').fetchSockets()), [alice.id]);
  const bob = await enter(t, other, '/late');
  bob.client.on('ask', (answer: (value: string) => void) => answer('bob'));
  assert.deepEqual(await nsp.local.timeout(5000).emitWithAck('ask'), ['alice']);
});

test('a worker that has left the hub starts no timer, and those it had do nothing', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const { link } = await startWorker(t, path, 'one');
  const called: string[] = [];
  t.mock.timers.enable({ apis: ['setTimeout'] });
  link.peers.later(10, () => called.push('before'));
  const closed = link.close();
  link.peers.later(10, () => called.push('after'));
  t.mock.timers.tick(10);
  t.mock.timers.reset();
  await closed;
  assert.deepEqual(called, []);
});

test('namespaces of a regular expression come and go, each worker having its own', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const workers = await Promise.all(['one', 'other'].map(name => startWorker(t, path, name, { cleanupEmptyChildNamespaces: true })));
  await allKnown(workers);
  const [one, other] = workers as [Worker, Worker];
  for (const { io } of workers) io.of(/^\/room-\d$/);
  for (let round = 0; round < 2; round++) {
    const [alice, bob] = [await enter(t, one, '/room-1'), await enter(t, other, '/room-1')];
    one.io.of('/room-1').emit('said', round);
    assert.deepEqual(await allHeard(one.io.of('/room-1'), [alice, bob]), [[['said', round]], [['said', round]]]);
    const gone = next(bob.socket, 'disconnect');
    bob.client.disconnect();
    await gone;
    assert.equal(other.io._nsps.has('/room-1'), false);
    assert.deepEqual(ids(await one.io.of('/room-1').fetchSockets()), [alice.id]);
    assert.deepEqual(await one.io.of('/room-1').serverSideEmitWithAck('event'), []); // the other has no such namespace any more
    const left = next(alice.socket, 'disconnect');
    alice.client.disconnect();
    await left;
  }
});

test('a namespace that gets another adapter is heard once, and with one of another kind no more', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  other.io.adapter(other.io.adapter() as never); // the same factory once more
  let bob = await enter(t, other);
  one.io.emit('said', 'once');
  assert.deepEqual(await allHeard(one.io.of('/'), [bob]), [[['said', 'once']]]);
  assert.deepEqual(ids(await one.io.fetchSockets()), [bob.id]);
  other.io.adapter(Adapter);
  bob = await enter(t, other);
  one.io.emit('said', 'to nobody');
  assert.deepEqual(await one.io.fetchSockets(), []);
  assert.deepEqual(await allHeard(other.io.of('/'), [bob]), [[]]);
});

// What travels

/** A parser that keeps what JSON does not: dates, maps, bytes. */
const parser = {
  Encoder: class {
    encode(packet: unknown): unknown[] {
      return [serialize(packet)];
    }
  },
  Decoder: class extends EventEmitter {
    add(bytes: Buffer): void {
      this.emit('decoded', deserialize(bytes));
    }

    destroy(): void {}
  },
};

test('what a parser of the app keeps, the hub keeps', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const workers = await Promise.all(['one', 'other'].map(name => startWorker(t, path, name, { parser })));
  await allKnown(workers);
  const [one, other] = workers as [Worker, Worker];
  const people = [await enter(t, one, '/', { parser }), await enter(t, other, '/', { parser })] as const;
  const values = [new Date(0), new Map([['a', { deep: new Set([1n]) }]]), Buffer.from([0, 255]), undefined];
  one.io.emit('values', ...values);
  assert.deepEqual(await allHeard(one.io.of('/'), people), [[['values', ...values]], [['values', ...values]]]);
  for (const { client } of people) client.on('ask', (value: unknown, answer: (value: unknown) => void) => answer([value, new Date(1)]));
  const answer = [values[1], new Date(1)];
  assert.deepEqual(await one.io.timeout(5000).emitWithAck('ask', values[1]), [answer, answer]);
});

test('bytes reach other workers as they were when they were sent', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  const bob = await enter(t, other);
  const [small, large] = [Buffer.from('then'), Buffer.alloc(100_000, 1)];
  one.io.emit('bytes', small, large);
  small.write('late');
  large.fill(2);
  assert.deepEqual(await allHeard(one.io.of('/'), [bob]), [[['bytes', Buffer.from('then'), Buffer.alloc(100_000, 1)]]]);
});

test('a Blob is refused where it is sent', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one] = await startTwo(t, path);
  assert.throws(() => one.io.emit('blob', new Blob(['x'])), /a Blob cannot be sent to other workers/);
});

test('a socket whose data cannot be sent is named in the log, once a minute', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  const bob = await enter(t, other);
  bob.socket.data = { count: 1n };
  for (let round = 0; round < 2; round++) assert.deepEqual(await one.io.fetchSockets(), []);
  const logged = other.logs.lines.filter(line => line.includes('IO_ANSWER_INVALID'));
  assert.equal(logged.length, 1);
  assert.match(logged[0] ?? '', new RegExp(`^ERROR .*the details of socket ${bob.id} cannot be sent to another server, .*: .*BigInt`));
});

test('what fails in one message is logged, and those after it are heard', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  other.io.on('bad', () => {
    throw new Error('of the app');
  });
  const good = next(other.io, 'good');
  one.io.serverSideEmit('bad');
  one.io.serverSideEmit('good');
  await good;
  assert.match(other.logs.lines.join('\n'), /^ERROR .*handling a message from the hub failed: Error: of the app/);
});

test('a client that does not acknowledge leaves nothing behind at the other worker', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  const bob = await enter(t, other);
  await forgetsQuestion(one, bob);
});

// Workers that go or hang

test('a worker that does not answer is waited for until the time is over, or until it goes', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const worker = await startWorker(t, path, 'one');
  const alice = await enter(t, worker);
  const mute = await enterMute(t, path);
  await until(t, async () => (await worker.io.of('/').adapter.serverCount()) === 2);
  await assert.rejects(worker.io.timeout(100).fetchSockets(), /timeout reached: 1 of 1 other workers have not answered in 100 ms/);
  const pending = [
    worker.io.fetchSockets(),
    worker.io.serverSideEmitWithAck('event'),
    worker.io.timeout(60_000).emitWithAck('ask'),
  ] as const;
  alice.client.on('ask', (answer: (value: string) => void) => answer('alice'));
  mute.destroy();
  const [sockets, answers, acknowledgements] = await Promise.all(pending);
  assert.deepEqual(ids(sockets), [alice.id]);
  assert.deepEqual(answers, []);
  assert.deepEqual(acknowledgements, ['alice']);
});

test('a worker that is killed is not waited for any more', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const worker = await startWorker(t, path, 'one');
  const times = [];
  for (let n = 0; n < 3; n++) {
    const doomed = await Forked.worker(t, path, 'doomed');
    await until(t, async () => (await worker.io.of('/').adapter.serverCount()) === 2);
    doomed.freeze();
    const sockets = worker.io.fetchSockets();
    const killed = performance.now();
    const dead = doomed.kill();
    assert.deepEqual(await sockets, []);
    times.push(performance.now() - killed);
    await dead;
  }
  assert.ok(Math.min(...times) < 2500, `${times.join(', ')} ms`); // half of the time that a question has
});

test('what a worker says before it closes is heard', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  const bob = await enter(t, other);
  const said = next(bob.client, 'said');
  one.io.emit('said', 'last');
  await one.link.close();
  assert.deepEqual(await said, ['last']);
});

test('who joins and leaves the hub is in the debugging log of the agent and of each worker', async t => {
  const path = await hubPath(t);
  const lines = debugLines(t, 'egg-socket.io:hub');
  await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  await other.leave();
  await until(t, async () => (await one.io.of('/').adapter.serverCount()) === 1);
  const written = lines.map(line => line.replace(/ as number \d+/, ''));
  const ofOne = written.filter(line => line.startsWith('hub worker one: '));
  assert.deepEqual(
    written.filter(line => line.endsWith(' the hub')),
    ['one has joined', 'other has joined', 'other has left'].map(what => `hub worker ${what} the hub`),
  );
  assert.deepEqual(
    ofOne,
    ['joined the hub; it has 0 other workers', 'worker other has joined', 'worker other has left'].map(what => `hub worker one: ${what}`),
  );
});

// A hub that goes

async function isDown(promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error: Error & { code?: string }) => {
    assert.ok(error instanceof Error);
    assert.equal(error.code, 'IO_HUB_DOWN');
    assert.match(error.message, /IO_HUB_DOWN: the other workers cannot be asked; `local` asks this one alone/);
    return true;
  });
}

test('without the hub a worker serves its own clients, and calls that need the others fail at once; then all is as before', async t => {
  watchForCrashes(t);
  const path = await hubPath(t);
  let hub = await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  const people = [await enter(t, one), await enter(t, one), await enter(t, other)] as const;
  const [alice, carol, bob] = people;
  for (const { client } of people) client.on('ask', (answer: (value: string) => void) => answer('here'));
  for (let outage = 1; outage <= 2; outage++) {
    await hub.close();
    await one.logs.logged(DOWN);
    await other.logs.logged(DOWN);
    const times = [];
    const answers = [];
    for (let n = 0; n < 3; n++) {
      const start = performance.now();
      const answered = new Promise(resolve => one.io.timeout(10_000).emit('ask', (...answer: unknown[]) => resolve(answer)));
      await Promise.all([
        isDown(one.io.fetchSockets()),
        isDown(one.io.serverSideEmitWithAck('event')),
        isDown(one.io.to('nobody').to(alice.id).timeout(10_000).emitWithAck('ask')),
      ]);
      const [error, some] = (await answered) as [{ code: string }, string[]];
      assert.equal(error.code, 'IO_HUB_DOWN');
      times.push(performance.now() - start);
      answers.push(some.join());
    }
    assert.ok(Math.min(...times) < 5000, `${times.join(', ')} ms`); // half of the time that they have
    assert.ok(answers.includes('here,here'), answers.join(' and '));
    assert.deepEqual(ids(await one.io.local.fetchSockets()), ids([alice, carol]));
    assert.deepEqual(await one.io.local.timeout(5000).emitWithAck('ask'), ['here', 'here']);
    one.io.socketsJoin('a');
    for (let n = 0; n < 100; n++) one.io.to('a').emit('n', n);
    one.io.serverSideEmit('event');
    const expected = [...Array(100).keys()].map(n => ['n', n]);
    assert.deepEqual(
      (await allHeard(one.io.of('/'), [alice, carol])).map(heard => heard.filter(([event]) => event !== 'ask')),
      [expected, expected],
    );

    hub = await startHub(t, path);
    await until(t, () => one.logs.count(BACK) >= outage && other.logs.count(BACK) >= outage);
    one.io.emit('said', 'again');
    assert.deepEqual((await allHeard(one.io.of('/'), people))[2], [['said', 'again']]);
    assert.deepEqual(ids(await other.io.fetchSockets()), ids(people));
    assert.deepEqual(bob.heard, []);
    for (const { logs } of [one, other]) assert.deepEqual([logs.count(DOWN), logs.count(BACK)], [outage, outage]);
    assert.match(one.logs.lines.at(-1) ?? '', /the hub is back; messages to other workers lost meanwhile: 103/);
    for (const { heard } of people) heard.length = 0;
  }
});

test('what waits for others fails at once when the hub goes; acknowledgements bring those that have come', async t => {
  watchForCrashes(t);
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  const worker = await startWorker(t, path, 'one');
  await enterMute(t, path);
  const alice = await enter(t, worker);
  await until(t, async () => (await worker.io.of('/').adapter.serverCount()) === 2);
  const answered = next(alice.client, 'ask').then(([answer]) => (answer as (value: string) => void)('here'));
  const acknowledged = worker.io.timeout(5000).emitWithAck('ask');
  const failed = [isDown(worker.io.timeout(60_000).fetchSockets()), isDown(worker.io.serverSideEmitWithAck('event'))];
  await answered;
  await hub.close();
  await Promise.all(failed);
  await assert.rejects(acknowledged, { code: 'IO_HUB_DOWN', responses: ['here'] });
});

test('where only clients of this worker have still to answer, they have the time that they were given, whatever the hub does', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  const alice = await enter(t, one);
  const asked = next<[(value: string) => void]>(alice.client, 'ask');
  const answers = one.io.to(alice.id).timeout(5000).emitWithAck('ask');
  const [answer] = await asked;
  await other.io.fetchSockets(); // what was asked before it has been answered
  await one.io.fetchSockets();
  await hub.close();
  await one.logs.logged(DOWN);
  await isDown(one.io.timeout(5000).emitWithAck('ask')); // longer than the patience with which that one would have ended
  answer('late');
  assert.deepEqual(await answers, ['late']);
});

test('a question to a socket of another worker fails while the hub is down, and one that cannot be sent calls nobody back', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  const [one, other] = await startTwo(t, path);
  await enter(t, other);
  const [remote] = await one.io.fetchSockets();
  assert.ok(remote);
  await hub.close();
  await one.logs.logged(DOWN);
  await isDown(remote.timeout(5000).emitWithAck('ask'));
  assert.throws(() => one.io.timeout(20).emit('ask', 1n, () => assert.fail('called back')), TypeError);
  await isDown(one.io.timeout(5000).emitWithAck('ask')); // by then it would have been
});

test('what waits for others fails when its own worker closes', async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const worker = await startWorker(t, path, 'one');
  await enterMute(t, path);
  await until(t, async () => (await worker.io.of('/').adapter.serverCount()) === 2);
  const failed = isDown(worker.io.fetchSockets());
  await worker.leave();
  await failed;
});

test('a hub that is killed under load, and comes back: all find each other, in order and with no line too many', async t => {
  watchForCrashes(t);
  const path = await hubPath(t);
  let hub = await Forked.hub(t, path);
  const [one, other] = await startTwo(t, path);
  const people = [await enter(t, one), await enter(t, other)] as const;
  const load = new AbortController();
  t.after(() => load.abort());
  const loaded = (async () => {
    for (let n = 0; !load.signal.aborted; n++) {
      one.io.emit('n', n, 'x'.repeat(1000));
      other.io.emit('m', n);
      await nextTurn();
    }
  })();
  for (let outage = 1; outage <= 2; outage++) {
    await hub.kill();
    await until(t, () => one.logs.count(DOWN) >= outage && other.logs.count(DOWN) >= outage);
    hub = await Forked.hub(t, path);
    // the first answer is a whole one
    let sockets: Awaited<ReturnType<typeof one.io.fetchSockets>> | undefined;
    await until(t, async () => {
      sockets = await one.io.fetchSockets().catch(() => undefined);
      return sockets !== undefined;
    });
    assert.deepEqual(ids(sockets ?? []), ids(people));
    await until(t, () => one.logs.count(BACK) >= outage && other.logs.count(BACK) >= outage);
  }
  load.abort();
  await loaded;
  const [, heard] = [await allHeard(one.io.of('/'), people), await allHeard(other.io.of('/'), people)];
  assert.ok(heard);
  for (const { logs } of [one, other]) assert.deepEqual([logs.count(DOWN), logs.count(BACK), logs.lines.length], [2, 2, 4]);
});

test('a worker starts without the hub, says so once, and joins the others when it comes', async t => {
  watchForCrashes(t);
  const path = await hubPath(t);
  const workers = await Promise.all([startWorker(t, path, 'one'), startWorker(t, path, 'other')]);
  for (const { logs } of workers)
    assert.deepEqual(
      logs.lines.map(line => DOWN.test(line)),
      [true],
    );
  const people = [await enter(t, workers[0]), await enter(t, workers[1])];
  await startHub(t, path);
  await Promise.all(workers.map(({ logs }) => logs.logged(BACK)));
  assert.deepEqual(ids(await workers[0].io.fetchSockets()), ids(people));
});

// The hub by itself

test('frames are found however they are cut', () => {
  const sent = [1, 1, 7, 1, 0, 7].map((to, index) => ({ to, name: 'x'.repeat(index * 20) }));
  const bytes = Buffer.concat(sent.flatMap(({ to, name }) => controlFrame(to, { name }).bytes));
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new FrameReader();
    const found: unknown[] = [];
    for (let start = 0; start < bytes.length; start += size) {
      for (const run of reader.read(bytes.subarray(start, start + size))) {
        let frames = 0;
        eachFrame(run, (_from, content) => {
          frames++;
          found.push({ to: run.to, ...(JSON.parse(content.toString()) as object) });
        });
        assert.equal(run.frames, frames);
        assert.equal(run.size, Buffer.concat(run.bytes).length);
      }
    }
    assert.deepEqual(found, sent);
  }
});

test('the largest message that a worker sends is read, and no larger one', () => {
  const headerOf = (size: number): Buffer => {
    const header = Buffer.alloc(HEADER);
    writeHeader(header, 0, size, 1, 2);
    return header;
  };
  assert.deepEqual(new FrameReader().read(headerOf(MAX_FRAME)), []);
  assert.throws(() => new FrameReader().read(headerOf(MAX_FRAME + 1)), RangeError);
});

test('a hub listens where another was killed, and nowhere else', async t => {
  const path = await hubPath(t);
  const killed = await Forked.hub(t, path);
  await killed.kill();
  const hub = new Hub(new Logs());
  await hub.listen(path);
  await hub.close();
  await hub.close();
  await writeFile(path, 'a file that was left');
  await startHub(t, path);
  await assert.rejects(new Hub(new Logs()).listen(join(path, 'below/a/file')), /ENOTDIR|ENOENT/);
});

test('whoever does not speak as a worker does is cut off, and the others are served', async t => {
  const path = await hubPath(t);
  const logs = new Logs();
  await startHub(t, path, logs);
  const [one, other] = await startTwo(t, path);
  for (const nonsense of ['GET / HTTP/1.1\r\nHost: hub\r\n\r\n', '\x04\0\0\0\0\0\0\0\0\0\0\0nope', '\x01\0\0\0\x05\0\0\0\0\0\0\0x']) {
    const stranger = createConnection(path);
    stranger.on('data', () => {});
    stranger.write(nonsense);
    await once(stranger, 'close');
  }
  assert.equal(logs.count(/the hub cannot read the data of a worker/), 3);
  const bob = await enter(t, other);
  one.io.emit('said');
  assert.deepEqual(await allHeard(one.io.of('/'), [bob]), [[['said']]]);
});

test('a link keeps no process: neither one without a hub, nor one that has been closed, even if the hub hangs', async t => {
  const path = await hubPath(t);
  const run = async (code: string): Promise<void> => {
    const script = `const { HubBackplane } = require(${JSON.stringify(join(ROOT, 'dist/cluster/hub/hub-backplane'))});
      const link = new HubBackplane(${JSON.stringify(path)}, 'one', console);
      ${code}`;
    await new Promise<void>((resolve, reject) => {
      execFile(process.execPath, ['-e', script], { timeout: 20_000 }, (error: Error | null) => (error ? reject(error) : resolve()));
    });
  };
  await run('');
  await run('link.close();');
  await run('link.ready();');
  const hub = await Forked.hub(t, path);
  await run('link.ready().then(() => link.close());');
  await run(`
    const nsp = { name: '/', server: { encoder: {} } };
    nsp.adapter = new link.createAdapter(nsp);
    link.ready().then(() => {
      process.kill(${hub.pid}, 'SIGSTOP');
      for (let n = 0; n < 30; n++) nsp.adapter.serverSideEmit(['event', 'x'.repeat(1_000_000)]);
      link.close();
    });`);
});

// Load

for (const [what, count, size] of [
  ['200 B', 25_000, 200],
  ['10 kB', 2500, 10_000],
  ['1 MB', 50, 1_000_000],
] as const) {
  test(
    `between workers that live nothing is lost and all is in order, at full speed, with messages of ${what}`,
    { timeout: 60_000 },
    async t => {
      const path = await hubPath(t);
      const hub = await Forked.hub(t, path);
      const names = ['one', 'two', 'three'];
      const workers = await Promise.all(names.map(name => Forked.worker(t, path, name)));
      for (const worker of workers) await until(t, async () => (await worker.count()) === 3);
      await Promise.all(workers.map(worker => worker.flood(0, count, size)));
      for (const [index, worker] of workers.entries()) {
        for (const from of names.filter(name => name !== names[index])) {
          assert.deepEqual(await worker.heard(from, count), { count, bytes: count * size, last: count - 1, isInOrder: true });
        }
      }
      for (const { logs } of [hub, ...workers]) assert.deepEqual(logs.lines, []);
    },
  );
}

test(
  'a worker that hangs costs the hub and the others no more than 64 MB, and stops nobody; when it goes on, it hears again',
  { timeout: 90_000 },
  async t => {
    const path = await hubPath(t);
    const hub = await Forked.hub(t, path);
    const [sender, receiver, hanging] = await Promise.all(['sender', 'receiver', 'hanging'].map(name => Forked.worker(t, path, name)));
    assert.ok(sender && receiver && hanging);
    for (const worker of [sender, receiver, hanging]) await until(t, async () => (await worker.count()) === 3);
    await sender.flood(0, 20_000, 10_000); // as much memory as full speed alone takes, garbage included
    for (const worker of [receiver, hanging]) await worker.heard('sender', 20_000);
    const before = await Promise.all([hub, sender, receiver].map(one => one.peak()));
    hanging.freeze();
    await sender.flood(20_000, 10_000, 10_000);
    const heard = await receiver.heard('sender', 30_000);
    assert.deepEqual(heard, { count: 30_000, bytes: 300_000_000, last: 29_999, isInOrder: true });
    const after = await Promise.all([hub, sender, receiver].map(one => one.peak()));
    const growth = after.reduce((sum, peak, index) => sum + peak - (before[index] ?? 0), 0);
    assert.ok(growth < 64, `${growth} MB: from ${before.join(', ')} to ${after.join(', ')}`);
    assert.match(
      hub.logs.lines.join('\n'),
      /^ERROR .*IO_HUB_OVERFLOW: worker hanging does not read its messages; until it does, it loses all messages beyond 8 MB.*$/,
    );
    hanging.wake();
    const line = await hub.logs.logged(/worker hanging reads its messages again/);
    const lost = Number(/lost meanwhile: (\d+)/.exec(line)?.[1]);
    assert.ok(lost > 5000 && lost < 10_000, line);
    await sender.flood(30_000, 1, 10_000);
    const count = 30_001 - lost;
    assert.deepEqual(await hanging.heard('sender', count), { count, bytes: count * 10_000, last: 30_000, isInOrder: true });
    assert.equal(hub.logs.count(OVERFLOW), 1);
    for (const { logs } of [sender, receiver, hanging]) assert.deepEqual(logs.lines, []);
  },
);

test('while the hub hangs no more than 32 MB wait for it; what is more is lost, with a line at the beginning and at the end', async t => {
  const path = await hubPath(t);
  const connections: Connection[] = [];
  const hanging = createServer(connection => {
    connections.push(connection);
    connection.pause();
    for (const bytes of controlFrame(1, { type: 'welcome', number: 1, age: 1000, peers: [[2, 'other']] }).bytes) connection.write(bytes);
  });
  hanging.listen(path);
  await once(hanging, 'listening');
  t.after(() => {
    hanging.close();
    for (const connection of connections) connection.destroy();
  });
  const worker = await startWorker(t, path, 'one');
  const alice = await enter(t, worker);
  const bytes = Buffer.alloc(1024 * 1024);
  for (let n = 0; n < 40; n++) worker.io.emit('bytes', bytes);
  const [heard] = await allHeard(worker.io.of('/'), [alice]);
  assert.equal(heard?.length, 40);
  assert.ok(worker.link.peers.backlog <= 32 * 1024 * 1024);
  assert.match(worker.logs.lines.join('\n'), /^ERROR .*IO_HUB_OVERFLOW: more than 32 MB are queued for the hub.*$/);
  for (let n = 0; n < 20_000; n++) worker.io.serverSideEmit(''); // less than a question, so that there is no room for one
  await assert.rejects(worker.io.fetchSockets(), { code: 'IO_HUB_OVERFLOW' });
  for (const connection of connections) connection.resume();
  assert.match(await worker.logs.logged(/INFO/), /the hub reads messages again; \d+ did not reach other workers/);
  assert.equal(worker.logs.count(OVERFLOW), 1);
});

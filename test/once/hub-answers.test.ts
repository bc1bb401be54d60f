/** Which answers of other workers count, and that nothing stays of a question. */
import assert from 'node:assert/strict';
import { createConnection, createServer, type Socket as Connection } from 'node:net';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { allKnown, enter } from '../support/adapters';
import { next } from '../support/client';
import { enterMute, hubPath, startHub, startWorker, type Worker } from '../support/hub';
import { until } from '../support/until';

type Answer = (value: string) => void;

const LIMIT = { timeout: 60_000 };
/** Of Socket.IO's protocol. */
const EVENT = 2;

/** Starts workers that know each other. */
async function startAll(t: TestContext, path: string, ...names: string[]): Promise<Worker[]> {
  const workers = [];
  for (const name of names) workers.push(await startWorker(t, path, name));
  await allKnown(workers);
  return workers;
}

function optionsOf(timeout: number): { rooms: Set<string>; except: Set<string>; flags: { timeout: number } } {
  return { rooms: new Set(), except: new Set(), flags: { timeout } };
}

test('a listener of another worker that calls back twice has one answer', LIMIT, async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, two, three] = (await startAll(t, path, 'one', 'two', 'three')) as [Worker, Worker, Worker];
  two.io.on('who', (answer: Answer) => {
    answer('two');
    answer('two, again');
  });
  const asked = next<[Answer]>(three.io, 'who');
  const answers = one.io.serverSideEmitWithAck('who') as Promise<string[]>;
  const [answer] = await asked;
  const after = next(one.io, 'after');
  two.io.serverSideEmit('after'); // by then both are there
  await after;
  answer('three');
  assert.deepEqual((await answers).sort(), ['three', 'two']);
});

test('a client of a worker that came after the broadcast is not among those who acknowledge', LIMIT, async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const gate = await startGate(t, path);
  const [one, other] = await Promise.all([startWorker(t, gate.path, 'one'), startWorker(t, path, 'other')]);
  await allKnown([one, other]);
  const bob = await enter(t, other);
  gate.hold(); // `one` hears nothing of the hub, and so does not know of the newcomer
  const newcomer = await startWorker(t, path, 'newcomer');
  const carol = await enter(t, newcomer);
  carol.client.on('ask', (answer: Answer) => answer('carol'));
  const [askedBob, askedCarol] = [next<[Answer]>(bob.client, 'ask'), next(carol.client, 'ask')];
  const answers = one.io.timeout(30_000).emitWithAck('ask') as Promise<string[]>;
  const [answer] = await askedBob;
  await askedCarol;
  const heard = next(carol.socket, 'after');
  carol.client.emit('after');
  await heard; // her acknowledgement before it has arrived
  const passed = next(other.io, 'after');
  newcomer.io.serverSideEmit('after');
  await passed; // the hub has it as well
  const late = next(one.io, 'late');
  gate.release();
  newcomer.io.serverSideEmit('late');
  await late;
  answer('bob');
  assert.deepEqual(await answers, ['bob']);
});

test('a worker that leaves after it has said how many clients it has asked is not counted again', LIMIT, async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, leaving] = (await startAll(t, path, 'one', 'leaving')) as [Worker, Worker];
  const bob = await enter(t, leaving);
  bob.client.on('ask', (answer: Answer) => answer('bob'));
  const mute = await enterMute(t, path);
  const { adapter } = one.io.of('/');
  await until(t, async () => (await adapter.serverCount()) === 3);
  const counts: number[] = [];
  await new Promise<void>(resolve => {
    adapter.broadcastWithAck(
      { type: EVENT, data: ['ask'] },
      optionsOf(30_000),
      count => counts.push(count),
      () => resolve(),
    );
  });
  assert.deepEqual(counts.toSorted(), [0, 1], 'its own clients, and those of the other');
  await leaving.leave();
  await until(t, async () => (await adapter.serverCount()) === 2);
  assert.equal(counts.length, 2);
  mute.destroy();
  await until(t, () => counts.length >= 3);
});

test('when the time of a broadcast with acknowledgements is over nothing of it stays', LIMIT, async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one] = (await startAll(t, path, 'one', 'other')) as [Worker, Worker];
  const ask = (): WeakRef<object> => {
    const onAnswer = (): void => {};
    one.io.of('/').adapter.broadcastWithAck({ type: EVENT, data: ['ask'] }, optionsOf(20), () => {}, onAnswer);
    return new WeakRef(onAnswer);
  };
  await isCollected(ask());
});

test('of a broadcast with acknowledgements that does not fit nothing stays', LIMIT, async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one] = (await startAll(t, path, 'one', 'other')) as [Worker, Worker];
  const ask = (): WeakRef<object> => {
    const onAnswer = (): void => {};
    const packet = { type: EVENT, data: ['ask', 'x'.repeat(33 * 1024 * 1024)] };
    assert.throws(() => one.io.of('/').adapter.broadcastWithAck(packet, optionsOf(60_000), () => {}, onAnswer), {
      code: 'IO_HUB_OVERFLOW',
    });
    return new WeakRef(onAnswer);
  };
  await isCollected(ask());
});

/** Resolves when nothing refers to it any more. */
async function isCollected(reference: WeakRef<object>): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  while (reference.deref()) {
    await nextTurn();
    collectGarbage();
  }
}

/** Something between a worker and the hub that can keep back what the hub sends. */
async function startGate(t: TestContext, path: string): Promise<{ path: string; hold(): void; release(): void }> {
  const ways: Connection[] = [];
  const server = createServer(worker => {
    const hub = createConnection(path);
    ways.push(hub);
    worker.pipe(hub);
    hub.on('data', bytes => worker.write(bytes));
    hub.on('close', () => worker.destroy());
    for (const end of [worker, hub]) end.on('error', () => {});
  });
  await once(server.listen(`${path}.gate`), 'listening');
  t.after(() => {
    for (const way of ways) way.destroy();
    server.close();
  });
  return {
    path: `${path}.gate`,
    hold: () => ways.forEach(way => way.pause()),
    release: () => ways.forEach(way => way.resume()),
  };
}

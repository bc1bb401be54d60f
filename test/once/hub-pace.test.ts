/** Who waits for whom when a worker reads less from the hub than the others send. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type * as hubWorker from '../../dist/cluster/hub/hub-worker';
import { allKnown } from '../support/adapters';
import { next } from '../support/client';
import { enterMute, hubPath, startHub, startWorker, type Worker } from '../support/hub';
import { Logs } from '../support/logs';
import { controlFrame } from '../support/parts';

const { HubWorker } = require(join(__dirname, '../../../dist/cluster/hub/hub-worker')) as typeof hubWorker;

const LIMIT = { timeout: 60_000 };
const PAYLOAD = 'x'.repeat(100_000);

/** Sends until nothing of it is taken any more. Returns how many messages that were. */
async function floodUntilTheHubWaits({ io, link: { peers } }: Worker): Promise<number> {
  let sent = 0;
  let before = -1;
  for (let turns = 0; turns < 50; turns++) {
    while (peers.backlog < 1_000_000) {
      io.serverSideEmit('flood', PAYLOAD);
      sent++;
    }
    if (peers.backlog !== before) turns = 0;
    before = peers.backlog;
    await nextTurn();
  }
  return sent;
}

test('a worker that dies while the others wait for it keeps them waiting no longer', LIMIT, async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const [one, other] = [await startWorker(t, path, 'one'), await startWorker(t, path, 'other')];
  const mute = await enterMute(t, path);
  await allKnown([one, other, one]); // counts three: the mute worker is one of them
  let heard = 0;
  other.io.on('flood', () => heard++);
  mute.pause();
  const sent = await floodUntilTheHubWaits(one);
  mute.destroy();
  const end = next(other.io, 'end');
  one.io.serverSideEmit('end');
  await end;
  assert.equal(heard, sent);
});

test('of a worker that comes while the others wait for one nothing is read until they go on', LIMIT, async t => {
  const path = await hubPath(t);
  await startHub(t, path);
  const one = await startWorker(t, path, 'one');
  const mute = await enterMute(t, path);
  await allKnown([one, one]);
  mute.pause();
  await floodUntilTheHubWaits(one);
  const waiting = one.link.peers.backlog;
  const newcomer = createConnection(path);
  t.after(() => newcomer.destroy());
  for (const bytes of controlFrame(0, { name: 'newcomer' }).bytes) newcomer.write(bytes);
  const welcome = once(newcomer, 'data');
  for (let turns = 0; turns < 50; turns++) await nextTurn();
  if (one.link.peers.backlog === waiting) assert.equal(newcomer.bytesRead, 0); // otherwise the hub has waited for its 1 s
  mute.destroy();
  await welcome;
});

test('a worker that hangs again and again delays the others for a second once, and then for a tenth of the time in between', async t => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pass = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  let finish = (): void => {};
  const socket = new Duplex({ read() {}, write: (_bytes, _encoding, done) => (finish = done) });
  let isDelaying = false;
  const worker = new HubWorker(1, socket as Socket, new Logs(), isBehind => (isDelaying = isBehind)); // which uses it as a stream only
  const bytes = Buffer.alloc(1024 * 1024);

  for (const delay of [1000, 50, 50]) {
    worker.send({ to: 1, frames: 1, size: bytes.length, bytes: [bytes] });
    pass(delay - 1);
    assert.equal(isDelaying, true);
    pass(1);
    assert.equal(isDelaying, false, `${delay} ms are enough`);
    finish(); // it reads again
    await nextTurn();
    pass(500);
  }
});

test('a small message that waits for a worker does not keep the chunk that it came in in memory', () => {
  const written: Buffer[] = [];
  let finish = (): void => {};
  const socket = new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      written.push(bytes);
      finish = done;
    },
  });
  const worker = new HubWorker(1, socket as Socket, new Logs(), () => {}); // which uses it as a stream only
  const chunk = Buffer.alloc(64 * 1024, 'chunk');
  const pieces = [chunk.subarray(0, 100), chunk.subarray(100, 200)];
  for (const piece of pieces) worker.send({ to: 1, frames: 1, size: piece.length, bytes: [piece] });
  finish();
  assert.deepEqual(written, pieces);
  assert.deepEqual(
    written.map(({ buffer }) => buffer === chunk.buffer),
    [true, false],
  );
});

test('a worker that goes while it delays the others delays them no longer', async () => {
  const socket = new Duplex({ read() {}, write() {} }); // takes nothing
  const calls: boolean[] = [];
  const worker = new HubWorker(1, socket as Socket, new Logs(), isBehind => calls.push(isBehind)); // which uses it as a stream only
  const bytes = Buffer.alloc(1024 * 1024);
  worker.send({ to: 1, frames: 1, size: bytes.length, bytes: [bytes] });
  assert.deepEqual(calls, [true]);
  socket.destroy();
  await once(socket, 'close');
  assert.deepEqual(calls, [true, false]);
});

/** What a server that closes waits for. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Handlers, Work } from '../support/parts';

/** Moves the clock that goes by `performance.now()`. */
function clockOf(t: TestContext): (ms: number) => void {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  return ms => (now += ms);
}

function newHandlers(): Handlers {
  return { running: 0, goneAt: undefined };
}

async function resolves(promise: Promise<void>): Promise<boolean> {
  let hasResolved = false;
  void promise.then(() => (hasResolved = true));
  await nextTurn();
  return hasResolved;
}

test('handlers are waited for while their client is there, and until it has been gone for 3 s', async t => {
  const advance = clockOf(t);
  const work = new Work();
  const [staying, leaving] = [newHandlers(), newHandlers()];
  work.begin(leaving);
  assert.ok(!(await resolves(work.idle())));
  work.leave(leaving);
  advance(3000);
  assert.ok(!(await resolves(work.idle())));
  advance(1);
  assert.ok(await resolves(work.idle()));
  work.begin(staying);
  const idle = work.idle();
  assert.ok(!(await resolves(idle)));
  work.end(staying);
  assert.ok(await resolves(idle));
  work.end(leaving);
  assert.equal(work.size, 0);
  work.begin(staying);
  assert.ok(!(await resolves(work.idle())), 'one that has ended is not counted again');
});

test('all else is waited for, however long its client has been gone', async t => {
  const advance = clockOf(t);
  const work = new Work();
  const handlers = newHandlers();
  work.begin(handlers);
  work.begin(); // as connection middleware and `disconnect` routes do
  work.leave(handlers);
  advance(10_000);
  const [idle, othersIdle] = [work.idle(), work.othersIdle()];
  assert.ok(!(await resolves(idle)));
  assert.ok(!(await resolves(othersIdle)));
  work.end();
  assert.ok(await resolves(idle));
  assert.ok(await resolves(othersIdle));
});

test('who waits goes on when a client has been gone for 3 s, without any other reason', async t => {
  const advance = clockOf(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const work = new Work();
  const leaving = newHandlers();
  work.begin(leaving);
  work.leave(leaving);
  advance(1000);
  const idle = work.idle();
  assert.ok(!(await resolves(idle)));
  advance(2001);
  t.mock.timers.tick(2001);
  assert.ok(await resolves(idle));
});

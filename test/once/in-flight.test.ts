/** What a server that closes waits for. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Handlers, InFlight } from '../support/parts';

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
  const inFlight = new InFlight();
  const [staying, leaving] = [newHandlers(), newHandlers()];
  inFlight.begin(leaving);
  assert.ok(!(await resolves(inFlight.idle())));
  inFlight.leave(leaving);
  advance(3000);
  assert.ok(!(await resolves(inFlight.idle())));
  advance(1);
  assert.ok(await resolves(inFlight.idle()));
  inFlight.begin(staying);
  const idle = inFlight.idle();
  assert.ok(!(await resolves(idle)));
  inFlight.end(staying);
  assert.ok(await resolves(idle));
  inFlight.end(leaving);
  assert.equal(inFlight.size, 0);
  inFlight.begin(staying);
  assert.ok(!(await resolves(inFlight.idle())), 'one that has ended is not counted again');
});

test('a handler that begins after its client has gone is waited for until the client has been gone for 3 s', async t => {
  const advance = clockOf(t);
  const inFlight = new InFlight();
  const handlers = newHandlers();
  inFlight.leave(handlers);
  advance(2000);
  inFlight.begin(handlers);
  assert.ok(!(await resolves(inFlight.idle())));
  advance(1001);
  assert.ok(await resolves(inFlight.idle()));
});

test('all else is waited for, however long its client has been gone', async t => {
  const advance = clockOf(t);
  const inFlight = new InFlight();
  const handlers = newHandlers();
  inFlight.begin(handlers);
  inFlight.begin(); // as connection middleware and `disconnect` routes do
  inFlight.leave(handlers);
  advance(10_000);
  const [idle, othersIdle] = [inFlight.idle(), inFlight.othersIdle()];
  assert.ok(!(await resolves(idle)));
  assert.ok(!(await resolves(othersIdle)));
  inFlight.end();
  assert.ok(await resolves(idle));
  assert.ok(await resolves(othersIdle));
});

test('who waits goes on when a client has been gone for 3 s, without any other reason', async t => {
  const advance = clockOf(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const inFlight = new InFlight();
  const leaving = newHandlers();
  inFlight.begin(leaving);
  inFlight.leave(leaving);
  advance(1000);
  const idle = inFlight.idle();
  assert.ok(!(await resolves(idle)));
  advance(2001);
  t.mock.timers.tick(2001);
  assert.ok(await resolves(idle));
});

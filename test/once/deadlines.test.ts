/** Calls at certain times, which share one timer. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Deadline, Deadlines } from '../support/parts';

/** The longest delay, in ms. */
const DELAY = 200;

function create(t: TestContext): {
  deadlines: InstanceType<typeof Deadlines>;
  called: string[];
  deadline: (name: string, onDue?: () => void) => Deadline;
} {
  t.mock.timers.enable({ apis: ['Date', 'setInterval'], now: 1e12 + 99 }); // not at the beginning of a period
  const called: string[] = [];
  const deadline = (name: string, onDue?: () => void): Deadline => ({
    slot: undefined,
    due() {
      called.push(name);
      onDue?.();
    },
  });
  return { deadlines: new Deadlines(), called, deadline };
}

test('each deadline is called once, at its time or a moment later', t => {
  const { deadlines, called, deadline } = create(t);
  const start = Date.now();
  const times = Array.from({ length: 300 }, (_, ms) => ms);
  const delays: number[] = [];
  for (const ms of times)
    deadlines.set(
      deadline('due', () => delays.push(Date.now() - start - ms)),
      start + ms,
    );
  deadlines.set(deadline('never'), Number.POSITIVE_INFINITY);
  assert.equal(deadlines.size, times.length);
  for (const _ of times) t.mock.timers.tick(2);
  assert.deepEqual(
    called,
    times.map(() => 'due'),
  );
  assert.ok(Math.min(...delays) >= 0 && Math.max(...delays) <= DELAY, `${Math.min(...delays)} to ${Math.max(...delays)} ms`);
  assert.equal(deadlines.size, 0);
});

test('a deadline that is set again faster than the timer runs is called in its time', t => {
  const { deadlines, called, deadline } = create(t);
  const only = deadline('only');
  const time = Date.now() + 1000;
  while (called.length === 0 && Date.now() < time + DELAY) {
    deadlines.set(only, time);
    t.mock.timers.tick(DELAY / 4);
  }
  assert.deepEqual(called, ['only']);
});

test('a deadline that is set to another time, deleted, or set by another one that is due counts as it is then', t => {
  const { deadlines, called, deadline } = create(t);
  const [moved, deleted, again] = [deadline('moved'), deadline('deleted'), deadline('again')];
  const now = Date.now();
  const first = deadline('first', () => {
    deadlines.delete(deleted);
    deadlines.set(again, 0);
  });
  deadlines.set(moved, now + 100);
  deadlines.set(moved, now + 5000);
  for (const due of [first, deleted, again]) deadlines.set(due, now + 100);
  t.mock.timers.tick(DELAY);
  assert.deepEqual(called, ['first']); // what is set by it waits until the timer runs again
  t.mock.timers.tick(DELAY);
  assert.deepEqual(called, ['first', 'again']);
  t.mock.timers.tick(4000);
  assert.equal(deadlines.size, 1);
  t.mock.timers.tick(1000);
  assert.deepEqual(called, ['first', 'again', 'moved']);
});

test('after a leap of the clock all that are due are called, and a clock that goes back calls none', t => {
  const { deadlines, called, deadline } = create(t);
  const now = Date.now();
  deadlines.set(deadline('soon'), now + 1000);
  deadlines.set(deadline('later'), now + 1e6);
  deadlines.set(deadline('much later'), now + 1e12);
  t.mock.timers.setTime(now - 10_000);
  t.mock.timers.tick(5000);
  assert.deepEqual(called, []);
  t.mock.timers.setTime(now + 2e6);
  t.mock.timers.tick(DELAY);
  assert.deepEqual(called, ['soon', 'later']);
  deadlines.close();
  t.mock.timers.tick(1e12);
  assert.deepEqual(called, ['soon', 'later']);
});

/** How often a client is told of errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorEventLimit } from '../support/parts';

test('a client is told of ten errors a second; of more than that once a second, until a second passes with ten or fewer', () => {
  const limit = new ErrorEventLimit();
  const told = (count: number, now: number): number => Array.from({ length: count }, () => limit.allows(now)).filter(Boolean).length;
  assert.equal(told(10, 5000), 10);
  assert.equal(told(1, 5999), 0);
  assert.equal(told(30, 6000), 1);
  assert.equal(told(10, 7000), 1, 'these are not too many');
  assert.equal(told(10, 8000), 10);
  assert.equal(told(20, 9000), 10);
  assert.equal(told(20, 11_000), 10, 'more than a second without any');
});

test('a client that causes a few errors each second is told of all of them', () => {
  const limit = new ErrorEventLimit();
  for (let now = 0; now < 100_000; now += 125) assert.ok(limit.allows(now));
});

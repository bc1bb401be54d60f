/** The token bucket of each user. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLimit } from '../support/parts';

test('a user may send a burst, and then as many a second as the limit says', () => {
  const bucket = new EventLimit(10, 20).hold('anna', 0);
  const taken = (now: number): number => {
    let count = 0;
    while (bucket.take(now)) count++;
    return count;
  };
  assert.equal(taken(0), 20);
  assert.equal(taken(99), 0);
  assert.equal(taken(100), 1);
  assert.equal(taken(1100), 10);
  assert.equal(taken(60_000), 20, 'a pause earns a burst at most');
});

test('connections of a user share a bucket, which stays until it is full', () => {
  const limit = new EventLimit(1, 5);
  const [first, second] = [limit.hold('anna', 0), limit.hold('anna', 0)];
  assert.equal(first, second);
  assert.notEqual(limit.hold('bert', 0), first);
  first.take(0);
  limit.release('anna', first, 0);
  limit.release('anna', second, 0);
  assert.equal(limit.hold('anna', 500), first);
  limit.release('anna', first, 2000);
  assert.notEqual(limit.hold('anna', 2000), first);
});

test('buckets that nobody needs are deleted, though their users do not come back', () => {
  const limit = new EventLimit(1, 1);
  const visit = (user: string, now: number): void => {
    const bucket = limit.hold(user, now);
    bucket.take(now);
    limit.release(user, bucket, now);
  };
  for (let n = 0; n < 1000; n++) visit(`early ${n}`, 0);
  assert.equal(limit.size, 1000);
  visit('late', 2000);
  assert.equal(limit.size, 1);
});

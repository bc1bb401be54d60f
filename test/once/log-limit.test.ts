/** Lines of log that others can cause at will. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogLimit } from '../support/parts';

test('the first lines of a kind are written, the rest are one line with their count and the latest words', () => {
  const lines: string[] = [];
  const limit = new LogLimit({ interval: 60_000, lines: 2 });
  const log = (kind: string, id: number): void =>
    limit.log(
      kind,
      () => lines.push(`${kind} ${id}`),
      count => lines.push(`${kind}: ${count} more, the last by ${id}`),
    );
  for (const id of [1, 2, 3, 4, 5]) log('a', id);
  log('b', 6);
  assert.deepEqual(lines.splice(0), ['a 1', 'a 2', 'b 6']);
  limit.flush();
  assert.deepEqual(lines.splice(0), ['a: 3 more, the last by 5']);
  limit.flush();
  assert.deepEqual(lines, []);
});

test('an interval ends by itself, and the next one begins with its first line', async t => {
  const process = setInterval(() => {}, 1000); // the limit itself keeps none alive
  t.after(() => clearInterval(process));
  const lines: string[] = [];
  const limit = new LogLimit({ interval: 20 });
  for (let round = 0; round < 2; round++) {
    await new Promise<void>(resolve => {
      for (const id of [1, 2, 3]) {
        limit.log(
          'a',
          () => lines.push(`a ${id}`),
          count => {
            lines.push(`${count} more`);
            resolve();
          },
        );
      }
    });
  }
  assert.deepEqual(lines, ['a 1', '2 more', 'a 1', '2 more']);
});

test('so many kinds are told apart, and all others are one', () => {
  const lines: string[] = [];
  const limit = new LogLimit({ interval: 60_000, kinds: 2 });
  for (const kind of ['a', 'b', 'c', 'd', 'e', 'a']) {
    limit.log(
      kind,
      () => lines.push(kind),
      count => lines.push(`${count} more as ${kind}`),
    );
  }
  limit.flush();
  assert.deepEqual(lines, ['a', 'b', 'c', '1 more as a', '2 more as e']);
});

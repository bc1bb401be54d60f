/** Packets of `send()` of the client helper, and what is answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unpackSent } from '../support/parts';

test('an answer is read no further than it takes to tell it from an error: it may be large', () => {
  const answers: unknown[] = [];
  const ack = unpackSent(['key', 'say'], answer => answers.push(answer)).at(-1) as (answer?: unknown) => void; // at the end
  let reads = 0;
  const large = {
    get bytes(): string {
      reads++;
      return 'many';
    },
  };
  ack(large);
  assert.equal(reads, 0);
  const error = { code: 'FULL', message: 'no room' };
  for (const answer of [{ error }, { error, bytes: '' }, { error: 'text' }, { error: null }, [], 'text', null]) ack(answer);
  assert.deepEqual(answers, [
    { answer: large },
    { error },
    ...[{ error, bytes: '' }, { error: 'text' }, { error: null }, [], 'text', null].map(answer => ({ answer })),
  ]);
});

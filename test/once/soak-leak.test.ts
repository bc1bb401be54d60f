/** `npm run soak` finds what it searches for. That there is none is in soak.test.ts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { ROOT } from '../support/app';

test('a leak is found, and said in one sentence', { timeout: 150_000 }, () => {
  const args = ['benchmark/soak.mjs', '--packets', '1000', '--cycles', '100', '--leak'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: 120_000 });
  assert.match(stderr, /^The heap has grown by \d+\.\d+ MB since the warm-up\. Alive: \d+ context, /m);
  assert.equal(status, 1);
});

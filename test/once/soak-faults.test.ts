/** The faults of `npm run soak` in small: Redis is killed once, and a worker. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { ROOT } from '../support/app';

test(
  'clients come back after faults of Redis and of a worker, and the worker that stays holds nothing of them',
  { timeout: 150_000 },
  () => {
    const args = ['benchmark/soak-faults.mjs', '--faults', '1'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: 120_000 });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /^All clients came back each time\./m);
  },
);

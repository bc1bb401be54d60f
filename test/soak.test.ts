/** `npm run soak` in small: packets and connections of every kind leave nothing behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { HOST, ROOT } from './support/app';

function soak(...options: string[]) {
  const args = ['benchmark/soak.mjs', '--host', HOST, ...options];
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: 120_000 });
}

test('nothing is left of packets and connections that have ended', { timeout: 150_000 }, () => {
  const { status, stdout, stderr } = soak('--packets', '10000', '--cycles', '500');
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^Nothing is left\./m);
});

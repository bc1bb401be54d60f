/** `npm run abuse` in small: what attackers get from this plugin, and what it holds of them. What plain Socket.IO does beside it nobody looks at. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { ROOT } from '../support/app';

/** In MB: code that has just been compiled is in it, too. Attackers send 5 to 70 MB. */
const LEFT = 3;

test('attackers get what the limits say, leave nothing behind, and other clients lose nothing', { timeout: 150_000 }, () => {
  const args = ['benchmark/abuse.mjs', '--short', '--markdown'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: 120_000 });
  assert.equal(status, 0, stdout + stderr);
  const [, , ...rows] = stdout.split('\n').filter(line => line.startsWith('|'));
  assert(rows.length > 10, stdout);
  for (const row of rows) {
    const [label, , , left] = row.slice(2).split(' | ');
    assert(Number(left) < LEFT, `${label}: ${left} MB`);
  }
});

test('an attack that does not exist ends it with the names of those that do', () => {
  const { status, stderr } = spawnSync(process.execPath, ['benchmark/abuse.mjs', 'nothing-like-it'], { cwd: ROOT, encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^There is no attack nothing-like-it\. There are backlog, events, /);
});

/** The benchmark's programs, so that they go on running: how fast anything is here nobody looks at. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ROOT } from '../support/app';

/** Cost, ratio, rate, shares. */
const COST = /^\S.* {2,}[1-9][\d.]* \(.+\) +[\d.]+ \(.+\) +[1-9][\d,]* +\d+ % +\d+ %/m;

/** One scenario of each kind, one of its rows, and what is said of it; the others differ in numbers. Each row starts a cluster. */
const CLUSTER: Record<string, readonly [row: string, said: RegExp]> = {
  'cluster-connect': ['5', /^5 +200 /m], // all clients get in
  'cluster-polling': ['5', COST],
  'cluster-pipe-1': ['piped', COST],
  'cluster-hub': ['Redis, 200 B', COST],
};

const SHORT = ['--here', '--rounds', '1', '--warm-up', '0', '--slice', '20'];

test('a scenario runs on raw Socket.IO and on this plugin, and says what each message costs', { timeout: 120_000 }, async t => {
  const { code, stdout, stderr } = await bench(t, 'echo', 'one-way', '--only', 'raw,egg4', ...SHORT);
  assert.equal(code, 0, stderr);
  for (const scenario of ['echo', 'one-way']) {
    const [, ...rows] = (stdout.split(`\n${scenario}: `)[1] ?? '').split('\n').slice(1, 4);
    assert.deepEqual(
      rows.map(row => row.split(' ')[0]),
      ['raw', 'egg4'],
    );
    for (const row of rows)
      assert.match(row, /^\w+ +[1-9][\d.]* \(.+\) +[\d.]+ \(.+\) +[1-9][\d,]* +\d+ % +\d+ %$/, 'cost, ratio, rate, shares');
  }
});

for (const [scenario, [row, said]] of Object.entries(CLUSTER)) {
  test(`so does a cluster behind nginx: ${scenario}`, { timeout: 120_000 }, async t => {
    const { code, stdout, stderr } = await bench(t, scenario, '--only', 'egg3', '--row', row, ...SHORT);
    assert.equal(code, 0, stderr);
    assert.match(stdout.split(`\n${scenario}: `)[1] ?? '', said);
  });
}

test('so does an emit across workers and servers', { timeout: 120_000 }, async t => {
  const { code, stdout, stderr } = await bench(t, 'adapters-one', '--row', 'hub', '--row', 'redis-streams', ...SHORT);
  assert.equal(code, 0, stderr);
  const rows = (stdout.split('\nadapters-one: ')[1] ?? '').split('\n').slice(2, 4);
  assert.deepEqual(
    rows.map(row => row.split(' ')[0]),
    ['hub', 'redis-streams'],
  );
  for (const row of rows) assert.match(row, / {2,}[1-9][\d,]* +\d+ % +\d+ %( +[\d.]+ \(.+?\)){3}$/, 'rate, shares, carrier, p50 and p99');
});

test('a scenario, a server or a row that does not exist ends it with the names of those that do', async t => {
  const scenario = await bench(t, 'ecco', ...SHORT);
  assert.equal(scenario.code, 1);
  assert.match(scenario.stderr, /^There is no scenario ecco\. There are echo, /);
  const server = await bench(t, 'echo', '--only', 'row', ...SHORT);
  assert.equal(server.code, 1);
  assert.match(server.stderr, /^There is no server row\. There are raw, /);
  const row = await bench(t, 'adapters-one', '--row', 'raw', ...SHORT);
  assert.equal(row.code, 1);
  assert.equal(row.stderr, 'There is no such row in adapters-one. There are hub; redis; redis-sharded; redis-streams.\n');
});

test('an earlier build of this plugin is measured beside it', { timeout: 120_000 }, async t => {
  const { code, stdout, stderr } = await bench(t, 'echo', '--against', 'HEAD', ...SHORT);
  assert.equal(code, 0, stderr);
  const [, ...rows] = (stdout.split('\necho: ')[1] ?? '').split('\n').slice(1, 4);
  assert.deepEqual(
    rows.map(row => row.split(' ')[0]),
    ['earlier', 'egg4'],
  );
  assert.match(rows[0] ?? '', / 1\.00 \(1\.00 - 1\.00\) /, 'it is what this build is compared with');
  const unknown = await bench(t, 'echo', '--against', 'nothing-like-it', ...SHORT);
  assert.deepEqual([unknown.code, unknown.stderr], [1, 'nothing-like-it is neither a file nor a commit.\n']);
});

/** Runs it in a temporary folder of its own, and sees that nothing is left there. */
async function bench(t: TestContext, ...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-test-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const result = await new Promise<{ code: unknown; stdout: string; stderr: string }>(resolve => {
    const options = { cwd: ROOT, env: { ...process.env, TMPDIR: folder, BENCH_WORKERS: '2' } };
    execFile(process.execPath, ['benchmark/run.mjs', ...args], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
  assert.deepEqual(readdirSync(folder), [], 'left behind');
  return result;
}

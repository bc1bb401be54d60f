/** The benchmark's programs, so that they go on running: how fast anything is here nobody looks at. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../support/app';

/** Sentences of the guides with figures, and what these are in the results. */
const SENTENCES: readonly (readonly [page: string, sentence: RegExp, figures: (results: Results) => readonly number[]])[] = [
  [
    'docs/cluster.md',
    /Piping costs (\d+) us a message if several are in flight, and (\d+) us for a single one/,
    results => ['cluster-pipe', 'cluster-pipe-1'].map(name => medianOf(results, name, 'piped') - medianOf(results, name, 'at its worker')),
  ],
  [
    'docs/adapters.md',
    /`redis-streams` took ([\d.]+) to ([\d.]+) times the CPU time of `redis`/,
    results => {
      const names = ['adapters-all', 'adapters-room', 'adapters-one'];
      const ratios = names.map(name => medianOf(results, name, 'redis-streams') / medianOf(results, name, 'redis'));
      return [Math.min(...ratios), Math.max(...ratios)];
    },
  ],
];

type Results = Record<string, { rows: { label: string; value: [min: number, median: number, max: number] }[] }>;

/** Cost, ratio, rate, shares. */
const COST = /^\S.* {2,}[1-9][\d.]* \(.+\) +[\d.]+ \(.+\) +[1-9][\d,]* +\d+ % +\d+ %/m;

/** One scenario of each kind, one of its rows, and what is said of it; the others differ in numbers. Each row starts a cluster. */
const CLUSTER: Record<string, readonly [server: string, row: string, said: RegExp]> = {
  'cluster-connect': ['egg3', '5', /^5 +200 /m], // all clients get in
  'cluster-polling': ['egg3', '5', COST],
  'cluster-pipe-1': ['egg3', 'piped', COST],
  'cluster-hub': ['egg3', 'Redis, 200 B', COST],
  'broadcast-hub': ['egg4', 'egg4, over the hub', COST],
};

const SHORT = ['--here', '--rounds', '1', '--warm-up', '0', '--slice', '20'];

test('a scenario runs on raw Socket.IO and on this plugin, and says what each message costs', { timeout: 120_000 }, async t => {
  const { code, stdout, stderr } = await bench(t, 'echo', 'one-way', 'contract', '--only', 'raw,egg4', ...SHORT);
  assert.equal(code, 0, stderr);
  for (const scenario of ['echo', 'one-way', 'contract']) {
    const [, ...rows] = (stdout.split(`\n${scenario}: `)[1] ?? '').split('\n').slice(1, 4);
    assert.deepEqual(
      rows.map(row => row.split(' ')[0]),
      ['raw', 'egg4'],
    );
    for (const row of rows)
      assert.match(row, /^\w+ +[1-9][\d.]* \(.+\) +[\d.]+ \(.+\) +[1-9][\d,]* +\d+ % +\d+ %$/, 'cost, ratio, rate, shares');
  }
});

for (const [scenario, [server, row, said]] of Object.entries(CLUSTER)) {
  test(`so does a cluster: ${scenario}`, { timeout: 120_000 }, async t => {
    // the processor's time of processes counts in hundredths of a second
    const { code, stdout, stderr } = await bench(t, scenario, '--only', server, '--row', row, ...SHORT, '--slice', '100');
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

test('so does an emit with and without recovery', { timeout: 120_000 }, async t => {
  const { code, stdout, stderr } = await bench(t, 'recovery', 'recovery-socket', ...SHORT);
  assert.equal(code, 0, stderr);
  for (const scenario of ['recovery', 'recovery-socket']) {
    const rows = (stdout.split(`\n${scenario}: `)[1] ?? '').split('\n').slice(2, 4);
    assert.deepEqual(
      rows.map(row => row.split(' recovery ')[0]),
      ['without', 'with'],
    );
    for (const row of rows) assert.match(row, COST);
  }
});

test('so does an emit to a room with and without history', { timeout: 120_000 }, async t => {
  const { code, stdout, stderr } = await bench(t, 'history', ...SHORT);
  assert.equal(code, 0, stderr);
  const rows = (stdout.split('\nhistory: ')[1] ?? '').split('\n').slice(2, 5);
  assert.deepEqual(
    rows.map(row => /^(.*?) {2,}/.exec(row)?.[1]),
    ['without history', 'with history', 'with history at both ends'],
  );
  for (const row of rows) assert.match(row, COST);
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

test('the tables and the chart of the pages are those of the saved results', async () => {
  await promisify(execFile)(process.execPath, ['benchmark/save.mjs', '--check'], { cwd: ROOT });
});

test('the figures in the sentences of the guides are those of the saved results', () => {
  const results = JSON.parse(readFileSync(join(ROOT, 'benchmark/results/node-20.json'), 'utf8')) as Results;
  for (const [page, sentence, figures] of SENTENCES) {
    const [, ...written] = sentence.exec(readFileSync(join(ROOT, page), 'utf8')) ?? [];
    const measured = figures(results).map((figure, i) => figure.toFixed(written[i]?.split('.')[1]?.length ?? 0));
    assert.deepEqual(written, measured, page);
  }
});

test('the names and times of scenarios are printed without measuring anything', async t => {
  const { code, stdout } = await bench(t, '--list', 'echo', 'storm');
  assert.equal(code, 0);
  assert.match(stdout, /^echo +\d+ \w+ {3}echo with an acknowledgement/);
  assert.match(stdout, /^storm +\d+ min {3}20 clients .+$/m);
  assert.match(stdout, /^About \d+ min, if the machine is idle\.\n$/m);
});

function medianOf(results: Results, name: string, label: string): number {
  const [, median] = results[name]?.rows.find(row => row.label === label)?.value ?? [];
  assert(median, `${name}, ${label}`);
  return median;
}

/** Runs it in a temporary folder of its own, and sees that nothing is left there. */
async function bench(t: TestContext, ...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-test-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const result = await new Promise<{ code: unknown; stdout: string; stderr: string }>(resolve => {
    const options = { cwd: ROOT, env: { ...process.env, TMPDIR: folder, BENCH_WORKERS: '2', BENCH_CLIENTS: '20' } };
    execFile(process.execPath, ['benchmark/run.mjs', ...args], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
  assert.deepEqual(readdirSync(folder), [], 'left behind');
  return result;
}

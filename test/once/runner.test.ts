/** How the tests are run: see scripts/unit.mjs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../support/app';

const FILE = `const { test } = require('node:test');
const never = async () => {
  setInterval(() => {}, 1000);
  await new Promise(() => {});
};
test('waits for ever', never);
test('waits, and says for how long', { timeout: 10 }, never);
test('has a part that waits for ever', { timeout: 60_000 }, async t => {
  await t.test('the part', { timeout: 10 }, never);
});
test('skipped', { skip: true }, never);
test('short', () => {});
`;

test('a test that waits for ever fails by a time-out of its own, which names it and its place; those after it run', async t => {
  const report = await reportOf(t, FILE, { TEST_TIMEOUT: '100' });
  assert.deepEqual(
    [...report.matchAll(/^( *)(ok|not ok) \d+ - (.*)$/gm)].map(([, indent = '', result, name]) => [indent.length, result, name]),
    [
      [0, 'not ok', 'waits for ever'],
      [0, 'not ok', 'waits, and says for how long'],
      [4, 'not ok', 'the part'],
      [0, 'not ok', 'has a part that waits for ever'],
      [0, 'ok', 'skipped # SKIP'],
      [0, 'ok', 'short'],
    ],
  );
  assert.deepEqual(
    [...report.matchAll(/timed out after (\d+)ms/g)].map(([, ms]) => ms),
    ['100', '10', '10'],
  );
  assert.match(report, /not ok 1 - waits for ever\n {2}---\n(?: .*\n)*? {2}location: '.*\/waiting\.test\.js:6:1'\n/);
});

test('what a test still waits for when its time is out is printed, and who waits', async t => {
  const support = (name: string): string => `require(${JSON.stringify(join(__dirname, '../support', name))})`;
  const code = `const { test } = require('node:test');
const { next } = ${support('client')};
const { Logs } = ${support('logs')};
const { until } = ${support('until')};
const emitter = new (require('node:events'))();
test('ends', async () => {
  setImmediate(() => emitter.emit('heard'));
  await next(emitter, 'heard');
});
test('waits for ever', async t => {
  setInterval(() => {}, 1000);
  await Promise.all([next(emitter, 'unheard'), until(t, () => emitter.isThere), new Logs().logged(/a line/)]);
});
`;
  const report = await reportOf(t, code, { TEST_TIMEOUT: '1000' });
  assert.match(report, /^ok 1 [^]*^not ok 2 /m);
  assert.deepEqual(report.match(/(?<=still waits for ).*/g), [`the event 'unheard'`, '() => emitter.isThere', 'a line with /a line/']);
  assert.equal(report.match(/ at .*waiting\.test\.js:12:/g)?.length, 3);
});

test('with CI=true time-outs are twice as long', async t => {
  const report = await reportOf(t, FILE, { CI: 'true', TEST_TIMEOUT: '100' });
  assert.match(report, /^ {2}error: 'test timed out after 20ms'$/m);
});

test('a process that something keeps after its last test ends, and fails', async t => {
  const report = await reportOf(t, `require('node:test').test('short', () => void setInterval(() => {}, 1000));`, {
    TEST_TIMEOUT: '100',
  });
  assert.match(report, /^ok 1 - short$/m);
  assert.match(report, /^Something is left behind: the process has not ended 100 ms after its last test \(.*Timeout.*\)\.$/m);
});

test('what a test starts writes nothing over its report', async t => {
  const started = `require('node:child_process').fork(${JSON.stringify(join(ROOT, 'scripts/run.mjs'))}), new (require('node:worker_threads').Worker)('', { eval: true })`;
  const code = `const { test } = require('node:test');
test('reported before', () => {});
test('starts', () => Promise.all([${started}].map(one => require('node:events').once(one, 'exit'))));`;
  const report = join(await newFolder(t), 'report.tap');
  await reportOf(t, code, { TEST_TIMEOUT: '20000' }, `--test-reporter-destination=${report}`);
  assert.match(await readFile(report, 'utf8'), /^TAP version 13\n# Subtest: reported before\nok 1 [^]*^ok 2 - starts$[^]*^# pass 2$/m);
});

test('a file that has run no test has failed, unless all of its tests are skipped', async t => {
  const { resultOf } = (await import(pathToFileURL(join(ROOT, 'scripts/unit.mjs')).href)) as {
    resultOf(path: string, status: number | null, output: string): { passed: number; failed: number; skipped: number; failures: string[] };
  };
  const report = join(await newFolder(t), 'report.tap');
  const results = [];
  for (const [passed, skipped, status] of [
    [0, 0, 0],
    [0, 2, 0],
    [1, 0, 0],
    [1, 0, 1],
  ] as const) {
    await writeFile(report, `TAP version 13\n# pass ${passed}\n# fail 0\n# cancelled 0\n# skipped ${skipped}\n`);
    results.push(resultOf(report, status, 'the last words\n'));
  }
  assert.deepEqual(results, [
    { passed: 0, failed: 1, skipped: 0, failures: ['it has run no test'] },
    { passed: 0, failed: 0, skipped: 2, failures: [] },
    { passed: 1, failed: 0, skipped: 0, failures: [] },
    { passed: 1, failed: 1, skipped: 0, failures: ['no test has failed, but the process has ended with 1:\nthe last words'] },
  ]);
  assert.equal(resultOf(join(ROOT, 'nowhere.tap'), 0, '').failed, 1);
});

test('a task whose result cannot be read has failed, and those that need it run', async () => {
  const { runAll, Total } = await queue();
  const total = new Total();
  const [command, args] = [process.execPath, ['--eval', '']];
  const broken = { title: 'broken', command, args, count: () => assert.fail('no report') };
  await runAll([broken, { title: 'next', needs: [broken], command, args }], total);
  assert.equal(total.passed, 1);
  assert.match(total.toString(), /^== failed: broken\n.*no report[^]*\n1 passed, 1 failed$/m);
});

test('a task that needs what is not among the tasks ends the run', async () => {
  const { runAll, Total } = await queue();
  const task = { title: 'lonely', command: process.execPath, args: [] };
  await assert.rejects(runAll([{ ...task, needs: [task] }], new Total()), /lonely needs what is not among the tasks/);
});

async function queue(): Promise<{
  runAll(tasks: object[], total: object): Promise<void>;
  Total: new () => { readonly passed: number; toString(): string };
}> {
  return import(pathToFileURL(join(ROOT, 'scripts/queue.mjs')).href);
}

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runner-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** What a file of tests reports in this environment. */
async function reportOf(t: TestContext, code: string, given: Readonly<Record<string, string>>, ...options: string[]): Promise<string> {
  const file = join(await newFolder(t), 'waiting.test.js');
  await writeFile(file, code);
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, CI: undefined, ...given }; // it is no part of this run
  const args = [`--require=${join(ROOT, 'scripts/test-process.cjs')}`, '--test-reporter=tap', ...options, file];
  return new Promise(resolve => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => resolve(`${stdout}${stderr}${error?.code}`));
  });
}

/** The page on tests, with each runner that it names, and the package as it is installed. The page itself is followed by docs.test.ts. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { type Files, removeApp, ROOT } from '../support/app';
import { readPage } from '../support/page';

const RUNNERS = join(ROOT, 'test/runners');
const PACKAGE = ['agent.js', 'app.js', 'config', 'dist', 'package.json', 'test.js'];
const OF_NODE = "const { test } = require('node:test');\n";

/** What is only seen from another test: the end of what the one before has begun. */
const ENDS = `const assert = require('node:assert');
${OF_NODE}const { ioTest } = require('egg-socket.io/test');

let alice;

test('a test forgets a client and a mock', async () => {
  const { app, io } = await ioTest();
  app.mockService('clock', 'now', () => 12);
  alice = await io('/');
  assert.equal(alice.connected, true);
});

test('the next one finds neither', async () => {
  assert.equal(alice.connected, false);
  const { io } = await ioTest();
  const bob = await io('/');
  await bob.call('say', 'hello');
  assert.notEqual((await bob.next('said'))[1], 12);
});
`;

const REQUIRED = /^const (.+) = require\((.+)\);$/gm;

interface Runner {
  /** Default: that of the package of this name. */
  readonly command?: string;
  readonly args: readonly string[];
  /** The tests of the page, as the runner wants them. */
  readonly change: (code: string) => string;
  readonly passed: RegExp;
  /** How many times the app has closed in a run of two files. */
  readonly closed: number;
}

const RUNS = Object.entries<Runner>({
  'node:test': {
    command: process.execPath,
    args: ['--test', '--test-force-exit', 'test/chat.test.js', 'test/ends.test.js'],
    change: code => code,
    passed: /^\S+ pass 6$/m,
    closed: 2,
  },
  mocha: {
    args: ['--exit', '--timeout', '20000', 'test/*.test.js'],
    change: code => code.replace(OF_NODE, 'const test = it;\n'),
    passed: /6 passing/,
    closed: 1,
  },
  jest: {
    args: ['--forceExit', '--testTimeout', '20000', '--ci'],
    change: code => code.replace(OF_NODE, ''),
    passed: /Tests: +6 passed, 6 total/,
    closed: 2,
  },
  vitest: {
    args: ['run', '--testTimeout', '20000', '--no-color'],
    change: code => code.replace("'node:test'", "'vitest'").replaceAll(REQUIRED, 'import $1 from $2;'),
    passed: /Tests +6 passed \(6\)/,
    closed: 2,
  },
});

for (const [name, { command = join(RUNNERS, 'node_modules/.bin', name), args, change, passed, closed }] of RUNS) {
  test(`the tests of the page pass with ${name}, and each ends what it has begun`, { timeout: 60_000 }, async t => {
    const cwd = await mkdtemp(join(await madeFolder(join(RUNNERS, '.apps')), 'app-'));
    t.after(async () => removeApp(cwd));
    for (const part of PACKAGE) await cp(join(ROOT, part), join(cwd, 'node_modules/egg-socket.io', part), { recursive: true });
    const { samples } = await readPage('docs/testing.md');
    const files: Files = {
      ...Object.fromEntries(samples.flatMap(({ path, code }) => (path === undefined ? [] : [[path, code]]))),
      'test/ends.test.js': ENDS,
      'package.json': '{ "name": "app", "type": "commonjs" }',
      'app.js': `module.exports = app => app.beforeClose(() => require('node:fs').appendFileSync(app.baseDir + '/closed', '.'));`,
      'config/plugin.js': "exports.io = { enable: true, package: 'egg-socket.io' };",
      'config/config.unittest.js': "exports.keys = 'keys'; exports.logger = { consoleLevel: 'NONE' };",
    };
    assert.ok('test/chat.test.js' in files);
    for (const [path, code] of Object.entries(files)) {
      const isTest = path.startsWith('test/');
      const target = join(cwd, isTest && name === 'vitest' ? path.replace('.js', '.mjs') : path);
      await madeFolder(dirname(target));
      await writeFile(target, isTest ? change(code) : code);
    }
    const { NODE_TEST_CONTEXT: _, ...env } = process.env; // a run of its own, not a part of this one
    const output = await new Promise<string>(resolve => {
      execFile(command, [...args], { cwd, env }, (_, out, err) => resolve(out + err));
    });
    assert.match(output, passed);
    assert.equal(await readFile(join(cwd, 'closed'), 'utf8'), '.'.repeat(closed));
  });
}

async function madeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}

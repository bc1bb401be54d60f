/** The page on tests, with each runner that it names, and the package as it is installed. The page itself is followed with node:test and mocha. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { removeApp, ROOT } from '../support/app';
import { readPage } from '../support/page';

const RUNNERS = join(ROOT, 'test/runners');
const PACKAGE = ['agent.js', 'app.js', 'config', 'dist', 'package.json', 'test.js'];
const OF_NODE = "const { test } = require('node:test');\n";

const REQUIRED = /^const (.+) = require\((.+)\);$/gm;

for (const [name, args, change, passed] of [
  ['jest', ['--forceExit', '--ci'], (code: string) => code.replace(OF_NODE, ''), /Tests: +3 passed, 3 total/],
  [
    'vitest',
    ['run', '--no-color'],
    (code: string) => code.replace("'node:test'", "'vitest'").replaceAll(REQUIRED, 'import $1 from $2;'),
    /Tests +3 passed \(3\)/,
  ],
] as const) {
  test(`the tests of the page pass with ${name}`, { timeout: 60_000 }, async t => {
    const cwd = await mkdtemp(join(await madeFolder(join(RUNNERS, '.apps')), 'app-'));
    t.after(async () => removeApp(cwd));
    for (const part of PACKAGE) await cp(join(ROOT, part), join(cwd, 'node_modules/egg-socket.io', part), { recursive: true });
    const { samples } = await readPage('docs/testing.md');
    const files = samples.flatMap(({ path, code }) => (path === undefined ? [] : [[path, code] as const]));
    assert.ok(files.some(([path]) => path === 'test/chat.test.js'));
    for (const [path, code] of [
      ...files,
      ['package.json', '{ "name": "app", "type": "commonjs" }'] as const,
      ['config/plugin.js', "exports.io = { enable: true, package: 'egg-socket.io' };"] as const,
      ['config/config.unittest.js', "exports.keys = 'keys'; exports.logger = { consoleLevel: 'NONE' };"] as const,
    ]) {
      const isTest = path.startsWith('test/');
      const target = join(cwd, isTest && name === 'vitest' ? path.replace('.js', '.mjs') : path);
      await madeFolder(dirname(target));
      await writeFile(target, isTest ? change(code) : code);
    }
    const { NODE_TEST_CONTEXT: _, ...env } = process.env; // a run of its own, not a part of this one
    const output = await new Promise<string>(resolve => {
      execFile(join(RUNNERS, 'node_modules/.bin', name), [...args], { cwd, env }, (_, out, err) => resolve(out + err));
    });
    assert.match(output, passed);
  });
}

async function madeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}

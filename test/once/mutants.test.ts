import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/app';

/** What its test looks at is the greater of two numbers, and never that of two equal ones; nor what is counted. */
const FILES = {
  'src/greater.ts': `export const counted: number[] = [];
export function greater(one: number, other: number): number {
  counted.push(1);
  return one > other ? one : other;
}
`,
  'dist/greater.js': 'exports.greater = (one, other) => one > other ? one : other;',
  'test/greater.test.ts': '',
  '.build/test/greater.test.js': `const { greater } = require('../../dist/greater');
require('node:test').test('the greater one', () => require('node:assert/strict').deepEqual([greater(1, 2), greater(2, 1)], [2, 2]));
`,
};

test('npm run mutants names the changes that no test notices, and puts the build back', { timeout: 60_000 }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'mutants-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // its tests are no part of this run
  const run = (...words: string[]): string => {
    const { stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/mutants.mjs'), ...words], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
    return stdout + stderr;
  };
  assert.equal(
    run('greater'),
    `src/greater.ts, by test/greater.test.ts
src/greater.ts:3: no test notices that this
  counted.push(1);
is this:
  ;
src/greater.ts:4: no test notices that this
  one > other
is this:
  one >= other
3 changes, 2 of them not noticed
`,
  );
  assert.equal(await readFile(join(folder, 'dist/greater.js'), 'utf8'), FILES['dist/greater.js']);
  assert.match(run('lesser'), /^0 source files and 0 test files match\./);
});

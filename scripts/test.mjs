/**
 * `npm test`: installs what is missing, then runs every check and every test. Needs nothing but Node and npm.
 * Its end is what has failed and the total, to which each check counts like a test. With CI=true the tests that depend on Node run on Node 24, too.
 *
 * `npm run test:quick` (`--quick`): the checks and, on egg 4, the tests that need no program but Node.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { heading } from './check.mjs';
import { installMissing } from './install.mjs';
import { installMissingPrograms } from './system.mjs';
import { runAll, Total } from './queue.mjs';
import { quickTasks, tasksOfNode24, testTasks } from './unit.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COVERAGE = join(ROOT, 'coverage');
/** Each is a script of package.json, to be run alone as `npm run lint`. They follow `types`, which compiles. */
const CHECKS = ['test:types', 'format', 'package', 'lint', 'dead-code'];
const QUICK_CHECKS = ['format', 'lint', 'dead-code'];
/** There are other versions of Node for this platform only. */
const HAS_NODES = process.platform === 'linux' && process.arch === 'x64';

const isQuick = process.argv.includes('--quick');
const total = new Total();
try {
  await install();
  await runAll([check('types')], total);
  await (isQuick ? runQuick() : runWhole());
} catch (error) {
  total.add(error.message, { failed: 1 });
}
if (total.failed > 0) process.exitCode = 1;
console.log(String(total));

async function runQuick() {
  await runAll([...QUICK_CHECKS.map(check), ...quickTasks()], total);
}

/** All of it in one queue: no core waits for the end of one part of it. */
async function runWhole() {
  rmSync(COVERAGE, { recursive: true, force: true });
  const env = { NODE_V8_COVERAGE: join(COVERAGE, 'tmp') }; // every Node process of these writes there, Egg's workers included
  await runAll(
    [
      ...CHECKS.map(check),
      ...testTasks({ hosts: ['egg4'], env }),
      ...testTasks({ hosts: ['egg3', 'egg41'], once: false }),
      ...(process.env.CI && HAS_NODES ? tasksOfNode24() : []),
    ],
    total,
  );
  await runAll([check('coverage')], total);
}

async function install() {
  heading('install what is missing');
  if (!isQuick) installMissingPrograms();
  const folders = ['.', 'test/hosts/plugins', 'test/parsers'];
  const others = [
    'test/hosts/egg3',
    'test/hosts/egg41',
    'test/bundlers',
    'benchmark',
    'test/dev-servers',
    ...(HAS_NODES ? ['test/nodes'] : []),
  ];
  for (const folder of isQuick ? folders : [...folders, ...others]) await installMissing(join(ROOT, folder));
}

function check(name) {
  return { title: name, weight: 100, command: 'npm', args: ['run', '--silent', name] }; // they tell the most
}

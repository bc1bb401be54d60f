/**
 * `npm test`: installs what is missing, then runs every check and every test. Needs nothing but Node and npm.
 * Its end is what has failed and the total, to which each check counts like a test. With CI=true, what depends on Node runs on Node 24: see unit.mjs.
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
import { movesToNode24, quickTasks, tasksOfNode24, testTasks } from './unit.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const isQuick = process.argv.includes('--quick');
const COVERAGE = join(ROOT, 'coverage');
/** Each is a script of package.json, to be run alone as `npm run lint`. `types` compiles. */
const CHECKS = ['format', 'package', 'lint', 'dead-code'];
const QUICK_CHECKS = ['format', 'lint', 'dead-code'];
/** There are other versions of Node for this platform only. */
const HAS_NODES = process.platform === 'linux' && process.arch === 'x64';
const HAS_NODE_24 = Boolean(process.env.CI) && HAS_NODES;

/** What is installed before anything else, and while the first tests run. */
const FOLDERS = [
  '.',
  'test/hosts/plugins',
  'test/hosts/tegg',
  'example/tegg-chat', // the check of types that lint makes needs its packages
  'test/parsers',
  'test/schemas',
  'test/admin-ui',
  ...(HAS_NODES && !isQuick ? ['test/nodes'] : []),
];
const OTHER_FOLDERS = [
  'test/hosts/egg3',
  'test/hosts/egg41',
  'test/bundlers',
  'test/runners',
  'test/documents',
  'test/opentelemetry',
  'test/deployment',
  'benchmark',
  'test/dev-servers',
];

const total = new Total();
try {
  heading('install what is missing');
  if (!isQuick) installMissingPrograms();
  await Promise.all(FOLDERS.map(folder => installMissing(join(ROOT, folder))));
  await runAll(isQuick ? quickTasksAndChecks() : allTasks(), total);
} catch (error) {
  total.add(error.message, { failed: 1 });
}
if (total.failed > 0) process.exitCode = 1;
console.log(String(total));

function quickTasksAndChecks() {
  const types = check('types');
  return [types, ...after([types], [...QUICK_CHECKS.map(name => check(name)), ...quickTasks()])];
}

/** All of it in one queue: no core waits for the end of one part of it. */
function allTasks() {
  rmSync(COVERAGE, { recursive: true, force: true });
  const env = { NODE_V8_COVERAGE: join(COVERAGE, 'tmp') };
  const types = check('types');
  const installs = OTHER_FOLDERS.map(installTask);
  const needsOthers = file => file.startsWith('test/once/') || file === 'test/docs.test.ts';
  const isHere = (file, host) => !(HAS_NODE_24 && movesToNode24(file, host));
  const early = after([types], testTasks({ hosts: ['egg4'], env, filter: (file, host) => !needsOthers(file) && isHere(file, host) }));
  const late = after([types, ...installs], testTasks({ hosts: ['egg4'], env, filter: needsOthers }));
  return [
    types,
    ...installs,
    ...after(
      [types],
      CHECKS.map(name => check(name)),
    ),
    ...early,
    ...late,
    ...after(
      [types, ...installs],
      [
        check('test:types'),
        ...testTasks({ hosts: ['egg3', 'egg41'], once: false, filter: isHere }),
        ...(HAS_NODE_24 ? tasksOfNode24() : []),
      ],
    ),
    ...after([...early, ...late], [check('coverage')]),
  ];
}

function after(needs, tasks) {
  return tasks.map(task => ({ ...task, needs }));
}

function check(name) {
  return { title: name, weight: 100, command: 'npm', args: ['run', '--silent', name] }; // they tell the most
}

/** It is no check: what fails for want of it fails, too. */
function installTask(folder) {
  const count = status => (status === 0 ? {} : { failed: 1 });
  return { title: `install ${folder}`, weight: 200, command: process.execPath, args: ['scripts/install.mjs', folder], count };
}

/**
 * `npm test`: installs what is missing, then runs every check and every test. Needs nothing but Node and npm.
 * Its end is what has failed and the total, to which each check counts like a test. With CI=true the suite runs on Node 24, too.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { heading, runs } from './check.mjs';
import { installMissing } from './install.mjs';
import { installMissingPrograms } from './system.mjs';
import { runSuite, Total } from './unit.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COVERAGE = join(ROOT, 'coverage');
/** Each is a script of package.json, to be run alone as `npm run lint`. */
const CHECKS = ['format', 'types', 'lint', 'test:types', 'dead-code', 'package'];
/** There are other versions of Node for this platform only. */
const HAS_NODES = process.platform === 'linux' && process.arch === 'x64';

const total = new Total();
try {
  await install();
  for (const name of CHECKS) check(name);
  rmSync(COVERAGE, { recursive: true, force: true });
  process.env.NODE_V8_COVERAGE = join(COVERAGE, 'tmp'); // every Node process from here on writes there, Egg's workers included
  runSuite(total);
  delete process.env.NODE_V8_COVERAGE;
  check('coverage');
  if (process.env.CI && HAS_NODES) runSuite(total, { node: '24', hosts: ['egg4', 'egg3'] });
} catch (error) {
  total.add(error.message, { failed: 1 });
}
if (total.failed > 0) process.exitCode = 1;
console.log(String(total));

async function install() {
  heading('install what is missing');
  installMissingPrograms();
  for (const folder of [
    '.',
    'test/hosts/egg3',
    'test/hosts/egg41',
    'test/hosts/plugins',
    'test/bundlers',
    'benchmark',
    'test/dev-servers',
    ...(HAS_NODES ? ['test/nodes'] : []),
  ])
    await installMissing(join(ROOT, folder));
}

function check(name) {
  heading(name);
  total.add(name, runs('npm', ['run', '--silent', name]) ? { passed: 1 } : { failed: 1 });
}

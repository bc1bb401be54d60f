/** Compiles test/types with the oldest and the newest TypeScript that users may have, against the types of each version of Egg. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Egg's own declarations, checked strictly, have errors of their own. */
const OURS = /^(dist|src|test\/types)\//;

for (const compiler of ['typescript-5.9', 'typescript']) {
  const folder = join(ROOT, 'node_modules', compiler);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  for (const [host, config] of Object.entries({ egg4: 'tsconfig', egg3: 'tsconfig.egg3', egg41: 'tsconfig.egg41' })) {
    const { stdout, status } = spawnSync(
      process.execPath,
      [join(folder, 'bin/tsc'), '--pretty', 'false', '-p', `test/types/${config}.json`],
      {
        cwd: ROOT,
        encoding: 'utf8',
      },
    );
    const errors = stdout.split('\n').filter(line => OURS.test(line));
    // a compiler that has not got as far as to the files says so without naming one
    if (status !== 0 && !/^\S+\(\d+,\d+\): error/m.test(stdout)) errors.push(stdout || `ended with ${status}`);
    console.log(`TypeScript ${version}, types of ${host}: ${errors.length === 0 ? 'ok' : 'failed'}`);
    for (const error of errors) console.log(error);
    if (errors.length > 0) process.exitCode = 1;
  }
}

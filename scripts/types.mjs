/** Compiles test/types with the oldest and the newest TypeScript that users may have, against the types of each version of Egg. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Egg's own declarations, checked strictly, have errors of their own. */
const OURS = /^(dist|src|test\/types)\//;

const HOSTS = { egg4: 'tsconfig', egg3: 'tsconfig.egg3', egg41: 'tsconfig.egg41' };
const COMPILERS = ['typescript-5.9', 'typescript'];

const jobs = COMPILERS.flatMap(compiler => Object.keys(HOSTS).map(host => ({ compiler, host })));
await Promise.all([work(), work()]);

async function work() {
  for (let job = jobs.shift(); job; job = jobs.shift()) await compile(job);
}

async function compile({ compiler, host }) {
  const folder = join(ROOT, 'node_modules', compiler);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  // the old compiler takes its time for the declarations of a host: one is enough to hear what it says of ours
  const options = compiler === 'typescript-5.9' && host !== 'egg4' ? ['--skipLibCheck'] : [];
  const child = spawn(
    process.execPath,
    [join(folder, 'bin/tsc'), '--pretty', 'false', '-p', `test/types/${HOSTS[host]}.json`, ...options],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.on('data', chunk => (output += String(chunk)));
  const [status] = await once(child, 'close');
  const errors = output.split('\n').filter(line => OURS.test(line));
  // a compiler that has not got as far as to the files says so without naming one
  if (status !== 0 && !/^\S+\(\d+,\d+\): error/m.test(output)) errors.push(output || `ended with ${status}`);
  console.log([`TypeScript ${version}, types of ${host}: ${errors.length === 0 ? 'ok' : 'failed'}`, ...errors].join('\n'));
  if (errors.length > 0) process.exitCode = 1;
}

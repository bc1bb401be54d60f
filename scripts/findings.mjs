/** `npm run findings -- WORD`: runs the findings whose name contains the word, or all, and says which have changed. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { heading } from './check.mjs';

const FOLDER = fileURLToPath(new URL('../findings/', import.meta.url));
const [word = ''] = process.argv.slice(2);

/** What a script's exit code means, as findings/README.md has it. */
const MEANINGS = { 1: 'has changed', 2: 'could not install its packages' };

const names = readdirSync(FOLDER).filter(name => name.endsWith('.sh') && name.includes(word));
const others = [];
for (const name of names) {
  heading(name);
  const { status } = spawnSync('bash', [FOLDER + name], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) others.push(`${name} ${MEANINGS[status] ?? `ended with ${status}`}`);
}
console.log([`\n${names.length - others.length} of ${names.length} are as they were`, ...others].join('\n'));
if (others.length > 0 || names.length === 0) process.exitCode = 1;

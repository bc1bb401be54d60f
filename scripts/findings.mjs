/** `npm run findings -- WORD`: runs the findings whose name contains the word, or all, and says which have changed. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { heading, runs } from './check.mjs';

const FOLDER = fileURLToPath(new URL('../findings/', import.meta.url));
const [word = ''] = process.argv.slice(2);

const names = readdirSync(FOLDER).filter(name => name.endsWith('.sh') && name.includes(word));
const changed = [];
for (const name of names) {
  heading(name);
  if (!runs('bash', [FOLDER + name])) changed.push(name);
}
console.log(
  `\n${names.length - changed.length} of ${names.length} are as they were${changed.map(name => `, ${name} has changed`).join('')}`,
);
if (changed.length > 0 || names.length === 0) process.exitCode = 1;

/** `npx egg-socket.io migrate [folder]`: reads the source of an app, and prints what to write instead of each old use. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { check, type Finding } from './check';
import { colored, oneLine, print } from './output';
import type { Effect } from './rules';

/** Folders that are not read. */
export const SKIPPED = ['node_modules', 'dist', 'run', 'logs', 'public'];

const SOURCE = /\.[cm]?[jt]sx?$/;
const COLORS: Record<Effect, number> = { breaks: 31, deprecated: 33, look: 36 };

/** Returns the code to exit with. */
export function migrate(folder: string): number {
  const counts: Record<Effect | 'unreadable', number> = { breaks: 0, deprecated: 0, look: 0, unreadable: 0 };
  const files = [...filesIn(folder)];
  for (const file of files) {
    const path = relative(folder, file).split(sep).join('/');
    try {
      for (const finding of check(readFileSync(file, 'utf8'), path)) {
        counts[finding.rule.effect]++;
        print(describe(path, finding));
      }
    } catch (error) {
      counts.unreadable++;
      print(`${path}: cannot be read (${oneLine(error)})\n`);
    }
  }
  const { breaks, deprecated, look, unreadable } = counts;
  print(
    `files: ${files.length}${unreadable > 0 ? ` (${unreadable} not read)` : ''}; breaks: ${breaks}, deprecated: ${deprecated}, look: ${look}`,
  );
  print('The reasons are in egg-socket.io/docs/migrating.md.');
  return breaks + unreadable > 0 ? 1 : 0;
}

/** In the order of their names, whatever the file system's is. */
function* filesIn(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED.includes(entry.name) && !entry.name.startsWith('.')) yield* filesIn(path);
    if (entry.isFile() && ((SOURCE.test(entry.name) && !entry.name.endsWith('.d.ts')) || entry.name === 'package.json')) yield path;
  }
}

function describe(path: string, { line, column, old, rule }: Finding): string {
  return `${path}:${line}:${column} ${colored(rule.effect, COLORS[rule.effect])}: ${old}\n  ${rule.advice} (#${rule.anchor})\n`;
}

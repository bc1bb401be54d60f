/** `npx egg-socket.io migrate [folder]` */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { check, type Finding } from './check';
import type { Effect } from './rules';

const SKIPPED = ['node_modules', 'dist', 'run', 'logs', 'public'];

const USAGE = `Usage: npx egg-socket.io migrate [folder]

Reads the source of an app that was written for egg-socket.io 4 (JavaScript and TypeScript), and prints what to write instead for each old use:
  breaks      fails, or does something else
  deprecated  goes on, with a line in the log
  look        goes on, but for a case that the source does not show

folder: that of the app; default: the current one. Folders named ${SKIPPED.join(', ')} and hidden ones are skipped.
Exits with 1 if something breaks, or a file could not be read; with 2 if it is called in another way; else with 0.`;

const SOURCE = /\.[cm]?[jt]sx?$/;
const COLORS: Record<Effect, number> = { breaks: 31, deprecated: 33, look: 36 };

process.exitCode = main();

function main(): number {
  const folder = readArguments();
  if (typeof folder === 'number') return folder;
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

/** The folder, or the code to exit with. */
function readArguments(): string | number {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help) {
      print(USAGE);
      return 0;
    }
    const [command, folder = '.', ...more] = positionals;
    if (command !== 'migrate' || more.length > 0)
      throw new Error(command === undefined ? 'no command is given' : `no such command: ${positionals.join(' ')}`);
    const path = resolve(folder);
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${folder} is no folder`);
    return path;
  } catch (error) {
    process.stderr.write(`egg-socket.io: ${oneLine(error)}\n\n${USAGE}\n`);
    return 2;
  }
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
  return `${path}:${line}:${column} ${colored(rule.effect)}: ${old}\n  ${rule.advice} (#${rule.anchor})\n`;
}

function colored(effect: Effect): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? `\u001b[${COLORS[effect]}m${effect}\u001b[0m` : effect;
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

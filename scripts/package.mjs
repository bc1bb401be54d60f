/** Checks the package as it would be published: packs it, and has publint and attw look at the tarball. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runs } from './check.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = join(ROOT, '.build');

mkdirSync(FOLDER, { recursive: true });
const pack = spawnSync('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', FOLDER], { cwd: ROOT, encoding: 'utf8' });
if (pack.status !== 0) {
  console.error(pack.stdout, pack.stderr);
  process.exit(1);
}
const [{ filename, size, unpackedSize, files }] = JSON.parse(pack.stdout.slice(pack.stdout.indexOf('[\n'))); // prepack prints, too
const tarball = join(FOLDER, filename);
const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
console.log(
  `${filename}: ${kilobytes(size)}, unpacked ${kilobytes(unpackedSize)} in ${files.length} files, ${Object.keys(dependencies).length} runtime dependencies`,
);

const ok = [runs('npx', ['publint', tarball, '--strict']), runs('npx', ['attw', tarball])];
if (ok.includes(false)) process.exitCode = 1;

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

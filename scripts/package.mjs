/** Checks the packages as they would be published: packs them, and has publint and attw look at the tarballs. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runs } from './check.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = join(ROOT, '.build');

mkdirSync(FOLDER, { recursive: true });
const ok = [...check('.'), ...check('packages/mini-program')];
if (ok.includes(false)) process.exitCode = 1;

function check(path) {
  const args = ['pack', '--json', '--loglevel=error', '--pack-destination', FOLDER];
  const pack = spawnSync('npm', args, { cwd: join(ROOT, path), encoding: 'utf8' });
  if (pack.status !== 0) {
    console.error(pack.stdout, pack.stderr);
    return [false];
  }
  const [{ filename, size, unpackedSize, files }] = JSON.parse(pack.stdout.slice(pack.stdout.indexOf('[\n'))); // prepack prints, too
  const tarball = join(FOLDER, filename);
  const { dependencies = {} } = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'));
  console.log(
    `${filename}: ${kilobytes(size)}, unpacked ${kilobytes(unpackedSize)} in ${files.length} files, ${Object.keys(dependencies).length} runtime dependencies`,
  );
  return [runs('npx', ['publint', tarball, '--strict']), runs('npx', ['attw', tarball])];
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

/** Installs what package-lock.json names and node_modules lacks. As a program: in the folders that it is given. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';

const OPTIONS = ['--include=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];

/** Runs npm in a folder, unless everything is there. */
export async function installMissing(folder) {
  const missing = missingIn(folder);
  if (missing.length === 0) return;
  console.log(`Installing ${missing.length} npm packages ...`);
  // the former takes two thirds of the time, and would remove what is there
  const command = existsSync(join(folder, 'node_modules')) ? ['install', '--no-save'] : ['ci'];
  await run('npm', [...command, ...OPTIONS], { cwd: folder });
}

function missingIn(folder) {
  const wanted = packagesOf(join(folder, 'package-lock.json'));
  const present = packagesOf(join(folder, 'node_modules/.package-lock.json')); // npm notes here what it has installed
  return Object.entries(wanted)
    .filter(([path, { optional, link }]) => path.includes('node_modules/') && !optional && !link)
    .filter(([path, { version }]) => present[path]?.version !== version);
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const folder of process.argv.slice(2)) await installMissing(resolve(folder));

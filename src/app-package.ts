/** Optional packages, as the app has installed them. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SetupError } from './errors';
import type { SetupCode } from './error-codes';

interface Loaded<Package> {
  /** Of the versions that package.json names as peers, unless only another package of the app needs it. */
  readonly exported: Package;
  /** The path of its main file. */
  readonly path: string;
}

/** Undefined if the app has not installed it. Throws what it throws itself while it is loaded. */
export function findAppPackage<Package>(baseDir: string, name: string): Loaded<Package> | undefined {
  const require = createRequire(join(baseDir, 'package.json'));
  let path: string;
  try {
    path = require.resolve(name);
  } catch {
    return undefined;
  }
  return { exported: require(path) as Package, path };
}

/** @param option the one that needs it @throws SetupError with `code` if the app has not installed it */
export function appPackage<Package>(baseDir: string, name: string, { option, code }: { option: string; code: SetupCode }): Loaded<Package> {
  const loaded = findAppPackage<Package>(baseDir, name);
  if (!loaded) throw new SetupError(code, `${option} needs a package: run \`npm i ${name}\``);
  return loaded;
}

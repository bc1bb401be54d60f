/** Optional packages, as the app has installed them. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SetupError } from './errors';
import type { SetupCode } from './error-codes';

/**
 * Loads a package of the app.
 * @param option the option that needs it
 * @returns what it exports, of the versions that package.json names as peers, and the path of its main file
 * @throws SetupError with `code` if it is not installed
 */
export function appPackage<Package>(
  baseDir: string,
  name: string,
  { option, code }: { option: string; code: SetupCode },
): { exported: Package; path: string } {
  const require = createRequire(join(baseDir, 'package.json'));
  try {
    return { exported: require(name) as Package, path: require.resolve(name) };
  } catch (cause) {
    throw new SetupError(code, `${option} needs a package: run \`npm i ${name}\``, { cause });
  }
}

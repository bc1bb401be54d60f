/** Packages that other packages depend on: another copy may be older. */
import { createRequire } from 'node:module';

/** The `require` of a package, which is looked up through the packages before it. */
export function requireThrough(...packages: string[]): NodeJS.Require {
  return packages.reduce((from, name) => createRequire(from.resolve(name)), createRequire(__filename));
}

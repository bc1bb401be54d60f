/** How a member of another package that is not part of its public API is listed, and what happens where a release lacks it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SetupError } from '../errors';

/** Why each member of `Internals` is used. A member that the interface has and the list lacks does not compile. */
type Reasons<Internals> = { readonly [Member in keyof Internals]-?: string };

/** Members of one class of a package. */
export interface Members<Internals = object> {
  readonly package: string;
  readonly owner: string;
  readonly why: Reasons<Internals>;
  /** What happens without them, where that is only slower. Undefined where correctness needs them: then the boot stops. */
  readonly fallback?: string;
}

/** Something to look at for each of the classes. */
export type Specimens = ReadonlyMap<Members, object>;

/** Versions whose members the tests have seen. They are named as a remedy, and never compared with the installed one. */
export const TESTED_VERSIONS: Readonly<Record<string, string>> = {
  'socket.io': '4.8.4',
  'engine.io': '6.6.13',
  'socket.io-adapter': '2.5.9',
  ws: '8.23.0',
  '@socket.io/redis-adapter': '8.3.0',
  '@socket.io/redis-streams-adapter': '0.3.1',
  '@socket.io/mongo-adapter': '0.4.0',
};

/**
 * Looks whether an object has all members, at itself or its prototypes.
 * @throws {SetupError} `IO_INTERNALS_MISSING` where it lacks one
 */
export function requireMembers(members: Members, object: object): void {
  const problem = problemOf(members, object);
  if (problem === undefined) return;
  const { package: name } = members;
  throw new SetupError('IO_INTERNALS_MISSING', `${problem}; run \`npm i ${name}@${TESTED_VERSIONS[name]}\`, or update egg-socket.io`);
}

/** Which member an object lacks, and of which version. Undefined where it has all. */
export function problemOf({ package: name, owner, why }: Members, object: object): string | undefined {
  const member = Object.keys(why).find(key => !(key in object));
  return member === undefined ? undefined : `${name} ${versionOf(name)} has no ${owner}.${member}`;
}

/** As its package.json says. For the message alone: nothing depends on it. */
function versionOf(name: string): string {
  const own = createRequire(__filename);
  const ways = [
    () => own,
    () => createRequire(own.resolve('socket.io')),
    () => createRequire(createRequire(own.resolve('socket.io')).resolve('engine.io')),
    () => createRequire(join(process.cwd(), 'package.json')), // where the app has its adapters
  ];
  for (const way of ways) {
    try {
      const main = way().resolve(name);
      const folder = main.slice(0, main.lastIndexOf(join('node_modules', name)) + join('node_modules', name).length);
      return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
    } catch {
      // the next may find it
    }
  }
  return '(unknown version)';
}

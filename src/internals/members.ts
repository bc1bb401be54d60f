/** The check of private members of other packages, and the error or warning if a release lacks one. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SetupError } from '../errors';

/** Why each member of `Internals` is used. The list has to be complete to compile. */
type Reasons<Internals> = { readonly [Member in keyof Internals]-?: string };

/** Members of one class of a package. */
export interface Members<Internals = object> {
  readonly package: string;
  readonly owner: string;
  readonly why: Reasons<Internals>;
  /** The effect of a missing member, if the plugin works without it. Undefined if correctness needs all of them: the boot then stops. */
  readonly fallback?: string;
}

/** An object to check for each of the classes; undefined if it could not be created. */
export type Specimens = Iterable<readonly [Members, object | undefined]>;

/**
 * The versions that the tests use. Error messages name them as a remedy; they are never compared with the installed version.
 * Packages that are not listed come with Egg.
 */
export const TESTED_VERSIONS: Readonly<Record<string, string>> = {
  'socket.io': '4.8.4',
  'engine.io': '6.6.13',
  'socket.io-adapter': '2.5.9',
  'socket.io-parser': '4.2.7',
  ws: '8.23.0',
  '@socket.io/redis-adapter': '8.3.0',
  '@socket.io/redis-streams-adapter': '0.3.1',
  '@socket.io/mongo-adapter': '0.4.0',
  'egg-passport': '2.1.1',
};

/** The packages that apps install themselves. The others are dependencies of this plugin. */
const INSTALLED_BY_APP: ReadonlySet<string> = new Set(['@socket.io/mongo-adapter', '@socket.io/redis-streams-adapter', 'egg-passport']);

/**
 * Checks an object for each of the classes.
 * @param warn called for each class that has a fallback, or could not be checked
 * @throws {SetupError} `IO_INTERNALS_MISSING` if a member without a fallback is missing
 */
export function checkInternals(specimens: Specimens, warn: (line: string) => void): void {
  for (const [members, specimen] of specimens) {
    if (specimen) membersOf(members, specimen, warn);
    else {
      const { package: name, owner } = members;
      warn(`[egg-socket.io] ${owner} of ${name} ${versionOf(name)} could not be checked: a missing member would fail only in use`);
    }
  }
}

/**
 * The object, if it has all members, itself or in its prototypes. Undefined, after a warning, if it lacks one and there is a fallback.
 * @throws {SetupError} `IO_INTERNALS_MISSING` if it lacks one and there is no fallback
 */
export function membersOf<Internals>(
  members: Members<Internals>,
  object: object,
  warn: (line: string) => void,
): (Internals & object) | undefined {
  if (members.fallback === undefined) requireMembers(members, object);
  const problem = problemOf(members, object);
  if (problem === undefined) return object as Internals & object; // it has them all
  warn(`[egg-socket.io] ${problem}: ${members.fallback}`);
  return undefined;
}

/**
 * Checks that an object has all members, itself or in its prototypes.
 * @throws {SetupError} `IO_INTERNALS_MISSING` if it lacks one
 */
export function requireMembers(members: Members, object: object): void {
  const problem = problemOf(members, object);
  if (problem !== undefined) throw new SetupError('IO_INTERNALS_MISSING', `${problem}; ${remedyFor(members.package)}`);
}

/** Whether an object has all members. */
export function hasMembers<Internals extends object>(members: Members<Internals>, object: object): object is Internals {
  return problemOf(members, object) === undefined;
}

/** Names the missing member and the version. Undefined if there is none. */
function problemOf({ package: name, owner, why }: Members, object: object): string | undefined {
  const member = Object.keys(why).find(key => !(key in object));
  return member === undefined ? undefined : `${name} ${versionOf(name)} has no ${owner}.${member}`;
}

/** An app installs its own packages; the version of one that another package depends on has to be overridden. */
function remedyFor(name: string): string {
  const version = TESTED_VERSIONS[name];
  if (version === undefined) return 'update egg-socket.io';
  const install = INSTALLED_BY_APP.has(name)
    ? `run \`npm i ${name}@${version}\``
    : `add "overrides": { "${name}": "${version}" } to package.json and run \`npm i\` (pnpm: pnpm.overrides, yarn: resolutions)`;
  return `update egg-socket.io, or ${install}`;
}

/** The version in the package.json, for messages only. */
function versionOf(name: string): string {
  const own = createRequire(__filename);
  const ways = [
    () => own,
    () => createRequire(own.resolve('socket.io')),
    () => createRequire(createRequire(own.resolve('socket.io')).resolve('engine.io')),
    () => createRequire(join(process.cwd(), 'package.json')), // the app installs adapters
  ];
  for (const way of ways) {
    for (const folder of way().resolve.paths(name) ?? []) {
      try {
        return (JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as { version: string }).version;
      } catch {
        // the next may have it
      }
    }
  }
  return '(unknown version)';
}

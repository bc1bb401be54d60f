/** Whether the versions of what is installed fit each other. */
import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Settings } from '../config/settings';
import type { Finding } from './finding';

interface PackageJson {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly engines?: { readonly node?: string };
}

interface Installed {
  readonly folder: string;
  readonly json: PackageJson;
}

/** The folder of this package: this file is in `dist/doctor`. */
const ROOT = join(__dirname, '../..');

/** @param plugin the folder of the plugin that the app uses */
export function* checkVersions(baseDir: string, plugin: string, settings: Settings): Generator<Finding> {
  const own = readPackage(ROOT);
  if (realpathSync(plugin) !== realpathSync(ROOT)) {
    const text = `the app uses the egg-socket.io ${readPackage(plugin).version} of ${plugin}, and this command is that of ${ROOT}`;
    yield { level: 'problem', text, remedy: 'run the command of the app: npx egg-socket.io in its folder' };
  }
  const least = Number(/\d+/.exec(own.engines?.node ?? '')?.[0] ?? 0);
  if (Number.parseInt(process.versions.node, 10) < least)
    yield { level: 'problem', text: `this is Node ${process.version}`, remedy: `use Node ${least} or newer` };
  const problems = [...misfits(own, baseDir), ...copiesOfAdapter(own, baseDir), ...oldClients(baseDir, settings)];
  yield* problems;
  if (problems.length > 0) return;
  const names = ['socket.io', 'socket.io-adapter', 'engine.io'].map(
    name => `${name} ${find(name, join(ROOT, 'package.json'))?.json.version}`,
  );
  yield { level: 'ok', text: `the installed versions fit: egg-socket.io ${own.version}, ${names.join(', ')}` };
}

/** What is installed, but not in a version that this package works with: by `overrides`, or a peer that the app has chosen. */
function* misfits({ dependencies = {}, peerDependencies = {} }: PackageJson, baseDir: string): Generator<Finding> {
  const all = [
    ...Object.entries(dependencies).map(([name, range]) => ({ name, range, from: ROOT })),
    ...Object.entries(peerDependencies).map(([name, range]) => ({ name, range, from: baseDir })),
  ];
  for (const { name, range, from } of all) {
    const found = find(name, join(from, 'package.json'));
    if (!found || fits(found.json.version, range)) continue;
    const text = `${name} is ${found.json.version} in ${found.folder}, and egg-socket.io was made for ${range}`;
    yield { level: 'problem', text, remedy: `npm i ${name}@${range}, and remove it from the overrides of package.json if it is there` };
  }
}

/** The plugin and the packages of adapters share classes and numbers of messages, which may differ between versions. */
function* copiesOfAdapter({ dependencies, peerDependencies }: PackageJson, baseDir: string): Generator<Finding> {
  const versions = new Map([['egg-socket.io', versionOfAdapterFor(ROOT)]]);
  const adapters = Object.keys({ ...dependencies, ...peerDependencies }).filter(name => /^@socket\.io\/.+-adapter$/.test(name));
  for (const name of ['socket.io', ...adapters]) {
    const user = find(name, join(ROOT, 'package.json')) ?? find(name, join(baseDir, 'package.json'));
    if (user) versions.set(name, versionOfAdapterFor(user.folder));
  }
  if (new Set(versions.values()).size < 2) return;
  const text = `there are several versions of socket.io-adapter: ${[...versions].map(([name, version]) => `${version} of ${name}`).join(', ')}`;
  yield { level: 'problem', text, remedy: 'npm dedupe, or update the packages that have an older one' };
}

function versionOfAdapterFor(folder: string): string {
  return find('socket.io-adapter', join(folder, 'package.json'))?.json.version ?? 'none';
}

/** The client that is installed in the app, such as for its pages. */
function* oldClients(baseDir: string, { init: { allowEIO3 } }: Settings): Generator<Finding> {
  const client = find('socket.io-client', join(baseDir, 'package.json'));
  if (!client || allowEIO3 || Number.parseInt(client.json.version, 10) >= 3) return;
  const text = `socket.io-client is ${client.json.version}, whose protocol config.io.init.allowEIO3 turns off: it cannot connect`;
  yield { level: 'problem', text, remedy: 'npm i socket.io-client@4, or remove allowEIO3' };
}

/** The package of this name that a file would get. */
function find(name: string, from: string): Installed | undefined {
  for (const folder of createRequire(from).resolve.paths(name) ?? []) {
    try {
      return { folder: join(folder, name), json: readPackage(join(folder, name)) };
    } catch {
      // it is not there
    }
  }
  return undefined;
}

function readPackage(folder: string): PackageJson {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson; // of npm
}

/** Whether a version fits a range of the three forms that this package uses: `*`, `^1.2.3` and `~1.2.3`. */
function fits(version: string, range: string): boolean {
  const parts = /^([\^~])(\d+)\.(\d+)\.(\d+)$/.exec(range);
  if (!parts) return true;
  const [, kind, ...least] = parts;
  const [wanted, given] = [least.map(Number), version.split(/[.+-]/, 3).map(Number)];
  const fixed = kind === '~' ? 2 : 1 + wanted.findIndex(part => part > 0);
  if (wanted.some((part, index) => index < fixed && part !== given[index])) return false;
  const first = wanted.findIndex((part, index) => part !== given[index]);
  return first === -1 || (given[first] ?? 0) > (wanted[first] ?? 0);
}

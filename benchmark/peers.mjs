/** The servers that are measured, each a program in `peers/<folder>/server.mjs`. The first is what the others are compared with. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { compile } from '../scripts/build.mjs';
import { installMissing } from '../scripts/install.mjs';
import { run } from '../scripts/run.mjs';
import { Child } from './child.mjs';

export const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(import.meta.dirname, 'peers');
const NO_CONTRACT = 'no validation of messages';
const NO_GUARD = "no middleware around a connection's life";

/**
 * - title: for the chart and the READMEs; with versionOf: and the version of that package
 * - folder: below peers/, if it is not the name
 * - plugin: the folder below peers/ into which this plugin is installed for it, as packed
 * - protocol: Engine.IO's, if it is not 4
 * - session: whether it decodes sessions
 * - lacks: what a scenario may need and it has no equivalent of, and why
 */
export const PEERS = {
  raw: { title: 'Socket.IO', versionOf: 'socket.io', lacks: { logger: 'no logger' } },
  'raw-corked': {
    title: "Socket.IO with this plugin's engine",
    folder: 'raw',
    plugin: 'egg4', // has the engine
    lacks: { logger: 'no logger' },
  },
  egg4: { title: 'egg-socket.io 5, egg 4', plugin: 'egg4', session: true },
  egg3: { title: 'egg-socket.io 5, egg 3', plugin: 'egg3', session: true },
  'egg-socket.io-4.1.6': { title: 'egg-socket.io 4.1.6', protocol: 3, session: true, lacks: { contract: NO_CONTRACT } },
  nest: {
    title: 'NestJS',
    versionOf: '@nestjs/core',
    lacks: { session: 'no sessions of sockets', guard: NO_GUARD, logger: 'its logger writes to the console' },
  },
  midway: {
    title: 'Midway',
    versionOf: '@midwayjs/core',
    lacks: { session: 'no sessions of sockets', guard: NO_GUARD, contract: NO_CONTRACT },
  },
  'socket-controllers': {
    title: 'socket-controllers',
    versionOf: 'socket-controllers',
    lacks: { session: 'no sessions of sockets', guard: NO_GUARD, logger: 'no logger', contract: NO_CONTRACT },
  },
};

/**
 * Adds an earlier build of this plugin as a peer: `earlier`, on the egg of `egg4`.
 *
 * @param build what git takes for a commit, or the path of a tarball that `npm pack` has made
 */
export function addEarlierBuild(build) {
  PEERS.earlier = { title: `egg-socket.io 5 at ${build}, egg 4`, folder: 'egg4', plugin: 'earlier', build, session: true };
}

/**
 * Installs what the peers need: from npm what their package-lock.json names, and this plugin as `npm pack` makes it.
 * With `here` nothing but an earlier build.
 */
export async function install(names, { here = false } = {}) {
  const { earlier } = PEERS;
  if (earlier && names.includes('earlier')) await installEarlier(earlier);
  if (here) return;
  const ours = names.filter(name => name !== 'earlier');
  const plugins = new Set(ours.flatMap(name => PEERS[name].plugin ?? []));
  for (const name of new Set([...names.map(folderOf), ...plugins])) {
    const folder = join(FOLDER, name);
    await installMissing(folder);
    if (existsSync(join(folder, 'tsconfig.json'))) await compile(folder, ['app.ts', 'tsconfig.json', 'package.json']);
  }
  if (plugins.size > 0) await installPlugin(pack(ROOT), [...plugins].map(pluginFolderOf));
}

/** Packs a commit in a copy of its files, with the tools of this one. */
async function installEarlier({ build, plugin }) {
  const folder = pluginFolderOf(plugin);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n'); // else npm would look for one further up
  if (existsSync(build))
    return installPlugin({ tarball: resolve(build), shasum: `${resolve(build)} ${statSync(build).mtimeMs}` }, [folder]);
  const { stdout: commit } = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${build}^{commit}`], { cwd: ROOT, encoding: 'utf8' });
  if (!commit) throw new Error(`${build} is neither a file nor a commit.`);
  const copy = mkdtempSync(join(tmpdir(), 'earlier-'));
  try {
    const archive = join(copy, 'archive.tar');
    await run('git', ['archive', '--output', archive, commit.trim()], { cwd: ROOT });
    await run('tar', ['-xf', archive], { cwd: copy });
    rmSync(archive);
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    await installPlugin(pack(copy), [folder]);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** @returns the path of the tarball, and its checksum */
function pack(folder) {
  const destination = join(ROOT, '.build');
  mkdirSync(destination, { recursive: true });
  const args = ['pack', '--json', '--loglevel=error', '--pack-destination', destination];
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm pack has failed: ${stderr}`);
  const [{ filename, shasum }] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))); // prepack prints, too
  return { tarball: join(destination, filename), shasum };
}

async function installPlugin({ tarball, shasum }, folders) {
  for (const folder of folders) {
    const note = join(folder, 'node_modules/egg-socket.io/.shasum');
    if (existsSync(note) && readFileSync(note, 'utf8') === shasum) continue;
    const options = [
      '--no-save',
      '--no-package-lock',
      '--legacy-peer-deps',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ];
    await run('npm', ['install', tarball, ...options], { cwd: folder });
    writeFileSync(note, shasum);
  }
}

/**
 * Starts the server of a peer. With `here`, this plugin is not the packed one but that of the working tree.
 *
 * @param cluster what Egg is to be started with, if it is to be a cluster behind nginx
 */
export async function startServer(name, { here, node, env, cluster }) {
  const { plugin } = PEERS[name];
  return await Child.start(cluster ? join(import.meta.dirname, 'cluster-server.mjs') : 'server.mjs', {
    ...(cluster ? { args: [JSON.stringify(cluster)] } : { core: 0 }),
    node,
    cwd: join(FOLDER, folderOf(name)),
    flags: ['--expose-gc'],
    env: {
      ...process.env,
      NODE_ENV: 'production',
      EGG_SERVER_ENV: 'prod',
      EGG_LOG: 'ERROR',
      BENCH_MODULES: join(import.meta.dirname, 'node_modules'), // an app is not below this folder
      NO_DEPRECATION: 'egg-logger', // egg 3 writes that its own logger is deprecated
      ...(plugin && { BENCH_PLUGIN: here && plugin !== 'earlier' ? ROOT : join(pluginFolderOf(plugin), 'node_modules/egg-socket.io') }),
      ...env,
    },
  });
}

function folderOf(name) {
  return PEERS[name].folder ?? name;
}

/** The earlier build has no folder among the peers: it is no fixed part of them. */
function pluginFolderOf(plugin) {
  return plugin === 'earlier' ? join(ROOT, '.build/earlier') : join(FOLDER, plugin);
}

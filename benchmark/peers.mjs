/** The servers that are measured, each a program in `peers/<folder>/server.mjs`. The first is what the others are compared with. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../scripts/build.mjs';
import { installMissing } from '../scripts/install.mjs';
import { run } from '../scripts/run.mjs';
import { Child } from './child.mjs';

export const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(import.meta.dirname, 'peers');

/**
 * - title: for the chart and the READMEs; with versionOf: and the version of that package
 * - folder: below peers/, if it is not the name
 * - plugin: the folder into which this plugin is installed for it, as packed
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
  'egg-socket.io-4.1.6': { title: 'egg-socket.io 4.1.6', protocol: 3, session: true },
  nest: {
    title: 'NestJS',
    versionOf: '@nestjs/core',
    lacks: { session: 'no sessions of sockets', logger: 'its logger writes to the console' },
  },
  midway: { title: 'Midway', versionOf: '@midwayjs/core', lacks: { session: 'no sessions of sockets' } },
  'socket-controllers': {
    title: 'socket-controllers',
    versionOf: 'socket-controllers',
    lacks: { session: 'no sessions of sockets', logger: 'no logger' },
  },
};

/** Installs what the peers need: from npm what their package-lock.json names, and this plugin as `npm pack` makes it. */
export async function install(names) {
  const plugins = new Set(names.flatMap(name => PEERS[name].plugin ?? []));
  for (const name of new Set([...names.map(folderOf), ...plugins])) {
    const folder = join(FOLDER, name);
    await installMissing(folder);
    if (existsSync(join(folder, 'tsconfig.json'))) await compile(folder, ['app.ts', 'tsconfig.json', 'package.json']);
  }
  if (plugins.size > 0) await installPlugin([...plugins].map(name => join(FOLDER, name)));
}

async function installPlugin(folders) {
  const destination = join(ROOT, '.build');
  mkdirSync(destination, { recursive: true });
  const pack = spawnSync('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', destination], { cwd: ROOT, encoding: 'utf8' });
  if (pack.status !== 0) throw new Error(`npm pack has failed: ${pack.stderr}`);
  const [{ filename, shasum }] = JSON.parse(pack.stdout.slice(pack.stdout.indexOf('[\n'))); // prepack prints, too
  for (const folder of folders) {
    const note = join(folder, 'node_modules/egg-socket.io/.shasum');
    if (existsSync(note) && readFileSync(note, 'utf8') === shasum) continue;
    const options = ['--no-save', '--no-package-lock', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
    await run('npm', ['install', join(destination, filename), ...options], { cwd: folder });
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
      NO_DEPRECATION: 'egg-logger', // egg 3 writes that its own logger is deprecated
      ...(plugin && { BENCH_PLUGIN: here ? ROOT : join(FOLDER, plugin, 'node_modules/egg-socket.io') }),
      ...env,
    },
  });
}

function folderOf(name) {
  return PEERS[name].folder ?? name;
}

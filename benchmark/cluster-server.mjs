/**
 * An Egg cluster as in production, with nginx in front and Redis if it is wanted; or some servers with a cluster each, and no nginx.
 * It answers for all of its processes; Linux only.
 */
import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { answer, now } from './child.mjs';
import { writeApp } from './egg.mjs';
import { freePort } from './port.mjs';
import { childrenOf, isStartedBy } from './processes.mjs';

/** In microseconds: what Linux counts CPU time in. */
const TICK = 10_000;

/** How often a cluster is started until it runs. */
const ATTEMPTS = 3;

/** It needs a package that does not come with the plugin. */
const STREAMS = { adapter: 'redis-streams', package: '@socket.io/redis-streams-adapter' };

const folder = process.cwd(); // the peer's
const require = createRequire(join(folder, 'server.mjs'));
const { usesRedis = false, adapter, interop, servers, ...options } = JSON.parse(process.argv[2]); // the latter are Egg's
process.env.BENCH_PLUGIN ??= join(folder, 'node_modules/egg-socket.io');
const ofPlugin = createRequire(join(process.env.BENCH_PLUGIN, 'package.json'));
const env = { ...process.env, PATH: [process.env.PATH, '/usr/sbin'].join(delimiter) }; // nginx is there, and not everybody has it in the path
const started = [];
let isEnding = false;
let isRestarting = false;
process.on('exit', () => started.forEach(child => child.kill()));
process.once('SIGTERM', async () => {
  isEnding = true;
  await Promise.all(started.map(end));
  process.exit();
});

const redis = usesRedis ? await startRedis() : undefined;
const masters = [];
for (let i = 0; i < (servers ?? 1); i++) masters.push(await startEgg());
const nginx = servers === undefined ? await startNginx() : undefined;

const { version } = ofPlugin('./package.json');
const versions = {
  'egg-socket.io': version,
  egg: require('egg/package.json').version,
  ...(nginx && { nginx: versionOf('nginx', '-v') }),
  ...(redis && { 'redis-server': versionOf('redis-server', '--version') }),
  ...(adapter === STREAMS.adapter && { [STREAMS.package]: ofPlugin(`${STREAMS.package}/package.json`).version }),
};

answer({
  about: () => ({ port: nginx?.port, ports: masters.map(({ port }) => port), versions, node: process.versions.node }),
  received: () => 0, // each worker counts its own
  /** Of the app: what carries its broadcasts is a part of it, nginx is not. */
  cpu: () => cpuOfAll([...masters.flatMap(({ pid }) => [pid, ...childrenOf(pid)]), ...(redis ? [redis.pid] : [])]),
  beside: cpuOfNginx,
  /** Each part's, of the workers one by one. */
  parts() {
    const children = masters.flatMap(({ pid }) => childrenOf(pid));
    const agents = children.filter(pid => isStartedBy('agent_worker', pid));
    const workers = children.filter(pid => !agents.includes(pid));
    return { nginx: cpuOfNginx(), carrier: cpuOfAll(redis ? [redis.pid] : agents), workers: workers.map(cpuOf) };
  },
  /** As a deploy does: tells the app to end, and starts it again when it has. How long both took, in ms; and when it was there again. */
  async restart() {
    const [master] = masters;
    const before = performance.now();
    isRestarting = true;
    await end(master.child);
    const closed = performance.now();
    masters[0] = await launchEgg(master);
    isRestarting = false;
    return { closing: closed - before, starting: performance.now() - closed, readyAt: now() };
  },
});

/** Egg looks for a free port some time before it takes it: another program may have it by then. */
async function startEgg() {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryToStartEgg();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function tryToStartEgg() {
  return await launchEgg({ port: await freePort(), baseDir: writeApp(join(folder, 'app')) });
}

async function launchEgg({ port, baseDir }) {
  const framework = dirname(require.resolve('egg/package.json'));
  if (adapter === STREAMS.adapter) lend(STREAMS.package, baseDir);
  const file = join(baseDir, 'start.js');
  const start = { ...options, baseDir, framework, port };
  writeFileSync(
    file,
    `process.once('disconnect', () => process.kill(process.pid)); // when whoever has started it is gone
    require(${JSON.stringify(framework)}).startCluster(${JSON.stringify(start)});`,
  );
  const child = fork(file, {
    cwd: baseDir,
    execArgv: [],
    env: { ...process.env, BENCH_REDIS: redis?.port ?? '', BENCH_ADAPTER: adapter ?? '', BENCH_INTEROP: interop ?? '' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  started.push(child);
  await new Promise((resolve, reject) => {
    child.on('message', ({ action }) => action === 'egg-ready' && resolve());
    child.once('exit', code => reject(new Error(`the cluster has ended with ${code}`)));
  });
  return { pid: child.pid, port, baseDir, child };
}

/** The app has it as if it had been installed there: the one beside the plugin. */
function lend(name, baseDir) {
  const path = join(baseDir, 'node_modules', name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(dirname(ofPlugin.resolve(`${name}/package.json`)), path);
}

/** As the guide has it; and the number of its own workers as Debian sets it, but with room for all connections. */
async function startNginx() {
  const port = await freePort();
  const prefix = mkdtempSync(join(process.env.HOME, 'nginx-'));
  const [, site] = /```nginx\n([^]*?)```/.exec(readFileSync(join(import.meta.dirname, '../docs/cluster.md'), 'utf8'));
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${prefix}/${name};`);
  const file = join(prefix, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; ${process.getuid() === 0 ? 'user root;' : ''} worker_processes auto; pid ${prefix}/pid; error_log stderr notice;
${process.getuid() === 0 ? 'worker_rlimit_nofile 65536;' : ''} events { worker_connections 32768; }
http { access_log off; ${paths.join(' ')}
${site.replaceAll('listen 80;', `listen 127.0.0.1:${port};`).replaceAll('7001', masters[0].port)}
}`,
  );
  const child = spawn('nginx', ['-e', 'stderr', '-p', prefix, '-c', file], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  await says(child, child.stderr, 'start worker processes');
  return { pid: child.pid, port };
}

async function startRedis() {
  const port = await freePort();
  const dir = join(process.env.HOME, 'redis');
  mkdirSync(dir, { recursive: true });
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir];
  const child = spawn('redis-server', args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await says(child, child.stdout, 'Ready to accept connections');
  return { pid: child.pid, port };
}

async function says(child, output, words) {
  started.push(child);
  const failed = once(child, 'exit').then(() => {
    throw new Error(`${child.spawnfile} has ended: ${lines.join('\n')}`);
  });
  failed.catch(() => {}); // once it has started
  const lines = [];
  const reader = createInterface(output);
  await Promise.race([
    failed,
    new Promise(resolve => {
      reader.on('line', line => {
        if (lines.length < 20) lines.push(line);
        if (line.includes('[error]') && !isEnding && !isRestarting) console.error(line); // of nginx
        if (line.includes(words)) resolve();
      });
    }),
  ]);
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill();
  await exited;
}

function cpuOfNginx() {
  return nginx ? cpuOfAll([nginx.pid, ...childrenOf(nginx.pid)]) : 0;
}

function cpuOfAll(pids) {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
}

/** In microseconds. */
function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third on
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

function versionOf(program, flag) {
  const { stdout, stderr } = spawnSync(program, [flag], { env, encoding: 'utf8' });
  return /\d+\.\d+\.\d+/.exec(stdout + stderr)[0];
}

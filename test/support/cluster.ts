/** Starts an app as people run it in production: a master, an agent and workers, each a process of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { type Files, hostFolder, removeApp, writeApp } from './app';
import { type Lifetime, lifetimeOfFile } from './lifetime';
import { freePort } from './port';

/**
 * How long Egg waits for a worker that closes before it ends it by force, in ms. Not its 5 s, which a loaded machine may miss, but less than
 * the 30 s after which ws gives up by itself.
 */
const PATIENCE = '20000';

export interface ClusterOptions {
  workers: number;
  sticky?: boolean;
  startMode?: 'process' | 'worker_threads';
  /** For worker_threads, where each worker listens on its own. */
  ports?: number[];
  https?: { key: string; cert: string };
  /** Egg's run folder. Default: one that has a short path wherever this project is, else the sockets of the workers would be elsewhere. */
  rundir?: string | undefined;
  /** Of an app that has been started before; what is given as files is not written then. */
  baseDir?: string;
  /** Default: a free one. */
  port?: number;
}

export interface Cluster {
  readonly url: string;
  readonly baseDir: string;
  readonly master: ChildProcess;
  /** Sends SIGTERM to the master; resolves to its exit code when it has ended. */
  terminate(): Promise<number | null>;
  /** What the master has printed, which says how its workers have ended. */
  printed(): string;
  /** Resolves with the first match in what the master has printed, or prints later, from an index on. */
  prints(pattern: RegExp, from?: number): Promise<string>;
  /** What the workers have logged. */
  log(): Promise<string>;
  /** What the agent has logged. */
  agentLog(): Promise<string>;
}

export async function startCluster(
  t: Lifetime,
  files: Files,
  { baseDir: former, rundir, port: wanted, ...options }: ClusterOptions,
): Promise<Cluster> {
  const port = wanted ?? (await freePort());
  const baseDir = former ?? (await writeApp(files));
  const framework = join(hostFolder(), 'node_modules/egg');
  await writeFile(
    join(baseDir, 'start.js'),
    // a test that is cut off, as by the runner's time limit, leaves no master behind
    `process.once('disconnect', () => process.kill(process.pid));
    require(${JSON.stringify(framework)}).startCluster(${JSON.stringify({ ...options, baseDir, port, framework })});`,
  );
  await writeFile(join(baseDir, 'config/config.prod.js'), `${prodConfig(baseDir, rundir)}\n${files['config/config.prod.js'] ?? ''}`);
  const master = fork(join(baseDir, 'start.js'), {
    cwd: baseDir,
    execArgv: [], // the test runner of newer Nodes has --inspect-port there, which Egg takes for debugging: a killed worker would end its master
    env: {
      ...process.env,
      ...{ EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', HOME: baseDir },
      ...{ EGG_MASTER_CLOSE_TIMEOUT: PATIENCE, GRACEFUL_TIMEOUT: PATIENCE },
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let output = '';
  master.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const prints = async (pattern: RegExp, from = 0): Promise<string> => {
    for (;;) {
      const [match] = pattern.exec(output.slice(from)) ?? [];
      if (match !== undefined) return match;
      if (master.exitCode !== null) throw new Error(`the master has ended before ${pattern}: ${output}`);
      await Promise.race([once(master.stdout as Readable, 'data'), exit]);
    }
  };
  const exit = once(master, 'close') as Promise<[number | null]>;
  const terminate = async (): Promise<number | null> => {
    if (master.exitCode === null && master.signalCode === null) master.kill('SIGTERM');
    return (await exit)[0];
  };
  t.after(async () => {
    await terminate();
    for (const path of [baseDir, rundirOf(baseDir)]) await removeApp(path);
  });
  await Promise.race([
    becomesReady(master),
    exit.then(([code]) => {
      throw new Error(`the cluster ended with ${code}`);
    }),
  ]);
  return {
    url: `${options.https ? 'https' : 'http'}://127.0.0.1:${port}`,
    baseDir,
    master,
    terminate,
    printed: () => output,
    prints,
    log: () => readFile(join(baseDir, 'logs/test-app-web.log'), 'utf8'),
    agentLog: () => readFile(join(baseDir, 'logs/egg-agent.log'), 'utf8'),
  };
}

/**
 * One cluster for those tests of a file that change nothing another test would notice. The first of them starts it. It stops after the last
 * test of the file, which fails unless the cluster ends in good order and leaves nothing in its run folder.
 * Call this outside of the tests, and what it returns in each of them.
 */
export function shareCluster(files: Files, optionsFor: (file: Lifetime) => Promise<ClusterOptions>): () => Promise<Cluster> {
  const file = lifetimeOfFile();
  const start = async (): Promise<Cluster> => {
    const cluster = await startCluster(file, files, await optionsFor(file));
    file.after(async () => {
      assert.equal(await cluster.terminate(), 0);
      assert.deepEqual(runFoldersOf(cluster.baseDir), []);
    });
    return cluster;
  };
  let starting: Promise<Cluster> | undefined;
  return () => (starting ??= start());
}

/** The `config/config.prod.js` of an app that is started in processes of its own. */
export function prodConfig(baseDir: string, rundir = rundirOf(baseDir)): string {
  return `exports.cluster = { listen: { hostname: '127.0.0.1' } };
exports.rundir = ${JSON.stringify(rundir)};`;
}

/** Egg's run folder of such an app. */
export function rundirOf(baseDir: string): string {
  return join(tmpdir(), `run-${basename(baseDir)}`);
}

/** The folders in which the workers of an app meet, of starts that run or have left something. */
export function runFoldersOf(baseDir: string): string[] {
  return readdirSync(rundirOf(baseDir))
    .filter(name => name.startsWith('io-'))
    .map(name => join(rundirOf(baseDir), name));
}

/** Egg's master tells its parent, if it has one. */
async function becomesReady(master: ChildProcess): Promise<void> {
  await new Promise<void>(resolve => {
    master.on('message', message => {
      if (typeof message === 'object' && 'action' in message && message.action === 'egg-ready') resolve();
    });
  });
}

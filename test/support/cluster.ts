/** Starts an app as people run it in production: a master, an agent and workers, each a process of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Files, hostFolder, writeApp } from './app';
import { freePort } from './port';

/**
 * How long Egg waits for a worker that closes before it ends it by force, in ms. Not its 5 s, which a loaded machine may miss, but less than
 * the 30 s after which ws gives up by itself.
 */
const PATIENCE = '20000';

export interface Cluster {
  readonly url: string;
  readonly master: ChildProcess;
  /** Sends SIGTERM to the master; resolves to its exit code when it has ended. */
  terminate(): Promise<number | null>;
  /** What the master has printed, which says how its workers have ended. */
  printed(): string;
  /** What the workers have logged. */
  log(): Promise<string>;
}

export async function startCluster(t: TestContext, files: Files, options: { workers: number; sticky?: boolean }): Promise<Cluster> {
  const port = await freePort();
  const baseDir = await writeApp({
    ...files,
    'start.js': `
      const { startCluster } = require(${JSON.stringify(join(hostFolder(), 'node_modules/egg'))});
      startCluster(${JSON.stringify({ ...options, port, framework: join(hostFolder(), 'node_modules/egg') }).replace('{', '{ baseDir: __dirname, ')});`,
  });
  await writeFile(join(baseDir, 'config/config.prod.js'), 'exports.cluster = { listen: { hostname: "127.0.0.1" } };');
  const master = fork(join(baseDir, 'start.js'), {
    cwd: baseDir,
    env: {
      ...process.env,
      ...{ EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', HOME: baseDir },
      ...{ EGG_MASTER_CLOSE_TIMEOUT: PATIENCE, GRACEFUL_TIMEOUT: PATIENCE },
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let output = '';
  master.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exit = once(master, 'close') as Promise<[number | null]>;
  const terminate = async (): Promise<number | null> => {
    if (master.exitCode === null && master.signalCode === null) master.kill('SIGTERM');
    return (await exit)[0];
  };
  t.after(async () => {
    await terminate();
    await rm(baseDir, { recursive: true, force: true });
  });
  await Promise.race([
    becomesReady(master),
    exit.then(([code]) => {
      throw new Error(`the cluster ended with ${code}`);
    }),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    master,
    terminate,
    printed: () => output,
    log: () => readFile(join(baseDir, 'logs/test-app-web.log'), 'utf8'),
  };
}

/** Egg's master tells its parent, if it has one. */
async function becomesReady(master: ChildProcess): Promise<void> {
  await new Promise<void>(resolve => {
    master.on('message', message => {
      if (typeof message === 'object' && 'action' in message && message.action === 'egg-ready') resolve();
    });
  });
}

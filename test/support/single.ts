/** Starts an app in a single process, by a `server.js` of its own: the way of containers. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Files, hostFolder, removeApp, writeApp } from './app';
import { freePort } from './port';

export interface SingleProcess {
  readonly url: string;
  readonly process: ChildProcess;
  /** The address of a second server, where the script starts one. */
  readonly otherUrl: string;
  /** Sends SIGTERM; resolves to the exit code, which is null where the signal itself has ended the process. */
  terminate(): Promise<number | null>;
  log(): Promise<string>;
}

/**
 * @param script of `server.js`: has `egg`, `options` for `egg.start()`, `http`, `port`, `otherPort` and `host` at hand, and calls `listening()`
 * in the end, once in each process
 */
export async function startSingle(t: TestContext, files: Files, script: string, processes = 1): Promise<SingleProcess> {
  const [port, otherPort] = [await freePort(), await freePort()];
  const baseDir = await writeApp(files);
  const framework = join(hostFolder(), 'node_modules/egg');
  await writeFile(
    join(baseDir, 'server.js'),
    `const cluster = require('node:cluster');
const http = require('node:http');
const egg = require(${JSON.stringify(framework)});
const [port, otherPort, host] = [${port}, ${otherPort}, '127.0.0.1'];
const options = ${JSON.stringify({ baseDir, framework })};
const listening = () => process.send('listening');
if (cluster.isPrimary) process.once('disconnect', () => process.kill(process.pid)); // a test that is cut off leaves nothing behind
if (cluster.isPrimary && ${processes} > 1) {
  // as a process manager does it
  for (let n = 0; n < ${processes}; n++) cluster.fork().on('message', message => process.send(message));
  process.once('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.kill();
    process.exit(0);
  });
} else {
  (async () => {
    ${script}
  })();
}
`,
  );
  const child = fork(join(baseDir, 'server.js'), {
    cwd: baseDir,
    execArgv: [],
    env: { ...process.env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', HOME: baseDir },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exit = once(child, 'close') as Promise<[number | null]>;
  const terminate = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    return (await exit)[0];
  };
  t.after(async () => {
    await terminate();
    await removeApp(baseDir);
  });
  for (let left = processes; left > 0; left--) {
    await Promise.race([
      once(child, 'message'),
      exit.then(([code]) => {
        throw new Error(`the process ended with ${code}`);
      }),
    ]);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    otherUrl: `http://127.0.0.1:${otherPort}`,
    process: child,
    terminate,
    log: () => readFile(join(baseDir, 'logs/test-app-web.log'), 'utf8'),
  };
}

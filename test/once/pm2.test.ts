/** The guide's set-ups for PM2, run by the real PM2. Its licence is the AGPL: only its command is run, and nothing of it is in the package. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { removeApp, ROOT, writeApp } from '../support/app';
import { ask, type Client, newClient, next } from '../support/client';
import { prodConfig, rundirOf, runFoldersOf } from '../support/cluster';
import { sampleOf } from '../support/page';
import { freePort } from '../support/port';
import { childrenOf, isAlive } from '../support/processes';
import { until } from '../support/until';

const COMMAND = join(ROOT, 'test/deployment/node_modules/pm2/bin/pm2');

/** @param closing in ms: how long the app takes to close, before the handler answers */
function files(closing: number): Record<string, string> {
  return {
    'app.js': `module.exports = app => app.beforeClose(async () => {
      await new Promise(resolve => setTimeout(resolve, ${closing}));
      app.emit('closes');
    });`,
    'app/router.js': `module.exports = app => app.io.route('wait', ctx => new Promise(resolve => {
      ctx.socket.emit('waits');
      app.once('closes', () => resolve('done'));
    }));`,
  };
}

interface Pm2 {
  readonly run: (...args: string[]) => Promise<unknown>;
  readonly log: () => Promise<string>;
  /** The app's process, and those that it has started. */
  readonly processes: () => Promise<[app: number, ...others: number[]]>;
}

/** A PM2 of its own in the folder of an app, which has the scripts of the guide. It ends with the test, and so does what it has started. */
async function newPm2(t: TestContext, app: Record<string, string>, port: number, variables: Record<string, string> = {}): Promise<Pm2> {
  const samples: Record<string, string> = {};
  for (const name of ['ecosystem.config.js', 'start.js', 'server.js'])
    samples[name] = (await sampleOf('docs/deployment.md', name)).replace('7001', String(port));
  const baseDir = await writeApp({ ...app, ...samples });
  await writeFile(join(baseDir, 'config/config.prod.js'), prodConfig(baseDir));
  const home = await mkdtemp(join(tmpdir(), 'pm2-')); // sockets need a short path
  await writeFile(join(home, 'touch'), ''); // else it greets, and asks the internet for its newest version
  const env = {
    ...process.env,
    ...{ HOME: baseDir, PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true', EGG_SERVER_ENV: 'prod' },
    ...variables,
  };
  const run = async (...args: string[]): Promise<unknown> =>
    promisify(execFile)(process.execPath, [COMMAND, ...args], { cwd: baseDir, env });
  const daemon = async (): Promise<number> => Number(await readFile(join(home, 'pm2.pid'), 'utf8'));
  t.after(async () => {
    try {
      const pid = await daemon();
      await run('kill');
      await until({ signal: AbortSignal.timeout(10_000) }, () => !isAlive(pid)); // it answers before it ends
      assert.deepEqual(runFoldersOf(baseDir), []);
    } finally {
      for (const path of [home, baseDir, rundirOf(baseDir)]) await removeApp(path);
    }
  });
  return {
    run,
    log: () => readFile(join(home, 'pm2.log'), 'utf8'),
    processes: async () => {
      const [master, ...others] = childrenOf(await daemon());
      assert.ok(master);
      assert.deepEqual(others, []);
      return [master, ...childrenOf(master)];
    },
  };
}

/** Has a handler run until the app closes. Resolves with the promise of its answer, or of why the connection has ended before. */
async function keepBusy(client: Client): Promise<() => Promise<unknown>> {
  const waits = next(client, 'waits');
  const answer = Promise.race([ask(client, 'wait'), next<[string]>(client, 'disconnect').then(([reason]) => reason)]);
  await waits;
  return async () => answer;
}

test('PM2 starts the app of the guide, restarts it without killing it, and leaves nothing', { timeout: 180_000 }, async t => {
  const port = await freePort();
  const { run, log, processes } = await newPm2(t, files(2000), port); // by default, it kills after 1.6 s
  await run('start', 'ecosystem.config.js');
  const client = newClient(t, `http://127.0.0.1:${port}`, { reconnection: true });
  await next(client, 'connect');
  const first = await processes();
  assert.equal(first.length, 4, 'a master, its agent and two workers');

  const answer = await keepBusy(client);
  const back = next(client, 'connect');
  await run('reload', 'chat');
  assert.equal(await answer(), 'done');
  assert.deepEqual(first.filter(isAlive), []);
  assert.match(await log(), new RegExp(`pid=${first[0]} msg=process tree killed \\(1 pids\\)`)); // it has signaled the master alone
  await back;

  const second = await processes();
  await run('delete', 'chat');
  assert.deepEqual(second.filter(isAlive), []);
  assert.doesNotMatch(await log(), /SIGKILL/);
});

test('PM2 that was started with PM2_KILL_SIGNAL=SIGTERM ends a single process in order', { timeout: 180_000 }, async t => {
  const port = await freePort();
  const { run, processes } = await newPm2(t, files(0), port, { PM2_KILL_SIGNAL: 'SIGTERM' });
  await run('start', 'server.js', '--name=chat');
  const client = newClient(t, `http://127.0.0.1:${port}`, { reconnection: true });
  await next(client, 'connect');
  assert.equal((await processes()).length, 1);
  const answer = await keepBusy(client);
  await run('stop', 'chat');
  assert.equal(await answer(), 'done');
});

/** The way an app runs in production: egg-scripts starts it as a daemon, and stops it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { HOST, hostFolder, removeApp, ROOT, writeApp } from './support/app';
import { ask, connect, next } from './support/client';
import { prodConfig, rundirOf, runFoldersOf } from './support/cluster';
import { freePort } from './support/port';
import { childrenOf } from './support/processes';

const SCRIPTS = join(
  ROOT,
  HOST === 'egg3' ? 'test/hosts/egg3/node_modules/egg-scripts/bin/egg-scripts.js' : 'node_modules/@eggjs/scripts/bin/run.js',
);

test(
  'egg-scripts starts an app, stops it and starts it again: clients come back by themselves, and nothing is left',
  { timeout: 60_000 },
  async t => {
    const baseDir = await writeApp({
      'app/io/controller/home.js': `exports.count = async ctx => ({ master: process.ppid, count: (await ctx.app.io.fetchSockets()).length });`,
      'app/router.js': `module.exports = app => app.io.route('count', app.io.controller.home.count);`,
    });
    await writeFile(join(baseDir, 'config/config.prod.js'), prodConfig(baseDir));
    const port = await freePort();
    const title = `--title=test-${port}`; // it stops whatever has that
    const eggScripts = async (...args: string[]): Promise<unknown> =>
      promisify(execFile)(process.execPath, [SCRIPTS, ...args, title], { cwd: baseDir, env: { ...process.env, HOME: baseDir } });
    const framework = join(hostFolder(), 'node_modules/egg');
    const start = async (): Promise<unknown> =>
      eggScripts('start', '--daemon', '--workers=2', `--port=${port}`, `--framework=${framework}`, '--ignore-stderr');
    t.after(async () => {
      await eggScripts('stop'); // wherever the test ends
      for (const path of [baseDir, rundirOf(baseDir)]) await removeApp(path);
    });

    await start();
    const clients = await Promise.all(
      [['polling'], ['websocket'], ['polling', 'websocket']].map(async transports =>
        connect(t, `http://127.0.0.1:${port}`, { transports, reconnection: true }),
      ),
    );
    const [client] = clients;
    assert.ok(client);
    const { master, count } = (await ask(client, 'count')) as { master: number; count: number };
    assert.equal(count, 3);
    const processes = [master, ...childrenOf(master)];
    assert.equal(processes.length, 4);

    const told = Promise.all(clients.map(client => next(client, 'disconnect')));
    await eggScripts('stop');
    await told;
    for (const pid of processes) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    assert.deepEqual(runFoldersOf(baseDir), []);

    const back = Promise.all(clients.map(client => next(client, 'connect')));
    await start();
    await back;
    assert.equal(((await ask(client, 'count')) as { count: number }).count, 3);
  },
);

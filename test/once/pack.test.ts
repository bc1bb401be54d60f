/** The package as people get it: packed, installed from the tarball, and loaded by every version of Egg in a process of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { type Files, type HostName, hostFolder, ROOT } from '../support/app';
import { BUNDLERS } from '../support/bundlers';
import { ask, connect } from '../support/client';
import { freePort } from '../support/port';

const NODE_24 = join(ROOT, 'test/nodes/node_modules/node-24/bin/node');

const COMMONJS_APP: Files = {
  'package.json': JSON.stringify({ name: 'packed', type: 'commonjs' }),
  'start.js': `
    const [, , port, framework] = process.argv;
    require('egg').startCluster({ baseDir: __dirname, framework, port: Number(port), workers: 1 });`,
  'config/plugin.js': `exports.io = { enable: true, package: 'egg-socket.io' };`,
  'config/config.default.js': `module.exports = ({ baseDir }) => ({
    keys: 'test-keys',
    logger: { dir: baseDir + '/logs', consoleLevel: 'NONE' },
    rundir: baseDir + '/run',
    cluster: { listen: { hostname: '127.0.0.1' } },
    io: { namespace: { '/': { packetMiddleware: [ 'mark' ] } } },
  });`,
  'app/io/middleware/mark.js': `module.exports = () => async (ctx, next) => { ctx.mark = 'marked'; await next(); };`,
  'app/io/controller/chat.js': `
    const { IoError } = require('egg-socket.io');
    module.exports = app => class extends app.Controller {
      async ping() { return [ this.ctx.args[0], this.ctx.mark, app.plugins.io.path ]; }
      async fail() { throw new IoError('FULL', 'no room'); }
    };`,
  'app/router.js': `module.exports = ({ io }) => {
    io.route('ping', io.controller.chat.ping);
    io.route('fail', io.controller.chat.fail);
  };`,
};

const ESM_APP: Files = {
  'package.json': JSON.stringify({ name: 'packed', type: 'module' }),
  'start.js': `
    import { startCluster } from 'egg';
    const [, , port, framework] = process.argv;
    await startCluster({ baseDir: import.meta.dirname, framework, port: Number(port), workers: 1 });`,
  'config/plugin.js': `export default { io: { enable: true, package: 'egg-socket.io' } };`,
  'config/config.default.js': asEsm(COMMONJS_APP['config/config.default.js']),
  'app/io/middleware/mark.js': asEsm(COMMONJS_APP['app/io/middleware/mark.js']),
  'app/io/controller/chat.js': `
    import { IoError } from 'egg-socket.io';
    import { Controller } from 'egg';
    export default class Chat extends Controller {
      async ping() { return [ this.ctx.args[0], this.ctx.mark, this.app.plugins.io.path ]; }
      async fail() { throw new IoError('FULL', 'no room'); }
    }`,
  'app/router.js': asEsm(COMMONJS_APP['app/router.js']),
};

describe('the packed package', { concurrency: 2 }, () => {
  let folder: string;

  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'packed-')));
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], ROOT);
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const installed = join(folder, 'installed');
    await write(installed, { 'package.json': '{ "private": true }' });
    await run('npm', ['install', join(folder, filename), '--prefer-offline', '--no-audit', '--no-fund'], installed);
  });
  after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  test('loads in a CommonJS app of egg 3', { timeout: 60_000 }, t => answers(t, 'egg3', COMMONJS_APP));
  test('loads in a CommonJS app of egg 4', { timeout: 60_000 }, t => answers(t, 'egg4', COMMONJS_APP));
  test('loads in an ESM app of egg 4', { timeout: 60_000 }, t => answers(t, 'egg4', ESM_APP));
  test('loads in an ESM app of egg 4.1', { timeout: 60_000, skip: !existsSync(NODE_24) && 'no Node 24 here' }, t =>
    answers(t, 'egg41', ESM_APP, NODE_24),
  );

  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    if (name === 'webpack 4') continue; // it does not read `exports`: it takes contract.js, which is CommonJS, whole
    test(`has contracts for pages, of which ${name} takes only what they use`, async () => {
      const page = async (file: string, code: string): Promise<string> => {
        const entry = join(folder, 'installed', `${name.replace(' ', '-')}-${file}`);
        await writeFile(entry, code);
        return bundle(entry);
      };
      const code = await page('unwrap.mjs', "import { unwrap } from 'egg-socket.io/contract'; globalThis.answer = unwrap;");
      assert.match(code, /ReplyError/);
      assert.doesNotMatch(code, /SetupError|require\(/);
      const unused = await page(
        'define.mjs',
        "import { defineContract } from 'egg-socket.io/contract'; globalThis.answer = defineContract;",
      );
      assert.doesNotMatch(unused, /ReplyError|SetupError|require\(/);
    });
  }

  test('has contracts for pages, without code of the server', async () => {
    const contents = `
      import { defineContract, unwrap } from 'egg-socket.io/contract';
      const { namespace } = defineContract({ namespace: '/chat' });
      try {
        unwrap({ error: { code: 'FULL', message: 'No room' } });
      } catch ({ name, code, message }) {
        answer = [namespace, unwrap(true), name, code, message].join();
      }`;
    const { metafile, outputFiles } = await build({
      stdin: { contents, resolveDir: join(folder, 'installed') },
      bundle: true,
      format: 'iife',
      platform: 'browser',
      metafile: true,
      write: false,
    });
    const files = Object.keys(metafile.inputs).filter(name => name !== '<stdin>');
    assert.deepEqual(
      files.filter(name => !name.includes('/node_modules/egg-socket.io/dist/contract/')),
      [],
    );
    const page = { answer: '' };
    runInNewContext(outputFiles[0]?.text ?? '', page);
    assert.equal(page.answer, '/chat,true,ReplyError,FULL,No room');
  });

  test('has the licence and the types of what it exports', async () => {
    const root = join(folder, 'installed/node_modules/egg-socket.io');
    assert.match(await readFile(join(root, 'LICENSE'), 'utf8'), /MIT/);
    assert.match(await readFile(join(root, 'dist/index.d.ts'), 'utf8'), /IoError/);
  });

  test('is one copy, however it is imported', async () => {
    const script = `
      import { createRequire } from 'node:module';
      for (const name of ['egg-socket.io', 'egg-socket.io/test']) {
        const [imported, required] = [await import(name), createRequire(import.meta.url)(name)];
        const names = Object.keys(required);
        console.log(names.length > 0 && names.every(name => imported[name] === required[name]));
      }`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], join(folder, 'installed'));
    assert.deepEqual(stdout.match(/^(true|false)$/gm), ['true', 'true']); // the test kit has hooks of node:test, which prints a report
  });

  test('has the command that migrates, which reads an app that has nothing else', async () => {
    const app = join(folder, 'old app');
    await write(app, {
      'app/router.js': 'module.exports = app => { app.io.controllers; };',
      'app.ts': 'ctx.req.args satisfies unknown[];',
    });
    const command = join(folder, 'installed/node_modules/.bin/egg-socket.io');
    await assert.rejects(run(command, ['migrate'], app), (error: { code: number; stdout: string }) => {
      assert.match(error.stdout, /^app\/router\.js:1:27 deprecated: app\.io\.controllers$/m);
      assert.match(error.stdout, /^app\.ts:1:1 breaks: ctx\.req\.args$/m);
      return error.code === 1;
    });
  });

  test('has the command that writes documents', { timeout: 60_000 }, async () => {
    const app = join(folder, 'documented');
    await write(app, {
      ...COMMONJS_APP,
      'app/router.js': "module.exports = ({ io }) => { io.of({ namespace: '/chat', server: { said: {} } }); };",
    });
    await cp(join(folder, 'installed/node_modules'), join(app, 'node_modules'), { recursive: true });
    await symlink(await realpath(join(hostFolder('egg4'), 'node_modules/egg')), join(app, 'node_modules/egg'));
    const command = join(app, 'node_modules/egg-socket.io/migrate/dist/egg-socket.io.js'); // the copied link leads to the original
    const { stdout } = await run(command, ['asyncapi'], app);
    assert.match(stdout, /"address": "\/chat"/);
  });

  async function answers(t: TestContext, host: HostName, files: Files, execPath = process.execPath): Promise<void> {
    const baseDir = await mkdtemp(join(folder, `${host}-`));
    await write(baseDir, files);
    await cp(join(folder, 'installed/node_modules'), join(baseDir, 'node_modules'), { recursive: true });
    const framework = await realpath(join(hostFolder(host), 'node_modules/egg'));
    await symlink(framework, join(baseDir, 'node_modules/egg'));
    const port = await freePort();
    const app = fork(join(baseDir, 'start.js'), [String(port), framework], {
      cwd: baseDir,
      execPath,
      execArgv: [],
      env: { ...process.env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production' },
      silent: true,
    });
    t.after(() => stop(app));
    await started(app);
    const client = await connect(t, `http://127.0.0.1:${port}`);
    const [arg, mark, path] = (await ask(client, 'ping', 1)) as [unknown, unknown, string];
    assert.deepEqual([arg, mark], [1, 'marked']);
    assert.equal(await realpath(path), join(baseDir, 'node_modules/egg-socket.io'), 'not the one that was installed');
    assert.deepEqual(await ask(client, 'fail'), { error: { code: 'FULL', message: 'no room' } });
  }
});

function asEsm(commonJs = ''): string {
  return commonJs.replace('module.exports =', 'export default');
}

async function run(command: string, args: string[], cwd: string): Promise<{ stdout: string }> {
  return promisify(execFile)(command, args, { cwd });
}

async function write(folder: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** Resolves when Egg's master says that its workers listen. */
async function started(app: ChildProcess): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    for (const stream of [app.stdout, app.stderr]) stream?.on('data', chunk => (output += String(chunk)));
    app.on('message', (message: { action?: string }) => message.action === 'egg-ready' && resolve());
    app.once('exit', code => reject(new Error(`the app exited with ${code}:\n${output}`)));
  });
}

async function stop(app: ChildProcess): Promise<void> {
  if (app.exitCode !== null || app.signalCode !== null) return;
  app.kill('SIGTERM');
  await once(app, 'exit');
}

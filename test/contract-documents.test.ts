/** The documents of the contracts: over HTTP, for development, and by command. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Files, HOST, removeApp, ROOT, startApp, writeApp } from './support/app';
import { isAlive } from './support/processes';
import { until } from './support/until';

const COMMAND = join(ROOT, 'migrate/dist/egg-socket.io.js');

const FILES: Files = {
  'contract.js': `
    const { z } = require('zod');
    const { defineContract } = require('egg-socket.io/contract');
    module.exports = defineContract({
      namespace: '/chat',
      client: {
        say: { args: [z.string().describe('<b>bold & more</b>'), z.number().optional()], ack: z.object({ delivered: z.boolean() }) },
        '<i>"odd" & more</i>': {},
      },
      server: { said: { args: [z.date()] } },
    });`,
  'app/router.js': `
    const chat = require('../contract');
    module.exports = app => {
      app.get('/taken', ctx => { ctx.body = 'the app itself'; });
      app.io.of(chat).route('say', async () => ({ delivered: true }));
      app.io.of({ namespace: '/room-{id}', server: { joined: {} } });
    };`,
};

const WITHOUT_CONTRACTS: Files = { 'app/router.js': "module.exports = app => { app.io.route('say', async () => 1); };" };

test('in the environment local, a page shows the contracts, and an AsyncAPI document is beside it', async t => {
  const csp: Files = {
    ...FILES,
    'config/config.local.js': "exports.security = { csp: { enable: true, policy: { 'style-src': ['none'] } } };",
  };
  const { url, logs, logged } = await startApp(t, csp, { env: 'local' });
  const page = await fetch(`${url}/io-docs`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  assert.equal(page.headers.get('content-security-policy'), "default-src 'none'; style-src 'unsafe-inline'");
  const html = await page.text();
  assert.match(html, /<code>\/chat<\/code>/);
  assert.match(html, /\(arg0: string, arg1\?: number \| null\) =&#62; \{ delivered: boolean \}/);
  assert.match(html, /argument 0: JSON Schema cannot express all of it \(date\)/);
  assert.match(html, /href="io-docs\.json"/);
  assert.doesNotMatch(html, /<b>|<i>|<script|src=|https?:/);
  assert.match(html, /&#60;b&#62;bold &#38; more&#60;\/b&#62;/);
  assert.match(html, /&#60;i&#62;&#34;odd&#34; &#38; more&#60;\/i&#62;/);

  const json = await fetch(`${url}/io-docs.json`);
  assert.match(json.headers.get('content-type') ?? '', /^application\/json/);
  const { asyncapi, channels } = (await json.json()) as {
    asyncapi: string;
    channels: Record<string, { address: string; parameters?: object }>;
  };
  assert.deepEqual([asyncapi, channels['chat']?.address], ['3.0.0', '/chat']);
  const { address, parameters } = channels['room-id'] ?? {};
  assert.deepEqual([address, parameters], ['/room-{id}', { id: {} }]);
  assert.equal((await fetch(`${url}/io-docs`, { method: 'HEAD' })).status, 200);
  assert.equal((await fetch(`${url}/io-docs`, { method: 'PUT' })).status, 403, 'as Egg answers without its token');
  assert.equal((await fetch(`${url}/elsewhere`)).status, 404);
  await logged(/^INFO .*\/io-docs shows the contracts/);
  assert.equal(logs.filter(line => line.includes('/io-docs')).length, 1);
});

test('the page has the path that the config gives it, but routes of the app take precedence', async t => {
  const at = (path: string): Files => ({ ...FILES, 'config/config.default.js': `exports.io = { documents: '${path}' };` });
  const { url } = await startApp(t, at('/docs/events'));
  assert.match(await (await fetch(`${url}/docs/events`)).text(), /^<!doctype html>/);
  assert.equal((await fetch(`${url}/io-docs`)).status, 404);
  const other = await startApp(t, at('/taken'));
  assert.equal(await (await fetch(`${other.url}/taken`)).text(), 'the app itself');
});

test('there is no page in other environments, in those that are not for development whatever the config says, if it is off, and without contracts', async t => {
  const off: Files = { ...FILES, 'config/config.local.js': 'exports.io = { documents: false };' };
  const on: Files = { ...FILES, 'config/config.default.js': "exports.io = { documents: '/io-docs' };" };
  const cases: [Files, string][] = [
    [FILES, 'unittest'],
    [on, 'pre'],
    [off, 'local'],
    [WITHOUT_CONTRACTS, 'local'],
  ];
  for (const [files, env] of cases) {
    const { url, logs, close } = await startApp(t, files, { env });
    for (const path of ['/io-docs', '/io-docs.json']) assert.equal((await fetch(url + path)).status, 404, `${path} in ${env}`);
    assert.deepEqual(
      logs.filter(line => line.includes('shows the contracts')),
      [],
    );
    await close();
  }
});

test('the page and one warning say what is missing if a schema cannot be converted', async t => {
  const router = `
    const schema = { '~standard': { version: 1, vendor: 'own', validate: value => ({ value }) } };
    module.exports = app => { app.io.of({ namespace: '/chat', client: { say: { args: [schema] } } }); };`;
  const config = "exports.io = { documents: '/io-docs' };";
  const { url, logs, logged } = await startApp(t, { 'app/router.js': router, 'config/config.default.js': config });
  await logged(/^WARN .*\/io-docs cannot show the contracts: .*there is no JSON Schema of this schema of own; use a library with/);
  const page = await fetch(`${url}/io-docs`);
  const problem = 'event &#39;say&#39; of namespace &#39;/chat&#39;, argument 0: there is no JSON Schema of this schema of own';
  assert.equal(page.status, 500);
  assert.ok((await page.text()).includes(problem));
  const json = await fetch(`${url}/io-docs.json`);
  assert.equal(json.status, 500);
  assert.match(((await json.json()) as { message: string }).message, /IO_JSON_SCHEMA_MISSING/);
  assert.equal(logs.filter(line => line.includes('/io-docs')).length, 1);
});

/** An expression: with it, a document is longer than what a pipe between processes holds. */
const LONG_NAME = "'long'.repeat(1e5)";

/** What the command prints and exits with. */
interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

async function command(t: TestContext, files: Files, ...args: string[]): Promise<Ended & { baseDir: string }> {
  const baseDir = await writeApp(files);
  t.after(() => removeApp(baseDir));
  return { ...(await commandIn(baseDir, args)), baseDir };
}

/** @param node options of Node for the command itself */
async function commandIn(baseDir: string, args: readonly string[], node: readonly string[] = []): Promise<Ended> {
  return new Promise(resolve =>
    execFile(process.execPath, [...node, COMMAND, ...args], { cwd: baseDir, maxBuffer: Infinity }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    ),
  );
}

test('a command writes each document of an app, however long, whatever the app logs and leaves running', { timeout: 120_000 }, async t => {
  const noisy: Files = {
    ...FILES,
    'package.json': JSON.stringify({ name: 'shop', version: '1.2.3' }),
    'app.js': `
      console.log('a line of the app');
      const idle = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'inherit' });
      require('node:fs').writeFileSync(__dirname + '/pid', String(idle.pid));
      module.exports = app => app.io.of({ namespace: '/long', server: { [${LONG_NAME}]: {} } });`,
  };
  const { code, stdout, stderr, baseDir } = await command(t, noisy, 'asyncapi');
  const { info } = JSON.parse(stdout) as { info: { title: string; version: string } };
  assert.deepEqual([info.title, info.version, code], ['shop', '1.2.3', 0]);
  assert.ok(stdout.length > 1e6);
  assert.match(
    stderr,
    /^egg-socket.io: warning: event 'said' of namespace '\/chat', argument 0: JSON Schema cannot express all of it \(date\)$/m,
  );
  const pid = Number(await readFile(join(baseDir, 'pid'), 'utf8'));
  await until(t, () => !isAlive(pid));
  const reference = await commandIn(baseDir, ['reference', '--out', 'events.md']);
  assert.deepEqual([reference.code, reference.stdout], [0, '']);
  const markdown = await readFile(join(baseDir, 'events.md'), 'utf8');
  assert.match(markdown, /^# Events of shop 1\.2\.3\n/);
  assert.match(markdown, /^\(arg0: string, arg1\?: number \| null\) => \{ delivered: boolean \}$/m);
  assert.match(markdown, /^- arg0: \\<b\\>bold \\& more\\<\/b\\>$/m);
});

test('a command finds the contracts of an ESM app', { skip: HOST === 'egg3' && 'egg 3 loads no ESM' }, async t => {
  const baseDir = await writeApp({
    'package.json': JSON.stringify({ name: 'esm', type: 'module' }),
    'app/router.js': "export default app => { app.io.of({ namespace: '/esm', server: { said: {} } }); };",
  });
  t.after(() => removeApp(baseDir));
  await writeFile(join(baseDir, 'config/plugin.js'), "export default { io: { enable: true, package: 'egg-socket.io' } };");
  await writeFile(join(baseDir, 'config/config.default.js'), "export default { keys: 'test-keys' };");
  const { code, stdout, stderr } = await commandIn(baseDir, ['client']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /export type EsmSocket = Socket<EsmServerEvents, EsmClientEvents>;/);
});

test('a command says in one message why there is no document, and leaves no process', { timeout: 60_000 }, async t => {
  const broken: Files = { ...FILES, 'app.js': "module.exports = class { async willReady() { throw new Error('no database'); } };" };
  const cases: [name: string, files: Files, args: string[], code: number, message: RegExp][] = [
    ['a boot that fails', broken, ['asyncapi'], 1, /^egg-socket\.io: the app does not start: no database\n +at .*app\.js:1:\d+\)\n$/],
    [
      'an app that ends',
      { ...FILES, 'app.js': "console.log('so long'); process.exit(3);" },
      ['asyncapi'],
      1,
      /^egg-socket\.io: the app does not start: its process has ended with exit code 3; the last lines of its output:\n(.*\n)*so long\n$/,
    ],
    [
      'an app without the plugin',
      { 'config/plugin.js': 'delete exports.io;' },
      ['asyncapi'],
      1,
      /TypeScript in a folder that is not compiled\n$/,
    ],
    [
      'no contracts',
      WITHOUT_CONTRACTS,
      ['client'],
      1,
      /^egg-socket\.io: the app has no contracts: it calls app\.io\.of\(contract\) nowhere\n$/,
    ],
    ['a folder that cannot be written', FILES, ['asyncapi', '--out', 'none/there.json'], 1, /ENOENT.*none\/there\.json/],
    ['an option of another command', FILES, ['migrate', '--out', 'x'], 2, /^egg-socket\.io: migrate has no option --out\n/],
  ];
  for (const [name, files, args, code, message] of cases) {
    const ended = await command(t, files, ...args);
    assert.deepEqual([ended.code, ended.stdout], [code, ''], name);
    assert.match(ended.stderr, message, name);
  }
});

test('a command ends an app that does not start within a minute', async t => {
  const hurry = 'const { setTimeout: wait } = globalThis; globalThis.setTimeout = (run, ms) => wait(run, ms / 100);';
  const baseDir = await writeApp({
    ...FILES,
    'hurry.js': hurry,
    'app.js': 'module.exports = class { willReady() { return new Promise(() => {}); } };',
  });
  t.after(() => removeApp(baseDir));
  const { code, stderr } = await commandIn(baseDir, ['asyncapi'], ['--require', join(baseDir, 'hurry.js')]);
  assert.equal(code, 1);
  assert.match(stderr, /^egg-socket\.io: the app does not start: it has not answered after 60 s/);
});

test('a command that is killed takes the process of the app with it', async t => {
  const files: Files = {
    ...FILES,
    'app.js': `
      require('node:fs').writeFileSync(__dirname + '/pid', String(process.pid));
      module.exports = class { willReady() { return new Promise(() => {}); } };`,
  };
  const baseDir = await writeApp(files);
  t.after(() => removeApp(baseDir));
  const child = spawn(process.execPath, [COMMAND, 'asyncapi'], { cwd: baseDir, stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  let pid = 0;
  await until(t, async () => (pid = Number(await readFile(join(baseDir, 'pid'), 'utf8').catch(() => ''))) > 0);
  child.kill('SIGKILL');
  await until(t, () => !isAlive(pid));
});

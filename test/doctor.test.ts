/** `npx egg-socket.io doctor`: what it learns from Egg. What it finds without Egg, and with servers and proxies, is in test/once/doctor.test.ts. */
import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { removeApp, ROOT, writeApp } from './support/app';
import { diagnose, diagnoseIn } from './support/doctor';

test('a set-up that is right: each check says so, and nothing of the app is started', async t => {
  const { code, output, findings } = await diagnose(t, {
    'app.js': 'throw new Error("it was started");',
    'config/config.unittest.js': "exports.logger = { consoleLevel: 'NONE' }; exports.io = { init: { pingInterval: 1000 } };",
  });
  assert.equal(code, 0, output);
  assert.match(output, /^The config of the environment unittest/);
  assert.match(output, /^problems: 0, look: \d, ok: \d$/m);
  for (const text of [
    /^ok config\.io can be used$/,
    /^ok the installed versions fit: egg-socket\.io /,
    /^\w+ a process may have .* files open/,
    /^ok there is no adapter/,
  ])
    assert.ok(
      findings.some(finding => text.test(finding)),
      `${text}: ${output}`,
    );
});

const CONFIGS: [name: string, config: string, finding: RegExp, code: number][] = [
  ['a mistake that stops the boot', "exports.io = { adapter: 'redsi' };", /^problem IO_ADAPTER_UNKNOWN: .* Did you mean redis\?/, 1],
  [
    'a time-out of Egg below the ping interval',
    'exports.serverTimeout = 5000;',
    /^problem IO_SERVER_TIMEOUT: config\.serverTimeout is 5000 ms/,
    1,
  ],
  ['an unknown option', 'exports.io = { namespaces: {} };', /^look IO_CONFIG_UNKNOWN_KEY: config\.io\.namespaces /, 0],
  ['a file that throws', 'throw new Error("no secret here");', /^problem .*no secret here/, 1],
  ['an adapter with an option of another one', "exports.io = { adapter: { name: 'mongo', connection: {} } };", /^problem IO_/, 1],
];

test('mistakes in the config, each with what to do', async t => {
  for (const [name, config, finding, code] of CONFIGS) {
    const diagnosis = await diagnose(t, { 'config/config.default.js': config });
    assert.ok(
      diagnosis.findings.some(one => finding.test(one)),
      `${name}: ${diagnosis.output}`,
    );
    assert.equal(diagnosis.code, code, `${name}: ${diagnosis.output}`);
  }
});

test('an adapter without its package', async t => {
  const { code, findings, output } = await diagnose(t, {
    'config/config.default.js': "exports.io = { adapter: { name: 'postgres', connection: 'postgres://127.0.0.1:1/chat' } };",
    'node_modules/@socket.io/postgres-adapter/package.json': '{ "version": "0.5.0", "main": "absent.js" }',
  });
  assert.ok(
    findings.some(text => /^problem IO_ADAPTER_MISSING: .*npm i @socket\.io\/postgres-adapter/.test(text)),
    output,
  );
  assert.equal(code, 1);
});

test('a drain for which Egg leaves no time, in production, is left to the operator: a single process has all of it', async t => {
  const files = { 'config/config.default.js': 'exports.io = { drain: { timeout: 8000 } };' };
  const { code, findings, output } = await diagnose(t, files, [], 'export EGG_SERVER_ENV=prod');
  assert.ok(
    findings.some(text => /^look IO_DRAIN_CUT: .*EGG_APP_CLOSE_TIMEOUT and GRACEFUL_TIMEOUT to 13000/.test(text)),
    output,
  );
  assert.equal(code, 0);
  const { findings: others } = await diagnose(
    t,
    files,
    [],
    'export EGG_SERVER_ENV=prod EGG_APP_CLOSE_TIMEOUT=13000 GRACEFUL_TIMEOUT=13000',
  );
  assert.ok(!others.some(text => text.includes('IO_DRAIN_CUT')));
});

test('the plugin that the app uses is another copy than that of the command', async t => {
  const { findings, output } = await diagnoseIn(await appWithCopy(t));
  assert.ok(
    findings.some(text => text.startsWith('problem the app uses the egg-socket.io 5.0.0-copy of ')),
    output,
  );
});

test('the plugins and the config of a framework count as those of the app', async t => {
  const framework = 'node_modules/chat-framework';
  const { code, findings, output } = await diagnose(t, {
    'package.json': JSON.stringify({ name: 'test-app', type: 'commonjs', egg: { framework: 'chat-framework' } }),
    [`${framework}/package.json`]: JSON.stringify({ name: 'chat-framework', main: 'index.js' }),
    [`${framework}/index.js`]: `
      const egg = require('egg');
      class Application extends egg.Application {
        get [Symbol.for('egg#eggPath')]() { return __dirname; }
      }
      module.exports = { ...egg, Application };`,
    [`${framework}/config/config.default.js`]: "exports.io = { adapter: 'redsi' };",
  });
  assert.ok(
    findings.some(text => text.startsWith('problem IO_ADAPTER_UNKNOWN: ')),
    output,
  );
  assert.equal(code, 1);
});

/** An app whose plugin is another copy than that of the command. */
async function appWithCopy(t: TestContext): Promise<string> {
  const baseDir = await writeApp({});
  t.after(() => removeApp(baseDir));
  const folder = join(baseDir, 'node_modules/egg-socket.io');
  await mkdir(folder, { recursive: true });
  for (const name of ['config', 'dist', 'app.js', 'agent.js', 'node_modules']) await symlink(join(ROOT, name), join(folder, name));
  const json = { name: 'egg-socket.io', version: '5.0.0-copy', eggPlugin: { name: 'io', exports: { import: './', require: './' } } };
  await writeFile(join(folder, 'package.json'), JSON.stringify(json));
  return baseDir;
}

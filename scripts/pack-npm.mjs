/**
 * `npm run test:pack-npm`: WeChat's own npm build packs the client for mini programs, as its developer tools do, and has nothing to warn of.
 * On demand, since that build brings a thousand packages along. It needs no account: the key that it asks for is not used for packing.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';

const BUILDER = 'miniprogram-ci@2.1.42';
const PACKAGE = 'egg-socket.io-mini-program';
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = join(ROOT, '.build/pack-npm');
const PROJECT = join(FOLDER, 'project');
const QUIET = ['--no-audit', '--no-fund', '--loglevel=error'];

await run(process.execPath, [join(ROOT, 'scripts/build.mjs')]);
const tools = join(FOLDER, BUILDER);
if (!existsSync(join(tools, 'node_modules'))) {
  console.log(`Installing ${BUILDER} ...`);
  mkdirSync(tools, { recursive: true });
  await run('npm', ['install', BUILDER, '--prefix', tools, '--ignore-scripts', ...QUIET]);
}

rmSync(PROJECT, { recursive: true, force: true });
cpSync(join(ROOT, 'example/mini-program'), PROJECT, { recursive: true, filter: path => !/node_modules|miniprogram_npm/.test(path) });
await run('npm', ['install', join(ROOT, 'packages/mini-program'), '--install-links', ...QUIET], { cwd: PROJECT });

const require = createRequire(join(tools, 'package.json'));
const { Project, packNpm } = require('miniprogram-ci');
const privateKeyPath = join(FOLDER, 'no.key');
writeFileSync(privateKeyPath, '');
const project = new Project({
  appid: 'touristappid',
  type: 'miniProgram',
  projectPath: PROJECT,
  privateKeyPath,
  ignores: ['node_modules/**/*'],
});
const reports = [];
const warnings = await packNpm(project, { reporter: report => reports.push(report) });
assert.deepEqual(warnings, []);
assert.equal(reports.length, 1);
for (const [name, count] of Object.entries(reports[0])) if (name.startsWith('warn_')) assert.equal(count, 0, name);

const packed = join(PROJECT, 'miniprogram_npm', PACKAGE, 'index.js');
assert.throws(() => require(packed).io('/chat'), { code: 'URL_INCOMPLETE' }); // it is whole

console.log(`${PACKAGE} is packed by ${BUILDER} without a warning: ${(statSync(packed).size / 1000).toFixed(1)} kB`);
console.log('\n1 passed, 0 failed');

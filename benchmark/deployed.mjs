/** An app that is stopped and started again while it has clients: with this plugin as it is built, in production mode. */
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

export const FRAMEWORK = dirname(createRequire(import.meta.url).resolve('egg/package.json'));

/** Returns its folder. */
export function writeApp(files) {
  const baseDir = mkdtempSync(join(tmpdir(), 'deployed-'));
  const all = {
    'package.json': '{ "name": "deployed", "type": "commonjs" }',
    'config/plugin.js': `exports.io = { enable: true, package: 'egg-socket.io' };`,
    ...files,
  };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(dirname(join(baseDir, path)), { recursive: true });
    writeFileSync(join(baseDir, path), content);
  }
  mkdirSync(join(baseDir, 'node_modules'));
  symlinkSync(ROOT, join(baseDir, 'node_modules/egg-socket.io'));
  return baseDir;
}

/** Starts Egg's master. @param options `port` and `workers` @param stdout `ignore` or `pipe` */
export function startMaster(baseDir, options, env, stdout) {
  const file = join(baseDir, 'start.js');
  const all = JSON.stringify({ baseDir, framework: FRAMEWORK, ...options });
  writeFileSync(file, `require(${JSON.stringify(FRAMEWORK)}).startCluster(${all});`);
  return fork(file, {
    cwd: baseDir,
    env: { ...process.env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', HOME: baseDir, ...env },
    stdio: ['ignore', stdout, 'inherit', 'ipc'],
  });
}

export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

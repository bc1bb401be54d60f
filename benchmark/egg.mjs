/** Starts the Egg app in app/ with the egg and the plugin of a peer: one process, in production mode. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from './serve.mjs';

/** How many routes are added, each to a controller of its own. */
const ROUTES = Number(process.env.BENCH_ROUTES ?? 0);

/** @param url of the peer's server program; what is in an app folder beside it replaces files of the common app */
export async function serveApp(url) {
  const folder = dirname(fileURLToPath(url));
  const require = createRequire(url);
  process.env.BENCH_PLUGIN ??= join(folder, 'node_modules/egg-socket.io');
  const baseDir = writeApp(join(folder, 'app'));
  const framework = dirname(require.resolve('egg/package.json'));
  const before = performance.now();
  const app = await require('egg').start({ baseDir, framework });
  const boot = performance.now() - before;
  const server = createServer(app.callback());
  app.emit('server', server); // as Egg's cluster worker does
  const { version } = require(join(process.env.BENCH_PLUGIN, 'package.json'));
  await serve(server, { 'egg-socket.io': version, egg: require('egg/package.json').version }, { boot: () => boot });
}

export function writeApp(ownFiles) {
  const baseDir = mkdtempSync(join(process.env.HOME, 'app-'));
  for (const files of [join(import.meta.dirname, 'app'), ownFiles]) if (existsSync(files)) cpSync(files, baseDir, { recursive: true });
  const generated = join(baseDir, 'app/io/controller/generated');
  mkdirSync(generated);
  for (let i = 0; i < ROUTES; i++) writeFileSync(join(generated, `c${i}.js`), CONTROLLER);
  return baseDir;
}

const CONTROLLER = `'use strict';

module.exports = app =>
  class GeneratedController extends app.Controller {
    async echo() {
      const [message] = this.ctx.args;
      return this.ctx.service.message.answer(message);
    }
  };
`;

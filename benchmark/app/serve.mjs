/** Starts the Egg app with the egg and the plugin of a peer: one process, in production mode. */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { serve } from '../serve.mjs';

/** @param url of the peer's server program */
export async function serveApp(url) {
  const require = createRequire(url);
  const framework = dirname(require.resolve('egg/package.json'));
  const app = await require('egg').start({ baseDir: process.env.BENCH_APP ?? import.meta.dirname, framework });
  const server = createServer(app.callback());
  app.emit('server', server); // as Egg's cluster worker does
  const { version } = require(join(process.env.BENCH_PLUGIN, 'package.json'));
  await serve(server, { 'egg-socket.io': version, egg: require('egg/package.json').version });
}

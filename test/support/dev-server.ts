/** A real dev server, of Vite or webpack, in front of an app. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { ROOT } from './app';
import { freePort } from './port';

/** Each is started in the folder of its packages, by a program that gets the config's path and a port. */
const FOLDER = join(ROOT, 'test/dev-servers');
const PROGRAMS = {
  'vite.config.js': `
    const [configFile, port] = process.argv.slice(1);
    import('vite')
      .then(({ createServer }) => createServer({ configFile, root: require('path').dirname(configFile), server: { port, host: '127.0.0.1' } }))
      .then(server => server.listen())
      .then(() => console.log('listening'));`,
  'webpack.config.js': `
    const [configFile, port] = process.argv.slice(1);
    const { devServer, ...config } = require(configFile);
    const compiler = require('webpack')({ mode: 'development', context: require('path').dirname(configFile), ...config });
    const DevServer = require('webpack-dev-server');
    new DevServer({ ...devServer, port, host: '127.0.0.1' }, compiler).startCallback(() => console.log('listening'));`,
};

export type DevServerConfig = keyof typeof PROGRAMS;

export function isDevServerConfig(path: string | undefined): path is DevServerConfig {
  return path !== undefined && path in PROGRAMS;
}

/** Starts it with a config file, on a free port. It is stopped when the test ends. */
export async function startDevServer(
  t: TestContext,
  name: DevServerConfig,
  config: string,
): Promise<{ url: string; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'dev-server-'));
  await mkdir(join(folder, 'src'));
  await writeFile(join(folder, name), config);
  await writeFile(join(folder, 'src/index.js'), '');
  const port = await freePort();
  const server = spawn(process.execPath, ['-e', PROGRAMS[name], join(folder, name), String(port)], {
    cwd: FOLDER,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(server, 'exit');
  const stop = async (): Promise<void> => {
    server.kill();
    await exited;
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  t.after(stop);
  const errors: string[] = [];
  server.stderr.on('data', (part: Buffer) => errors.push(part.toString()));
  for await (const line of createInterface(server.stdout)) {
    if (line !== 'listening') continue;
    server.stdout.resume(); // or the pipe fills up
    return { url: `http://localhost:${port}`, stop };
  }
  throw new Error(`${name}: the dev server has not started: ${errors.join('')}`);
}

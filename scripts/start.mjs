/**
 * `npm start`: installs what is missing, builds, and runs the example in the foreground. Needs nothing but Node and npm.
 * `npm run start:tegg` runs the one with classes of tegg.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, buildTeggChat } from './build.mjs';
import { installMissing } from './install.mjs';
import { run } from './run.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TEGG_CHAT = 'tegg-chat';
const HOST = '127.0.0.1';
const ANOTHER_PORT = 'Choose another port: npm start -- --port 8001';

try {
  const { port, name } = readArguments();
  await checkThatPortIsFree(port);
  await installMissing(ROOT);
  await build();
  if (name === TEGG_CHAT) {
    await installMissing(join(ROOT, 'example', name)); // it has another egg
    await buildTeggChat();
  }
  const env = {
    ...process.env,
    NODE_ENV: 'production',
    EGG_SERVER_ENV: 'prod',
    EGG_LOG: process.env.EGG_LOG ?? 'WARN',
    PORT: String(port),
  };
  await run(process.execPath, [`example/${name}/dist/server.js`], { cwd: ROOT, env });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

function readArguments() {
  const options = { port: { type: 'string', default: process.env.PORT || '7001' }, tegg: { type: 'boolean' } };
  const { values } = parseArgs({ options });
  const port = Number(values.port);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return { port, name: values.tegg ? TEGG_CHAT : 'chat' };
  throw new Error(`${String(values.port)} is no port. ${ANOTHER_PORT}`);
}

async function checkThatPortIsFree(port) {
  const server = createServer().listen(port, HOST);
  try {
    await once(server, 'listening');
  } catch (error) {
    const problem =
      { EADDRINUSE: 'is in use by another program', EACCES: 'may not be used by this user' }[error.code] ??
      `cannot be used (${error.code})`;
    throw new Error(`Port ${port} ${problem}. ${ANOTHER_PORT}`, { cause: error });
  }
  server.close();
  await once(server, 'close');
}

/** The plugin's WebSockets are those of the ws that Engine.IO itself has, and no other copy. */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/app';

const ENGINE = createRequire(require.resolve('socket.io')).resolve('engine.io');

/** From where Engine.IO looks for its packages. */
const requireOfEngine = createRequire(ENGINE);

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

test('ws of the plugin is the one that Engine.IO has, and its range is Engine.IO’s', async () => {
  const { WebSocketServer } = requireOfEngine('ws') as { WebSocketServer: unknown };
  assert.equal(baseOf(join(ROOT, 'dist/handshake/corked-websocket.js')), WebSocketServer);
  const [ours, engines] = await Promise.all(
    [join(ROOT, 'package.json'), join(dirname(ENGINE), '../package.json')].map(
      async path => JSON.parse(await readFile(path, 'utf8')) as Manifest,
    ),
  );
  assert.equal(ours?.dependencies['ws'], engines?.dependencies['ws']);
});

test('where the plugin has a ws of its own beside it, that of Engine.IO is taken all the same', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'egg-socket.io-ws-'));
  t.after(() => rm(folder, { recursive: true }));
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, 'ws'), { recursive: true });
  await writeFile(join(modules, 'ws/index.js'), 'exports.WebSocket = exports.WebSocketServer = class Other {};');
  await symlink(dirname(require.resolve('socket.io/package.json')), join(modules, 'socket.io'));
  await cp(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  assert.equal(baseOf(join(folder, 'dist/handshake/corked-websocket.js')), baseOf(join(ROOT, 'dist/handshake/corked-websocket.js')));
});

/** The class of ws that the plugin's own is made from. */
function baseOf(path: string): unknown {
  const { CorkedWebSocketServer } = require(path) as { CorkedWebSocketServer: object };
  return Object.getPrototypeOf(CorkedWebSocketServer);
}

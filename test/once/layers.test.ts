import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/app';

/** What no file may import, by file. */
const VIOLATIONS: Record<string, string> = {
  'adapter.ts': "import type { Router } from './router';\nexport type Bad = Router;",
  'agent-io.ts': "import { Server as Bad } from './server';\nexport const bad = Bad;",
  'agent.ts': "import { Server } from './server';\nexport const bad = Server;",
  'answer.ts': "import { Server as Bad } from './server';\nexport const bad = Bad;",
  'app.ts': "import { Namespace } from './namespace';\nexport const bad = Namespace;",
  'arrivals.ts': "import type { Connection } from './connection';\nexport type Bad = Connection;",
  'backend-message.ts': "import type { EggApplication } from './egg';\nexport type Bad = EggApplication;",
  'broadcast.ts': "import type { Connection } from './connection';\nexport type Bad = Connection;",
  'config.ts': "import type { EggApplication } from './egg';\nexport type Bad = EggApplication;",
  'connection.ts': "import { Server } from './server';\nexport const bad = Server;",
  'context.ts': "import { descend } from './onion';\nexport const bad = descend;",
  'database.ts': "import { Router } from './router';\nexport const bad = Router;",
  'deprecations.ts': "import { receivePacket } from './packet';\nexport const bad = receivePacket;",
  'errors.ts': "import { withSlash } from './config';\nexport const bad = withSlash;",
  'failures.ts': "import type { Connection } from './connection';\nexport type Bad = Connection;",
  'hub-adapter.ts': "import { Server } from './server';\nexport const bad = Server;",
  'hub-frames.ts': "import { Server } from 'socket.io';\nexport const bad = Server;",
  'hub-link.ts': "import { Adapter as Bad } from 'socket.io-adapter';\nexport const bad = Bad;",
  'hub-message.ts': "import type { EggApplication } from './egg';\nexport type Bad = EggApplication;",
  'hub-packet.ts': "import type { EggApplication } from './egg';\nexport type Bad = EggApplication;",
  'hub-receiver.ts': "import { Server } from './server';\nexport const bad = Server;",
  'hub.ts': "import type { Router } from './router';\nexport type Bad = Router;",
  'ids.ts': "import { Server } from 'socket.io';\nexport const bad = Server;",
  'keyed-tables.ts': "import type { Router } from './router';\nexport type Bad = Router;",
  'link.ts': "import type { EggApplication } from './egg';\nexport type Bad = EggApplication;",
  'listeners.ts': "import type { Connection } from './connection';\nexport type Bad = Connection;",
  'loader.ts': "import { Connection } from './connection';\nexport const bad = Connection;",
  'local-first.ts': "import { Server } from './server';\nexport const bad = Server;",
  'locale.ts': "import { Connection } from './connection';\nexport const bad = Connection;",
  'log-limit.ts': "import type { Router } from './router';\nexport type Bad = Router;",
  'message-size.ts': "import { Server } from 'socket.io';\nexport const bad = Server;",
  'module-scope.ts': "import { Connection } from './connection';\nexport const bad = Connection;",
  'namespace.ts': "import { Server as Bad } from './server';\nexport const bad = Bad;",
  'nesting.ts': "import type { Router } from './router';\nexport type Bad = Router;",
  'onion.ts': "import type { Adapter } from 'socket.io-adapter';\nexport type Bad = Adapter;",
  'operators.ts': "import type { Connection } from './connection';\nexport type Bad = Connection;",
  'origin.ts': "import { Router } from './router';\nexport const bad = Router;",
  'packet.ts': "import { Connection as Bad } from './connection';\nexport const bad = Bad;",
  'parents.ts': "import type { Connection } from './connection';\nexport type Bad = Connection;",
  'passport.ts': "import { Connection } from './connection';\nexport const bad = Connection;",
  'recovering-adapter.ts': "import type { Router } from './router';\nexport type Bad = Router;",
  'recovery.ts': "import { receiveConnection } from './connection';\nexport const bad = receiveConnection;",
  'redis.ts': "import type { SessionStore } from './session';\nexport type Bad = SessionStore;",
  'request-pipe.ts': "import { Server } from 'socket.io';\nexport const bad = Server;",
  'response-warnings.ts': "import { Connection } from './connection';\nexport const bad = Connection;",
  'router.ts': "import { receivePacket } from './packet';\nexport const bad = receivePacket;",
  'run-folder.ts': "import { Hub } from './server';\nexport const bad = Hub;",
  'server.ts': "import { receivePacket } from './packet';\nexport const bad = receivePacket;",
  'service.ts': "import { Connection } from './connection';\nexport const bad = Connection;",
  'session-routing.ts': "import { Server } from 'socket.io';\nexport const bad = Server;",
  'session.ts': "import type { Server } from 'socket.io';\nexport type Bad = Server;",
  'shutdown.ts': "import { Server } from './server';\nexport const bad = Server;",
  'single-process.ts': "import { Server } from './server';\nexport const bad = Server;",
  'socket.ts': "import { Connection as Bad } from './connection';\nexport const bad = Bad;",
  'work.ts': "import type { Server } from './server';\nexport type Bad = Server;",
  'workers.ts': "import type { EggApplication } from './egg';\nexport type Bad = EggApplication;",
};

test('lint finds an import against the layers in every part of src, and only there', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'layers-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const path of ['src', '.oxlintrc.json']) await cp(join(ROOT, path), join(folder, path), { recursive: true });
  assert.deepEqual(await filesWithBadImports(folder), []);
  for (const [file, code] of Object.entries(VIOLATIONS)) await appendFile(join(folder, 'src', file), code);
  assert.deepEqual(await filesWithBadImports(folder), Object.keys(VIOLATIONS));
});

async function filesWithBadImports(folder: string): Promise<string[]> {
  const args = ['--disable-nested-config', '-A', 'all', '-f', 'json', '-c', '.oxlintrc.json', 'src'];
  const output = await new Promise<string>(resolve =>
    execFile(join(ROOT, 'node_modules/.bin/oxlint'), args, { cwd: folder }, (_error, stdout) => resolve(stdout)),
  );
  const { diagnostics } = JSON.parse(output) as { diagnostics: { code: string; filename: string }[] };
  const files = diagnostics
    .filter(({ code }) => code === 'eslint(no-restricted-imports)')
    .map(({ filename }) => filename.slice('src/'.length));
  return [...new Set(files)].sort();
}

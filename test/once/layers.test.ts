import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../support/app';

/** What no file of a folder may import, by a file of it. */
const VIOLATIONS: Record<string, string> = {
  'admin/guard.ts': "import { Server } from '../server/server';\nexport const bad = Server;",
  'app.ts': "import { Namespace } from './path/namespace';\nexport const bad = Namespace;",
  'backplane/backplane.ts': "import { RunFolder } from '../cluster/run-folder';\nexport const bad = RunFolder;",
  'backplane/redis/redis.ts': "import type { Connection } from '../../path/connection';\nexport type Bad = Connection;",
  'backplane/postgres/postgres.ts': "import { RunFolder } from '../../cluster/run-folder';\nexport const bad = RunFolder;",
  'backplane/wrappers/recovery.ts': "import type { Connection } from '../../path/connection';\nexport type Bad = Connection;",
  'cluster/hub/hub.ts': "import type { Router } from '../../path/router';\nexport type Bad = Router;",
  'cluster/routing/owners.ts': "import type { Connection } from '../../path/connection';\nexport type Bad = Connection;",
  'cluster/topology.ts': "import { Server } from '../server/server';\nexport const bad = Server;",
  'cluster/agent-io.ts': "import { Lifecycle } from '../server/lifecycle';\nexport const bad = Lifecycle;",
  'client/history.ts': "import { History } from '../store/history';\nexport const bad = History;",
  'config/redis.ts': "import type { Connection } from '../path/connection';\nexport type Bad = Connection;",
  'config/settings.ts': "import type { Logger } from '../egg';\nexport type Bad = Logger;",
  'contract/contract.ts': "import type { Connection } from '../path/connection';\nexport type Bad = Connection;",
  'protocol.ts': "import type { Logger } from './egg';\nexport type Bad = Logger;",
  'deprecated/deprecations.ts': "import { Router } from '../path/router';\nexport const bad = Router;",
  'doctor/address.ts': "import type { Held } from '../limits/held';\nexport type Bad = Held;",
  'doctor/doctor.ts': "import type { Server } from '../server/server';\nexport type Bad = Server;",
  'documents/description.ts': "import type { Connection } from '../path/connection';\nexport type Bad = Connection;",
  'encoder.ts': "import type { Logger } from './egg';\nexport type Bad = Logger;",
  'errors.ts': "import { readConfig } from './config/settings';\nexport const bad = readConfig;",
  'handshake/ids.ts': "import { HubBackplane } from '../cluster/hub/hub-backplane';\nexport const bad = HubBackplane;",
  'handshake/origin.ts': "import type { Connection } from '../path/connection';\nexport type Bad = Connection;",
  'internals/members.ts': "import type { Logger } from '../egg';\nexport type Bad = Logger;",
  'limits/limits.ts': "import type { Connection } from '../path/connection';\nexport type Bad = Connection;",
  'loader/loader.ts': "import { limitsOf } from '../limits/limits';\nexport const bad = limitsOf;",
  'loader/handlers.ts': "import { Server } from '../server/server';\nexport const bad = Server;",
  'path/connection.ts': "import { Server } from '../server/server';\nexport const bad = Server;",
  'path/in-flight.ts': "import type { Lifecycle } from '../server/lifecycle';\nexport type Bad = Lifecycle;",
  'tegg/objects.ts': "import { HubBackplane } from '../cluster/hub/hub-backplane';\nexport const bad = HubBackplane;",
  'path/packet.ts': "import type { HubBackplane } from '../cluster/hub/hub-backplane';\nexport type Bad = HubBackplane;",
  'path/runtime.ts': "import type { Metrics } from '../telemetry/metrics';\nexport type Bad = Metrics;",
  'telemetry/metrics.ts': "import type { Server } from '../server/server';\nexport type Bad = Server;",
  'testing/test.ts': "import { Router } from '../path/router';\nexport const bad = Router;",
  'store/history.ts': "import type { Logger } from '../egg';\nexport type Bad = Logger;",
  'presence/presences.ts': "import type { Connection } from '../path/connection';\nexport type Bad = Connection;",
};

test('lint finds an import against the layers in every folder of src, and only there', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'layers-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const path of ['src', '.oxlintrc.json']) await cp(join(ROOT, path), join(folder, path), { recursive: true });
  assert.deepEqual(await filesWithBadImports(folder), []);
  for (const [file, code] of Object.entries(VIOLATIONS)) await appendFile(join(folder, 'src', file), code);
  assert.deepEqual(await filesWithBadImports(folder), Object.keys(VIOLATIONS).toSorted());
});

test('neither a worker nor the agent loads the code for Redis or a database before the app needs it', async () => {
  const script = `for (const name of ['app', 'agent', 'server/lifecycle']) require('./dist/' + name);
    console.log(Object.keys(require.cache).filter(path => /ioredis|redis-adapter|backplane.(redis|postgres|mongo)/.test(path)).join());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: ROOT });
  assert.equal(stdout.trim(), '');
});

test('a file of the plugin and its packages has 200 lines at most, unless ARCHITECTURE.md names it', async () => {
  const packages = (await readdir(join(ROOT, 'packages'))).map(name => `packages/${name}/src`);
  const files: string[] = [];
  for (const folder of ['src', 'migrate/src', ...packages])
    for (const file of await readdir(join(ROOT, folder), { recursive: true })) if (file.endsWith('.ts')) files.push(`${folder}/${file}`);
  const architecture = await readFile(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const [, exceptions = ''] = /has 200 lines at most\. (.*)/.exec(architecture) ?? [];
  const long: string[] = [];
  for (const file of files) {
    const lines = (await readFile(join(ROOT, file), 'utf8')).trimEnd().split('\n');
    if (lines.length > 200) long.push(file);
  }
  const named = [...exceptions.matchAll(/\]\(([^)]+\.ts)\)/g)].map(([, file = '']) => file);
  assert.deepEqual(long.toSorted(), named.toSorted());
});

async function filesWithBadImports(folder: string): Promise<string[]> {
  const args = ['--disable-nested-config', '-A', 'all', '-f', 'json', '-c', '.oxlintrc.json', 'src'];
  const output = await new Promise<string>(resolve =>
    execFile(join(ROOT, 'node_modules/.bin/oxlint'), args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout) =>
      resolve(stdout),
    ),
  );
  const { diagnostics } = JSON.parse(output) as { diagnostics: { code: string; filename: string }[] };
  const files = diagnostics
    .filter(({ code }) => code === 'eslint(no-restricted-imports)')
    .map(({ filename }) => filename.slice('src/'.length));
  return [...new Set(files)].sort();
}

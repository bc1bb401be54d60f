/** What `npm test` says where programs that the tests run are missing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ROOT } from '../support/app';

const WHAT_TO_DO = /The tests need programs that are missing here\. Install them, on Debian with:\n {2}sudo apt-get install ([a-z -]+)\n/;

test('npm test names the programs that are missing and cannot be installed, with the command that installs them', async t => {
  const path = await newFolder(t);
  const { status, output } = runNode([join(ROOT, 'scripts/test.mjs')], path);
  assert.equal(status, 1);
  assert.doesNotMatch(output, /Installing/, 'there is no apt-get');
  assert.equal(output.trimEnd().split('\n').at(-1), '0 passed, 1 failed', 'it ends there');
  const [, missing = ''] = WHAT_TO_DO.exec(output) ?? [];
  for (const name of ['redis-server', 'chromium', 'fonts-noto-cjk']) assert.ok(missing.split(' ').includes(name), missing);
});

test('only what is missing is named', async t => {
  const path = await newFolder(t);
  const programs = ['redis-server', 'redis-cli', 'postgres', 'pgbouncer', 'nutcracker', 'pgrep', 'openssl', 'chromium'];
  for (const name of [...programs, 'nginx', 'haproxy', 'caddy', 'apache2', 'lighttpd', 'varnishd', 'prometheus', 'systemd-analyze'])
    await writeProgram(path, name, 'exit 0');
  const { output } = installMissingPrograms(path);
  assert.equal(WHAT_TO_DO.exec(output)?.[1], 'fonts-noto-cjk');
  await writeProgram(path, 'fc-list', 'echo /fonts/NotoSansCJK.ttc: Noto Sans CJK SC');
  assert.deepEqual(installMissingPrograms(path), { status: 0, output: '' });
});

test('an apt-get that fails is reported in the same way', { skip: process.getuid?.() !== 0 && 'only root may install' }, async t => {
  const path = await newFolder(t);
  await symlink(process.execPath, join(path, 'redis-server'));
  await writeProgram(path, 'apt-get', 'quiet=$1; shift 2; echo "E: no network ($quiet $*)"; exit 100');
  const { status, output } = installMissingPrograms(path);
  assert.equal(status, 1);
  const [, missing = ''] = /^Installing (.+) \.\.\.$/m.exec(output) ?? [];
  assert.match(missing, /chromium, fonts-noto-cjk/);
  assert.ok(output.includes(`E: no network (--quiet=2 install --yes --no-install-recommends ${missing.replaceAll(',', '')})`), output);
  assert.equal(WHAT_TO_DO.exec(output)?.[1], missing.replaceAll(',', ''));
});

test('what is installed starts no service', { skip: process.getuid?.() !== 0 && 'only root may install' }, async t => {
  const path = await newFolder(t);
  const tools = ['invoke-rc.d', 'deb-systemd-invoke', 'deb-systemd-helper'];
  const asPackagesDo = `PATH="\${2#--option=DPkg::Path=}"; for tool in ${tools.join(' ')}; do $tool nginx start && command -v $tool; done`;
  await writeProgram(path, 'apt-get', `[ "$3" = update ] || { ${asPackagesDo}; }`);
  const { output } = installMissingPrograms(path);
  const found = [...output.matchAll(/^(\/.*)\/([\w.-]+)$/gm)];
  assert.deepEqual(
    found.map(([, , tool]) => tool),
    tools,
  );
  for (const [, folder = ''] of found) assert.ok(!folder.startsWith('/usr') && !existsSync(folder), `${folder} is gone`);
});

test(
  'someone who is not root is told what to do, and apt-get is not run',
  { skip: process.getuid?.() !== 0 && 'this is a test of root' },
  async t => {
    const path = await newFolder(t);
    await writeProgram(path, 'apt-get', 'echo it runs');
    const { status, output } = installMissingPrograms(path, `process.setuid(65534);`);
    assert.equal(status, 1);
    assert.doesNotMatch(output, /Installing|it runs/);
    assert.match(output, WHAT_TO_DO);
  },
);

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'path-'));
  await chmod(folder, 0o755);
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function writeProgram(folder: string, name: string, code: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${code}\n`, { mode: 0o755 });
}

/** Calls it, and prints its error as `npm test` does. */
function installMissingPrograms(path: string, before = ''): Result {
  const code = `import { installMissingPrograms } from ${JSON.stringify(join(ROOT, 'scripts/system.mjs'))};
    ${before}
    try { installMissingPrograms(); } catch (error) { console.error(error.message); process.exitCode = 1; }`;
  return runNode(['--input-type=module', '-e', code], path);
}

interface Result {
  readonly status: number | null;
  /** What it prints on stderr first, then on stdout. */
  readonly output: string;
}

/** Runs Node with one folder for a PATH. */
function runNode(args: string[], path: string): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { PATH: path } });
  return { status, output: stderr + stdout };
}

/** `npm start`, and what it consists of. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ROOT } from '../support/app';
import { npmStart } from '../support/example';
import { freePort } from '../support/port';
import { childrenOf, isAlive } from '../support/processes';

test('a busy port ends npm start with a message that says how to choose another', async t => {
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  assert.deepEqual(await npmStart(t, port).ended, {
    code: 1,
    signal: null,
    output: `Port ${port} is in use by another program. Choose another port: npm start -- --port 8001\n`,
  });
});

test('what is no port ends npm start in the same way', async t => {
  assert.deepEqual(await npmStart(t, 70_000).ended, {
    code: 1,
    signal: null,
    output: '70000 is no port. Choose another port: npm start -- --port 8001\n',
  });
});

for (const [what, signal, toGroup] of [
  ['Ctrl-C', 'SIGINT', true], // a terminal sends it to all processes at once
  ['SIGTERM', 'SIGTERM', false],
  ['a terminal that is closed', 'SIGHUP', true],
] as const) {
  test(`${what} ends npm start and leaves no process behind`, async t => {
    const port = await freePort();
    const { pid, listening, ended } = npmStart(t, port);
    const url = await listening();
    assert.equal(url, `http://127.0.0.1:${port}`);
    assert.equal((await fetch(url)).status, 200);
    const started = descendants(pid);
    assert.equal(started.length, 4, 'master, agent and two workers');

    process.kill(toGroup ? -pid : pid, signal);
    const end = await ended;
    assert.equal(end.signal, signal);
    assert.deepEqual(started.filter(isAlive), []);
    assert.equal(end.output.match(/worker:\d+ exit \(code: 0,/g)?.length, 2, 'the workers ended in good order');
  });
}

test('a build is not made again while no source has changed', async t => {
  const folder = await newProject(t, { 'src/a.ts': 'export const a = 1;\n' });
  compile(folder);
  const first = await stat(join(folder, 'dist/a.js'));
  compile(folder);
  assert.equal((await stat(join(folder, 'dist/a.js'))).mtimeMs, first.mtimeMs);
  await writeFile(join(folder, 'src/a.ts'), 'export const a = 2;\n');
  compile(folder);
  assert.match(await readFile(join(folder, 'dist/a.js'), 'utf8'), /a = 2/);
});

test('a build has nothing of sources that are gone', async t => {
  const folder = await newProject(t, { 'src/a.ts': 'export const a = 1;\n', 'src/b.ts': 'export const b = 1;\n' });
  compile(folder);
  assert.deepEqual(readdirSync(join(folder, 'dist')), ['a.js', 'b.js']);
  await rm(join(folder, 'src/b.ts'));
  compile(folder);
  assert.deepEqual(readdirSync(join(folder, 'dist')), ['a.js']);
});

test('a build that fails is reported each time, and leaves nothing behind', async t => {
  const folder = await newProject(t, { 'src/a.ts': 'export const a: string = 1;\n' });
  for (const _time of ['first', 'second']) assert.throws(() => compile(folder), /not assignable to type 'string'/);
  assert.deepEqual(readdirSync(folder).sort(), ['src', 'tsconfig.json']);
});

test('what package-lock.json names is installed where it is missing, and only there', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'install-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'yolk'));
  await writeFile(join(folder, 'yolk/package.json'), JSON.stringify({ name: 'yolk', version: '1.0.0' }));
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'app', version: '1.0.0', devDependencies: { yolk: 'file:yolk-1.0.0.tgz' } }),
  );
  execFileSync('npm', ['pack', './yolk', '--silent'], { cwd: folder, stdio: 'ignore' });
  execFileSync('npm', ['install', '--package-lock-only', '--offline', '--silent'], { cwd: folder, stdio: 'ignore' });

  assert.match(installMissing(folder), /^Installing 1 npm packages/);
  assert.ok(existsSync(join(folder, 'node_modules/yolk/package.json')));
  assert.equal(installMissing(folder), '');
});

/** All processes that a process has started, and those that these have started. */
function descendants(pid: number): number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(descendants)];
}

async function newProject(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'build-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'src'));
  const compilerOptions = { module: 'node16', rootDir: 'src', outDir: 'dist', strict: true, types: [] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  for (const [path, content] of Object.entries(files)) await writeFile(join(folder, path), content);
  return folder;
}

function compile(folder: string): void {
  callScript('build.mjs', `compile(${JSON.stringify(folder)}, ['src', 'tsconfig.json'])`);
}

function installMissing(folder: string): string {
  return callScript('install.mjs', `installMissing(${JSON.stringify(folder)})`);
}

/** Calls what a script exports. Returns what is printed, and throws it if the call fails. */
function callScript(script: string, call: string): string {
  const code = `const scripts = await import(${JSON.stringify(join(ROOT, 'scripts', script))}); await scripts.${call};`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout + stderr);
  return stdout;
}

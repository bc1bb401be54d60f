import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { RunFolder } from '../support/parts';

const START = '123-456';

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'run-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Where the system's folder for temporary files is another one. */
function inTmpdir(t: TestContext, folder: string): void {
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = folder;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = TMPDIR;
  });
}

test('all processes of a start get the same folder and secret, and nobody else can look into it', async t => {
  const run = join(await newFolder(t), 'run'); // which Egg makes, but perhaps not yet
  const [first, second] = [RunFolder.open(run, START), RunFolder.open(run, START)];
  assert.match(first.path, new RegExp(`^${run}/io-[\\da-f]{6}-${START}$`));
  assert.equal(second.path, first.path);
  assert.equal(first.problem, undefined);
  assert.match(first.secret, /^[\da-f]{64}$/);
  assert.equal(second.secret, first.secret);
  assert.equal(statSync(first.path).mode & 0o777, 0o700);
  assert.equal(statSync(join(first.path, 'secret')).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(first.path), ['secret']);
  assert.notEqual(RunFolder.open(run, '123-457').secret, first.secret);
});

for (const [what, pathIn] of Object.entries({
  'whose path is too long for a socket': (folder: string) => join(folder, 'x'.repeat(90)),
  'that cannot be made': (folder: string) => {
    writeFileSync(join(folder, 'file'), '');
    return join(folder, 'file/run');
  },
  'that others have made before, open to all': (folder: string) => {
    chmodSync(RunFolder.open(folder, START).path, 0o777);
    return folder;
  },
  'that the group may enter': (folder: string) => {
    chmodSync(RunFolder.open(folder, START).path, 0o750);
    return folder;
  },
  ...(process.getuid?.() === 0 && {
    'that belongs to another user': (folder: string) => {
      chownSync(RunFolder.open(folder, START).path, 1, 1);
      return folder;
    },
  }),
})) {
  test(`instead of a run folder ${what} the system's folder for temporary files is taken`, async t => {
    const temporary = await newFolder(t);
    inTmpdir(t, temporary);
    const run = pathIn(await newFolder(t));
    const { path, problem = '' } = RunFolder.open(run, START);
    assert.ok(path.startsWith(`${temporary}/io-`), path);
    assert.ok(problem.startsWith(`${run}/io-`), problem);
    assert.equal(statSync(path).mode & 0o777, 0o700);
  });
}

test('where neither can be used the boot stops, and says why of both', async t => {
  const folder = await newFolder(t);
  writeFileSync(join(folder, 'file'), '');
  inTmpdir(t, join(folder, 'file'));
  assert.throws(() => RunFolder.open(join(folder, 'x'.repeat(90)), START), {
    code: 'IO_RUN_FOLDER_UNUSABLE',
    message:
      /x+\/io-[\da-f]+-123-456: the path is too long for a socket; .*\/file\/io-[\da-f]+-123-456: E(NOTDIR|EXIST).* make one of them usable, or set config\.io\.cluster to false and start with --sticky/,
  });
});

test('processes that have no master of Egg do not meet, though they may have the same parent', () => {
  assert.equal(RunFolder.startOf(undefined), `${process.pid}-0`);
  assert.equal(RunFolder.startOf(1234), `${process.ppid}-1234`);
});

test('what is removed: the own folder, and those of starts that nobody listens in any more, however young', async t => {
  const run = await newFolder(t);
  const own = RunFolder.open(run, START);
  const killed = RunFolder.open(run, '1-1');
  const used = RunFolder.open(run, '2-2');
  const beginning = RunFolder.open(run, '3-3');
  const begun = RunFolder.open(run, '4-4'); // and killed before it had a socket
  const alien = join(run, 'io-something');
  mkdirSync(alien, { mode: 0o700 });
  const listen = async (path: string): Promise<void> => {
    const server = createServer().listen(path);
    t.after(() => server.close());
    await once(server, 'listening');
  };
  await listen(used.workerSocket('7'));
  writeFileSync(killed.hubSocket, ''); // as a process that was killed leaves it: nobody answers
  for (const path of [used.path, begun.path, alien]) utimesSync(path, 0, 0);
  await Promise.all([own.remove(), own.sweep(), own.sweep()]); // as two apps that stop together
  assert.deepEqual(
    [own, killed, begun, used, beginning, { path: alien }].map(({ path }) => existsSync(path)),
    [false, false, false, true, true, true],
  );
});

test('the own folder stays while another process uses it', async t => {
  const own = RunFolder.open(await newFolder(t), START);
  const server = createServer().listen(own.workerSocket('1'));
  await once(server, 'listening');
  await own.remove();
  assert.ok(existsSync(own.path));
  server.close();
  await once(server, 'close');
  await own.remove();
  assert.ok(!existsSync(own.path));
});

test('a folder whose worker is too busy to accept connections stays', async t => {
  const own = RunFolder.open(await newFolder(t), START);
  const path = own.workerSocket('1');
  const server = createServer(socket => socket.destroy()).listen({ path, backlog: 1 });
  await once(server, 'listening');
  t.after(() => server.close());
  // all in one turn of the event loop, in which nothing is accepted
  const waiting = Array.from({ length: 10 }, () => connect(path));
  const errors: unknown[] = [];
  for (const socket of waiting) socket.on('error', ({ code }: NodeJS.ErrnoException) => errors.push(code));
  await own.remove();
  assert.ok(existsSync(own.path));
  assert.ok(errors.includes('EAGAIN'), 'the queue was full');
});

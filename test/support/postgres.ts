/** A real PostgreSQL on a free port of its own, which ends with the test and leaves nothing. */
import { execFile, execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from './port';

export interface PostgresServer {
  readonly url: string;
  kill(): Promise<void>;
  /** Shuts it down as its operators do: it tells each connection. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and all of its processes where they stand. */
  pause(): void;
  resume(): void;
}

/** One that has not been started. */
export async function newPostgres(t: TestContext): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const user = process.getuid?.() === 0 ? userOf('postgres') : {}; // it refuses to run as root
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const bin = binaries();
  await promisify(execFile)(join(bin, 'initdb'), ['-D', data, '-U', 'test', '-A', 'trust', '-N', '-E', 'UTF8', '--no-locale'], {
    ...user,
    cwd: folder,
  });
  const port = await freePort();
  const args = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'];
  let server: ChildProcess | undefined;
  const signal = (name: NodeJS.Signals): void => {
    if (server?.pid === undefined) return;
    const children = spawnSync('pgrep', ['-P', String(server.pid)], { encoding: 'utf8' }).stdout.split('\n');
    for (const pid of [server.pid, ...children.filter(Boolean).map(Number)]) process.kill(pid, name);
  };
  const kill = async (): Promise<void> => {
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, 'exit');
    signal('SIGKILL');
    await exit;
  };
  const stop = async (): Promise<void> => {
    if (!server) return;
    const exit = once(server, 'exit');
    server.kill('SIGINT'); // https://www.postgresql.org/docs/current/server-shutdown.html
    await exit;
  };
  t.after(kill);
  return {
    url: `postgres://test@127.0.0.1:${port}/postgres`,
    kill,
    stop,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async start() {
      await rm(join(data, 'postmaster.pid'), { force: true }); // of one that was killed
      const started = spawn(join(bin, 'postgres'), args, { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
      server = started;
      let output = '';
      await new Promise<void>((resolve, reject) => {
        started.once('error', reject);
        started.once('exit', () => reject(new Error(`postgres ended: ${output}`)));
        started.stderr.on('data', (chunk: Buffer) => {
          output = (output + chunk.toString()).slice(-10_000);
          if (output.includes('ready to accept connections')) resolve();
        });
      });
    },
  };
}

/** Debian keeps its programs out of the PATH. */
function binaries(): string {
  const folder = '/usr/lib/postgresql';
  const version = existsSync(folder) ? readdirSync(folder).sort().at(-1) : undefined;
  return version === undefined ? '' : join(folder, version, 'bin');
}

function userOf(name: string): { uid?: number; gid?: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

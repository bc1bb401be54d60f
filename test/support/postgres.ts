/** A real PostgreSQL on a free port of its own, which ends with the test and leaves nothing. */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Lifetime } from './lifetime';
import { freePort } from './port';
import { endProgram, prints } from './program';

export interface PostgresServer {
  readonly url: string;
  kill(): Promise<void>;
  /** Shuts it down as its operators do: it tells each connection. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and all of its processes where they stand. */
  pause(): void;
  resume(): void;
  /** A standby that follows it, which has not been started. */
  newStandby(): Promise<PostgresServer>;
  /** A PgBouncer that leads to it. */
  startPgBouncer(mode: 'session' | 'transaction'): Promise<PgBouncer>;
  /** A Pgpool-II that sends SELECT to a standby, except of functions that older versions have listed as those that write. Returns its URL. */
  startPgpool(standby: PostgresServer): Promise<string>;
}

/** The adapter brings it. */
const { Client } = createRequire(require.resolve('@socket.io/postgres-adapter'))('pg') as { Client: new (url: string) => PgClient };

interface PgClient {
  connect(): Promise<unknown>;
  query(text: string): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
}

/** Runs a statement of an operator. Returns its rows. */
export async function runAt(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client(url);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

export interface PgBouncer {
  readonly url: string;
  /** Starts it anew with another mode, on the same port. */
  restart(mode: 'session' | 'transaction'): Promise<void>;
}

type User = ReturnType<typeof userOf>;

/** One that has not been started. */
export async function newPostgres(t: Lifetime): Promise<PostgresServer> {
  const { folder, user } = await newFolder();
  const data = join(folder, 'data');
  const init = ['-D', data, '-U', 'test', '-A', 'trust', '-N', '-E', 'UTF8', '--no-locale'];
  await promisify(execFile)(join(binaries(), 'initdb'), init, { ...user, cwd: folder });
  // those users have to show a password
  const rules = join(data, 'pg_hba.conf');
  await writeFile(rules, `host all secretive 127.0.0.1/32 scram-sha-256\n${await readFile(rules, 'utf8')}`);
  return serverOf(t, folder, user);
}

/** Programs of PostgreSQL refuse to run as root. */
async function newFolder(): Promise<{ folder: string; user: User }> {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-'));
  const user = process.getuid?.() === 0 ? userOf('postgres') : {};
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
  return { folder, user };
}

/** @param folder has the data in `data` */
async function serverOf(t: Lifetime, folder: string, user: User): Promise<PostgresServer> {
  const data = join(folder, 'data');
  const bin = binaries();
  const port = await freePort();
  const args = ['-D', data, '-p', String(port), '-k', folder];
  for (const setting of ['listen_addresses=127.0.0.1', 'fsync=off', 'max_connections=40']) args.push('-c', setting); // a test takes them all
  let server: ChildProcess | undefined;
  const signal = (name: NodeJS.Signals): void => {
    if (server?.pid === undefined) return;
    const children = spawnSync('pgrep', ['-P', String(server.pid)], { encoding: 'utf8' }).stdout.split('\n');
    for (const pid of [server.pid, ...children.filter(Boolean).map(Number)]) {
      try {
        process.kill(pid, name);
      } catch {
        // it has ended meanwhile
      }
    }
  };
  const kill = async (): Promise<void> => {
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, 'exit');
    signal('SIGKILL');
    await exit;
  };
  const stop = async (): Promise<void> => endProgram(server, 'SIGINT'); // https://www.postgresql.org/docs/current/server-shutdown.html
  t.after(async () => {
    await kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    url: `postgres://test@127.0.0.1:${port}/postgres`,
    kill,
    stop,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async newStandby() {
      const { folder: other } = await newFolder();
      const from = ['-h', '127.0.0.1', '-p', String(port), '-U', 'test'];
      const copy = ['-D', join(other, 'data'), '--write-recovery-conf', '--checkpoint=fast', '--no-sync'];
      await promisify(execFile)(join(bin, 'pg_basebackup'), [...from, ...copy], { ...user, cwd: other });
      return serverOf(t, other, user);
    },
    startPgBouncer: async mode => startPgBouncer(t, port, mode),
    startPgpool: async standby => startPgpool(t, port, Number(new URL(standby.url).port)),
    async start() {
      await rm(join(data, 'postmaster.pid'), { force: true }); // of one that was killed
      server = spawn(join(bin, 'postgres'), args, { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
      await prints(server, /ready to accept (?:read-only )?connections/);
    },
  };
}

async function startPgBouncer(t: Lifetime, upstream: number, first: 'session' | 'transaction'): Promise<PgBouncer> {
  const { folder, user } = await newFolder();
  const port = await freePort();
  const config = join(folder, 'pgbouncer.ini');
  let bouncer: ChildProcess | undefined;
  const stop = async (): Promise<void> => endProgram(bouncer);
  const restart = async (mode: string): Promise<void> => {
    await stop();
    const lines = ['[databases]', `postgres = host=127.0.0.1 port=${upstream} user=test`, '[pgbouncer]', 'listen_addr = 127.0.0.1'];
    await writeFile(config, [...lines, `listen_port = ${port}`, 'unix_socket_dir =', 'auth_type = any', `pool_mode = ${mode}`].join('\n'));
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };
    bouncer = spawn('pgbouncer', [config], { ...user, cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    await prints(bouncer, /process up/);
  };
  t.after(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await restart(first);
  return { url: `postgres://test@127.0.0.1:${port}/postgres`, restart };
}

async function startPgpool(t: Lifetime, primary: number, standby: number): Promise<string> {
  const { folder, user } = await newFolder();
  const port = await freePort();
  const nodes = [primary, standby].flatMap((upstream, index) => [
    `backend_hostname${index} = '127.0.0.1'`,
    `backend_port${index} = ${upstream}`,
    `backend_weight${index} = ${index}`,
  ]);
  const files = [`pcp_socket_dir = '${folder}'`, `socket_dir = '${folder}'`, `logdir = '${folder}'`, `pid_file_name = '${folder}/pid'`];
  const addresses = [`listen_addresses = '127.0.0.1'`, `port = ${port}`, `pcp_listen_addresses = ''`, `pcp_port = ${await freePort()}`];
  const lines = [
    `backend_clustering_mode = 'streaming_replication'`,
    `sr_check_user = 'test'`,
    `write_function_list = 'currval,lastval,nextval,setval'`,
    ...nodes,
    ...files,
    ...addresses,
  ];
  const config = join(folder, 'pgpool.conf');
  await writeFile(config, lines.join('\n'));
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };
  const pgpool = spawn('pgpool', ['-n', '-D', '-f', config], { ...user, cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(async () => {
    await endProgram(pgpool, 'SIGINT'); // it ends its children
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await prints(pgpool, /successfully started/);
  return `postgres://test@127.0.0.1:${port}/postgres`;
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

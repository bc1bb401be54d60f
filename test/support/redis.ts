/** Real redis-servers on free ports of their own, alone or together, which keep nothing on disk and end with the test. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import type { Lifetime } from './cluster';
import { freePort } from './port';

export interface RedisServer {
  readonly host: string;
  readonly port: number;
  /** Kills it, with no word of goodbye. */
  kill(): Promise<void>;
  /** Starts it, or starts it again, on the same port. */
  start(): Promise<void>;
  /** Stops it where it stands: its connections stay open, and nothing answers. */
  pause(): void;
  /** Lets it go on. */
  resume(): void;
}

export interface RedisServerOptions {
  readonly password?: string;
  /** Further ones of redis-server. */
  readonly args?: readonly string[];
}

export async function startRedis(t: Lifetime, options: RedisServerOptions = {}): Promise<RedisServer> {
  const redis = await newRedis(t, options);
  await redis.start();
  return redis;
}

/** One that has not been started. */
export async function newRedis(t: Lifetime, { password, args = [] }: RedisServerOptions = {}): Promise<RedisServer> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'redis-')); // a replica keeps a copy of its master there, which another server would load
  const all = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...args];
  if (password !== undefined) all.push('--requirepass', password);
  const server = program(t, port, all, 'Ready to accept connections');
  t.after(() => rm(folder, { recursive: true, force: true })); // it has ended by then
  return server;
}

/** A redis-server that speaks TLS only. */
export async function startTlsRedis(t: TestContext): Promise<{ server: RedisServer; ca: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'tls-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', cert, ...subject],
  ]);
  const port = await freePort();
  const args = ['--port', '0', '--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key];
  args.push('--tls-ca-cert-file', cert, '--tls-auth-clients', 'no', '--bind', '127.0.0.1', '--save', '', '--dir', folder);
  const server = program(t, port, args, 'Ready to accept connections');
  await server.start();
  return { server, ca: cert };
}

export interface Sentinels {
  readonly name: string;
  readonly sentinels: { host: string; port: number }[];
  /** The one that they began with. */
  readonly master: RedisServer;
}

/** A master, two replicas and three sentinels, which notice within a second that the master has gone. */
export async function startSentinels(t: TestContext): Promise<Sentinels> {
  const name = 'mymaster';
  const master = await startRedis(t);
  const follow = ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0'];
  await Promise.all([startRedis(t, { args: follow }), startRedis(t, { args: follow })]);
  const folder = await mkdtemp(join(tmpdir(), 'sentinels-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const sentinels = await Promise.all(
    [1, 2, 3].map(async number => {
      const port = await freePort();
      const file = join(folder, `${number}.conf`);
      await writeFile(
        file,
        `port ${port}
bind 127.0.0.1
dir ${folder}
sentinel monitor ${name} 127.0.0.1 ${master.port} 2
sentinel down-after-milliseconds ${name} 800
sentinel failover-timeout ${name} 4000
`,
      );
      const sentinel = program(t, port, [file, '--sentinel'], '+monitor master');
      await sentinel.start();
      return { host: '127.0.0.1', port };
    }),
  );
  for (const { port } of sentinels) {
    await asked(port, async redis => {
      const state = (await redis.call('SENTINEL', 'master', name)) as string[];
      const field = (key: string): string | undefined => state[state.indexOf(key) + 1];
      return field('num-other-sentinels') === '2' && field('num-slaves') === '2';
    });
  }
  return { name, sentinels, master };
}

/** A Cluster of three masters, each with a replica, which notices within two seconds that one has gone. */
export async function startRedisCluster(t: TestContext): Promise<RedisServer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const nodes = await Promise.all(
    [1, 2, 3, 4, 5, 6].map(async number => {
      const busPort = await freePort();
      const args = ['--cluster-enabled', 'yes', '--cluster-config-file', join(folder, `${number}.conf`), '--cluster-node-timeout', '2000'];
      return startRedis(t, { args: [...args, '--cluster-port', String(busPort), '--repl-diskless-sync-delay', '0'] });
    }),
  );
  const addresses = nodes.map(({ host, port }) => `${host}:${port}`);
  await promisify(execFile)('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']);
  for (const { port } of nodes) {
    await asked(port, async redis => {
      const info = await redis.cluster('INFO');
      const members = (await redis.cluster('NODES')) as string; // declared as unknown
      const isWhole = info.includes('cluster_state:ok') && members.match(/\bslave\b.* connected$/gm)?.length === 3;
      // a replica that has not yet copied its master does not take its place
      return isWhole && !(await redis.info('replication')).includes('master_link_status:down');
    });
  }
  return nodes;
}

/** Asks a server, on and on, until something is so. */
async function asked(port: number, question: (redis: Redis) => Promise<boolean>): Promise<void> {
  const redis = new Redis({ port });
  try {
    while (!(await question(redis)));
  } finally {
    redis.disconnect();
  }
}

function program(t: Lifetime, port: number, args: string[], isReady: string): RedisServer {
  let server: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, 'exit');
    server.kill('SIGKILL'); // ends one that is paused, too
    await exit;
  };
  t.after(kill);
  return {
    host: '127.0.0.1',
    port,
    kill,
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    async start() {
      const started = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
      server = started;
      let output = '';
      await new Promise<void>((resolve, reject) => {
        started.once('error', reject);
        started.once('exit', () => reject(new Error(`redis-server ended: ${output}`)));
        started.stdout.on('data', (chunk: Buffer) => {
          output = (output + chunk.toString()).slice(-10_000);
          if (output.includes(isReady)) resolve();
        });
      });
    },
  };
}

/** Real redis-servers on free ports of their own, alone or together, which keep nothing on disk and end with the test. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { next } from './client';
import type { Lifetime } from './lifetime';
import { freePort } from './port';
import { endProgram, prints } from './program';
import type { Proxy } from './proxy';
import { until } from './until';

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
  return serverOf(t, port, { folder, args: all });
}

/** A redis-server that speaks TLS only. */
export async function startTlsRedis(t: TestContext): Promise<{ server: RedisServer; ca: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', cert, ...subject],
  ]);
  const port = await freePort();
  const args = ['--port', '0', '--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key];
  args.push('--tls-ca-cert-file', cert, '--tls-auth-clients', 'no', '--bind', '127.0.0.1', '--save', '', '--dir', folder);
  const server = serverOf(t, port, { folder, args });
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
  const sentinels = await Promise.all(
    [1, 2, 3].map(async () => {
      const port = await freePort();
      const folder = await mkdtemp(join(tmpdir(), 'sentinel-'));
      const file = join(folder, 'sentinel.conf');
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
      const sentinel = serverOf(t, port, { folder, args: [file, '--sentinel'], isReady: /\+monitor master/ });
      await sentinel.start();
      return { host: '127.0.0.1', port };
    }),
  );
  for (const { port } of sentinels) {
    await asked(t, port, async redis => {
      const state = (await redis.call('SENTINEL', 'master', name)) as string[];
      const field = (key: string): string | undefined => state[state.indexOf(key) + 1];
      return field('num-other-sentinels') === '2' && field('num-slaves') === '2';
    });
  }
  return { name, sentinels, master };
}

/** Options of a node of a Cluster. Without a port for the other nodes it takes its port + 10,000, which an outgoing connection may have. */
function nodeArgs(busPort: number): string[] {
  return ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-port', String(busPort)];
}

/** A Cluster of three masters, each with a replica, which notices within two seconds that one has gone. */
export async function startRedisCluster(t: TestContext): Promise<RedisServer[]> {
  const nodes = await Promise.all(
    Array.from({ length: 6 }, async () => startRedis(t, { args: [...nodeArgs(await freePort()), '--repl-diskless-sync-delay', '0'] })),
  );
  const addresses = nodes.map(({ host, port }) => `${host}:${port}`);
  await promisify(execFile)('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']);
  for (const { port } of nodes) {
    await asked(t, port, async redis => {
      const info = await redis.cluster('INFO');
      const members = (await redis.cluster('NODES')) as string; // declared as unknown
      const isWhole = info.includes('cluster_state:ok') && members.match(/\bslave\b.* connected$/gm)?.length === 3;
      // a replica that has not yet copied its master does not take its place
      return isWhole && !(await redis.info('replication')).includes('master_link_status:down');
    });
  }
  return nodes;
}

export interface ClusterNode {
  readonly port: number;
  /** Resolves when it has joined another node, which has all slots. */
  joinCluster(): Promise<void>;
}

/** A node of a Cluster that has no slot, and knows no other node. */
export async function startNodeWithoutSlots(t: TestContext): Promise<ClusterNode> {
  const [busPort, otherBusPort] = [await freePort(), await freePort()];
  const { port } = await startRedis(t, { args: nodeArgs(busPort) });
  const other = await startRedis(t, { args: nodeArgs(otherBusPort) });
  return {
    port,
    async joinCluster() {
      const redis = new Redis({ port: other.port });
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      await redis.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort));
      redis.disconnect();
      await asked(t, port, async node => (await node.cluster('INFO')).includes('cluster_state:ok'));
    },
  };
}

/** The port of the connection through a proxy whose latest command is this one. */
export async function connectionOf(admin: Redis, command: string, proxy: Proxy): Promise<number> {
  for (;;) {
    const list = (await admin.client('LIST')) as string; // declared as unknown
    const all = [...list.matchAll(/ addr=[\d.]+:(\d+) .* cmd=(\S+) /g)].map(([, port, cmd]) => ({ port: Number(port), cmd }));
    const [found, ...more] = all.filter(({ port, cmd }) => cmd === command && proxy.ports().includes(port));
    assert.equal(more.length, 0);
    if (found) return found.port;
    await nextTurn();
  }
}

/** Waits for so many pulses, of which a server with the adapter `redis` or `redis-streams` sends five a second. */
export async function pulses(admin: Redis, count: number): Promise<void> {
  const subscriber = admin.duplicate();
  await subscriber.psubscribe('*#pulse-*');
  for (let seen = 0; seen < count; seen++) await next(subscriber, 'pmessage');
  subscriber.disconnect();
}

/** Asks a server, on and on, until something is so. */
async function asked(t: TestContext, port: number, question: (redis: Redis) => Promise<boolean>): Promise<void> {
  const redis = new Redis({ port });
  try {
    await until(t, async () => question(redis));
  } finally {
    redis.disconnect();
  }
}

interface ServerProgram {
  /** Removed once it has ended: until then it may write there. */
  readonly folder: string;
  readonly args: readonly string[];
  /** What it prints when it can be used. */
  readonly isReady?: RegExp;
}

function serverOf(t: Lifetime, port: number, { folder, args, isReady = /Ready to accept connections/ }: ServerProgram): RedisServer {
  let server: ChildProcess | undefined;
  const kill = async (): Promise<void> => endProgram(server);
  t.after(async () => {
    await kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    host: '127.0.0.1',
    port,
    kill,
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    async start() {
      server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] });
      await prints(server, isReady);
    },
  };
}

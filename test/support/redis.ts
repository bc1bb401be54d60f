/** A real redis-server on a free port of its own, which keeps nothing on disk and ends with the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import type { TestContext } from 'node:test';
import { freePort } from './port';

export interface RedisServer {
  readonly port: number;
  /** Kills it, with no word of goodbye. */
  kill(): Promise<void>;
  /** Starts it, or starts it again, on the same port. */
  start(): Promise<void>;
}

export async function startRedis(t: TestContext, options: { password?: string } = {}): Promise<RedisServer> {
  const redis = await newRedis(t, options);
  await redis.start();
  return redis;
}

/** One that has not been started. */
export async function newRedis(t: TestContext, { password }: { password?: string } = {}): Promise<RedisServer> {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()];
  if (password !== undefined) args.push('--requirepass', password);
  let server: ChildProcess | undefined;

  const kill = async (): Promise<void> => {
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, 'exit');
    server.kill('SIGKILL');
    await exit;
  };
  t.after(kill);

  return {
    port,
    kill,
    async start() {
      const started = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
      server = started;
      let output = '';
      await new Promise<void>((resolve, reject) => {
        started.once('error', reject);
        started.once('exit', () => reject(new Error(`redis-server ended: ${output}`)));
        started.stdout.on('data', (chunk: Buffer) => {
          output += chunk.toString();
          if (output.includes('Ready to accept connections')) resolve();
        });
      });
    },
  };
}

/** A real redis-server of a test's own, on a free port. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

export interface RunningRedis {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts it, keeping nothing on disk. It is stopped when the test ends. */
export async function startRedis(t: TestContext, port?: number): Promise<RunningRedis> {
  const ownPort = port ?? (await freePort());
  const args = ['--port', String(ownPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(server, 'exit');
  const stop = async (): Promise<void> => {
    server.kill();
    await exited;
  };
  t.after(stop);
  for await (const line of createInterface(server.stdout)) {
    if (line.includes('Ready to accept connections')) {
      server.stdout.resume(); // or the pipe fills up
      return { port: ownPort, stop };
    }
  }
  throw new Error(`redis-server has not started on port ${ownPort}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  server.close();
  await once(server, 'close');
  return port;
}

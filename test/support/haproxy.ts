/** A real HAProxy in front of apps. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { RunningNginx } from './nginx';
import { freePort } from './port';

/** Starts it with a configuration, where `bind :80` stands for a free port. It is stopped when the test ends. */
export async function startHaproxy(t: TestContext, config: string): Promise<RunningNginx> {
  const folder = await mkdtemp(join(tmpdir(), 'haproxy-'));
  const port = await freePort();
  await writeFile(join(folder, 'haproxy.cfg'), config.replace('bind :80', `bind 127.0.0.1:${port}`));
  const haproxy = spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: [process.env['PATH'], '/usr/sbin'].join(delimiter) }, // not every user has the latter, where Debian puts it
  });
  let output = '';
  haproxy.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(haproxy, 'exit');
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      haproxy.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    })());
  t.after(stop);
  while (!(await listens(port))) if (haproxy.exitCode !== null) throw new Error(`haproxy ended: ${output}`);
  return { url: `http://127.0.0.1:${port}`, stop };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not yet
  } finally {
    socket.destroy();
  }
}

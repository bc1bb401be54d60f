/** Starts the example as people do: by the script of `npm start`, in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { ROOT } from './app';

export interface StartProcess {
  readonly pid: number;
  /** How it has ended, and all that it has printed. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>;
  /** Resolves with the address that it prints when it listens. Rejects if it ends before. */
  listening(): Promise<string>;
}

/** Runs the script with these options. It is ended, and waited for, when the test ends. */
export function npmStart(t: TestContext, port: number, ...options: string[]): StartProcess {
  const child = spawn(process.execPath, ['scripts/start.mjs', '--port', String(port), ...options], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a process group of its own, as a terminal gives to what it starts
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode, output }));
  t.after(async () => {
    child.kill();
    await ended;
  });
  return {
    pid: child.pid ?? 0, // Node itself can always be started
    ended,
    async listening() {
      for (;;) {
        const [, url] = /listens on (\S+)/.exec(output) ?? [];
        if (url) return url;
        await Promise.race([once(child.stdout, 'data'), ended]);
        if (child.exitCode !== null) throw new Error(`npm start has ended: ${output}`);
      }
    },
  };
}

/** Programs other than Node: waits until they can be used, and ends them. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Resolves once what a program prints has a match. Rejects with the latest of what it has printed if it ends before that. */
export async function prints(program: ChildProcess, pattern: RegExp): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    program.once('error', reject);
    program.once('exit', () => reject(new Error(`${program.spawnfile} ended: ${output}`)));
    for (const stream of [program.stdout, program.stderr])
      stream?.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-10_000);
        if (pattern.test(output)) resolve();
      });
  });
}

/** Ends a program, unless it has ended. SIGKILL ends one that is stopped, too. */
export async function endProgram(program: ChildProcess | undefined, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (program?.exitCode !== null || program.signalCode !== null) return;
  const exit = once(program, 'exit');
  program.kill(signal);
  await exit;
}

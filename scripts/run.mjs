/** Runs a command to its end. It does not outlive this process: what ends this one is passed on to it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export async function run(command, args, options) {
  // a process group of its own: a terminal sends Ctrl-C to all processes of a group at once, and Egg's master,
  // finding that its workers have gone before it could end them, would wait for them in vain for ten seconds
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true, ...options });
  let received;
  const passOn = signal => {
    received ??= signal;
    child.kill('SIGTERM');
  };
  for (const signal of SIGNALS) process.on(signal, passOn);
  const [code] = await once(child, 'exit');
  for (const signal of SIGNALS) process.off(signal, passOn);
  if (received) process.kill(process.pid, received);
  if (code !== 0) throw new Error(`${[command, ...args].join(' ')} has failed`);
}

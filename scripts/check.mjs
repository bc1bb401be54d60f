/** Runs commands for the checks, and says which. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export function heading(text) {
  console.log(`\n== ${text}`);
}

/** Whether a command succeeds. It shows what it prints. */
export function runs(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (error) console.error(`${command}: ${error.message}`);
  return status === 0;
}

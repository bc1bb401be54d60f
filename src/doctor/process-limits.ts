/** What the system and Egg leave a worker. */
import { execFileSync } from 'node:child_process';
import type { Settings } from '../config/settings';
import type { Finding } from './finding';

/** What a worker has open besides its clients: code, logs, databases, and connections to other workers. */
const OTHER_FILES = 1000;

/** Below this, a worker of an app that does not say how many clients it expects has little room. */
const FEW_FILES = 10_000;

export function checkOpenFiles({ limits: { connections } }: Settings): Finding {
  const most = mostOpenFiles();
  if (!Number.isFinite(most)) return { level: 'ok', text: 'the number of open files has no limit' };
  const text = `a process may have ${most} files open, of which each client needs one, and one more in a worker that only passes it on`;
  const remedy = (wanted: number): string =>
    `raise it to ${wanted}: LimitNOFILE= of systemd, --ulimit nofile= of Docker, ulimit -n or /etc/security/limits.conf elsewhere; and run the doctor as the app is run`;
  if (Number.isFinite(connections)) {
    const wanted = 2 * connections + OTHER_FILES;
    if (most >= wanted) return { level: 'ok', text: `${text}; config.io.limits.connections is ${connections}` };
    return { level: 'problem', text: `${text}, but config.io.limits.connections is ${connections}`, remedy: remedy(wanted) };
  }
  return most < FEW_FILES ? { level: 'look', text, remedy: remedy(FEW_FILES) } : { level: 'ok', text };
}

/** Node itself has raised the limit as far as it may. Infinite where nothing is known of one. */
function mostOpenFiles(): number {
  if (process.platform === 'win32') return Number.POSITIVE_INFINITY;
  const text = execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
}

/** The processes of a cluster, as Linux lists them. */
import { readdirSync, readFileSync } from 'node:fs';

/** What a master has forked: its agent, and its workers. */
export function processesOf(master: number): { agent: number | undefined; workers: number[] } {
  const children = childrenOf(master).map(pid => ({ pid, command: commandOf(pid) }));
  const pidsOf = (part: string): number[] => children.filter(({ command }) => command.includes(part)).map(({ pid }) => pid);
  return { agent: pidsOf('agent_worker')[0], workers: pidsOf('app_worker') };
}

/** The memory that a process has in RAM, in MB. */
export function residentMemory(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

/** What a process has started. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(child => parentOf(child) === pid);
}

/** A process that has ended may still have its number, until its parent has heard of it. */
export function isAlive(pid: number): boolean {
  const status = contentOf(`/proc/${pid}/stat`);
  return status !== '' && !/\) Z /.test(status);
}

function parentOf(pid: number): number | undefined {
  const [, parent] = /\) \S (\d+)/.exec(contentOf(`/proc/${pid}/stat`)) ?? []; // after the name, which may be anything
  return parent === undefined ? undefined : Number(parent);
}

function commandOf(pid: number): string {
  return contentOf(`/proc/${pid}/cmdline`);
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}

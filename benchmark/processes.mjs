/** What Linux says of processes. */
import { readFileSync } from 'node:fs';

export function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** Whether a process was started with this word in its command. */
export function isStartedBy(word, pid) {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
}

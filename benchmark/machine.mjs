/** The machine that is measured on. */
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

export function machine() {
  const [{ model }] = cpus();
  const [version] = /^\d+\.\d+/.exec(release());
  return `${model} (${availableParallelism()} cores), ${Math.round(totalmem() / 1e9)} GB, ${type()} ${version}`;
}

/** CPU time that all programs have used since the machine was started, in microseconds. */
export function cpuOfAll() {
  return cpus().reduce((sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) * 1000, 0);
}

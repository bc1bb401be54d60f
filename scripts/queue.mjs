/** Runs commands several at a time, says what each has printed once it has ended, and counts what has passed. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { heading } from './check.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CORES = availableParallelism();
/** Tests wait at times, some of them for seconds: one more is started whenever this part of all cores has nothing to do. */
const IDLE = 0.2;
/** But not more than these at a time, for the sake of memory; and so few that a share of the ports is enough for any test. */
const AT_MOST = Math.min(CORES * 4, 100);
/** In ms. So long is looked whether cores are idle. A test that has begun keeps them busy by then. */
const LOOK = 1000;
/** In ms. Each test has a time-out of its own; this ends a process that has something left behind. */
const TIMEOUT = 900_000;
/** Ports for tests: below those that systems give to outgoing connections. Each task that runs has a share of its own. */
const [FIRST_PORT, LAST_PORT] = [10_000, 30_000];

/**
 * Runs the heaviest first, so that none is left to run alone at the end; but a task after those that it needs.
 *
 * @typedef {{ title: string, weight?: number, needs?: Task[], command: string, args: string[], env?: Record<string, string>, count?(status: number | null, output: string): Result }} Task
 * @typedef {{ passed?: number, failed?: number, skipped?: number, failures?: string[] }} Result
 * @param {Task[]} tasks
 * @param {Total} total
 */
export async function runAll(tasks, total) {
  const left = tasks.toSorted((one, other) => (other.weight ?? 0) - (one.weight ?? 0));
  const running = new Map();
  const ended = new Set();
  const shares = portShares();
  while (left.length > 0) {
    const next = left.findIndex(({ needs = [] }) => needs.every(task => ended.has(task)));
    if (next >= 0 && running.size < AT_MOST && (running.size < CORES || (await areCoresIdle()))) {
      const [task] = left.splice(next, 1);
      const [ports] = shares.splice(randomInt(shares.length), 1); // any of them: another run on this machine has the same shares
      const run = runTask(task, total, ports).finally(() => {
        shares.push(ports);
        running.delete(task);
        ended.add(task);
      });
      running.set(task, run);
    } else if (next < 0 && running.size === 0) throw new Error(`${left[0].title} needs what is not among the tasks, or what needs it`);
    else if (next < 0 || running.size >= AT_MOST) await Promise.race(running.values());
  }
  await Promise.all(running.values());
}

/** As many as tasks may run. */
function portShares() {
  const size = Math.floor((LAST_PORT - FIRST_PORT) / AT_MOST);
  return Array.from({ length: AT_MOST }, (_, n) => `${FIRST_PORT + n * size}-${FIRST_PORT + (n + 1) * size}`);
}

async function areCoresIdle() {
  const before = timesOfCores();
  await wait(LOOK);
  const after = timesOfCores();
  return (after.idle - before.idle) / (after.all - before.all) > IDLE;
}

function timesOfCores() {
  const times = cpus().map(({ times }) => times);
  const sum = numbers => numbers.reduce((one, other) => one + other, 0);
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap(Object.values)) };
}

async function runTask({ title, command, args, env, count = countOne }, total, ports) {
  const start = performance.now();
  const options = { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TEST_PORTS: ports, ...env }, timeout: TIMEOUT };
  const child = spawn(command, args, options);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text));
  child.once('error', error => (output += `${command}: ${error.message}\n`));
  const [status] = await Promise.race([once(child, 'close'), once(child, 'error').then(() => [null])]);
  heading(`${title} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  process.stdout.write(output);
  total.add(title, resultOf(count, status, output));
}

/** A report that cannot be read is a failure as well. */
function resultOf(count, status, output) {
  try {
    return count(status, output);
  } catch (error) {
    return { failed: 1, failures: [error.stack] };
  }
}

function countOne(status) {
  return status === 0 ? { passed: 1 } : { failed: 1 };
}

/** What has passed and what has not, over all that ran. */
export class Total {
  passed = 0;
  failed = 0;
  skipped = 0;
  #failures = [];

  /** @param {Result} result */
  add(title, { passed = 0, failed = 0, skipped = 0, failures = [] }) {
    this.passed += passed;
    this.failed += failed;
    this.skipped += skipped;
    if (failed > 0) this.#failures.push(`${title}\n${failures.join('\n')}`);
  }

  /** The end of the output: each failure with its reason, so that nobody has to look for it, then `N passed, N failed`. */
  toString() {
    const failures = this.#failures.map(text => `\n== failed: ${text}\n`).join('');
    return `${failures}\n${this.passed} passed, ${this.failed} failed${this.skipped > 0 ? `, ${this.skipped} skipped` : ''}`;
  }
}

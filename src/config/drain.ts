/** The options of a server that moves its clients away before it closes, and their reader. */
import { createRequire } from 'node:module';
import { isDevelopment, messageOf } from '../errors';
import { readSwitch, wholeNumber } from './readers';

/** `config.io.drain` */
export interface DrainConfig {
  /** The time over which the clients are moved, in ms. Default: `10000`. Since 5. */
  timeout?: number;
  /** The number of clients that are moved at a time. Default: `100`. Since 5. */
  batch?: number;
  /** The most time in ms that a client of a batch waits until it is moved. It is random, so that not all come at once. Default: `500`. Since 5. */
  jitter?: number;
}

export interface DrainSettings extends Required<DrainConfig> {
  /** Whether a server that stops drains first. In development nobody waits for that. */
  readonly isOn: boolean;
}

const DEFAULTS = { timeout: 10_000, batch: 100, jitter: 500 } satisfies DrainConfig;

/** The time in ms that a worker needs after the last batch: for its clients, to close in order and to hand over; and half a second more. */
const CLOSING_TIME = 5000;

/** Time in ms after SIGTERM at which Egg ends a worker, unless it is told. */
const EGG_TIMEOUT = 5000;

export function readDrain(value: unknown, env: string | undefined): DrainSettings {
  const readers = { timeout: wholeNumber(0), batch: wholeNumber(1), jitter: wholeNumber(0) };
  const given = readSwitch<DrainConfig>('config.io.drain', value, readers, DEFAULTS);
  return { ...(given ?? DEFAULTS), isOn: given !== undefined && !isDevelopment(env) };
}

/**
 * The time in ms for which a worker may drain when it stops: what Egg leaves of `timeout`.
 * @param worker a file of Egg's package that starts workers; undefined in a single process, which has no master
 */
export function drainTime({ timeout }: DrainSettings, worker: string | undefined): number {
  return worker === undefined ? timeout : Math.max(0, Math.min(timeout, killTime(worker) - CLOSING_TIME));
}

/** The warning for a worker that has no time to drain. @param worker as of `drainTime` */
export function drainWarning(settings: DrainSettings, worker: string | undefined): string | undefined {
  const time = drainTime(settings, worker);
  if (worker === undefined || !settings.isOn || time === settings.timeout) return undefined;
  const wanted = settings.timeout + CLOSING_TIME;
  const problem = `config.io.drain.timeout is ${settings.timeout} ms, but Egg ends a worker ${killTime(worker)} ms after SIGTERM, so that clients are moved within ${time} ms: set the environment variables EGG_APP_CLOSE_TIMEOUT and GRACEFUL_TIMEOUT to ${wanted}, and let what stops the app wait as long (egg-scripts stop --timeout=${wanted + 1000})`;
  return messageOf('IO_DRAIN_CUT', problem);
}

/** The earlier of two times after SIGTERM: at the first one Egg's master kills the worker, at the second one the worker exits by itself. */
function killTime(worker: string): number {
  const { EGG_APP_CLOSE_TIMEOUT: ofApp, EGG_MASTER_CLOSE_TIMEOUT: ofMaster, GRACEFUL_TIMEOUT: ofWorker } = process.env;
  return Math.min(timeOf(ofApp || ofMaster), exitsByItself(worker) ? timeOf(ofWorker) : Infinity);
}

/** Whether a worker has a clock of its own, as with graceful-process 2 of egg 4. Version 1 of egg 3 waits until everything is closed. */
function exitsByItself(worker: string): boolean {
  try {
    const { version } = createRequire(worker)('graceful-process/package.json') as { readonly version: string }; // as npm wants it
    return Number.parseInt(version, 10) > 1;
  } catch {
    return true; // nobody knows, and the latest Egg has one
  }
}

/** As Egg reads it: an empty one counts as not set. */
function timeOf(variable: string | undefined): number {
  return Number.parseInt(variable || '', 10) || EGG_TIMEOUT;
}

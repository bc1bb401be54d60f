/** The options of a server that moves its clients away before it closes, and their reader. */
import { isDevelopment, messageOf } from '../errors';
import { isSet, objectAt, readOptions, wholeNumber } from './readers';

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

/** Time in ms after SIGTERM at which Egg's master kills a worker, unless it is told. */
const EGG_TIMEOUT = 5000;

export function readDrain(value: unknown, env: string | undefined): DrainSettings {
  if (!isSet(value) || value === false) return { ...DEFAULTS, isOn: false };
  if (value === true) return { ...DEFAULTS, isOn: !isDevelopment(env) };
  const given = objectAt('config.io.drain', value, 'true, false or an object');
  const readers = { timeout: wholeNumber(0), batch: wholeNumber(1), jitter: wholeNumber(0) };
  return { ...readOptions<DrainConfig>('config.io.drain', given, readers, DEFAULTS), isOn: !isDevelopment(env) };
}

/** The time in ms for which a worker may drain when it stops: what its master leaves of `timeout`. @param hasMaster whether Egg's master kills it */
export function drainTime({ timeout }: DrainSettings, hasMaster: boolean): number {
  return hasMaster ? Math.max(0, Math.min(timeout, killTime() - CLOSING_TIME)) : timeout;
}

/** The warning for a worker that has no time to drain. */
export function drainWarning(settings: DrainSettings, hasMaster: boolean): string | undefined {
  const time = drainTime(settings, hasMaster);
  if (!settings.isOn || time === settings.timeout) return undefined;
  const wanted = settings.timeout + CLOSING_TIME;
  const problem = `config.io.drain.timeout is ${settings.timeout} ms, but Egg kills a worker ${killTime()} ms after SIGTERM, so that clients are moved within ${time} ms: set the environment variable EGG_APP_CLOSE_TIMEOUT to ${wanted}, and let what stops the app wait as long (egg-scripts stop --timeout=${wanted + 1000})`;
  return messageOf('IO_DRAIN_CUT', problem);
}

/** As Egg's master reads it. */
function killTime(): number {
  const { EGG_APP_CLOSE_TIMEOUT: ofApp, EGG_MASTER_CLOSE_TIMEOUT: ofMaster } = process.env;
  return Number.parseInt(ofApp || ofMaster || '', 10) || EGG_TIMEOUT; // an empty one counts as not set
}

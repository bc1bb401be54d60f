/** The common part of the backplanes for PostgreSQL and MongoDB. */
import { setTimeout as wait } from 'node:timers/promises';
import { toError } from '../errors';
import { PulsedBackplane } from './pulsed-backplane';

/** How long what is going on has to end when the app closes, in ms. */
const CLOSE_TIMEOUT = 500;

export abstract class DatabaseBackplane extends PulsedBackplane {
  #isPulsing = false;

  /** One at a time: a database that is slow does not get more and more of them. */
  protected sendPulse(pulse: number): void {
    if (this.#isPulsing) return;
    this.#isPulsing = true;
    this.ping(pulse)
      .catch((error: unknown) => this.beginOutage(toError(error)))
      .finally(() => (this.#isPulsing = false));
  }

  /** Sends a pulse on its way, for `onPulse` to be called with it. Rejects where the database is not there. */
  protected abstract ping(pulse: number): Promise<void>;
}

/** Waits until connections have ended, but not for long. */
export async function closeInTime(closing: Promise<unknown>): Promise<void> {
  await Promise.race([closing, wait(CLOSE_TIMEOUT, undefined, { ref: false })]);
}

/** The common part of the backplanes for PostgreSQL and MongoDB. */
import { setTimeout as wait } from 'node:timers/promises';
import { toError } from '../thrown';
import { PulsedBackplane } from './pulsed-backplane';

/** Time for pending work to end when the app closes, in ms. */
const CLOSE_TIMEOUT = 500;

export abstract class DatabaseBackplane extends PulsedBackplane {
  #isPulsing = false;

  /** Sends one pulse at a time, so that they do not pile up at a slow database. */
  protected sendPulse(pulse: number): void {
    if (this.#isPulsing) return;
    this.#isPulsing = true;
    this.ping(pulse)
      .catch((error: unknown) => this.beginOutage(toError(error)))
      .finally(() => (this.#isPulsing = false));
  }

  /** Sends a pulse, and calls `onPulse` when it comes back. Rejects if the database is unreachable. */
  protected abstract ping(pulse: number): Promise<void>;
}

/** Waits until connections have ended, for a limited time. */
export async function closeInTime(closing: Promise<unknown>): Promise<void> {
  await Promise.race([closing, wait(CLOSE_TIMEOUT, undefined, { ref: false })]);
}

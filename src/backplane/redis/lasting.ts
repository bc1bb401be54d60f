/** Errors that usually pass by themselves, such as CLUSTERDOWN. One that lasts becomes a refusal. */
import { setTimeout as wait } from 'node:timers/promises';
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import type { Refusal } from '../refusals';

export class LastingAnswers {
  readonly #signal: AbortSignal;
  readonly #onLast: (refusal: Refusal) => void;
  /** The time at which each problem began, in ms. */
  readonly #since = new Map<string, number>();

  /**
   * @param signal aborted when the app closes
   * @param onLast called with an error that has lasted for `CONNECT_TIMEOUT`
   */
  constructor(signal: AbortSignal, onLast: (refusal: Refusal) => void) {
    this.#signal = signal;
    this.#onLast = onLast;
  }

  /** To be called for each such error, in the form of a refusal. Without `retry`, the caller itself has to repeat the command. */
  add(refusal: Refusal): void {
    const { problem, retry } = refusal;
    const since = this.#since.get(problem);
    if (since === undefined) {
      this.#since.set(problem, performance.now());
      if (retry) void this.#tryLater(refusal, retry);
    } else if (!retry && performance.now() - since >= CONNECT_TIMEOUT) {
      this.#since.delete(problem);
      this.#onLast(refusal);
    }
  }

  /** To be called when the command succeeds again. */
  remove(problem: string): void {
    this.#since.delete(problem);
  }

  async #tryLater(refusal: Refusal, retry: () => Promise<unknown>): Promise<void> {
    await wait(CONNECT_TIMEOUT, undefined, { signal: this.#signal, ref: false }).catch(() => {});
    if (this.#signal.aborted) return;
    const hasPassed = await retry().then(
      () => true,
      () => false,
    );
    if (!this.#since.delete(refusal.problem) || hasPassed) return;
    this.#onLast(refusal);
  }
}

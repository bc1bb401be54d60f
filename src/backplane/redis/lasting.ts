/** Answers that usually pass by themselves, as CLUSTERDOWN: one that lasts is a refusal. */
import { setTimeout as wait } from 'node:timers/promises';
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import type { Refusal } from '../refusals';

export class LastingAnswers {
  readonly #signal: AbortSignal;
  readonly #onLast: (refusal: Refusal) => void;
  /** When each problem was first seen, in ms. */
  readonly #since = new Map<string, number>();

  /**
   * @param signal aborted when the app closes
   * @param onLast called with what has lasted longer than `CONNECT_TIMEOUT`
   */
  constructor(signal: AbortSignal, onLast: (refusal: Refusal) => void) {
    this.#signal = signal;
    this.#onLast = onLast;
  }

  /** To be called for each such answer, as the refusal that it would be. Without `retry`, its sender is to try again. */
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

  /** To be called when Redis does what it has not done. */
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

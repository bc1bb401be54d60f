/** A token bucket: so many things a second on the average, and more at once after a pause. */

export class Bucket {
  /** The number of connections that use it. */
  holders = 0;
  readonly #perMs: number;
  readonly #size: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, size: number, now: number) {
    this.#perMs = perSecond / 1000;
    this.#size = size;
    this.#tokens = size;
    this.#at = now;
  }

  /** Counts an event. Returns whether it is within the limit. @param now in ms, from a monotonic clock */
  take(now = performance.now()): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Whether there was no room left when an event was last counted or refused. */
  get isEmpty(): boolean {
    return this.#tokens < 1;
  }

  /** Time in ms until there is room for an event. */
  wait(now = performance.now()): number {
    this.#fill(now);
    return Math.max(0, (1 - this.#tokens) / this.#perMs);
  }

  /** Whether it is as if the user were new. */
  isIdle(now: number): boolean {
    this.#fill(now);
    return this.holders === 0 && this.#tokens === this.#size;
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#size, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
  }
}

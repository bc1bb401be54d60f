/** Finds what has not ended in time. Everything here has the same time, so that one timer is enough. */

/** The longest time of a timer of Node, in ms. */
const LONGEST = 2 ** 31 - 1;

export class TimeLimit<Item> {
  /** The time in ms. Tests shorten it. */
  ms: number;
  readonly #onOver: (item: Item) => void;
  /** When each one has begun, oldest first. */
  readonly #since = new Map<Item, number>();
  /** Set while there are any. */
  #timer: NodeJS.Timeout | undefined;

  /** @param onOver called once for each item that is still here after `ms` */
  constructor(ms: number, onOver: (item: Item) => void) {
    this.ms = ms;
    this.#onOver = onOver;
  }

  add(item: Item): void {
    this.#since.set(item, performance.now());
    this.#timer ??= this.#checkIn(this.ms);
  }

  /** Returns whether the time was not over. */
  delete(item: Item): boolean {
    return this.#since.delete(item);
  }

  /** To be called when the server closes: no time is over any more. */
  close(): void {
    clearTimeout(this.#timer); // and is not set again
  }

  #check(): void {
    this.#timer = undefined;
    const now = performance.now();
    const over: Item[] = [];
    for (const [item, since] of this.#since) {
      const left = since + this.ms - now;
      if (left > 0) {
        this.#timer = this.#checkIn(left);
        break;
      }
      over.push(item);
      this.#since.delete(item);
    }
    for (const item of over) this.#onOver(item);
  }

  #checkIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#check(), Math.min(Math.ceil(ms), LONGEST)).unref();
  }
}

/** Finds a client whose messages wait, and of which nothing has been handled for too long. */
export class Standstill {
  readonly #time: number;
  readonly #onEnd: () => void;
  #movedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param time in ms
   * @param onEnd called after this time, and again and again until `stop()`
   */
  constructor(time: number, onEnd: () => void) {
    this.#time = time;
    this.#onEnd = onEnd;
    this.#wait(time);
  }

  /** To be called when something is handled. */
  move(): void {
    this.#movedAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(time: number): void {
    this.#timer = setTimeout(() => {
      const rest = this.#movedAt + this.#time - performance.now();
      if (rest <= 0) this.move();
      this.#wait(rest > 0 ? Math.ceil(rest) : this.#time);
      if (rest <= 0) this.#onEnd();
    }, time).unref();
  }
}

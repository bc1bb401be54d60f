/** Counts what is going on, so that a server that closes can wait for it. */
export class Work {
  #count = 0;
  #idle: (() => void) | undefined;

  begin(): void {
    this.#count++;
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) this.#idle?.();
  }

  /** How many things are going on. */
  get size(): number {
    return this.#count;
  }

  /** Resolves when nothing is going on. */
  async idle(): Promise<void> {
    if (this.#count > 0) await new Promise<void>(resolve => (this.#idle = resolve));
  }
}

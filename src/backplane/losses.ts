/** Messages between the processes that are lost: what is kept for clients that come back is then not complete. */

/** Time in ms until others are told of a loss. Losses come in numbers. */
const TELL_DELAY = 200;

export class Losses {
  /** How many times messages to this process, or from it, were lost. */
  count = 0;
  /** The number of outages. */
  outages = 0;
  /** The number of messages to other processes that were lost. */
  messages = 0;
  readonly #canTell: () => boolean;
  readonly #tellers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param canTell whether others can be told now */
  constructor(canTell: () => boolean) {
    this.#canTell = canTell;
  }

  /** Registers a function that tells others that they may have lost messages of this process. Returns a function that cancels this. */
  onTell(tell: () => void): () => void {
    this.#tellers.add(tell);
    return () => this.#tellers.delete(tell);
  }

  beginOutage(): void {
    this.count++;
    this.outages++;
  }

  /** To be called when messages of this process to others were lost. They are told as soon as possible: if that is lost too, again. */
  ofOthers(): void {
    if (this.#tellers.size === 0 || this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#canTell()) this.tell();
      else this.ofOthers();
    }, TELL_DELAY).unref();
  }

  /** Tells others at once. */
  tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const tell of this.#tellers) tell();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

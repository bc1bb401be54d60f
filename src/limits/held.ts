/** What a client has sent, and what has to wait: how much of it there is, and when that is too much. */

/** Time in ms in which arrivals are counted. */
export const ARRIVAL_TIME = 5000;

/** From so many bytes on that wait, the connection is not read. */
const MAX_BYTES = 4_000_000;

/** At least so many bytes may come after that: they may be on their way already. */
const LEAST_SIZE = 1_000_000;

/** Messages that wait, first in, first out. */
export class Held {
  readonly #maxSize: number;
  readonly #maxWaiting: number;
  #messages: unknown[] = [];
  /** The place of the first one: to move the others up each time would cost more the more there are. */
  #head = 0;
  /** The length of all messages. */
  #bytes = 0;
  #arrived = 0;
  #arrivedSince = 0;

  /**
   * @param maxSize of the longest message, in bytes
   * @param maxWaiting from so many messages on, the connection is not read
   */
  constructor(maxSize: number, maxWaiting: number) {
    this.#maxSize = Math.max(LEAST_SIZE, maxSize);
    this.#maxWaiting = maxWaiting;
  }

  /** Whether the connection is not to be read. */
  get isFull(): boolean {
    return this.size > this.#maxWaiting || this.#bytes > MAX_BYTES;
  }

  /** Whether a full one may be read on for an answer behind it. */
  get hasRoom(): boolean {
    return this.size < 1.5 * this.#maxWaiting && this.#bytes < MAX_BYTES + this.#maxSize / 2;
  }

  /** Whether there is more than can come from a connection that is not read. */
  get isOverfull(): boolean {
    return this.size > 2 * this.#maxWaiting || this.#bytes > MAX_BYTES + 2 * this.#maxSize;
  }

  /** Whether it is to be read again. @param most messages, if this is fewer than otherwise */
  isHalfEmpty(most: number): boolean {
    return this.size < Math.min(most, this.#maxWaiting) / 2 && this.#bytes < MAX_BYTES / 2;
  }

  get size(): number {
    return this.#messages.length - this.#head;
  }

  /** Those of the present `ARRIVAL_TIME`, which begins with the first one that has to wait. */
  get arrived(): number {
    return this.#arrived;
  }

  /** The one that has waited longest. */
  get first(): unknown {
    return this.#messages[this.#head];
  }

  push(message: unknown): void {
    const now = performance.now();
    if (this.size === 0 || now - this.#arrivedSince > ARRIVAL_TIME) {
      this.#arrivedSince = now;
      this.#arrived = 0;
    }
    this.#arrived++;
    this.#messages.push(message);
    this.#bytes += lengthOf(message);
  }

  /** Removes the first one. */
  shift(): unknown {
    const { first } = this;
    this.#bytes -= lengthOf(first);
    this.#messages[this.#head++] = undefined;
    if (this.size === 0) this.clear();
    else if (this.#head > this.size) this.#forgetPlaces(); // it may never be empty
    return first;
  }

  clear(): void {
    this.#messages = [];
    this.#head = this.#bytes = 0;
  }

  #forgetPlaces(): void {
    this.#messages.splice(0, this.#head);
    this.#head = 0;
  }
}

function lengthOf(message: unknown): number {
  return typeof message === 'string' ? message.length : ArrayBuffer.isView(message) ? message.byteLength : 0;
}

/** Time in ms in which arrivals are counted. */
export const ARRIVAL_TIME = 5000;

/** Messages that wait, first in, first out. */
export class Held {
  #messages: unknown[] = [];
  /** The place of the first one: moving the others up would cost more the more there are. */
  #head = 0;
  #bytes = 0;
  #arrived = 0;
  #arrivedSince = 0;

  get size(): number {
    return this.#messages.length - this.#head;
  }

  /** The length of all messages. */
  get bytes(): number {
    return this.#bytes;
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
  shift(): void {
    this.#bytes -= lengthOf(this.first);
    this.#messages[this.#head++] = undefined;
    if (this.size === 0) this.clear();
  }

  clear(): void {
    this.#messages = [];
    this.#head = this.#bytes = 0;
  }
}

function lengthOf(message: unknown): number {
  return typeof message === 'string' ? message.length : ArrayBuffer.isView(message) ? message.byteLength : 0;
}

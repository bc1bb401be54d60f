/** Passes the messages of a client on to Socket.IO, and knows whether a packet with bytes has been passed on in part. */
import type { Answers } from './answers';

export class Delivery {
  readonly #deliver: (message: unknown) => void;
  readonly #answers: Answers;
  /** So many messages have yet to come. */
  #missing = 0;

  constructor(deliver: (message: unknown) => void, answers: Answers) {
    this.#deliver = deliver;
    this.#answers = answers;
  }

  get isMidPacket(): boolean {
    return this.#missing > 0;
  }

  pass(message: unknown): void {
    this.#missing = this.#answers.isBytes(message) ? Math.max(0, this.#missing - 1) : this.#answers.attachmentsOf(message);
    this.#deliver(message);
  }
}

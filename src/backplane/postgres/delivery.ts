/** Whether PostgreSQL delivers what it takes. Behind a pooler in transaction mode it takes LISTEN and NOTIFY, and nothing arrives. */
import type { Listener } from './listener';

/** After so many pulses that were taken and have not arrived, it is looked whether anything does. */
const MISSED = 3;
/** Every so many pulses something is sent over the listening connection: PostgreSQL, or what is in between, may end one that is idle. */
const IDLE_PULSES = 5;

export class Delivery {
  readonly #listener: Listener;
  readonly #channel: string;
  readonly #onNothing: () => void;
  /** Pulses in a row that have not arrived. */
  #missed = 0;
  #idle = 0;

  /**
   * @param channel the channel of pulses
   * @param onNothing called when nothing is delivered over a connection that answers
   */
  constructor(listener: Listener, channel: string, onNothing: () => void) {
    this.#listener = listener;
    this.#channel = channel;
    this.#onNothing = onNothing;
  }

  /** To be called when a pulse has arrived. */
  onPulse(): void {
    this.#missed = 0;
  }

  /** To be called when PostgreSQL has taken a pulse. */
  async onTaken(): Promise<void> {
    if (this.#listener.hears(this.#channel)) this.#missed++;
    else this.#missed = 0;
    this.#idle++;
    const isMissing = this.#missed >= MISSED;
    if (!isMissing && this.#idle < IDLE_PULSES) return;
    this.#idle = 0;
    await this.#listener.ping(); // what PostgreSQL has to deliver comes before its answer
    if (!isMissing || this.#missed < MISSED) return;
    this.#missed = 0;
    this.#onNothing();
  }
}

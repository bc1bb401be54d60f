/** Detects that PostgreSQL accepts messages but delivers none: behind a pooler in transaction mode, LISTEN and NOTIFY have no effect. */
import type { Listener } from './listener';

/** Number of accepted pulses without an arrival until the delivery is checked. As many have to arrive before it is trusted again. */
const MISSED = 3;
/** Number of pulses between two queries on the listening connection: PostgreSQL, or a proxy, may close an idle one. */
const IDLE_PULSES = 5;

export class Delivery {
  readonly #listener: Listener;
  readonly #channel: string;
  readonly #onNothing: () => void;
  /** Pulses in a row that have not arrived. */
  #missed = 0;
  #idle = 0;
  /** Arrivals that are missing until the delivery is trusted again: a pooler lets one through by chance. */
  #untrusted = 0;

  /**
   * @param channel the channel of pulses
   * @param onNothing called when a connection answers but delivers nothing
   */
  constructor(listener: Listener, channel: string, onNothing: () => void) {
    this.#listener = listener;
    this.#channel = channel;
    this.#onNothing = onNothing;
  }

  /** Whether a connection has answered but delivered nothing: that a pulse does not arrive says nothing about PostgreSQL then. */
  get deliversNothing(): boolean {
    return this.#untrusted > 0;
  }

  /** To be called when a pulse has arrived. */
  onPulse(): void {
    this.#missed = 0;
    if (this.#untrusted > 0) this.#untrusted--;
  }

  /** To be called when PostgreSQL has accepted a pulse. */
  async onAccepted(): Promise<void> {
    if (this.#listener.listensTo(this.#channel)) this.#missed++;
    else this.#missed = 0;
    this.#idle++;
    const isMissing = this.#missed >= MISSED;
    if (!isMissing && this.#idle < IDLE_PULSES) return;
    this.#idle = 0;
    await this.#listener.ping(); // PostgreSQL delivers pending notifications before it answers
    if (!isMissing || this.#missed < MISSED) return;
    this.#missed = 0;
    this.#untrusted = MISSED;
    this.#onNothing();
  }
}

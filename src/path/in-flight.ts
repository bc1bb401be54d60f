/** Counts running handlers and connection middleware, so that a closing server can wait for them. */

import type { Intake } from '../limits/intake';

/** The handlers of one connection. */
export interface Handlers {
  /** The number of running handlers. */
  running: number;
  /** When the client went, by `performance.now()`. */
  goneAt: number | undefined;
  /** Limits those of all namespaces of the client together. */
  intake?: Intake;
}

/** Time in ms after a client has gone during which a closing server still waits for its handlers. */
const GONE_TIMEOUT = 3000;

export class InFlight {
  #handlers = 0;
  /** Connection middleware, and routes of events that the server fires itself. These are always waited for. */
  #others = 0;
  /** Running handlers of clients that have gone. */
  readonly #left = new Set<Handlers>();
  #waiting: (() => void)[] = [];

  /** @param handlers those of the connection, when a handler begins; omitted for anything else */
  begin(handlers?: Handlers): void {
    if (!handlers) this.#others++;
    else {
      this.#handlers++;
      handlers.running++;
      handlers.intake?.beginHandler();
      if (handlers.goneAt !== undefined) this.#left.add(handlers); // its client had sent it before
    }
  }

  /** @param handlers the same as for `begin` */
  end(handlers?: Handlers): void {
    if (!handlers) this.#others--;
    else {
      this.#handlers--;
      handlers.running--;
      handlers.intake?.endHandler();
      if (handlers.running === 0 && handlers.goneAt !== undefined) this.#left.delete(handlers);
    }
    if (this.#waiting.length > 0) this.#wake();
  }

  /** To be called when the client of these handlers has gone. */
  leave(handlers: Handlers): void {
    handlers.goneAt ??= performance.now();
    if (handlers.running > 0) this.#left.add(handlers);
  }

  /** The number of everything that is running. */
  get size(): number {
    return this.#handlers + this.#others;
  }

  /** Resolves when nothing is running except handlers of clients that have been gone for 3 s. */
  async idle(): Promise<void> {
    while (this.#others > 0 || this.#handlers > this.#forgotten) await this.#nextEnd(this.#nextForgotten);
  }

  /** Resolves when none of these handlers is running. */
  async idleOf(all: readonly Handlers[]): Promise<void> {
    while (all.some(({ running }) => running > 0)) await this.#nextEnd();
  }

  /** Resolves when nothing but handlers is running. */
  async othersIdle(): Promise<void> {
    while (this.#others > 0) await this.#nextEnd();
  }

  get #forgotten(): number {
    const now = performance.now();
    let sum = 0;
    for (const { running, goneAt = now } of this.#left) if (now - goneAt > GONE_TIMEOUT) sum += running;
    return sum;
  }

  /** Time in ms until the handlers of the next gone client are no longer waited for. Infinite if there are none. */
  get #nextForgotten(): number {
    const now = performance.now();
    const left = [...this.#left].map(({ goneAt = now }) => goneAt + GONE_TIMEOUT - now).filter(ms => ms >= 0);
    return Math.min(...left);
  }

  /** Waits until something has ended, for `timeout` ms at most. */
  async #nextEnd(timeout = Number.POSITIVE_INFINITY): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>(resolve => {
      this.#waiting.push(resolve);
      if (timeout < Number.POSITIVE_INFINITY) timer = setTimeout(resolve, timeout + 1);
    });
    clearTimeout(timer);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

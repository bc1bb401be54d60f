/** Counts the handlers and connection middleware that are running, so that a closing server can wait for them. */

/** The handlers of one connection. */
export interface Handlers {
  /** How many of them are running. */
  running: number;
  /** When the client went, by `performance.now()`. */
  goneAt: number | undefined;
}

/** How long a closing server waits for the handlers of a client that has gone, in ms since it went. */
const GONE_TIMEOUT = 3000;

export class InFlight {
  #handlers = 0;
  /** What is always waited for: connection middleware, and the routes of events that the server fires itself. */
  #others = 0;
  /** Of clients that went before their handlers had ended. */
  readonly #left = new Set<Handlers>();
  #waiting: (() => void)[] = [];

  /** @param handlers of the connection whose handler begins; none for anything else */
  begin(handlers?: Handlers): void {
    if (!handlers) this.#others++;
    else {
      this.#handlers++;
      handlers.running++;
    }
  }

  /** @param handlers as it was begun with */
  end(handlers?: Handlers): void {
    if (!handlers) this.#others--;
    else {
      this.#handlers--;
      handlers.running--;
      if (handlers.running === 0 && handlers.goneAt !== undefined) this.#left.delete(handlers);
    }
    if (this.#waiting.length > 0) this.#wake();
  }

  /** The client of these handlers has gone. */
  leave(handlers: Handlers): void {
    handlers.goneAt ??= performance.now();
    if (handlers.running > 0) this.#left.add(handlers);
  }

  /** How many are running. */
  get size(): number {
    return this.#handlers + this.#others;
  }

  /** Resolves when none is running, handlers of clients that have been gone for 3 s excepted. */
  async idle(): Promise<void> {
    while (this.#others > 0 || this.#handlers > this.#forgotten) await this.#nextEnd(this.#nextForgotten);
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

  /** In how many ms the next client will have been gone for too long. Infinite where none has gone. */
  get #nextForgotten(): number {
    const now = performance.now();
    const left = [...this.#left].map(({ goneAt = now }) => goneAt + GONE_TIMEOUT - now).filter(ms => ms >= 0);
    return Math.min(...left);
  }

  /** Waits until something has ended, or for so many ms. */
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

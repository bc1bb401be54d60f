/** What a client has heard, and what its test waits for. */
import { inspect } from 'node:util';

interface Heard {
  readonly event: string;
  readonly args: readonly unknown[];
  isTaken: boolean;
}

export interface Waiting {
  readonly event: string;
  readonly take: (args: readonly unknown[]) => void;
  readonly fail: (error: Error) => void;
  /** Never settles it. */
  readonly drop: () => void;
}

export class Inbox {
  readonly #timeout: number;
  readonly #heard: Heard[] = [];
  readonly #waiting = new Set<Waiting>();

  /** @param timeout in ms, after which whoever waits is told what was heard instead */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Whoever has waited longest for this event gets it. */
  hear(event: string, args: readonly unknown[]): void {
    const first = [...this.#waiting].find(waiting => waiting.event === event);
    this.#heard.push({ event, args, isTaken: first !== undefined });
    first?.take(args);
  }

  /** The events of a name that nobody has taken, the oldest first. Whoever calls it takes them. */
  take(event: string, count = Infinity): (readonly unknown[])[] {
    const found = this.#heard.filter(one => one.event === event && !one.isTaken).slice(0, count);
    for (const one of found) one.isTaken = true;
    return found.map(({ args }) => args);
  }

  /**
   * Waits for an event, or for what `begin` hands over.
   *
   * @param what for the error: `answer to 'say'`
   * @param event one that never comes if `begin` hands it over
   */
  async wait(what: string, event: string, begin: (waiting: Waiting) => void = () => {}): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        event,
        take: args => {
          end();
          resolve(args);
        },
        fail: error => {
          end();
          reject(error);
        },
        drop: end,
      };
      const timer = setTimeout(() => waiting.fail(new Error(`no ${what} within ${this.#timeout} ms; ${this.told()}`)), this.#timeout);
      this.#waiting.add(waiting);
      begin(waiting);
    });
  }

  /** Fails all who wait, but those for this event, which it gives to them. */
  end(event: string, reason: string): void {
    for (const waiting of this.#waiting) {
      if (waiting.event === event) waiting.take([reason]);
      else waiting.fail(new Error(`the client has been disconnected: ${reason}; ${this.told()}`));
    }
  }

  /** Nobody waits any more, and nobody is told so. */
  drop(): void {
    for (const { drop } of this.#waiting) drop();
  }

  /** For errors: what was heard. */
  told(): string {
    const lines = this.#heard.map(({ event, args }) => `${event}(${args.map(arg => inspect(arg, { breakLength: Infinity })).join(', ')})`);
    return lines.length === 0 ? 'the client has heard nothing' : `the client has heard ${lines.join(', ')}`;
  }
}

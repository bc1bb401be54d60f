/** The end of a process: what it has for others is handed over, in each namespace. */
import { randomBytes } from 'node:crypto';

/** The time in ms for all of it: Egg kills a worker 5 s after SIGTERM. */
const TIMEOUT = 3000;

/** What is handed over in one namespace. */
export interface Leaving {
  /** Whether there is something to hand over, or on its way to this process, which has to hand it on. */
  readonly hasMore: boolean;
  /** Hands over what there is. Never rejects. @param end the time by which it ends, by `performance.now()` */
  leave(end: number): Promise<void>;
  /** To be called after that: from now on, other processes hand over to others. */
  stop(): void;
}

export class Departure {
  /** The order of the processes that end at the same time: each hands over to those with a later id. */
  readonly id = randomBytes(9).toString('base64url');
  readonly #all = new Set<Leaving>();

  /** Returns a function that cancels this. */
  add(one: Leaving): () => void {
    this.#all.add(one);
    return () => this.#all.delete(one);
  }

  /** To be called when the clients of this process have gone. While there is more in one namespace, others accept in all of them. */
  async leave(): Promise<void> {
    const end = performance.now() + TIMEOUT;
    do await Promise.all([...this.#all].map(async one => one.leave(end)));
    while (performance.now() < end && [...this.#all].some(({ hasMore }) => hasMore));
    for (const one of this.#all) one.stop(); // what others hand over from now on would end with this process
  }
}

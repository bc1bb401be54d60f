/** Lets work with a key happen once, in whichever process, and gives its outcome to all who ask for it by the same key. */
import type { Claim, OutcomeStore } from './outcome-store';

/** Time in ms after which work is done again whose process has been killed. */
const LEASE = 5000;
/** Time between two renewals of a lease, and between two attempts to keep an outcome, in ms. */
const RENEWAL = 1000;
/** Time between two questions for an outcome that another process is about to have, in ms. */
const FIRST_WAIT = 20;
const LONGEST_WAIT = 500;

export class Outcomes {
  readonly #store: OutcomeStore;
  readonly #ttl: number;
  readonly #onEvicted: (() => void) | undefined;
  /** The work of this process that runs, or whose outcome is not kept yet, by key. */
  readonly #own = new Map<string, Promise<string>>();
  /** Those of this process that wait for another one, by key: many may ask for the same. */
  readonly #foreign = new Map<string, Promise<Claim>>();
  /** Calls what waits, with its timer. */
  readonly #timers = new Map<() => void, NodeJS.Timeout>();
  #isClosed = false;

  /**
   * @param ttl time for which outcomes are kept, in ms
   * @param onEvicted called when older ones had to go for an outcome of this process
   */
  constructor(store: OutcomeStore, ttl: number, onEvicted?: () => void) {
    this.#store = store;
    this.#ttl = ttl;
    this.#onEvicted = onEvicted;
  }

  /**
   * Returns the outcome of the first work with this key. While that runs, waits for it.
   *
   * @param work does it. If it rejects, there is no outcome, and the next one does it again.
   * @throws what the store rejects with if it cannot be reached: the work has not been done then
   */
  async once(key: string, work: () => Promise<string>): Promise<string> {
    for (;;) {
      const own = this.#own.get(key);
      if (own) return own;
      const claim = await this.#claim(key);
      if (claim.state === 'settled') return claim.outcome;
      if (claim.state === 'first') return this.#run(key, work);
    }
  }

  /** To be called when the app closes: nothing waits any more. */
  close(): void {
    this.#isClosed = true;
    for (const [wake, timer] of this.#timers) {
      clearTimeout(timer);
      wake();
    }
  }

  /** One at a time for each key. All but one learn only that it runs. */
  async #claim(key: string): Promise<Claim> {
    const other = this.#foreign.get(key);
    if (other) {
      const claim = await other;
      return claim.state === 'first' ? { state: 'running' } : claim;
    }
    const claiming = this.#untilKnown(key);
    this.#foreign.set(key, claiming);
    try {
      return await claiming;
    } finally {
      this.#foreign.delete(key);
    }
  }

  async #untilKnown(key: string): Promise<Claim> {
    for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      const claim = await this.#store.claim(key, LEASE);
      if (claim.state !== 'running') return claim;
      await this.#wait(wait);
      if (this.#isClosed) throw new Error('the server is closing');
    }
  }

  async #run(key: string, work: () => Promise<string>): Promise<string> {
    const renewing = setInterval(() => {
      this.#store.renew(key, LEASE).catch(() => {}); // the next one may succeed
    }, RENEWAL).unref();
    const running = work().finally(() => clearInterval(renewing));
    this.#own.set(key, running);
    let isKept = true;
    try {
      const outcome = await running;
      isKept = await this.#settle(key, outcome);
      if (!isKept) void this.#keepTrying(key, outcome);
      return outcome;
    } finally {
      if (isKept) this.#own.delete(key);
    }
  }

  /** Those who ask this process get the outcome meanwhile; other processes cannot reach the store either. Never rejects. */
  async #keepTrying(key: string, outcome: string): Promise<void> {
    const end = performance.now() + this.#ttl;
    do await this.#wait(RENEWAL);
    while (!this.#isClosed && performance.now() < end && !(await this.#settle(key, outcome)));
    this.#own.delete(key);
  }

  async #settle(key: string, outcome: string): Promise<boolean> {
    return this.#store.settle(key, outcome, this.#ttl).then(
      hasEvicted => {
        if (hasEvicted === true) this.#onEvicted?.();
        return true;
      },
      () => false, // the outage has its line in the log
    );
  }

  async #wait(ms: number): Promise<void> {
    if (this.#isClosed) return;
    await new Promise<void>(resolve => {
      const wake = (): void => {
        this.#timers.delete(wake);
        resolve();
      };
      this.#timers.set(wake, setTimeout(wake, ms).unref());
    });
  }
}

/** Outcomes in the memory of one process: the only worker, or the agent for all of them. */
import type { Claim, OutcomeStore } from './outcome-store';

interface Settled {
  readonly outcome: string;
  /** When it ends, by `performance.now()`. */
  readonly end: number;
}

interface Limits {
  /** The most outcomes. */
  readonly count: number;
  /** The most characters of all outcomes together. */
  readonly characters: number;
}

/** About 130 MB at most, and usually far less: an outcome is a short text. */
const LIMITS: Limits = { count: 100_000, characters: 64 * 1024 * 1024 };

export class MemoryOutcomes implements OutcomeStore {
  readonly #limits: Limits;
  /** When the leases of running handlers end. The next end first. */
  readonly #running = new Map<string, number>();
  /** The oldest first. */
  readonly #settled = new Map<string, Settled>();
  #characters = 0;

  /** @param limits when they are reached, the oldest outcomes are forgotten before their time */
  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  async claim(key: string, lease: number): Promise<Claim> {
    const now = performance.now();
    this.#forgetEnded(now);
    const settled = this.#settled.get(key);
    if (settled && settled.end > now) return { state: 'settled', outcome: settled.outcome };
    if ((this.#running.get(key) ?? now) > now) return { state: 'running' };
    this.#lease(key, lease);
    return { state: 'first' };
  }

  async renew(key: string, lease: number): Promise<void> {
    if (!this.#settled.has(key)) this.#lease(key, lease);
  }

  async settle(key: string, outcome: string, ttl: number): Promise<void> {
    this.#running.delete(key);
    this.#forget(key);
    this.#settled.set(key, { outcome, end: performance.now() + ttl });
    this.#characters += outcome.length;
    for (const oldest of this.#settled.keys()) {
      if (this.#settled.size <= this.#limits.count && this.#characters <= this.#limits.characters) break;
      this.#forget(oldest);
    }
  }

  #lease(key: string, lease: number): void {
    this.#running.delete(key); // so that it comes last
    this.#running.set(key, performance.now() + lease);
  }

  /** Frees memory. Both maps are in the order of the ends if all leases are equally long, and all outcomes are kept equally long, as here. */
  #forgetEnded(now: number): void {
    for (const [key, end] of this.#running) {
      if (end > now) break;
      this.#running.delete(key);
    }
    for (const [key, { end }] of this.#settled) {
      if (end > now) break;
      this.#forget(key);
    }
  }

  #forget(key: string): void {
    this.#characters -= this.#settled.get(key)?.outcome.length ?? 0;
    this.#settled.delete(key);
  }
}

/** Outcomes in the memory of one process: the only worker, or the agent for all of them. */
import { type Claim, type OutcomeStore, OWNER_LENGTH } from './outcome-store';

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
  /** The most outcomes of one owner: nobody can make the server forget those of all others. */
  readonly perOwner: number;
}

/** About 130 MB at most, and usually far less: an outcome is a short text. */
const LIMITS: Limits = { count: 100_000, characters: 64 * 1024 * 1024, perOwner: 1000 };

export class MemoryOutcomes implements OutcomeStore {
  readonly #limits: Limits;
  /** When the leases of running handlers end. The next end first. */
  readonly #running = new Map<string, number>();
  /** The oldest first. */
  readonly #settled = new Map<string, Settled>();
  /** The keys of outcomes by owner, the oldest first. */
  readonly #byOwner = new Map<string, Set<string>>();
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

  async settle(key: string, outcome: string, ttl: number): Promise<boolean> {
    const now = performance.now();
    this.#running.delete(key);
    if ((this.#settled.get(key)?.end ?? 0) > now) return false;
    this.#forget(key);
    this.#settled.set(key, { outcome, end: now + ttl });
    this.#characters += outcome.length;
    let hasEvicted = this.#own(key);
    for (const oldest of this.#settled.keys()) {
      if (this.#settled.size <= this.#limits.count && this.#characters <= this.#limits.characters) break;
      this.#forget(oldest);
      hasEvicted = true;
    }
    return hasEvicted;
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

  /** Returns whether the owner has lost an older one. */
  #own(key: string): boolean {
    const owner = ownerOf(key);
    const keys = this.#byOwner.get(owner) ?? new Set();
    this.#byOwner.set(owner, keys.add(key));
    const [oldest = key] = keys;
    if (keys.size <= this.#limits.perOwner) return false;
    this.#forget(oldest);
    return true;
  }

  #forget(key: string): void {
    this.#characters -= this.#settled.get(key)?.outcome.length ?? 0;
    this.#settled.delete(key);
    const owner = ownerOf(key);
    const keys = this.#byOwner.get(owner);
    keys?.delete(key);
    if (keys?.size === 0) this.#byOwner.delete(owner);
  }
}

function ownerOf(key: string): string {
  return key.slice(0, OWNER_LENGTH);
}

/**
 * Outcomes in Redis. Each key is a key of Redis, which Redis removes by itself: it has a lease first, and then the outcome. Every change is one
 * command, so that no script is needed.
 */
import type { Claim, OutcomeStore } from '../../store/outcome-store';
import type { Client } from './client';

const LEASE = 'running';
/** Begins an outcome, so that none is taken for a lease. */
const OUTCOME = '=';

const NAME = ':once:';
/** The key is a hash. */
const IS_NAME = /:once:[\w-]{43}/;

/** Asks Redis. Rejects if it cannot be reached. */
type Reach = <Answer>(question: () => Promise<Answer>) => Promise<Answer>;

/** Whether this is the name of a key of Redis that has an outcome. */
export function isOutcome(name: string): boolean {
  return IS_NAME.test(name);
}

export class RedisOutcomes implements OutcomeStore {
  readonly #client: Client;
  readonly #prefix: string;
  readonly #reach: Reach;

  /** @param prefix the beginning of the names of all keys, as of channels */
  constructor(client: Client, prefix: string, reach: Reach) {
    this.#client = client;
    this.#prefix = prefix + NAME;
    this.#reach = reach;
  }

  async claim(key: string, lease: number): Promise<Claim> {
    if (await this.#take(key, lease)) return { state: 'first' };
    const kept = await this.#get(key);
    // null: the lease has ended just now, and the next claim takes it
    return kept?.startsWith(OUTCOME) ? { state: 'settled', outcome: kept.slice(OUTCOME.length) } : { state: 'running' };
  }

  async renew(key: string, lease: number): Promise<void> {
    if ((await this.#take(key, lease)) || (await this.#get(key)) !== LEASE) return;
    await this.#reach(async () => this.#client.pexpire(this.#prefix + key, lease));
  }

  async settle(key: string, outcome: string, ttl: number): Promise<void> {
    if ((await this.#get(key))?.startsWith(OUTCOME)) return;
    await this.#reach(async () => this.#client.set(this.#prefix + key, OUTCOME + outcome, 'PX', ttl));
  }

  /** Whether there was neither a lease nor an outcome. */
  async #take(key: string, lease: number): Promise<boolean> {
    return (await this.#reach(async () => this.#client.set(this.#prefix + key, LEASE, 'PX', lease, 'NX'))) !== null;
  }

  async #get(key: string): Promise<string | null> {
    return this.#reach(async () => this.#client.get(this.#prefix + key));
  }
}

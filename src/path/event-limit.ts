/** A limit on the events of each user in this process: a token bucket, which all connections of the user share. */
import { Bucket } from '../limits/bucket';

/** A number of users at which those are looked for that need no bucket any more. */
const FIRST_SWEEP = 1000;

export class EventLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();
  #nextSweep = FIRST_SWEEP;

  /** @param burst the number of events that may come at once */
  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** The bucket of a user, for one more connection. */
  hold(user: string, now = performance.now()): Bucket {
    let bucket = this.#buckets.get(user);
    if (!bucket) {
      this.#sweep(now);
      bucket = new Bucket(this.#perSecond, this.#burst, now);
      this.#buckets.set(user, bucket);
    }
    bucket.holders++;
    return bucket;
  }

  /** The number of buckets. One stays until it is full, so that a user cannot get a new one by a reconnect. */
  get size(): number {
    return this.#buckets.size;
  }

  /** To be called when a connection that holds the bucket has gone. */
  release(user: string, bucket: Bucket, now = performance.now()): void {
    bucket.holders--;
    if (bucket.isIdle(now)) this.#buckets.delete(user);
  }

  /** Deletes what nobody needs, when the number of buckets has doubled since the last time. */
  #sweep(now: number): void {
    if (this.#buckets.size < this.#nextSweep) return;
    for (const [user, bucket] of this.#buckets) if (bucket.isIdle(now)) this.#buckets.delete(user);
    this.#nextSweep = Math.max(FIRST_SWEEP, 2 * this.#buckets.size);
  }
}

/** `config.io.limits.perAddress`: what the clients of one address may cost together. */
import type { Socket as EngineSocket } from 'engine.io';
import type { PerAddressLimit } from '../config/rate-limits';
import { countedAs } from './addresses';
import { memoryRates, type Rate, type RateLimiterPackage, type Rates } from './rates';

/** Of this process. */
interface Counted {
  connections: number;
  /** Events that have not been counted together with those of other processes. */
  events: number;
  isCounting: boolean;
  /** Until then, further events are refused. By `performance.now()`. */
  refusedUntil: number;
}

/** Makes what counts together with other processes. */
export type ShareRates = (rate: Rate, own: Rates) => Rates;

export class AddressLimits {
  readonly package: RateLimiterPackage;
  readonly #limit: Required<PerAddressLimit>;
  #handshakes: Rates | undefined;
  #events: Rates | undefined;
  readonly #counted = new Map<string, Counted>();
  readonly #addresses = new WeakMap<EngineSocket, string>();

  constructor(limit: Required<PerAddressLimit>, rateLimiter: RateLimiterPackage) {
    this.package = rateLimiter;
    this.#limit = limit;
    this.share((_rate, own) => own);
  }

  /** To be called before the first client comes, if there are other processes. */
  share(share: ShareRates): void {
    const ratesOf = (rate: Rate): Rates | undefined =>
      Number.isFinite(rate.points) ? share(rate, memoryRates(this.package, rate)) : undefined;
    this.#handshakes = ratesOf({ name: 'handshakes', points: this.#limit.handshakes, duration: 60 });
    this.#events = ratesOf({ name: 'events', points: this.#limit.events, duration: 1 });
  }

  /** Whether an address has as many connections to this worker as it may have. */
  isFull(address: string | undefined): boolean {
    const key = countedAs(address);
    return key !== undefined && (this.#counted.get(key)?.connections ?? 0) >= this.#limit.connections;
  }

  /** Counts a handshake. Resolves with the time in ms for which there are too many, or 0. Undefined if the address is not counted. */
  countHandshake(address: string | undefined): Promise<number> | undefined {
    const key = countedAs(address);
    return key === undefined ? undefined : this.#handshakes?.consume(key, 1);
  }

  /** To be called for each connection. */
  add(connection: EngineSocket, address: string | undefined): void {
    const key = this.hold(address);
    if (key === undefined) return;
    this.#addresses.set(connection, key);
    connection.once('close', () => this.release(key));
  }

  /** Counts a connection that is about to be made. Returns what has to be released; undefined if the address is not counted. */
  hold(address: string | undefined): string | undefined {
    const key = countedAs(address);
    if (key === undefined) return undefined;
    const counted = this.#counted.get(key) ?? { connections: 0, events: 0, isCounting: false, refusedUntil: 0 };
    this.#counted.set(key, counted);
    counted.connections++;
    return key;
  }

  release(key: string): void {
    const counted = this.#counted.get(key);
    if (counted && --counted.connections === 0) this.#counted.delete(key);
  }

  /**
   * Counts an event. Returns whether it is within the limit. Does not wait for other processes: an address may exceed the limit by what it sends
   * until they have answered, at most once more in each process.
   */
  takeEvent(connection: EngineSocket): boolean {
    const key = this.#addresses.get(connection);
    const counted = key === undefined || !this.#events ? undefined : this.#counted.get(key);
    if (!counted || key === undefined) return true;
    if (counted.refusedUntil > performance.now() || counted.events >= this.#limit.events) return false;
    counted.events++;
    if (!counted.isCounting) void this.#countEvents(key, counted);
    return true;
  }

  /** The number of addresses with connections. */
  get size(): number {
    return this.#counted.size;
  }

  /** Never rejects: what is shared counts in this process if others cannot be reached. */
  async #countEvents(key: string, counted: Counted): Promise<void> {
    counted.isCounting = true;
    while (counted.events > 0) {
      const { events } = counted;
      const wait = (await this.#events?.consume(key, events)) ?? 0;
      counted.events -= events;
      if (wait > 0) counted.refusedUntil = performance.now() + wait;
    }
    counted.isCounting = false;
  }
}

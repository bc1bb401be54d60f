/** What one connection may still send: events by the limit `events`, and handlers by `pending`. */
import type { LimitSettings } from '../config/limits';
import { ARRIVAL_TIME } from './held';

/** What a message waits for. */
export type Shortage = 'events' | 'pending';

/** The most messages in a turn of the event loop: those of other clients come in between. */
export const SLICE = 100;

/** A client that sends so many times what it may, for `ARRIVAL_TIME`, is disconnected. */
const EXCESS = 10;

/** Where events have no limit: so many wait for handlers. */
const MAX_WAITING = 50_000;

/** Events are granted in slices: for most of them one number is counted down, and no clock is read. */
export class Allowance {
  readonly #events: LimitSettings['events'];
  readonly #maxRunning: number;
  /** What is left of the slice. */
  #credit = 0;
  /** Events that the client could send at `#countedAt`, without the slice. */
  #tokens: number;
  #countedAt = performance.now();
  /** Handlers that have not ended. */
  #running = 0;
  /** So many more may run. */
  #extra = 0;

  constructor({ events, pending }: LimitSettings) {
    this.#events = events;
    this.#maxRunning = pending?.max ?? Infinity;
    this.#tokens = events?.burst ?? Infinity;
    this.refill();
  }

  /** Takes the place of an event. Returns false if there is none before `refill()`. */
  take(): boolean {
    if (this.#credit === 0) return false;
    this.#credit--;
    return true;
  }

  /** Whether it is time to refill, so that the next slice is there before this one ends. */
  get isHalf(): boolean {
    return this.#credit === SLICE / 2;
  }

  /** Takes back what is left of the slice. */
  withdraw(): void {
    this.#tokens += this.#credit;
    this.#credit = 0;
  }

  /**
   * Grants a slice. To be called in a turn of its own: handlers have begun by then for what has been taken before.
   * @param extra so many more handlers may run than the limit says
   */
  refill(extra = 0): void {
    this.#extra = extra;
    const now = performance.now();
    this.withdraw();
    if (this.#events) {
      const { burst, perSecond } = this.#events;
      this.#tokens = Math.min(burst, this.#tokens + ((now - this.#countedAt) * perSecond) / 1000);
    }
    this.#countedAt = now;
    this.#credit = Math.max(0, Math.min(SLICE, Math.floor(this.#tokens), this.#maxRunning + extra - this.#running));
    this.#tokens -= this.#credit;
  }

  beginHandler(): void {
    this.#running++;
  }

  endHandler(): void {
    this.#running--;
  }

  /** Undefined if only the slice is used up. */
  get shortage(): Shortage | undefined {
    if (this.#running >= this.#maxRunning + this.#extra) return 'pending';
    return this.#tokens + this.#credit < 1 ? 'events' : undefined;
  }

  /** Time in ms for one more event. */
  get interval(): number {
    return 1000 / (this.#events?.perSecond ?? 1000);
  }

  /** The most events that have to wait, of those that come within `ARRIVAL_TIME`. */
  get maxExcess(): number {
    return this.#events ? this.#events.burst + (EXCESS * ARRIVAL_TIME * this.#events.perSecond) / 1000 : Infinity;
  }

  /** From so many messages on that wait, the connection is not read. */
  get maxWaiting(): number {
    return this.#events ? this.maxExcess : MAX_WAITING;
  }
}

/** What one connection may still send: events by the limit `events`, and handlers by `pending`. */
import type { LimitSettings } from '../config/limits';
import { Bucket } from './bucket';
import { ARRIVAL_TIME } from './held';
import { timeOfTurn } from './turn-time';

/** What a message waits for. */
export type Shortage = 'events' | 'pending';

/** The most messages in a turn of the event loop: those of other clients come in between. */
export const SLICE = 100;

/** A client that sends so many times what it may, for `ARRIVAL_TIME`, is disconnected. */
const EXCESS = 10;

/** Where events have no limit: so many wait for handlers. */
const MAX_WAITING = 50_000;

/** Events are granted in slices. In each, as many may pass as the limit `events` has room for. */
export class Allowance {
  readonly #limit: LimitSettings['events'];
  readonly #events: Bucket | undefined;
  readonly #maxRunning: number;
  /** What is left of the slice. */
  #credit = 0;
  /** Handlers that have not ended. */
  #running = 0;
  /** So many more may run. */
  #extra = 0;

  constructor({ events, pending }: LimitSettings) {
    this.#limit = events;
    this.#events = events && new Bucket(events.perSecond, events.burst, performance.now());
    this.#maxRunning = pending?.max ?? Infinity;
    this.refill();
  }

  /** Takes the place of an event. Returns false if there is none before `refill()`. */
  take(): boolean {
    if (this.#credit === 0 || this.#events?.take(timeOfTurn()) === false) return false;
    this.#credit--;
    return true;
  }

  /** Whether it is time to refill, so that the next slice is there before this one ends. */
  get isHalf(): boolean {
    return this.#credit === SLICE / 2;
  }

  /**
   * Grants a slice. To be called in a turn of its own: handlers have begun by then for what has been taken before.
   * @param extra so many more handlers may run than the limit says
   */
  refill(extra = 0): void {
    this.#extra = extra;
    this.#credit = Math.max(0, Math.min(SLICE, this.#maxRunning + extra - this.#running));
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
    return this.#events?.isEmpty === true ? 'events' : undefined;
  }

  /** Time in ms until the limit `events` has room. */
  get wait(): number {
    return this.#events?.wait() ?? 0;
  }

  /** The most events that have to wait, of those that come within `ARRIVAL_TIME`. */
  get maxExcess(): number {
    return this.#limit ? this.#limit.burst + (EXCESS * ARRIVAL_TIME * this.#limit.perSecond) / 1000 : Infinity;
  }

  /** From so many messages on that wait, the connection is not read. */
  get maxWaiting(): number {
    return this.#limit ? this.maxExcess : MAX_WAITING;
  }
}

/** Calls at certain times. All of them share one timer, so that one for each client costs little. */

export interface Deadline {
  /** Used by `Deadlines` alone: which of its slots it is in. */
  slot: number | undefined;
  /** Called at its time or later, once. Must not throw. */
  due(): void;
}

/** In ms. A call is late by two of them at most: the rest of its own, and that until the timer runs next. */
const PERIOD = 100;

export class Deadlines {
  /** By the number of their period since 1970. */
  readonly #slots = new Map<number, Set<Deadline>>();
  /** The period until which all have been called. */
  #done = 0;
  /** Set while there are any. */
  #timer: NodeJS.Timeout | undefined;

  /** The number of those that have not been called. */
  get size(): number {
    let sum = 0;
    for (const { size } of this.#slots.values()) sum += size;
    return sum;
  }

  /** Sets the time of a deadline, or another one. @param at in ms since 1970. Infinite: never */
  set(deadline: Deadline, at: number): void {
    if (!Number.isFinite(at)) {
      this.delete(deadline);
      return;
    }
    this.#remove(deadline); // the timer goes on: one that began anew each time might never come to its end
    if (!this.#timer) this.#done = periodOf(Date.now());
    const number = Math.max(Math.ceil(at / PERIOD), this.#done + 1);
    const slot = this.#slots.get(number) ?? new Set();
    this.#slots.set(number, slot.add(deadline));
    deadline.slot = number;
    this.#timer ??= setInterval(() => this.#call(periodOf(Date.now())), PERIOD).unref();
  }

  delete(deadline: Deadline): void {
    this.#remove(deadline);
    if (this.#slots.size === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#slots.clear();
  }

  #remove(deadline: Deadline): void {
    if (deadline.slot === undefined) return;
    const slot = this.#slots.get(deadline.slot);
    if (slot?.delete(deadline) && slot.size === 0) this.#slots.delete(deadline.slot);
    deadline.slot = undefined;
  }

  #call(now: number): void {
    // after a leap of the clock, each period would take longer than looking at all slots
    const isLeap = now - this.#done > this.#slots.size;
    const numbers = isLeap ? [...this.#slots.keys()].filter(number => number <= now) : periods(this.#done + 1, now);
    this.#done = now; // also if the clock was set back
    for (const number of numbers) {
      for (const deadline of [...(this.#slots.get(number) ?? [])]) {
        if (deadline.slot !== number) continue; // another one has removed it
        this.delete(deadline);
        deadline.due();
      }
    }
  }
}

function periodOf(time: number): number {
  return Math.floor(time / PERIOD);
}

function periods(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

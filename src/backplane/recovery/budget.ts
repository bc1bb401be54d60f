/** The limits of what a worker keeps for clients that may return: the oldest goes first. */

export interface Limits {
  /** Bytes of the events of one namespace. */
  readonly namespaceBytes: number;
  /** Bytes of the events of all namespaces. */
  readonly bytes: number;
  /** Disconnected clients of all namespaces. */
  readonly sessions: number;
}

export const LIMITS: Limits = { namespaceBytes: 16 * 2 ** 20, bytes: 64 * 2 ** 20, sessions: 10_000 };

/** What is kept for one namespace. */
export interface Kept {
  /** When the oldest event was emitted, and when the longest absent client went. Infinity if there is none. */
  readonly oldestEvent: number;
  readonly oldestSession: number;
  /** Drops some of the oldest events. */
  dropEvents(): void;
  /** Drops the session of the longest absent client. */
  dropSession(): void;
}

/** What all namespaces of a server keep. */
export class Budget {
  readonly limits: Limits;
  bytes = 0;
  sessions = 0;
  readonly #all = new Set<Kept>();

  constructor(limits = LIMITS) {
    this.limits = limits;
  }

  add(kept: Kept): void {
    this.#all.add(kept);
  }

  remove(kept: Kept): void {
    this.#all.delete(kept);
  }

  /** Drops what is too much. */
  settle(): void {
    for (let kept; this.bytes > this.limits.bytes && (kept = this.#oldest('oldestEvent'));) kept.dropEvents();
    for (let kept; this.sessions > this.limits.sessions && (kept = this.#oldest('oldestSession'));) kept.dropSession();
  }

  /** Undefined if there is nothing to drop. */
  #oldest(by: 'oldestEvent' | 'oldestSession'): Kept | undefined {
    const [first] = [...this.#all].filter(kept => kept[by] < Number.POSITIVE_INFINITY).sort((one, other) => one[by] - other[by]);
    return first;
  }
}

/** The limits of what a worker keeps for clients that may return: the oldest goes first. */

export interface Limits {
  /** Bytes of what is kept for one namespace: events, sessions, and what clients were sent when they came back. */
  readonly namespaceBytes: number;
  /** Bytes of what is kept for all namespaces. */
  readonly bytes: number;
  /** Disconnected clients of all namespaces. */
  readonly sessions: number;
}

const NONE: Limits = { namespaceBytes: Infinity, bytes: Infinity, sessions: Infinity };

/** What is kept for one namespace. */
export interface Kept {
  /** When the oldest of all that is kept began. Infinity if there is nothing. */
  readonly oldest: number;
  /** When the longest absent client went. Infinity if there is none. */
  readonly oldestSession: number;
  /** Drops the oldest: some events, a session, or what a client was sent. */
  drop(): void;
  /** Drops the session of the longest absent client. */
  dropSession(): void;
}

const budgets = new WeakMap<object, Budget>();

/** What all namespaces of a server keep. */
export class Budget {
  /**
   * That of a server, which the first call creates.
   * @param limits undefined if they are off
   * @param onDrop called when something had to be dropped
   */
  static of(server: object, limits = NONE, onDrop = (): void => {}): Budget {
    const budget = budgets.get(server) ?? new Budget(limits, onDrop);
    budgets.set(server, budget);
    return budget;
  }

  readonly #limits: Limits;
  readonly #onDrop: () => void;
  readonly #accounts = new Set<Account>();
  bytes = 0;
  sessions = 0;

  constructor(limits: Limits, onDrop: () => void) {
    this.#limits = limits;
    this.#onDrop = onDrop;
  }

  /** Begins to count what a namespace keeps. */
  open(kept: Kept): Account {
    const account = new Account(this, kept);
    this.#accounts.add(account);
    return account;
  }

  close(account: Account): void {
    this.#accounts.delete(account);
  }

  /** Drops what is too much. @param account of the namespace that keeps more than before */
  settle(account: Account): void {
    const { namespaceBytes, bytes, sessions } = this.#limits;
    if (account.bytes <= namespaceBytes && this.bytes <= bytes && this.sessions <= sessions) return;
    this.#onDrop();
    while (account.bytes > namespaceBytes && account.kept.oldest < Number.POSITIVE_INFINITY) account.kept.drop();
    for (let oldest; this.bytes > bytes && (oldest = this.#oldest('oldest'));) oldest.drop();
    for (let oldest; this.sessions > sessions && (oldest = this.#oldest('oldestSession'));) oldest.dropSession();
  }

  /** Undefined if there is nothing to drop. */
  #oldest(by: 'oldest' | 'oldestSession'): Kept | undefined {
    let [first, since] = [undefined as Kept | undefined, Number.POSITIVE_INFINITY];
    for (const { kept } of this.#accounts) {
      const at = kept[by];
      if (at < since) [first, since] = [kept, at];
    }
    return first;
  }
}

/** Counts what one namespace keeps. */
export class Account {
  bytes = 0;
  readonly kept: Kept;
  readonly #budget: Budget;

  constructor(budget: Budget, kept: Kept) {
    this.#budget = budget;
    this.kept = kept;
  }

  /** @param bytes negative for what is not kept any more */
  count(bytes: number, sessions = 0): void {
    this.bytes += bytes;
    this.#budget.bytes += bytes;
    this.#budget.sessions += sessions;
  }

  /** To be called when something has been added. */
  settle(): void {
    this.#budget.settle(this);
  }

  close(): void {
    this.#budget.close(this);
  }
}

/** The logs of processes that have ended, for their clients, which may come back to this one. */
import type { Account } from './budget';
import type { Entry } from './entry';
import { EventLog, type Past } from './log';
import type { Former } from './gone-clients';

export class FormerLogs {
  readonly #account: Account;
  readonly #maxAge: number;
  readonly #all = new Set<EventLog>();

  /** @param maxAge the time in ms for which an event is kept */
  constructor(account: Account, maxAge: number) {
    this.#account = account;
    this.#maxAge = maxAge;
  }

  get areNone(): boolean {
    return this.#all.size === 0;
  }

  /** When the oldest event was emitted. Infinity if there is none. */
  get oldest(): number {
    return Math.min(...[...this.#all].map(log => log.oldest)); // Infinity for none
  }

  /**
   * @param from where the log of this process continues it
   * @param known the events that this process has already, by offset, to which new ones are added: these are neither kept nor counted twice
   */
  add(past: Past, from: number, known: Map<string, Entry>): Former {
    const counted = new Set<Entry>();
    const entries = past.entries.map(entry => {
      const same = known.get(entry.offset);
      if (same) counted.add(same);
      else known.set(entry.offset, entry);
      return same ?? entry;
    });
    const log = new EventLog(this.#account, this.#maxAge, undefined, { ...past, entries }, counted);
    this.#all.add(log);
    return { log, offsets: new Set(entries.map(({ offset }) => offset)), from };
  }

  /** Drops some of the oldest events. */
  drop(): void {
    const { oldest } = this;
    for (const log of this.#all) if (log.oldest === oldest) log.dropSome();
  }

  /** Drops events that are too old, and logs that no client needs any more. @param used those that are needed */
  forget(now: number, used: ReadonlySet<EventLog | undefined>): void {
    for (const log of this.#all) {
      if (used.has(log)) log.dropOld(now);
      else this.#remove(log);
    }
  }

  clear(): void {
    for (const log of this.#all) this.#remove(log);
  }

  #remove(log: EventLog): void {
    this.#all.delete(log);
    log.clear();
  }
}

/** The sessions of the clients that have gone, the longest absent one first. */
import type { Session } from 'socket.io-adapter';
import type { Account } from './budget';
import type { EventLog } from './log';
import { sizeOfData, sizeOfNames } from './size';
import type { Start, Starts } from './starts';
import type { Stays } from './stays';

/** The session of a disconnected client, as Socket.IO passes it. */
export type Gone = Omit<Session, 'missedPackets'>;

/** What has been handed over by a process that has ended. */
export interface Former {
  /** What it had logged. */
  readonly log: EventLog;
  /** The offsets of all events there. */
  readonly offsets: ReadonlySet<string>;
  /** Where the log of this process continues it, with some events that are in both. */
  readonly from: number;
}

export interface Stored extends Gone {
  readonly goneAt: number;
  readonly start: Start;
  readonly stays: Stays;
  /** Set if another process had the client: the numbers of `start` and `stays` are those of its log. */
  readonly former?: Former | undefined;
}

/** Bytes that a session takes besides, roughly. */
const SESSION_SIZE = 500;

export class GoneClients {
  readonly #account: Account;
  readonly #starts: Starts;
  /** By the client's private id. */
  readonly #stored = new Map<string, Stored & { readonly size: number }>();

  constructor(account: Account, starts: Starts) {
    this.#account = account;
    this.#starts = starts;
  }

  get size(): number {
    return this.#stored.size;
  }

  /** When the longest absent client went. Infinity if there is none. */
  get oldest(): number {
    const [stored] = this.#stored.values();
    return stored?.goneAt ?? Number.POSITIVE_INFINITY;
  }

  get all(): readonly Stored[] {
    return [...this.#stored.values()];
  }

  /** Those that have gone since a moment. */
  since(at: number): Stored[] {
    return this.all.filter(({ goneAt }) => goneAt >= at);
  }

  get(pid: string): Stored | undefined {
    return this.#stored.get(pid);
  }

  add(session: Stored): void {
    this.delete(session.pid);
    const size = SESSION_SIZE + sizeOfNames(session.rooms) + sizeOfData(session.data) + session.stays.size;
    this.#stored.set(session.pid, { ...session, size });
    this.#starts.hold(session.start);
    this.#account.count(size, 1);
  }

  delete(pid: string): void {
    const stored = this.#stored.get(pid);
    if (!stored) return;
    this.#stored.delete(pid);
    this.#starts.release(stored.start);
    this.#account.count(-stored.size, -1);
  }

  /** Drops the longest absent one. */
  drop(): void {
    const [pid] = this.#stored.keys();
    if (pid !== undefined) this.delete(pid);
  }

  /** Drops those that went before that time. */
  forget(before: number): void {
    for (const [pid, { goneAt }] of this.#stored) if (goneAt < before) this.delete(pid);
  }

  clear(): void {
    for (const pid of this.#stored.keys()) this.delete(pid);
  }
}

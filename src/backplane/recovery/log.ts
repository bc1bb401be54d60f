/** The events of a namespace that clients may have missed, in the order in which this process has delivered them. */
import type { Backplane } from '../backplane';
import type { Account } from './budget';
import { type Entry, type Filter, type Missed, NOBODY, sizeOf } from './entry';
import { Slabs } from './slabs';

/** The latest event that is not there: one that was dropped, or that did not arrive in an outage. */
interface Gap {
  readonly number: number;
  readonly at: number;
}

/** The log of another process, up to its end. */
export interface Past {
  /** The number of its first entry. */
  readonly base: number;
  readonly gap: Gap;
  readonly entries: readonly Entry[];
}

const NONE: ReadonlySet<Entry> = new Set();

export class EventLog {
  readonly #account: Account;
  readonly #maxAge: number;
  readonly #counted: ReadonlySet<Entry>;
  readonly #slabs = new Slabs();
  #entries: (Entry | undefined)[] = [];
  /** The index of the oldest entry that counts. Those before it are removed from time to time. */
  #start = 0;
  /** The number of the entry at index 0. */
  #base = 0;
  /** The latest gap. Two fields, since each event that is dropped is one. */
  #gapNumber = -1;
  #gapAt = Number.NEGATIVE_INFINITY;

  readonly #backplane: Backplane | undefined;
  /** The losses that have been noted. */
  #losses = 0;

  /**
   * @param maxAge the time in ms for which an event is kept
   * @param past what is there already. Nothing is added to it.
   * @param counted those entries that another log of the account has, too
   */
  constructor(account: Account, maxAge: number, backplane?: Backplane, past?: Past, counted = NONE) {
    this.#account = account;
    this.#counted = counted;
    this.#maxAge = maxAge;
    this.#backplane = backplane;
    if (!past) return;
    this.#base = past.base;
    this.#noteGap(past.gap.number, past.gap.at);
    this.#entries = [...past.entries];
    for (const entry of past.entries) this.#count(entry, 1);
  }

  /** Notes an outage that has ended, or another loss. Returns whether there is an outage now, in which events of other processes are lost. */
  noteLoss(): boolean {
    if (!this.#backplane) return false;
    const { losses, isDown } = this.#backplane;
    if (losses.count === this.#losses || isDown) return isDown;
    this.#losses = losses.count;
    this.lose();
    return false;
  }

  /** Notes that events were lost until now: the gap takes a number of its own, so that clients which connect later have nothing to do with it. */
  lose(): void {
    const at = Date.now();
    this.#noteGap(this.next, at);
    this.add({ at, offset: 'gap', opts: NOBODY, frames: undefined });
  }

  /** The number of the next event. To be read after `noteLoss()`: a gap has a number, too. */
  get next(): number {
    return this.#base + this.#entries.length;
  }

  /** The number of the next event, after what has been lost until now. */
  noteNext(): number {
    this.noteLoss();
    return this.next;
  }

  /** The number of the oldest event that is there, or of the next one. */
  get first(): number {
    return this.#base + this.#start;
  }

  get isEmpty(): boolean {
    return this.#start === this.#entries.length;
  }

  get oldest(): number {
    return this.#entries[this.#start]?.at ?? Number.POSITIVE_INFINITY;
  }

  add(entry: Entry): void {
    this.noteLoss(); // a gap comes before
    this.#entries.push(this.#slabs.store(entry));
    this.#account.count(sizeOf(entry));
    this.dropOld(entry.at);
  }

  /** Whether an event with this number or a later one is not there. @param receivedUntil the time until which the client has got everything */
  lacks(number: number, receivedUntil: number): boolean {
    return this.#gapNumber >= number && this.#gapAt >= receivedUntil;
  }

  /** The number of an event. Undefined if the log does not have it. */
  find(offset: string): number | undefined {
    for (let index = this.#entries.length - 1; index >= this.#start; index--) {
      if (this.#entries[index]?.offset === offset) return this.#base + index;
    }
    return undefined;
  }

  /** The events with these numbers for a client. */
  between(from: number, to: number, isFor: Filter): Missed[] {
    const start = Math.max(this.first, from);
    const entries = this.#entries.slice(start - this.#base, Math.max(0, to - this.#base));
    return entries.flatMap((entry, index) =>
      entry && isFor(start + index, entry.opts) ? [{ offset: entry.offset, frames: entry.frames }] : [],
    );
  }

  /** What is there since a moment. */
  since(at: number): Past {
    let start = this.#start;
    let gap: Gap = { number: this.#gapNumber, at: this.#gapAt };
    for (let entry; (entry = this.#entries[start]) && entry.at < at; start++)
      gap = { number: Math.max(gap.number, this.#base + start), at: Math.max(gap.at, entry.at) };
    return { base: this.#base + start, gap, entries: this.entriesFrom(this.#base + start) };
  }

  /** The events with this number and later ones. */
  entriesFrom(number: number): Entry[] {
    const entries = this.#entries.slice(Math.max(this.first, number) - this.#base) as Entry[]; // those before `#start` are removed
    this.#slabs.takeOut(entries);
    return entries;
  }

  /** All events that are there, by their offsets. */
  get byOffset(): Map<string, Entry> {
    return new Map(this.entriesFrom(this.first).map(entry => [entry.offset, entry]));
  }

  dropOld(now = Date.now()): void {
    while (this.oldest + this.#maxAge < now) this.#drop();
    this.#compact();
  }

  /** Drops what is too old, and memory that is not used. */
  forget(now: number): void {
    this.dropOld(now);
    this.#slabs.trim();
  }

  /** Drops an eighth, since each search for the oldest takes time. */
  dropSome(): void {
    for (let count = Math.ceil((this.#entries.length - this.#start) / 8); count > 0; count--) this.#drop();
    this.#compact();
  }

  clear(): void {
    while (!this.isEmpty) this.#drop();
    this.#base = this.next;
    this.#entries = [];
    this.#start = 0;
    this.#slabs.trim();
  }

  #drop(): void {
    const entry = this.#entries[this.#start];
    if (!entry) return;
    this.#noteGap(Math.max(this.#gapNumber, this.#base + this.#start), Math.max(this.#gapAt, entry.at));
    this.#count(entry, -1);
    this.#slabs.drop(entry);
    this.#entries[this.#start++] = undefined; // the array itself is made shorter later
  }

  #noteGap(number: number, at: number): void {
    this.#gapNumber = number;
    this.#gapAt = at;
  }

  #count(entry: Entry, by: 1 | -1): void {
    if (!this.#counted.has(entry)) this.#account.count(by * sizeOf(entry));
  }

  #compact(): void {
    if (this.#start < 32 || this.#start * 2 < this.#entries.length) return;
    this.#base += this.#start;
    this.#entries = this.#entries.slice(this.#start);
    this.#start = 0;
  }
}

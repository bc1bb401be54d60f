/**
 * Where the texts of a log are: outside of V8's heap, which would move each to its old generation, and keep it there for long after it has been
 * dropped. The bytes of those that have been dropped are used again.
 */
import type { BroadcastOptions } from 'socket.io-adapter';
import type { Frame } from '../packet-codec';
import { type Entry, sizeOf } from './entry';

/** Characters of a text for which this pays. */
const LEAST = 512;
/** Bytes of a slab at most. It is as large as all texts that there are: a log of a few ones has small slabs. */
const MAX_SIZE = 1024 * 1024;
/** The most slabs that wait for the next texts. */
const MAX_FREE = 2;
/** A text is this part of a slab at most, since the end of a slab stays empty where the next text does not fit in. */
const PART = 1 / 4;

interface Slab {
  readonly bytes: Buffer;
  /** Where the next text begins. */
  end: number;
  /** How many of its texts are needed. */
  texts: number;
}

export class Slabs {
  #current: Slab | undefined;
  #free: Slab[] = [];
  /** Bytes of all texts. */
  #used = 0;

  /** The same event with its text in a slab; or itself, if it has none, or one for which that does not pay. */
  store(entry: Entry): Entry {
    const { frames } = entry;
    const text = frames?.length === 1 ? frames[0] : undefined;
    if (typeof text !== 'string' || text.length < LEAST) return entry;
    const encoding = /[^\0-\xff]/.test(text) ? 'utf16le' : 'latin1'; // as V8 has it, also what is no valid UTF-16
    const size = encoding === 'latin1' ? text.length : 2 * text.length;
    if (size > MAX_SIZE * PART) return entry;
    const slab = this.#slabFor(size);
    const from = slab.end;
    slab.end += slab.bytes.write(text, from, encoding);
    slab.texts++;
    this.#used += size;
    return new StoredEntry(this, entry, slab, from, encoding);
  }

  /** Lets go of an event of the log. */
  drop(entry: Entry): void {
    if (entry instanceof StoredEntry) entry.leaveSlab();
  }

  /** To be called before events are given to others, which may have them for longer than the log. */
  takeOut(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry instanceof StoredEntry) entry.takeOut();
  }

  /** @param size the bytes of a text */
  release(slab: Slab, size: number): void {
    this.#used -= size;
    if (--slab.texts > 0) return;
    slab.end = 0;
    if (slab !== this.#current && this.#free.length < MAX_FREE) this.#free.push(slab);
  }

  /** Lets go of slabs that are not used. */
  trim(): void {
    this.#free = [];
    if (this.#current?.texts === 0) this.#current = undefined;
  }

  #slabFor(size: number): Slab {
    if (this.#current && this.#current.end + size <= this.#current.bytes.length) return this.#current;
    const free = this.#free.pop();
    if (free && size <= free.bytes.length * PART) return (this.#current = free);
    const bytes = Buffer.allocUnsafeSlow(Math.max(size / PART, Math.min(this.#used, MAX_SIZE)));
    return (this.#current = { bytes, end: 0, texts: 0 });
  }
}

/** An event whose text is in a slab. */
class StoredEntry implements Entry {
  readonly at: number;
  readonly offset: string;
  readonly opts: BroadcastOptions;
  readonly size: number;
  readonly #slabs: Slabs;
  #slab: Slab | undefined;
  readonly #from: number;
  readonly #to: number;
  readonly #encoding: 'latin1' | 'utf16le';
  /** Once it has been taken out. */
  #frames: readonly Frame[] | undefined;
  /** While somebody has them: all clients that come back share them. */
  #shared: WeakRef<readonly Frame[]> | undefined;

  constructor(slabs: Slabs, entry: Entry, slab: Slab, from: number, encoding: 'latin1' | 'utf16le') {
    this.at = entry.at;
    this.offset = entry.offset;
    this.opts = entry.opts;
    this.size = sizeOf(entry);
    this.#slabs = slabs;
    this.#slab = slab;
    this.#from = from;
    this.#to = slab.end;
    this.#encoding = encoding;
  }

  get frames(): readonly Frame[] | undefined {
    const known = this.#frames ?? this.#shared?.deref();
    if (known || !this.#slab) return known;
    const frames = [this.#slab.bytes.toString(this.#encoding, this.#from, this.#to)];
    this.#shared = new WeakRef(frames);
    return frames;
  }

  takeOut(): void {
    this.#frames = this.frames;
    this.leaveSlab();
  }

  leaveSlab(): void {
    if (this.#slab) this.#slabs.release(this.#slab, this.#to - this.#from);
    this.#slab = undefined;
  }
}

/**
 * Where the texts of a log are: outside of V8's heap, which would move each to its old generation, and keep it there for long after it has been
 * dropped. The bytes of those that have been dropped are used again.
 */
import type { BroadcastOptions } from 'socket.io-adapter';
import type { Frame } from '../packet-codec';
import { type Entry, sizeOf } from './entry';

/** Characters of a text for which this pays. */
const LEAST = 512;
/** Bytes of the first slab. Each is twice as large as the one before, up to the most. */
const FIRST_SIZE = 64 * 1024;
const MAX_SIZE = 1024 * 1024;
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
  /** Bytes of the next slab. */
  #size = FIRST_SIZE;

  /** The same event with its text in a slab; or itself, if it has none, or one for which that does not pay. */
  store(entry: Entry): Entry {
    const { frames } = entry;
    const text = frames?.length === 1 ? frames[0] : undefined;
    if (typeof text !== 'string' || text.length < LEAST) return entry;
    const encoding = Buffer.byteLength(text) === text.length ? 'latin1' : 'utf16le'; // as V8 has it, also what is no valid UTF-16
    const size = encoding === 'latin1' ? text.length : 2 * text.length;
    if (size > MAX_SIZE * PART) return entry;
    const slab = this.#slabFor(size);
    const from = slab.end;
    slab.end += slab.bytes.write(text, from, encoding);
    slab.texts++;
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

  release(slab: Slab): void {
    if (--slab.texts > 0) return;
    slab.end = 0;
    if (slab !== this.#current) this.#free.push(slab);
  }

  /** Lets go of slabs that are not used. */
  trim(): void {
    this.#free = [];
    if (this.#current?.texts !== 0) return;
    this.#current = undefined;
    this.#size = FIRST_SIZE;
  }

  #slabFor(size: number): Slab {
    if (this.#current && this.#current.end + size <= this.#current.bytes.length) return this.#current;
    const free = this.#free.pop();
    if (free && size <= free.bytes.length * PART) return (this.#current = free);
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#size, size / PART));
    this.#size = Math.min(2 * this.#size, MAX_SIZE);
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
    if (this.#slab) this.#slabs.release(this.#slab);
    this.#slab = undefined;
  }
}

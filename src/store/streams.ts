/** Streams: the latest events of rooms, in order, each with a number. Whoever knows the last number that it got can ask for what came after. */
import type { BroadcastFlags } from 'socket.io-adapter';

/** An encoded event: a text and then bytes, or what a parser of the app makes of it. */
export type Content = readonly (string | Uint8Array)[];

/** What is kept of an event. */
export interface Entry {
  /** The number of the event: 1 for the first one of a stream. */
  readonly offset: number;
  readonly content: Content;
  /** The same for an event that has been emitted to several rooms, and so is in several streams. */
  readonly id?: string | undefined;
}

/** The end of a stream. */
export interface Position {
  /**
   * A name, a dot and a secret. Another one after events have been lost: numbers of different epochs have nothing to do with each other.
   */
  readonly epoch: string;
  /** The number of the latest event, 0 before the first one. */
  readonly offset: number;
}

/** Where an event has been added. */
export interface Appended extends Position {
  /** Whether other streams, or older events of this one, had to go for it before their time. */
  readonly hasEvicted?: boolean;
}

/** A part of a stream, and its end. */
export interface Page extends Position {
  /** Without a gap: the numbers follow each other. */
  readonly entries: readonly Entry[];
}

/** An event on its way to the clients of other processes. */
export interface Forwarded {
  readonly nsp: string;
  /** The room whose stream has it. Those in it that know of history get the event with its position. */
  readonly room: string;
  /** Everybody else who gets the event: the members of these rooms, but not of those in `except`. Undefined if they get it with that of another room. */
  readonly rooms?: string[];
  readonly except?: string[];
  readonly flags?: BroadcastFlags;
  /** The offsets in connection state recovery: of the event, and of the one with the position. Undefined without recovery. */
  readonly offsets?: readonly [event: string, positioned: string];
  /** Whether clients of this process wait for the position. Otherwise it may come a little later. */
  readonly isAwaited: boolean;
}

/** What a stream keeps. */
export interface Limits {
  /** The largest number of events. */
  readonly size: number;
  /** For how long an event is kept, in ms. */
  readonly ttl: number;
}

/** Where streams are kept. What takes time is a promise, which rejects with an `OutageError` if the place cannot be reached. */
export interface Streams {
  /** Adds an event. Of calls in the same process, the earlier one gets the smaller number, and settles first. */
  append(stream: string, event: Omit<Entry, 'offset'>, limits: Limits): Appended | Promise<Appended>;
  /**
   * Does the same where the place is on the way to all other processes: it forwards the event to them, with its position. Returns false if it cannot be
   * reached, or the stream lacks an event: nothing has been done then.
   * @param settle called with the position, before this process receives any later event of the stream; with undefined where `append` would reject.
   *   It must not throw.
   */
  appendAndForward?(
    stream: string,
    event: Omit<Entry, 'offset'>,
    limits: Limits,
    to: Forwarded,
    settle: (position: Appended | undefined) => void,
  ): boolean;
  /**
   * Reads events that are still kept, oldest first.
   * @param after the number of the event before the first one; or, if it is negative, how many to read from the end
   * @param count the largest number of events, of which the first ones are returned; 0 for the end of the stream alone
   */
  read(stream: string, after: number, count: number, limits: Limits): Page | Promise<Page>;
  /** Begins a new epoch, since events have been lost. */
  restart(stream: string): void | Promise<void>;
  /** Resolves when a stream has begun anew that lacks an event, since `append` has rejected; at once if it lacks none. */
  untilRestarted(stream: string): Promise<void>;
  close(): void;
}

/** How long a stream is remembered after its events have expired, in ms: until then, nobody who comes back has missed anything. */
export const REMEMBERED = 86_400_000;

/** The size of a page: no further event is added to one with as many bytes. */
const PAGE_BYTES = 256 * 1024;

/** An estimate, which is enough for a limit. */
export function sizeOf(content: Content): number {
  let size = 100; // what an entry takes besides
  for (const part of content) size += part.length;
  return size;
}

/** The first entries of a page. */
export function pageOf(entries: Iterable<Entry>, count: number): Entry[] {
  const page: Entry[] = [];
  let size = 0;
  for (const entry of entries) {
    if (page.length >= count || size >= PAGE_BYTES) break;
    size += sizeOf(entry.content);
    page.push(entry);
  }
  return page;
}

/**
 * When clients were in which rooms. One that comes back gets what was emitted to its rooms of that moment: neither what came before it joined one,
 * nor less because it has left one since.
 */
import { type Filter, isFor } from './entry';
import { sizeOfNames } from './size';

/** The time in a room that a client has left, in numbers of the log. */
interface Stay {
  readonly room: string;
  readonly from: number;
  /** The number of the first event after it. */
  readonly until: number;
}

/** The most stays that have ended of one client. Clients may choose their rooms. */
const MAX_ENDED = 1000;

/** The stays of one client, for another process. */
export interface WrittenStays {
  readonly joined: readonly (readonly [room: string, number: number])[];
  readonly ended: readonly Stay[];
  readonly forgotten: number;
}

const NONE: WrittenStays = { joined: [], ended: [], forgotten: 0 };

/** The stays of one client. */
export class Stays {
  readonly #joined: Map<string, number>;
  /** Those that have ended, in this order. */
  #ended: Stay[];
  /** The number up to which stays have been forgotten. */
  #forgotten: number;

  constructor({ joined, ended, forgotten }: WrittenStays = NONE) {
    this.#joined = new Map(joined);
    this.#ended = [...ended];
    this.#forgotten = forgotten;
  }

  toJSON(): WrittenStays {
    return { joined: [...this.#joined], ended: this.#ended, forgotten: this.#forgotten };
  }

  /** Bytes of memory, roughly. */
  get size(): number {
    return sizeOfNames(this.#joined.keys()) + sizeOfNames(this.#ended.map(({ room }) => room));
  }

  join(room: string, number: number): void {
    this.#joined.set(room, number);
  }

  /** @param oldest the number of the oldest event that is there */
  leave(room: string, number: number, oldest: number): void {
    const from = this.#joined.get(room) ?? 0;
    this.#joined.delete(room);
    if (from === number) return; // nothing was emitted meanwhile
    const needed = this.#ended.findIndex(({ until }) => until > oldest);
    if (needed !== 0) this.#ended = needed === -1 ? [] : this.#ended.slice(needed);
    this.#ended.push({ room, from, until: number });
    if (this.#ended.length > MAX_ENDED) this.#forgotten = this.#ended.shift()?.until ?? 0;
  }

  /** Whether too many stays have ended since the event with this number. */
  lack(number: number): boolean {
    return this.#forgotten > number;
  }

  /** Returns whether an event was for the client. @param rooms those at the end */
  filter(rooms: readonly string[]): Filter {
    const roomsAt = this.#at(rooms);
    return (number, opts) => isFor(roomsAt(number), opts);
  }

  /**
   * The same for events since the client has been coming back.
   * @param mark the number of the first of them
   * @param current the rooms of its new socket: what was emitted to one that this has left meanwhile is not for it
   */
  filterSince(mark: number, rooms: readonly string[], current: readonly string[]): Filter {
    const roomsAt = this.#at(rooms);
    const left = new Set(roomsAt(mark - 1).filter(room => !current.includes(room)));
    return (number, opts) => {
      const former = roomsAt(number);
      const isExcept = [...former, ...current].some(room => opts.except?.has(room)); // what the new socket has been sent is not lost by that
      return (
        !isExcept &&
        isFor(
          former.filter(room => !left.has(room)),
          opts,
        )
      );
    };
  }

  #at(rooms: readonly string[]): (number: number) => readonly string[] {
    const joinedAt = (room: string): number => this.#joined.get(room) ?? 0; // before the connection
    const changes = [...rooms.map(joinedAt), this.#ended.at(-1)?.until ?? 0];
    const last = changes.reduce((latest, change) => Math.max(latest, change));
    const before = (number: number): string[] => [
      ...rooms.filter(room => joinedAt(room) <= number),
      ...this.#ended.filter(({ from, until }) => from <= number && number < until).map(({ room }) => room),
    ];
    return number => (number >= last ? rooms : before(number));
  }
}

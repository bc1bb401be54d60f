/** What the clients of a room are told: the difference between what they know and what is so, at most once in a while. */
import type { GivenMeta } from './meta';

/** A user who is present. */
export interface Present {
  /** The id of the user, as text. For a connection without a user, that of its socket. */
  readonly id: string;
  /** What others may know of the user. Absent if nobody has set it. */
  readonly meta?: GivenMeta;
}

/** The argument of the event `presence`, which the clients of a room get. */
export interface PresenceChange {
  readonly room: string;
  /** The number of users who are present now. A page that has counted another one asks for the list. */
  readonly count: number;
  /** Users whose first connection has come. */
  readonly joined: readonly Present[];
  /** Users whose metadata has changed. Put users in by their id: rarely, one is named that has not changed. */
  readonly changed: readonly Present[];
  /** Users whose last connection has gone, longer ago than the grace time. */
  readonly left: readonly Pick<Present, 'id'>[];
}

/** A present user, with the metadata as JSON. */
export interface Shown {
  readonly meta: string | undefined;
}

/** Time in ms in which changes are collected for one event. */
const WINDOW = 100;

/** Those of one while: a room has none at rest, since it takes memory. */
export class Changes {
  readonly #shownOf: (id: string) => Shown | undefined;
  readonly #tell: (change: Pick<PresenceChange, 'joined' | 'changed' | 'left'>) => void;
  /** Users that may have changed since the last event, with what clients know of them. Undefined for an absent one. */
  readonly #known = new Map<string, Shown | undefined>();
  /** Those of them that a list has shown otherwise in between. */
  readonly #listed = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  /**
   * @param shownOf what is so
   * @param tell called once, at the end, with lists that may be empty
   */
  constructor(shownOf: (id: string) => Shown | undefined, tell: (change: Pick<PresenceChange, 'joined' | 'changed' | 'left'>) => void) {
    this.#shownOf = shownOf;
    this.#tell = tell;
    this.#timer = setTimeout(() => this.#end(), WINDOW).unref();
  }

  /** To be called before something of a user changes. */
  before(id: string): void {
    if (!this.#known.has(id)) this.#known.set(id, this.#shownOf(id));
  }

  /**
   * To be called when a client may get a list of what is so. It has then to be told of what changes back before the next event, such as a user who
   * has gone and comes: for the others that is no change.
   */
  onList(): void {
    for (const [id, known] of this.#known) if (isChange(known, this.#shownOf(id))) this.#listed.add(id);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #end(): void {
    const joined: Present[] = [];
    const changed: Present[] = [];
    const left: Pick<Present, 'id'>[] = [];
    for (const [id, known] of this.#known) {
      const shown = this.#shownOf(id);
      if (!isChange(known, shown) && !this.#listed.has(id)) continue;
      if (!shown) left.push({ id });
      else if (known) changed.push(present(id, shown));
      else joined.push(present(id, shown));
    }
    this.#tell({ joined, changed, left });
  }
}

function isChange(known: Shown | undefined, shown: Shown | undefined): boolean {
  return (known === undefined) !== (shown === undefined) || known?.meta !== shown?.meta;
}

export function present(id: string, shown: Shown | undefined): Present {
  return shown?.meta === undefined ? { id } : { id, meta: JSON.parse(shown.meta) as GivenMeta }; // written by encodeMeta()
}

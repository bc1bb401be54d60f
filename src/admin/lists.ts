/** Lists of names with their numbers of sockets, of which the largest ones are kept. */

/** The most entries of each list. The counts are exact. */
export const MAX_LISTED = 1000;

/** A name, and how many sockets it has. */
export type Counted = readonly [name: string, sockets: number];

/** A list of a namespace, and how long it would be without a limit. */
export interface Listed<Entry> {
  readonly entries: readonly Entry[];
  readonly count: number;
}

/** Those with the most sockets. Not all are sorted, since a large server has a hundred thousand rooms, and its clients wait meanwhile. */
export class Largest {
  #kept: Counted[] = [];
  #count = 0;
  /** An entry that comes after this one is not listed. */
  #last: Counted | undefined;

  add(...entry: Counted): void {
    this.#count++;
    if (this.#last && order(entry, this.#last) > 0) return;
    if (this.#kept.push(entry) < 2 * MAX_LISTED) return;
    this.#kept = this.#first();
    this.#last = this.#kept.at(-1);
  }

  get list(): Listed<Counted> {
    return { entries: this.#first(), count: this.#count };
  }

  #first(): Counted[] {
    return this.#kept.sort(order).slice(0, MAX_LISTED);
  }
}

function order([name, sockets]: Counted, [otherName, others]: Counted): number {
  return others - sockets || (name < otherName ? -1 : 1);
}

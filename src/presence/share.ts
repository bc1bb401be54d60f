/** What is known of a user's connections to one process. */

/** A process with connections. */
export interface Peer {
  /** Unique among all processes, also of former starts. */
  readonly id: string;
}

/** The connections of one user to one process. */
export interface Share {
  readonly peer: Peer;
  readonly connections: number;
  /** JSON; what was set last. Undefined if nothing was set. */
  readonly meta: string | undefined;
  /** When it was set: by the clock of that process, in ms, and later than what it knew to be set before. 0 if nothing was set. */
  readonly at: number;
}

/** The metadata of a user: what was set last. All processes find the same. */
export function metaOf(shares: readonly Share[]): string | undefined {
  return newestOf(shares)?.meta;
}

/** A time that is later than all that is known here, even if the clock of another process is ahead. In ms. */
export function laterThan(shares: readonly Share[]): number {
  return Math.max(Date.now(), (newestOf(shares)?.at ?? 0) + 1);
}

/** The share whose metadata was set last, or, in the same ms, by the process with the greater id. */
function newestOf(shares: readonly Share[]): Share | undefined {
  let newest: Share | undefined;
  for (const share of shares)
    if (!newest || share.at > newest.at || (share.at === newest.at && share.peer.id > newest.peer.id)) newest = share;
  return newest;
}

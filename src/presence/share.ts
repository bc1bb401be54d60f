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
  /** When it was set, in ms by the clock of that process. 0 if nothing was set. */
  readonly at: number;
}

/** The metadata of a user: what was set last, or, in the same ms, by the process with the greater id. All processes find the same. */
export function metaOf(shares: readonly Share[]): string | undefined {
  let newest: Share | undefined;
  for (const share of shares)
    if (!newest || share.at > newest.at || (share.at === newest.at && share.peer.id > newest.peer.id)) newest = share;
  return newest?.meta;
}

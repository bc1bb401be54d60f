/** A room with history, as the client sees it, and what the server says of it. */

/** As the server gives it, and gets it back. */
export interface Position {
  readonly room: string;
  /** Empty in an outage of the history. */
  readonly epoch: string;
  /** Negative for a client that has had nothing yet, and wants all that is kept: -1 for one that joined at 0, -2 for one that joined at 1. */
  offset: number;
  readonly key?: string;
  readonly id?: string | null;
}

/** What follows a position. */
export interface Answer {
  readonly error?: undefined;
  readonly recovered: boolean;
  /** That of the last event here. */
  readonly position: Position;
  readonly events: [offset: number, id: string | null, ...event: unknown[]][];
  readonly more: boolean;
}

export interface Refusal {
  readonly error: { readonly code?: string };
}

/** What is known of a room, in one epoch. */
export interface Room {
  /** All events up to here have been delivered, or were no concern of this client. */
  at: Position;
  /** Events that are to be delivered, by their offsets, which an object keeps in order. They stay here while earlier ones are missing. */
  readonly held: Record<number, readonly [Position, unknown[]]>;
}

/** A room with history, as the client sees it, and what the server says of it. */

/** As the server gives it. In an outage of its history, it has no epoch. */
export interface Position {
  readonly room: string;
  readonly epoch?: string;
  readonly offset: number;
  readonly key?: string;
  readonly id?: string;
}

/** What follows a position. */
export interface Answer {
  readonly error?: { readonly code: string };
  readonly recovered: boolean;
  readonly epoch: string;
  readonly offset: number;
  readonly key?: string;
  readonly events: [offset: number, id: string | null, ...event: Event][];
  readonly more: boolean;
}

/** An event of the app. */
export type Event = [name: string, ...args: unknown[]];

/** What is known of a room. */
export interface Room {
  readonly name: string;
  /** All events up to here have been delivered, or were no concern of this client. */
  at: Pick<Position, 'epoch' | 'offset'> & { readonly key?: string | undefined };
  /** The numbers of what has been delivered. */
  readonly seen: Set<number>;
  /** Events that have come before earlier ones. */
  readonly held: Map<number, readonly [Position, Event]>;
  /** Whether events may have been lost in an outage. */
  isBroken: boolean;
  /** Whether all that is kept is asked for, for the first time: what is not kept any more is no gap. */
  isNew: boolean;
  /** Time in ms after which the server is asked again if it cannot answer. */
  delay: number;
  timer?: ReturnType<typeof setTimeout>;
}

/** How many events are remembered, so as not to deliver them twice. */
const MEMORY = 1000;

/** Adds what has been delivered, and forgets the oldest. */
export function remember<Value>(memory: Set<Value>, value: Value): void {
  memory.add(value);
  if (memory.size > MEMORY) memory.delete(memory.values().next().value as Value); // there is one
}

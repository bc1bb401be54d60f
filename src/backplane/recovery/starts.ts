/** How the connections of a namespace began. */
import type { Socket } from 'socket.io';
import type { Account } from './budget';
import type { Missed } from './entry';
import type { EventLog } from './log';
import { SentEvents } from './sent-events';

export interface Start {
  readonly at: number;
  /** The number of the first event after it. */
  readonly from: number;
  /** The events that the client was sent at that moment, in their order. Empty once it must have got them. */
  sent: readonly Missed[];
  /** Whether these had to make room before the client must have got them. */
  isDropped?: true;
}

export function startAt(from: number, sent: readonly Missed[] = []): Start {
  return { at: Date.now(), from, sent };
}

/** Where to continue: events that were sent at the start of a connection, and then those of the log. */
export interface Position {
  readonly sent: readonly Missed[];
  readonly from: number;
}

/** Undefined if what the client has missed is not there any more. @param offset of the last event that the client has got */
export function positionIn({ sent, from, isDropped }: Start, log: EventLog, offset: string): Position | undefined {
  const index = sent.findIndex(missed => missed.offset === offset);
  if (index !== -1) return { sent: sent.slice(index + 1), from };
  const number = log.find(offset);
  if (number !== undefined && number >= from) return { sent: [], from: number + 1 };
  return isDropped ? undefined : { sent, from }; // it is of before the connection, or it has been forgotten: the client has got nothing since
}

export class Starts {
  readonly #bySocket = new WeakMap<Socket, Start>();
  /** Those of connected clients that may not have got what they were sent, the oldest first. */
  readonly #uncertain = new Set<Start>();
  readonly #sent: SentEvents;

  constructor(account: Account) {
    this.#sent = new SentEvents(account);
  }

  /** Whether all connected clients have got what they were sent. */
  get areCertain(): boolean {
    return this.#uncertain.size === 0;
  }

  /** When the first of the other ones connected. */
  get oldest(): number {
    const [start] = this.#uncertain;
    return start?.at ?? Number.POSITIVE_INFINITY;
  }

  begin(socket: Socket, from: number, sent: readonly Missed[]): void {
    const start = startAt(from, sent);
    this.#bySocket.set(socket, start);
    if (sent.length === 0) return;
    this.#uncertain.add(start);
    this.hold(start);
  }

  of(socket: Socket | undefined): Start | undefined {
    return socket && this.#bySocket.get(socket);
  }

  /** To be called when the socket has ended. What its client was sent stays with its session, if that is kept. */
  end(socket: Socket): void {
    const start = this.#bySocket.get(socket);
    if (start && this.#uncertain.delete(start)) this.release(start);
  }

  /** Counts what a client was sent: it is kept with its session, too. */
  hold({ sent }: Start): void {
    this.#sent.hold(sent);
  }

  release({ sent }: Start): void {
    this.#sent.release(sent);
  }

  /** Drops what the clients were sent that are connected since then. */
  forget(since: number): void {
    for (const start of this.#uncertain) {
      if (start.at >= since) return;
      this.#clear(start);
    }
  }

  /** Drops what the client was sent that is connected for longest. */
  drop(): void {
    const [start] = this.#uncertain;
    if (!start) return;
    this.#clear(start);
    start.isDropped = true;
  }

  clear(): void {
    for (const start of this.#uncertain) this.#clear(start);
  }

  #clear(start: Start): void {
    this.#uncertain.delete(start);
    this.release(start);
    start.sent = [];
  }
}

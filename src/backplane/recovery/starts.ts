/** How the connections of a namespace began. */
import type { Socket } from 'socket.io';
import type { EventLog, Missed } from './log';

export interface Start {
  readonly at: number;
  /** The number of the first event after it. */
  readonly from: number;
  /** The events that the client was sent at that moment, in their order. Empty once it must have got them. */
  sent: readonly Missed[];
}

export function startAt(from: number, sent: readonly Missed[] = []): Start {
  return { at: Date.now(), from, sent };
}

/** Where to continue: events that were sent at the start of a connection, and then those of the log. */
export interface Position {
  readonly sent: readonly Missed[];
  readonly from: number;
}

/** @param offset of the last event that the client has got */
export function positionIn({ sent, from }: Start, log: EventLog, offset: string): Position {
  const index = sent.findIndex(missed => missed.offset === offset);
  if (index !== -1) return { sent: sent.slice(index + 1), from };
  const number = log.find(offset);
  // otherwise it is of before the connection, or it has been forgotten: the client has got nothing since
  return number !== undefined && number >= from ? { sent: [], from: number + 1 } : { sent, from };
}

export class Starts {
  readonly #bySocket = new WeakMap<Socket, Start>();
  /** Those of connected clients that may not have got what they were sent, the oldest first. */
  readonly #uncertain = new Set<Start>();

  /** Whether all connected clients have got what they were sent. */
  get areCertain(): boolean {
    return this.#uncertain.size === 0;
  }

  begin(socket: Socket, from: number, sent: readonly Missed[]): void {
    const start = startAt(from, sent);
    this.#bySocket.set(socket, start);
    if (sent.length > 0) this.#uncertain.add(start);
  }

  of(socket: Socket | undefined): Start | undefined {
    return socket && this.#bySocket.get(socket);
  }

  /** To be called when the socket has ended. What its client was sent stays with its session, if that is kept. */
  end(socket: Socket): void {
    const start = this.#bySocket.get(socket);
    if (start) this.#uncertain.delete(start);
  }

  /** Drops what the clients were sent that are connected since then. */
  forget(since: number): void {
    for (const start of this.#uncertain) {
      if (start.at >= since) return;
      start.sent = [];
      this.#uncertain.delete(start);
    }
  }
}

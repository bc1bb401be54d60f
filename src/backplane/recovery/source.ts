/** Where the sessions of clients come from that return. */
import type { Socket } from 'socket.io';
import type { Missed } from './entry';
import type { Gone } from './gone-clients';
import type { Held } from './returning-clients';

/** What a client that returns is sent when it has been connected. */
export interface Taken {
  /** Sends the events that the client has missed. */
  send(socket: Socket): void;
  /** Their offsets. */
  readonly offsets: ReadonlySet<unknown>;
  /** The same events. Empty where an adapter keeps them. */
  readonly missed: readonly Missed[];
  /** The rooms of the client at the end. */
  readonly rooms: readonly string[];
  /** Its data at the end. */
  readonly data: unknown;
}

export interface Source {
  /** Whether the processes keep what they emit to their own clients, so that an emit to one socket stays in its process. */
  readonly isShared: boolean;
  /** The session of a client, which may have a socket in this process still. Undefined if there is none, or something was lost. */
  find(pid: string, offset: string): Promise<Gone | undefined>;
  /**
   * To be called when middleware has let the client in: ends its former sockets, and takes the session. Undefined if that is not possible any more:
   * the client has to try again.
   */
  take(socket: Socket, session: Gone): Taken | undefined | Promise<Taken | undefined>;
  /**
   * To be called when a client is connected as a new one whose session was not found. Its former connection may be there still, and is ended unless
   * it is somebody else's. @param holder whose the client is: see `holderOf`
   */
  endGhost(pid: string, holder: string | undefined): void;
  /** Keeps the session of a client that has been refused, or has gone. @param unsent what it was to be sent, if the session had been taken */
  giveBack(session: Gone, unsent?: readonly Missed[]): void;
  /** To be called when a client has been connected, new or not. @param sent the events that it is sent at once */
  start(socket: Socket, sent: readonly Missed[]): void;
  /** To be called when a socket has ended. */
  end(socket: Socket): void;
}

/** What the client has not been sent, each event once. */
export function unsentOf({ missed, offsets }: Taken, held: readonly Held[]): Missed[] {
  return [...missed, ...held.filter(({ offset }) => !offsets.has(offset)).flatMap(missedOf)];
}

export function missedOf({ offset, frames }: Held): Missed[] {
  return typeof offset === 'string' ? [{ offset, frames }] : [];
}

/** The connections of a namespace: the stays of each client in rooms. */
import type { Namespace, Socket } from 'socket.io';
import type { EventLog } from './log';
import { Stays } from './stays';

export class Visits {
  readonly #nsp: Namespace;
  readonly #log: EventLog;
  /** By the id of the socket. */
  readonly #stays = new Map<string, Stays>();

  constructor(nsp: Namespace, log: EventLog) {
    this.#nsp = nsp;
    this.#log = log;
  }

  /** To be called when a client has joined a room. */
  join(room: string, id: string): void {
    const stays = this.of(id);
    stays.join(room, this.#log.noteNext());
    this.#stays.set(id, stays);
  }

  /** To be called when a client has left a room. */
  leave(room: string, id: string): void {
    this.#stays.get(id)?.leave(room, this.#log.noteNext(), this.#log.first);
  }

  /** To be called when the socket of a client has ended, before it leaves its rooms. */
  end(socket: Socket): void {
    if ((this.#nsp.sockets.get(socket.id) ?? socket) === socket) this.#stays.delete(socket.id); // otherwise the rooms are of that one
  }

  /** @param id of the socket */
  of(id: string): Stays {
    return this.#stays.get(id) ?? new Stays();
  }
}

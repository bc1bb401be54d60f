/** Tells clients where their rooms with history are: when they join, and after an outage, in which events may have been lost without a trace. */
import type { Namespace, Socket } from 'socket.io';
import { socketInternals } from '../internals/socket-io';
import { PacketType } from '../protocol';
import { type ClientPosition, type History, HISTORY_EVENT, historyOf, roomOfShadow, unknownPosition } from '../store/history';
import type { Page } from '../store/streams';

/** Time in ms for the servers that have lost events to say so themselves: their streams begin anew. */
const DELAY = 1000;

/** Sends the position of a room to clients, if they are still in it. In an outage, they learn that there is one, and the position later. Never rejects. */
export function announce(history: History, room: string, socketsOf: () => readonly Socket[]): void | Promise<void> {
  const tell = (position: ClientPosition): void => {
    const data = [HISTORY_EVENT, position];
    for (const socket of socketsOf())
      if (socket.connected && socket.rooms.has(room)) socketInternals(socket).packet({ type: PacketType.EVENT, data });
  };
  const send = (page: Page): void => tell(history.positionFor(room, page));
  const page = history.read(room, 0, 0);
  if (!(page instanceof Promise)) return send(page);
  return page.then(send, () => tell(unknownPosition(room)));
}

/** Tells the clients of this process again after each outage. */
export class Reannouncement {
  readonly #namespaces: () => Iterable<Namespace>;
  #timer: NodeJS.Timeout | undefined;
  /** Changes with each outage, which ends the one before. */
  #round = 0;

  constructor(namespaces: () => Iterable<Namespace>) {
    this.#namespaces = namespaces;
  }

  /** To be called after an outage. */
  begin(): void {
    this.close();
    const round = this.#round;
    this.#timer = setTimeout(() => void this.#announceAll(round), DELAY).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#round++;
  }

  /** One room after the other: there may be many. */
  async #announceAll(round: number): Promise<void> {
    for (const nsp of this.#namespaces()) {
      const history = historyOf(nsp);
      if (!history) continue;
      for (const shadow of [...nsp.adapter.rooms.keys()]) {
        const room = roomOfShadow(shadow);
        if (room === undefined) continue;
        await announce(history, room, () => socketsIn(nsp, shadow));
        if (round !== this.#round) return;
      }
    }
  }
}

function socketsIn({ adapter, sockets }: Namespace, room: string): Socket[] {
  return [...(adapter.rooms.get(room) ?? [])].flatMap(id => sockets.get(id) ?? []);
}

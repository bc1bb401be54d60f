/** Sessions in the memory of the processes: of this one, and of the other workers or servers, which it asks. */
import type { Namespace, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { isListOf, isObject, isRoomList } from '../backend-message';
import type { Backplane } from '../backplane';
import { type Frame, PacketCodec } from '../packet-codec';
import { PacketType } from '../../protocol';
import { isPrivateId, socketInternals } from '../../internals/socket-io';
import type { Missed, Returned } from './entry';
import { asOffset, Offsets } from './offsets';
import { Peers, type Question } from './peers';
import type { ReturningClients } from './returning-clients';
import { endGhost, endNow, roomsOf } from './rooms';
import { type Found, Sessions } from './sessions';
import { Succession } from './succession';
import type { Source, Taken } from './source';
import type { Gone } from './gone-clients';

/** A session, with what is needed to take it. */
interface Claim extends Found {
  /** The last offset that the client has got. */
  readonly offset: string;
  /** The process that has the session. Undefined if that is this one. */
  readonly server: string | undefined;
}

export class LoggedSource implements Source {
  readonly isShared = true;
  readonly sessions: Sessions;
  readonly offsets = new Offsets();
  readonly clients: ReturningClients;
  readonly #codec: PacketCodec;
  readonly #backplane: Backplane | undefined;
  readonly #peers: Peers | undefined;
  readonly #succession: Succession | undefined;

  constructor(adapter: Adapter, nsp: Namespace, clients: ReturningClients, backplane: Backplane | undefined) {
    this.sessions = new Sessions(nsp, backplane);
    this.clients = clients;
    this.#codec = new PacketCodec(nsp);
    this.#backplane = backplane;
    this.#peers = backplane && new Peers(adapter, nsp, question => this.#answer(question));
    adapter.on('join-room', (room: string, id: string) => this.sessions.visits.join(room, id));
    adapter.on('leave-room', (room: string, id: string) => this.sessions.visits.leave(room, id));
    const store = backplane?.kept.handovers;
    const succession = (this.#succession =
      store &&
      this.#peers &&
      new Succession({ nsp, store, backplane, peers: this.#peers, codec: this.#codec, offsets: this.offsets, sessions: this.sessions }));
    const stopHandingOver = succession && backplane?.departure.add(succession);
    const stopTelling = backplane?.losses.onTell(() => this.#peers?.tell({ kind: 'lost' }));
    const close = adapter.close.bind(adapter);
    Object.assign(adapter, {
      /** Called when a client has disconnected. */
      persistSession: (session: Gone): void =>
        this.sessions.persist({ ...session, rooms: roomsOf(adapter, session) }, nsp.sockets.get(session.sid)),
      close: (): unknown => {
        stopTelling?.();
        stopHandingOver?.();
        succession?.close();
        this.sessions.close();
        this.#peers?.close();
        return close();
      },
    });
  }

  /** @param isGone whether it has to be that of a client that is not connected */
  async find(pid: string, given: string, isGone = false): Promise<Claim | undefined> {
    const offset = asOffset(given) ?? ''; // it goes to all servers
    if (this.#backplane?.wasReachable) await this.#succession?.arrival;
    const found = this.#findHere(pid, offset);
    if (found || !this.#peers || !isPrivateId(pid)) return found;
    const answer = this.#peers.isBusy ? undefined : await this.#peers.ask({ kind: 'find', pid, offset, isGone });
    if (isClaim(answer, pid)) return { ...answer, offset };
    if (this.#backplane?.wasReachable) await this.#succession?.arrival; // what this process got before the others heard the question
    return this.#findHere(pid, offset);
  }

  take(socket: Socket, claim: Claim): Taken | undefined | Promise<Taken | undefined> {
    this.clients.endFormer(socket);
    const taken = this.#take(socket, claim);
    return taken instanceof Promise ? taken.then(async answer => answer ?? this.#takeHandedOver(socket, claim)) : taken;
  }

  giveBack(session: Gone, unsent?: readonly Missed[]): void {
    if (unsent) this.sessions.putBack(session, unsent); // otherwise it is where it was
  }

  endGhost(pid: string, holder: string | undefined): void {
    endGhost(this.clients.connected(pid), holder);
    if (isPrivateId(pid)) this.#peers?.tell({ kind: 'end', pid, userRoom: holder }); // by the name that former versions know
  }

  start(socket: Socket, sent: readonly Missed[]): void {
    this.sessions.start(socket, sent);
  }

  end(socket: Socket): void {
    this.sessions.end(socket);
  }

  #findHere(pid: string, offset: string): Claim | undefined {
    const found = this.sessions.find(pid, offset, this.clients.connected(pid));
    return found && { ...found, offset, server: undefined };
  }

  #take(socket: Socket, claim: Claim): Taken | undefined | Promise<Taken | undefined> {
    const { pid, offset, mark, server } = claim;
    const rooms = [...(socketInternals(socket).adapter.socketRooms(socket.id) ?? [])];
    if (server !== undefined) return this.#takeFrom(server, rooms, claim);
    return this.clients.connected(pid) ? undefined : this.#replay(this.sessions.take(pid, offset, mark, rooms)); // a newer one may be connected
  }

  /** Looks again: its process may have handed the session over since. A client that has connected elsewhere meanwhile keeps it. */
  async #takeHandedOver(socket: Socket, { pid, offset, sid }: Claim): Promise<Taken | undefined> {
    const claim = await this.find(pid, offset, true);
    return claim?.sid === sid ? this.#take(socket, claim) : undefined;
  }

  async #takeFrom(server: string, rooms: readonly string[], { pid, offset, mark }: Claim): Promise<Taken | undefined> {
    const answer = await this.#peers?.ask({ kind: 'take', server, pid, offset, mark, rooms });
    return isTaken(answer) ? this.#replay(answer) : undefined;
  }

  /** Decodes the events before the client is connected: those of another process may be no events. Then the client gets none, and is a new one. */
  #replay(taken: Returned | undefined): Taken | undefined {
    if (!taken) return undefined;
    const { rooms, data, missed } = taken;
    const events = this.#decode(missed);
    return (
      events && {
        rooms,
        data,
        missed,
        offsets: new Set(missed.map(({ offset }) => offset)),
        send: socket => {
          for (const data of events) socketInternals(socket).packet({ type: PacketType.EVENT, data });
        },
      }
    );
  }

  #decode(missed: readonly Missed[]): unknown[][] | undefined {
    try {
      return missed.flatMap(({ frames }) => (frames ? [this.#codec.decode(frames).data as unknown[]] : [])); // of an event
    } catch {
      return undefined;
    }
  }

  /** Answers a question of another process, unless it is not for this one. */
  #answer(question: Question): object | undefined | Promise<object | undefined> {
    const arrival = question['kind'] === 'find' ? this.#succession?.arrival : undefined;
    return arrival
      ? arrival.then(() => this.#answerAtOnce(question))
      : (this.#succession?.answer(question) ?? this.#answerAtOnce(question));
  }

  #answerAtOnce({ kind, server, pid, offset, mark, rooms, userRoom, isGone }: Question): object | undefined {
    if (kind === 'lost') this.sessions.log.lose(); // events of that process
    if (typeof pid !== 'string') return undefined;
    const connected = this.clients.connected(pid);
    if (kind === 'end') endGhost(connected, typeof userRoom === 'string' ? userRoom : undefined);
    if (typeof offset !== 'string') return undefined;
    if (kind === 'find') {
      if (isGone === true && connected) return undefined;
      const found = this.sessions.find(pid, offset, connected);
      const isSendable = found && this.#backplane?.answers.ofSession(found, this.#codec) !== undefined;
      return isSendable ? { ...found, server: this.offsets.prefix } : undefined;
    }
    if (kind !== 'take' || server !== this.offsets.prefix || typeof mark !== 'number' || !isRoomList(rooms)) return undefined;
    if (connected) endNow(connected);
    const taken = this.sessions.take(pid, offset, mark, rooms as string[]); // checked just now
    if (!taken || this.#backplane?.answers.ofSession(taken, this.#codec)) return taken;
    return { ...taken, data: undefined };
  }
}

function isClaim(answer: unknown, pid: string): answer is Omit<Claim, 'offset'> {
  if (!isObject(answer)) return false;
  const { sid, rooms, mark, server } = answer;
  return typeof sid === 'string' && answer['pid'] === pid && isRoomList(rooms) && typeof mark === 'number' && typeof server === 'string';
}

function isTaken(answer: unknown): answer is Readonly<Record<string, unknown>> & Returned {
  return isObject(answer) && isRoomList(answer['rooms']) && isListOf(answer['missed'], isMissed);
}

function isMissed(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { offset, frames } = value;
  return typeof offset === 'string' && (frames === undefined || frames === null || isListOf(frames, isFrame));
}

function isFrame(value: unknown): value is Frame {
  return typeof value === 'string' || value instanceof Uint8Array;
}

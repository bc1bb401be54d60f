/** The clients of a namespace that may return to this process, or from here to another one: what they were, and what they have missed. */
import type { Namespace, Socket } from 'socket.io';
import type { Backplane } from '../backplane';
import { serverInternals } from '../../internals/socket-io';
import { type Account, Budget, type Kept, LIMITS, type Limits } from './budget';
import { type Gone, GoneClients, type Stored } from './gone-clients';
import { type Entry, EventLog, type Missed, type Returned } from './log';
import { type Position, positionIn, type Start, startAt, Starts } from './starts';
import { Stays } from './stays';

export type { Gone };

/** The session of a client that returns. It stays where it is until it is taken. */
export interface Found extends Gone {
  /** The number of the next event in the log at that moment. */
  readonly mark: number;
}

/** Time in ms for middleware to let a client in: for so long, what it needs is kept after the end of its time. */
const GRACE = 10_000;
/** The longest time between two removals of old events and sessions, in ms. */
const FORGET_INTERVAL = 60_000;

const budgets = new WeakMap<object, Budget>();

export class Sessions implements Kept {
  readonly log: EventLog;
  readonly #nsp: Namespace;
  readonly #account: Account;
  /** The longest time in ms for which a client may be away. */
  readonly #maxAway: number;
  /** The longest time in ms until a vanished client is noticed. */
  readonly #heartbeat: number;
  readonly #starts: Starts;
  readonly #gone: GoneClients;
  /** By the id of the socket. */
  readonly #stays = new Map<string, Stays>();
  #timer: NodeJS.Timeout | undefined;

  constructor(nsp: Namespace, backplane?: Backplane, limits: Limits = LIMITS) {
    this.#nsp = nsp;
    const { connectionStateRecovery, pingInterval = 25_000, pingTimeout = 20_000 } = serverInternals(nsp.server).opts;
    this.#maxAway = connectionStateRecovery?.maxDisconnectionDuration ?? 120_000;
    this.#heartbeat = pingInterval + pingTimeout;
    const budget = budgets.get(nsp.server) ?? new Budget(limits);
    budgets.set(nsp.server, budget);
    this.#account = budget.open(this);
    this.log = new EventLog(this.#account, this.#maxAway + this.#heartbeat + GRACE, backplane);
    this.#starts = new Starts(this.#account);
    this.#gone = new GoneClients(this.#account, this.#starts);
  }

  get oldest(): number {
    return Math.min(this.log.oldest, this.#gone.oldest, this.#starts.oldest);
  }

  get oldestSession(): number {
    return this.#gone.oldest;
  }

  /** Bytes of what is kept, roughly. */
  get bytes(): number {
    return this.#account.bytes;
  }

  get hasGone(): boolean {
    return this.#gone.size > 0;
  }

  /** Whether somebody may miss an event: somebody is connected, or may return. */
  get isNeeded(): boolean {
    return this.#nsp.sockets.size > 0 || this.#gone.size > 0;
  }

  add(entry: Entry): void {
    this.log.add(entry);
    this.#account.settle();
    this.#timer ??= this.#forgetLater();
  }

  /** To be called when a client has been connected. @param sent the events that it has just been sent */
  start(socket: Socket, sent: readonly Missed[]): void {
    this.#starts.begin(socket, this.#next(), sent);
    this.#account.settle();
    this.#timer ??= this.#forgetLater();
  }

  /** To be called when a client has joined a room. */
  join(room: string, id: string): void {
    const stays = this.#stays.get(id) ?? new Stays();
    stays.join(room, this.#next());
    this.#stays.set(id, stays);
  }

  /** To be called when a client has left a room. */
  leave(room: string, id: string): void {
    this.#stays.get(id)?.leave(room, this.#next(), this.log.first);
  }

  /** To be called when the socket of a client has ended, before it leaves its rooms. */
  end(socket: Socket): void {
    this.#starts.end(socket);
    if ((this.#nsp.sockets.get(socket.id) ?? socket) === socket) this.#stays.delete(socket.id); // otherwise the rooms are of that one
  }

  /** Keeps the session of a client that has gone. */
  persist(session: Gone, socket: Socket | undefined): void {
    this.#store(session, this.#starts.of(socket) ?? startAt(this.#next()), this.#stays.get(session.sid));
  }

  /** Keeps a session that was taken for a client which has gone meanwhile. @param unsent what it has not been sent */
  putBack(session: Gone, unsent: readonly Missed[]): void {
    this.#store(session, startAt(this.#next(), unsent));
  }

  /** The session of a client. Undefined if there is none, or if something was lost. @param connected its socket, if it has not ended */
  find(pid: string, offset: string, connected: Socket | undefined): Found | undefined {
    const session = connected ? this.#sessionOf(connected, pid) : this.#gone.get(pid);
    if (!session || session.goneAt + this.#maxAway < Date.now() || !this.#position(session, offset)) return undefined;
    return { sid: session.sid, pid, rooms: session.rooms, data: { ...(session.data as object) }, mark: this.log.next };
  }

  /**
   * Takes the session out, whose socket has ended by now, with what the client has missed. Undefined if it has been taken, or something was lost.
   * @param rooms those of the new socket: what was emitted since `mark` to one that this has left is not among it
   */
  take(pid: string, offset: string, mark: number, rooms: readonly string[]): Returned | undefined {
    const session = this.#gone.get(pid);
    const position = session && this.#position(session, offset);
    if (!position) return undefined;
    this.#gone.delete(pid);
    const { stays, rooms: former } = session;
    const before = this.log.between(position.from, mark, stays.filter(former));
    const later = this.log.between(Math.max(position.from, mark), this.log.next, stays.filterSince(mark, former, rooms));
    return { sid: session.sid, rooms: former, data: session.data, missed: [...position.sent, ...before, ...later] };
  }

  drop(): void {
    const { oldest } = this;
    if (oldest === this.log.oldest) this.log.dropSome();
    else if (oldest === this.#gone.oldest) this.#gone.drop();
    else this.#starts.drop();
  }

  dropSession(): void {
    this.#gone.drop();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.log.clear();
    this.#gone.clear();
    this.#starts.clear();
    this.#account.close();
  }

  #sessionOf(socket: Socket, pid: string): Stored {
    const rooms = [...(this.#nsp.adapter.socketRooms(socket.id) ?? [])];
    const start = this.#starts.of(socket) ?? startAt(this.#next());
    const stays = this.#stays.get(socket.id) ?? new Stays();
    return { sid: socket.id, pid, rooms, data: socket.data as unknown, goneAt: Date.now(), start, stays };
  }

  #store(session: Gone, start: Start, stays = new Stays()): void {
    this.#gone.add(session, start, stays);
    this.#account.settle();
    this.#timer ??= this.#forgetLater();
  }

  /** Undefined if the client has missed what is not there any more. */
  #position({ start, goneAt, stays }: Stored, offset: string): Position | undefined {
    if (this.log.noteLoss()) return undefined;
    const position = positionIn(start, this.log, offset);
    if (!position) return undefined;
    const isLost = this.log.lacks(position.from, goneAt - this.#heartbeat) || stays.lack(Math.max(position.from, this.log.first));
    return isLost ? undefined : position;
  }

  /** The number of the next event in the log. */
  #next(): number {
    this.log.noteLoss();
    return this.log.next;
  }

  #forgetLater(): NodeJS.Timeout {
    return setTimeout(() => this.#forget(), Math.min(FORGET_INTERVAL, this.#maxAway + this.#heartbeat)).unref();
  }

  #forget(): void {
    this.#timer = undefined;
    const now = Date.now();
    this.log.dropOld(now);
    this.#gone.forget(now - this.#maxAway - GRACE);
    this.#starts.forget(now - this.#heartbeat - GRACE); // a client that is still there has answered a heartbeat since
    if (!this.log.isEmpty || this.#gone.size > 0 || !this.#starts.areCertain) this.#timer = this.#forgetLater();
  }
}

/** The clients of a namespace that may return to this process, or from here to another one: what they were, and what they have missed. */
import type { Namespace, Socket } from 'socket.io';
import type { Backplane } from '../backplane';
import { serverInternals } from '../../internals/socket-io';
import { type Account, Budget, type Kept, type Limits } from './budget';
import { type Gone, GoneClients, type Stored } from './gone-clients';
import type { Entry, Missed, Returned } from './entry';
import { FormerLogs } from './former-logs';
import { EventLog } from './log';
import { startAt, Starts } from './starts';
import { Stays } from './stays';
import { type Bequest, bequestsOf, continueAt, type Continuation } from './stored';
import { Visits } from './visits';

/** The session of a client that returns. It stays where it is until it is taken. */
export interface Found extends Gone {
  /** The number of the next event in the log at that moment. */
  readonly mark: number;
}

/** In ms: the time for middleware to let a client in, for which what it needs is kept longer; and the longest time between two removals. */
const [GRACE, FORGET_INTERVAL] = [10_000, 60_000];

export class Sessions implements Kept {
  readonly log: EventLog;
  readonly visits: Visits;
  /** The time in ms for which a session is kept. */
  readonly lifetime: number;
  /** The number of processes that are about to hand over their sessions: what is emitted from now on counts for these. */
  awaited = 0;
  readonly #nsp: Namespace;
  readonly #account: Account;
  /** The longest time in ms for which a client may be away. */
  readonly #maxAway: number;
  /** The longest time in ms until a vanished client is noticed. */
  readonly #heartbeat: number;
  readonly #starts: Starts;
  readonly #gone: GoneClients;
  readonly #formerLogs: FormerLogs;
  #timer: NodeJS.Timeout | undefined;

  constructor(nsp: Namespace, backplane?: Backplane, limits?: Limits) {
    this.#nsp = nsp;
    const { connectionStateRecovery, pingInterval = 25_000, pingTimeout = 20_000 } = serverInternals(nsp.server).opts;
    this.#maxAway = connectionStateRecovery?.maxDisconnectionDuration ?? 120_000;
    this.#heartbeat = pingInterval + pingTimeout;
    this.#account = Budget.of(nsp.server, limits).open(this);
    this.lifetime = this.#maxAway + GRACE;
    this.log = new EventLog(this.#account, this.lifetime + this.#heartbeat, backplane);
    this.visits = new Visits(nsp, this.log);
    this.#formerLogs = new FormerLogs(this.#account, this.lifetime + this.#heartbeat);
    this.#starts = new Starts(this.#account);
    this.#gone = new GoneClients(this.#account, this.#starts);
  }

  get oldest(): number {
    return Math.min(this.log.oldest, this.#formerLogs.oldest, this.#gone.oldest, this.#starts.oldest);
  }

  get oldestSession(): number {
    return this.#gone.oldest;
  }

  /** Bytes of what is kept, roughly. */
  get bytes(): number {
    return this.#account.bytes;
  }

  get hasGone(): boolean {
    return this.#gone.size + this.awaited > 0;
  }

  /** Whether somebody may miss an event: somebody is connected, or may return. */
  get isNeeded(): boolean {
    return this.#nsp.sockets.size > 0 || this.hasGone;
  }

  add(entry: Entry): void {
    this.log.add(entry);
    this.#account.settle();
    this.#timer ??= this.#forgetLater();
  }

  /** To be called when a client has been connected. @param sent the events that it has just been sent */
  start(socket: Socket, sent: readonly Missed[]): void {
    this.#starts.begin(socket, this.log.noteNext(), sent);
    this.#account.settle();
    this.#timer ??= this.#forgetLater();
  }

  /** To be called when the socket of a client has ended, before it leaves its rooms. */
  end(socket: Socket): void {
    this.#starts.end(socket);
    this.visits.end(socket);
  }

  /** Keeps the session of a client that has gone. */
  persist(session: Gone, socket: Socket | undefined): void {
    const start = this.#starts.of(socket) ?? startAt(this.log.noteNext());
    this.#store({ ...session, goneAt: Date.now(), start, stays: this.visits.of(session.sid) });
  }

  /** Keeps a session that was taken for a client which has gone meanwhile. @param unsent what it has not been sent */
  putBack(session: Gone, unsent: readonly Missed[]): void {
    this.#store({ ...session, goneAt: Date.now(), start: startAt(this.log.noteNext(), unsent), stays: new Stays() });
  }

  /** The session of a client. Undefined if there is none, or if something was lost. @param connected its socket, if it has not ended */
  find(pid: string, offset: string, connected: Socket | undefined): Found | undefined {
    const session = connected ? this.#sessionOf(connected, pid) : this.#gone.get(pid);
    if (!session || session.goneAt + this.#maxAway < Date.now() || !this.#continueAt(session, offset)) return undefined;
    return { sid: session.sid, pid, rooms: session.rooms, data: { ...(session.data as object) }, mark: this.log.next };
  }

  /**
   * Takes the session out, whose socket has ended by now, with what the client has missed. Undefined if it has been taken, or something was lost.
   * @param rooms those of the new socket: what was emitted since `mark` to one that this has left is not among it
   */
  take(pid: string, offset: string, mark: number, rooms: readonly string[]): Returned | undefined {
    const session = this.#gone.get(pid);
    const continuation = session && this.#continueAt(session, offset);
    if (!continuation) return undefined;
    this.#gone.delete(pid);
    const { sid, rooms: former, data } = session;
    const { sent, from, stays, isNew } = continuation;
    const before = this.log.between(from, mark, stays.filter(former));
    const later = this.log.between(Math.max(from, mark), this.log.next, stays.filterSince(mark, former, rooms));
    return { sid, rooms: former, data, missed: [...sent, ...[...before, ...later].filter(isNew)] };
  }

  /** Gives away all sessions of clients that have gone. */
  handOver(): Bequest[] {
    const since = this.log.noteLoss() ? Number.POSITIVE_INFINITY : Date.now() - this.#maxAway;
    const bequests = bequestsOf(this.#gone.since(since), this.log, this.#heartbeat);
    this.#gone.clear();
    return bequests;
  }

  /** Takes over the sessions of a process that has ended. @param from the number of the first event here that may be none there */
  inherit(bequests: readonly Bequest[], from: number): void {
    const known = this.log.byOffset;
    for (const { past, sessions } of bequests) {
      const former = this.#formerLogs.add(past, from, known);
      for (const session of sessions) this.#store({ ...session, former });
    }
  }

  drop(): void {
    const { oldest } = this;
    if (oldest === this.log.oldest) this.log.dropSome();
    else if (oldest === this.#formerLogs.oldest) this.#formerLogs.drop();
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
    this.#formerLogs.clear();
    this.#gone.clear();
    this.#starts.clear();
    this.#account.close();
  }

  #sessionOf(socket: Socket, pid: string): Stored {
    const rooms = [...(this.#nsp.adapter.socketRooms(socket.id) ?? [])];
    const start = this.#starts.of(socket) ?? startAt(this.log.noteNext());
    return { sid: socket.id, pid, rooms, data: socket.data as unknown, goneAt: Date.now(), start, stays: this.visits.of(socket.id) };
  }

  #store(session: Stored): void {
    this.#gone.add(session);
    this.#account.settle();
    this.#timer ??= this.#forgetLater();
  }

  #continueAt(session: Stored, offset: string): Continuation | undefined {
    return this.log.noteLoss() ? undefined : continueAt(session, this.log, offset, this.#heartbeat);
  }

  #forgetLater(): NodeJS.Timeout {
    return setTimeout(() => this.#forget(), Math.min(FORGET_INTERVAL, this.#maxAway + this.#heartbeat)).unref();
  }

  #forget(): void {
    this.#timer = undefined;
    const now = Date.now();
    this.log.forget(now);
    this.#gone.forget(now - this.lifetime);
    this.#formerLogs.forget(now, new Set(this.#gone.all.map(({ former }) => former?.log)));
    this.#starts.forget(now - this.#heartbeat - GRACE); // a client that is still there has answered a heartbeat since
    if (!this.log.isEmpty || this.#gone.size > 0 || !this.#formerLogs.areNone || !this.#starts.areCertain)
      this.#timer = this.#forgetLater();
  }
}

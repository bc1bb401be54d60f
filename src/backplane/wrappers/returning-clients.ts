/** The clients of a namespace that come back: their sockets, their sessions, and what waits until they are connected. */
import { type Namespace, Socket } from 'socket.io';
import type { BroadcastOptions, Session } from 'socket.io-adapter';
import { type Gone, isFor } from '../recovering-adapter';
import { namespaceInternals, privateIdOf, socketInternals } from '../../internals/socket-io';

export type Deliver = (socket: Socket) => void;

/** A broadcast that may concern a client which is about to connect. */
interface Broadcast {
  readonly opts: BroadcastOptions;
  readonly offset: unknown;
  readonly deliver: Deliver;
}

/** What waits for a socket that is connecting. */
interface Waiting {
  /** Of a client that comes back. */
  session?: Session;
  /** What has been emitted to it meanwhile. */
  readonly held: Deliver[];
}

export class ReturningClients {
  readonly #nsp: Namespace;
  readonly #preConnectSockets: ReadonlyMap<string, Socket>;
  readonly #waiting = new Map<Socket, Waiting>();
  /** By private id, the latest socket last. More than one while a client is back whose old connection has not ended. */
  readonly #sockets = new Map<string, Set<Socket>>();
  /** For each client whose session is being read: the broadcasts since. */
  readonly #restoring = new Set<Broadcast[]>();

  constructor(nsp: Namespace) {
    this.#nsp = nsp;
    this.#preConnectSockets = namespaceInternals(nsp)._preConnectSockets;
  }

  /** How much is kept here: nothing, once all clients have gone. */
  get size(): number {
    return this.#waiting.size + this.#sockets.size + this.#restoring.size;
  }

  add(socket: Socket): void {
    const pid = privateIdOf(socket);
    const sockets = this.#sockets.get(pid);
    if (sockets) sockets.add(socket);
    else this.#sockets.set(pid, new Set([socket]));
  }

  /** Returns the session of a client that has not connected and has no other socket: it may come back once more. */
  remove(socket: Socket): { readonly isComingBack: boolean; readonly unused: Session | undefined } {
    const session = this.sessionOf(socket);
    this.#waiting.delete(socket);
    const sockets = this.#sockets.get(privateIdOf(socket));
    sockets?.delete(socket);
    const isLast = sockets?.size === 0;
    if (isLast) this.#sockets.delete(privateIdOf(socket));
    return { isComingBack: session !== undefined, unused: isLast ? session : undefined };
  }

  /** The latest socket of a client. */
  latest(pid: string): Socket | undefined {
    return [...(this.#sockets.get(pid) ?? [])].at(-1);
  }

  /** The sockets of the same client that are older than this one. */
  *olderThan(socket: Socket): Iterable<Socket> {
    for (const other of this.#sockets.get(privateIdOf(socket)) ?? []) {
      if (other === socket) return;
      yield other;
    }
  }

  /** The session of a client is being read: from now on broadcasts are added to the list, until `endRestoring`. */
  beginRestoring(): readonly Broadcast[] {
    const broadcasts: Broadcast[] = [];
    this.#restoring.add(broadcasts);
    return broadcasts;
  }

  endRestoring(broadcasts: readonly Broadcast[]): void {
    this.#restoring.delete(broadcasts as Broadcast[]); // one of those
  }

  /** The socket of a client that comes back is connecting. */
  hold(socket: Socket, session: Session, broadcasts: readonly Broadcast[]): void {
    const known = new Set(session.missedPackets.map(data => data.at(-1))); // their offsets
    const since = broadcasts.filter(({ opts, offset }) => isFor(session.rooms, opts) && !known.has(offset));
    this.#waiting.set(socket, { session, held: since.map(({ deliver }) => deliver) });
  }

  /** The session of a client that comes back, until it has connected. */
  sessionOf(socket: Socket): Session | undefined {
    return this.#waiting.get(socket)?.session;
  }

  /** What was emitted while the socket was connecting, and what its client missed before. */
  take(socket: Socket): Waiting {
    const waiting = this.#waiting.get(socket) ?? { held: [] };
    this.#waiting.delete(socket);
    return waiting;
  }

  /** Keeps a broadcast for those who are connecting. */
  keep(opts: BroadcastOptions, offset: unknown, deliver: Deliver): void {
    for (const broadcasts of this.#restoring) broadcasts.push({ opts, offset, deliver });
    for (const [socket, { session, held }] of this.#waiting) {
      if (session && isFor([...(socketInternals(socket).adapter.socketRooms(socket.id) ?? [])], opts)) held.push(deliver);
    }
    for (const socket of this.#preConnectSockets.values()) {
      const { id, recovered } = socket;
      if (recovered || !opts.rooms.has(id) || !isFor([id], opts)) continue; // others get what is for them alone
      const waiting = this.#waiting.get(socket) ?? { held: [] };
      waiting.held.push(deliver);
      this.#waiting.set(socket, waiting);
    }
  }

  /** Returns whether the client has a newer socket, which has the session from now on. */
  passOn(session: Gone): boolean {
    const latest = this.latest(session.pid);
    if (latest === undefined || latest === this.#nsp.sockets.get(session.sid)) return false;
    const waiting = this.#waiting.get(latest);
    if (waiting?.session) waiting.session = { ...waiting.session, ...session };
    return true;
  }
}

/** Lets a socket leave its rooms, unless it has not connected: a socket that comes after it may have its id, and those rooms. */
export function leaveRooms(socket: Socket, nsp: Namespace, isComingBack: boolean): void {
  const { _preConnectSockets: preConnectSockets } = namespaceInternals(nsp);
  if (!isComingBack) Socket.prototype._cleanup.call(socket);
  else if (preConnectSockets.get(socket.id) === socket) preConnectSockets.delete(socket.id);
  Object.assign(socket, { join: () => {}, leave: () => {} });
}

/** What the adapter would be told of a socket if it had gone. */
export function goneOf(socket: Socket, pid: string): Gone {
  return { sid: socket.id, pid, rooms: [...socket.rooms], data: { ...(socket.data as object) } }; // any, and an object by default
}

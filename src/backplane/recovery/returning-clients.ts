/** The returning clients of a namespace: their sockets, their sessions, and broadcasts that wait until they are connected. */
import { randomBytes } from 'node:crypto';
import type { Namespace, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import type { Frame } from '../packet-codec';
import { isFor } from './entry';
import type { Gone } from './gone-clients';
import { namespaceInternals, privateIdOf, socketInternals } from '../../internals/socket-io';

export type Deliver = (socket: Socket) => void;

/** A broadcast that waits until a client is connected. */
export interface Held {
  /** Undefined if it has none, as an event that wants an answer. */
  readonly offset: unknown;
  readonly deliver: Deliver;
  /** Undefined for a volatile event, and where an adapter keeps events. */
  readonly frames?: readonly Frame[] | undefined;
}

/** A broadcast that may be for a connecting client. */
export interface Broadcast extends Held {
  readonly opts: BroadcastOptions;
}

/** The session and broadcasts that wait until a socket is connected. */
interface Waiting {
  /** The session of a returning client. */
  session?: Gone;
  /** The broadcasts to the client since. */
  readonly held: Held[];
}

export class ReturningClients {
  readonly #nsp: Namespace;
  readonly #preConnectSockets: Map<string, Socket>;
  readonly #waiting = new Map<Socket, Waiting>();
  /** By private id, the latest socket last. A client has several while its old connection has not ended. */
  readonly #sockets = new Map<string, Set<Socket>>();
  /** For each session that is being read, the broadcasts since. */
  readonly #restoring = new Set<Broadcast[]>();

  constructor(nsp: Namespace) {
    this.#nsp = nsp;
    this.#preConnectSockets = namespaceInternals(nsp)._preConnectSockets;
  }

  /** The number of entries: 0 when all clients have gone. */
  get size(): number {
    return this.#waiting.size + this.#sockets.size + this.#restoring.size;
  }

  /** Whether a client is connecting whose broadcasts wait. */
  get isWaiting(): boolean {
    return this.#waiting.size + this.#restoring.size > 0;
  }

  add(socket: Socket): void {
    const pid = privateIdOf(socket);
    const sockets = this.#sockets.get(pid);
    if (sockets) sockets.add(socket);
    else this.#sockets.set(pid, new Set([socket]));
  }

  /** Returns the session unless the client has connected or has another socket: the client may return again. */
  remove(socket: Socket): { readonly isComingBack: boolean; readonly unused: Gone | undefined } {
    const session = this.sessionOf(socket);
    this.#waiting.delete(socket);
    const isLast = this.#removeSocket(socket);
    return { isComingBack: session !== undefined, unused: isLast ? session : undefined };
  }

  /** The socket of a client that is connected. */
  connected(pid: string): Socket | undefined {
    for (const socket of this.#sockets.get(pid) ?? []) if (this.#nsp.sockets.get(socket.id) === socket) return socket;
    return undefined;
  }

  /** Ends the older sockets of a client at once, without waiting for their transports. */
  endFormer(socket: Socket): void {
    for (const former of [...this.#olderThan(socket)]) {
      socketInternals(former)._onclose('forced close');
      if (former.conn !== socket.conn) former.conn.close(true);
    }
  }

  /** The latest socket of a client. */
  latest(pid: string): Socket | undefined {
    return [...(this.#sockets.get(pid) ?? [])].at(-1);
  }

  /** The sockets of the same client that are older than this one. */
  *#olderThan(socket: Socket): Iterable<Socket> {
    for (const other of this.#sockets.get(privateIdOf(socket)) ?? []) {
      if (other === socket) return;
      yield other;
    }
  }

  /** To be called before the session of a client is read. Until `endRestoring`, broadcasts are added to the returned list. */
  beginRestoring(): readonly Broadcast[] {
    const broadcasts: Broadcast[] = [];
    this.#restoring.add(broadcasts);
    return broadcasts;
  }

  endRestoring(broadcasts: readonly Broadcast[]): void {
    this.#restoring.delete(broadcasts as Broadcast[]); // one of those
  }

  /** To be called when the socket of a returning client begins to connect. */
  hold(socket: Socket, session: Gone, broadcasts: readonly Broadcast[]): void {
    this.#waiting.set(socket, { session, held: broadcasts.filter(({ opts }) => isFor(session.rooms, opts)) });
  }

  /** The session of a returning client, until it is connected. */
  sessionOf(socket: Socket): Gone | undefined {
    return this.#waiting.get(socket)?.session;
  }

  /**
   * Makes the socket of a client that comes back as somebody else that of a new client, with ids of its own: the session may be another's, who is
   * still connected. Returns the session.
   *
   * @param assignId gives the socket the id that the app wants
   */
  startAnew(socket: Socket, adapter: Adapter, assignId: () => void): Gone | undefined {
    const session = this.sessionOf(socket);
    if (!session) return undefined;
    const inside = socketInternals(socket);
    const rooms = new Set(inside.adapter.socketRooms(socket.id)); // of its own, until now
    for (const room of session.rooms) rooms.delete(room);
    this.#waiting.delete(socket);
    this.#removeSocket(socket);
    if (this.#preConnectSockets.get(socket.id) === socket) this.#preConnectSockets.delete(socket.id);
    Object.assign(inside, { id: newId(), pid: newId(), recovered: false, data: {}, adapter });
    this.#preConnectSockets.set(socket.id, socket);
    assignId();
    this.add(socket);
    if (rooms.size > 0) void adapter.addAll(socket.id, rooms);
    return session;
  }

  /** Removes and returns the broadcasts since the socket began to connect, and the session with the missed ones. */
  take(socket: Socket): Waiting {
    const waiting = this.#waiting.get(socket) ?? { held: [] };
    this.#waiting.delete(socket);
    return waiting;
  }

  /** The broadcasts since the socket began to connect. */
  heldFor(socket: Socket): readonly Held[] {
    return this.#waiting.get(socket)?.held ?? [];
  }

  /** Keeps a broadcast for connecting clients. */
  keep(broadcast: Broadcast): void {
    const { opts } = broadcast;
    for (const broadcasts of this.#restoring) broadcasts.push(broadcast);
    for (const [socket, { session, held }] of this.#waiting) {
      if (session && isFor([...(socketInternals(socket).adapter.socketRooms(socket.id) ?? [])], opts)) held.push(broadcast);
    }
    for (const socket of this.#preConnectSockets.values()) {
      const { id } = socket;
      if (this.sessionOf(socket) || !opts.rooms.has(id) || !isFor([id], opts)) continue; // a new client gets only broadcasts to its own id
      const waiting = this.#waiting.get(socket) ?? { held: [] };
      waiting.held.push(broadcast);
      this.#waiting.set(socket, waiting);
    }
  }

  /** Moves a session to the newer socket of the client. Returns whether there is one. */
  passOn(session: Gone): boolean {
    const latest = this.latest(session.pid);
    if (latest === undefined || latest === this.#nsp.sockets.get(session.sid)) return false;
    const waiting = this.#waiting.get(latest);
    if (waiting?.session) waiting.session = { ...waiting.session, ...session };
    return true;
  }

  /** Returns whether it was the last socket of the client. */
  #removeSocket(socket: Socket): boolean {
    const sockets = this.#sockets.get(privateIdOf(socket));
    sockets?.delete(socket);
    const isLast = sockets?.size === 0;
    if (isLast) this.#sockets.delete(privateIdOf(socket));
    return isLast;
  }
}

/** In the form of Socket.IO's own. */
function newId(): string {
  return randomBytes(15).toString('base64url');
}

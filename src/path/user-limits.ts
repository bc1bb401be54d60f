/** The limits of each user in a namespace: connections, across workers and servers, and events. */
import type { DefaultEventsMap, RemoteSocket, Socket } from 'socket.io';
import { toRoom } from '../internals/socket-io';
import { helloOf } from './client-hello';
import type { Bucket } from '../limits/bucket';
import { EventLimit } from './event-limit';

/** The part of a connection that is used here. */
interface Limited {
  readonly socket: Socket;
  /** Undefined without a user. Does not change once the connection is admitted. */
  readonly userRoom: string | undefined;
  /** Counts the events. Undefined if these are not limited. */
  bucket: Bucket | undefined;
}

/** `config.io.namespace[name].userLimits`, checked and complete. */
interface Settings {
  /** Infinite if connections are not limited. */
  readonly connections: number;
  readonly whenFull: 'replace' | 'refuse';
  /** Per second. Infinite if events are not limited. */
  readonly events: number;
  readonly burst: number;
}

/** A connection here, or of another worker or server. */
type Rival = Pick<Socket, 'id' | 'handshake'> & { disconnect(): unknown };

export class UserLimits {
  readonly #connections: number;
  readonly #whenFull: Settings['whenFull'];
  readonly #events: EventLimit | undefined;
  readonly #onUnknown: (error: unknown) => void;
  /** The connections to this process, by namespace and user, in the order in which they were admitted. */
  readonly #here = new Map<string, Set<Limited>>();
  /** Those that go when a connection that has been given a place is connected. */
  readonly #replaced = new WeakMap<Limited, readonly Rival[]>();

  /** @param onUnknown called when the connections to other workers and servers cannot be counted */
  constructor({ connections, whenFull, events, burst }: Settings, onUnknown: (error: unknown) => void) {
    this.#connections = connections;
    this.#whenFull = whenFull;
    this.#events = Number.isFinite(events) ? new EventLimit(events, burst) : undefined;
    this.#onUnknown = onUnknown;
  }

  /**
   * To be called when middleware has admitted a client. Resolves with whether there is a place for it, or another one goes for it.
   * Undefined if there is no need to wait.
   */
  admit(connection: Limited): Promise<boolean> | undefined {
    const { socket, userRoom } = connection;
    if (userRoom === undefined) return undefined;
    connection.bucket = this.#events?.hold(userRoom);
    if (!Number.isFinite(this.#connections)) return undefined;
    const key = keyOf(socket, userRoom);
    const here = this.#here.get(key) ?? new Set();
    this.#here.set(key, here.add(connection));
    return this.#findPlace(connection, userRoom, here);
  }

  /** To be called when the client is connected: functions of `use()` may have refused it before. */
  complete(connection: Limited): void {
    for (const rival of this.#replaced.get(connection) ?? []) rival.disconnect();
    this.#replaced.delete(connection);
  }

  /** To be called when a client has gone, or was refused. */
  leave(connection: Limited): void {
    const { bucket, socket, userRoom } = connection;
    if (userRoom === undefined) return;
    if (bucket) this.#events?.release(userRoom, bucket);
    connection.bucket = undefined;
    const key = keyOf(socket, userRoom);
    const here = this.#here.get(key);
    if (here?.delete(connection) && here.size === 0) this.#here.delete(key);
  }

  async #findPlace(connection: Limited, userRoom: string, here: ReadonlySet<Limited>): Promise<boolean> {
    const { socket } = connection;
    const elsewhere = await this.#socketsElsewhere(socket, userRoom);
    if (!here.has(connection)) return false; // it has gone meanwhile
    const rivals: Rival[] = elsewhere.filter(({ id }) => id !== socket.id);
    for (const { socket: earlier } of here) {
      if (earlier === socket) break; // one that came later has to find a place itself
      if (earlier.id !== socket.id) rivals.push(earlier); // else the former connection of a client that is recovered
    }
    const excess = rivals.length + 1 - this.#connections;
    if (excess <= 0) return true;
    const replaceable = this.#whenFull === 'replace' ? rivals : rivals.filter(rival => isSamePage(rival, socket));
    if (replaceable.length < excess) return false;
    const oldestFirst = replaceable.toSorted((a, b) => a.handshake.issued - b.handshake.issued);
    this.#replaced.set(connection, oldestFirst.slice(0, excess));
    return true;
  }

  /** The connections of the user to other workers and servers. None while these cannot be reached. */
  async #socketsElsewhere({ nsp }: Socket, userRoom: string): Promise<RemoteSocket<DefaultEventsMap, unknown>[]> {
    try {
      const sockets = await toRoom(nsp, userRoom).fetchSockets();
      return sockets.filter(({ id }) => !nsp.sockets.has(id));
    } catch (error) {
      this.#onUnknown(error);
      return [];
    }
  }
}

function keyOf({ nsp }: Socket, userRoom: string): string {
  return `${nsp.name} ${userRoom}`; // no user and no other namespace has the same: the room begins with $io:
}

/** Whether a connection is a former one of the same page, which has lost it without a goodbye. Only pages with the client helper are known. */
function isSamePage(one: Pick<Socket, 'handshake'>, other: Pick<Socket, 'handshake'>): boolean {
  const owner = helloOf(one)?.owner;
  return owner !== undefined && owner === helloOf(other)?.owner;
}

/** Who is in which room of which namespace. Rooms are observed by their adapters, so that it does not matter how a connection has joined. */
import { createHash } from 'node:crypto';
import type { Namespace, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type { RoomPatterns } from '../config/room-patterns';
import { isPattern, parsePattern } from '../contract/pattern';
import { userOfRoom } from '../rooms';
import type { Replicated } from './announcer';
import type { PresenceChange } from './changes';
import type { Change } from './messages';
import { mistakeOf } from '../errors';
import { addToNamespaces } from '../internals/namespace-class';
import { type Presence, presenceOf } from './presence';
import type { Replication } from './replication';
import { PresenceRoom, type Surroundings as SurroundingsOfRooms } from './room';
import type { Peer } from './share';

/** The options of rooms that match a pattern. */
interface RoomSettings {
  readonly grace: number;
}

type Patterns = RoomPatterns<RoomSettings>;

interface Surroundings {
  /** By the name of the namespace, or its pattern. */
  readonly namespaces: ReadonlyMap<string, { readonly presence: Patterns | undefined }>;
  /** Emits to the clients of this process in a room. */
  readonly tell: (nsp: string, change: PresenceChange) => void;
  /** The name of this process. */
  readonly self: Peer;
}

export class Presences implements Replicated {
  /** Undefined if there are no other processes. */
  replication: Replication | undefined;
  readonly self: Peer;
  readonly #namespaces: Surroundings['namespaces'];
  readonly #byPattern: readonly (readonly [RegExp, Patterns | undefined])[];
  readonly #ofRooms: SurroundingsOfRooms;
  /** By namespace and name. Only those where somebody is. */
  readonly #rooms = new Map<string, Map<string, PresenceRoom>>();
  readonly #observed = new WeakSet<Adapter>();
  readonly #methods: object;

  constructor({ namespaces, tell, self }: Surroundings) {
    this.self = self;
    this.#namespaces = namespaces;
    this.#ofRooms = {
      self,
      tell,
      onOwnChange: (nsp, room, id) => this.replication?.change(nsp, room, id),
      onEmpty: (nsp, room) => this.#remove(nsp, room),
    };
    const presenceIn = this.#presenceIn.bind(this);
    this.#methods = {
      presence(this: Namespace, room: string): Presence {
        return presenceIn(this, room);
      },
    };
    this.#byPattern = [...namespaces].filter(([name]) => isPattern(name)).map(([name, { presence }]) => [parsePattern(name), presence]);
  }

  /** Whether any namespace has presence. */
  get isUsed(): boolean {
    return [...this.#namespaces.values()].some(({ presence }) => presence);
  }

  /** Gives a namespace its method, and observes its clients. To be called before the app knows the namespace. */
  addTo(nsp: Namespace): void {
    addToNamespaces(nsp, this.#methods);
    if (!this.#patternsOf(nsp.name)) return;
    this.observe(nsp);
    nsp.on('connect', socket => this.#admit(socket));
  }

  /** Observes the adapter of a namespace. To be called again when it has another one. */
  observe({ name, adapter, sockets }: Namespace): void {
    const patterns = this.#patternsOf(name);
    if (!patterns || this.#observed.has(adapter)) return;
    this.#observed.add(adapter);
    adapter.on('join-room', (room: unknown, id: string) => {
      const socket = sockets.get(id); // not while it is connecting: it may still be refused
      if (socket) this.#join(socket, room, patterns);
    });
    adapter.on('leave-room', (room: string, id: string) => this.#find(name, room)?.leave(id));
  }

  /** Whether a namespace has presence. @param nsp its name, or its pattern */
  isConfigured(nsp: string): boolean {
    return this.#namespaces.get(nsp)?.presence !== undefined;
  }

  /** The rooms of a namespace that have presence. Undefined if there are none. */
  #patternsOf(nsp: string): Patterns | undefined {
    const own = this.#namespaces.get(nsp);
    return own ? own.presence : this.#byPattern.find(([pattern]) => pattern.test(nsp))?.[1];
  }

  put(peer: Peer, [nsp, room, id, connections, meta, at]: Change): void {
    const settings = connections > 0 ? this.#patternsOf(nsp)?.of(room) : undefined;
    const present = settings ? this.#findOrAdd(nsp, room, settings) : this.#find(nsp, room);
    present?.put(id, { peer, connections, meta: meta ?? undefined, at });
  }

  changeOf(peer: Peer, nsp: string, room: string, id: string): Change {
    const { connections = 0, meta, at = 0 } = this.#find(nsp, room)?.shareOf(peer, id) ?? {};
    return [nsp, room, id, connections, meta ?? null, at];
  }

  changesOf(peer: Peer): Change[] {
    const changes: Change[] = [];
    for (const [nsp, rooms] of this.#rooms)
      for (const [room, present] of rooms)
        for (const [id, { connections, meta, at }] of present.sharesOf(peer)) changes.push([nsp, room, id, connections, meta ?? null, at]);
    return changes;
  }

  close(): void {
    this.replication?.close();
    for (const rooms of this.#rooms.values()) for (const room of rooms.values()) room.close();
  }

  #presenceIn(nsp: Namespace, room: string): Presence {
    if (!this.#patternsOf(nsp.name)?.of(room)) {
      const problem = `no pattern of config.io.namespace['${nsp.name}'].presence matches the room '${room}'`;
      throw mistakeOf('IO_ROOM_UNMATCHED', problem);
    }
    return presenceOf(nsp, room, () => this.#find(nsp.name, room));
  }

  /** A client is connected: it is present in the rooms that it has joined so far. */
  #admit(socket: Socket): void {
    const patterns = this.#patternsOf(socket.nsp.name);
    if (patterns) for (const room of socket.nsp.adapter.socketRooms(socket.id) ?? []) this.#join(socket, room, patterns);
  }

  #join(socket: Socket, room: unknown, patterns: Patterns): void {
    if (typeof room !== 'string' || room === socket.id) return;
    const settings = patterns.of(room);
    if (settings) this.#findOrAdd(socket.nsp.name, room, settings).join(socket.id, idOf(socket));
  }

  #find(nsp: string, room: string): PresenceRoom | undefined {
    return this.#rooms.get(nsp)?.get(room);
  }

  #findOrAdd(nsp: string, room: string, { grace }: RoomSettings): PresenceRoom {
    const rooms = this.#rooms.get(nsp) ?? new Map<string, PresenceRoom>();
    this.#rooms.set(nsp, rooms);
    let present = rooms.get(room);
    if (!present) {
      present = new PresenceRoom(nsp, room, grace, this.#ofRooms);
      rooms.set(room, present);
    }
    return present;
  }

  #remove(nsp: string, room: string): void {
    const rooms = this.#rooms.get(nsp);
    rooms?.get(room)?.close();
    rooms?.delete(room);
    if (rooms?.size === 0) this.#rooms.delete(nsp);
  }
}

/** The id of the user of a connection, or else that of the socket. */
function idOf({ id, conn, nsp }: Socket): string {
  for (const room of nsp.adapter.socketRooms(id) ?? []) {
    const user = userOfRoom(room);
    if (user !== undefined) return user;
  }
  // with protocol 3 the id is a secret: whoever knows it can send requests in the client's name
  return conn.protocol === 3 ? createHash('sha256').update(id).digest('base64url').slice(0, 20) : id;
}

/** What one process says of itself, and of its part of a namespace. */
import { hostname } from 'node:os';
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import type { Namespace, Server, Socket } from 'socket.io';
import { ownWorkerId } from '../cluster/topology';
import { requestOf } from '../internals/engine-io';
import { trafficOf } from '../limits/traffic';
import { isReservedRoom, roomOfUser, userOfRoom } from '../rooms';
import type { Observer, SeenEvent } from './observer';
import type { View } from './question';

/** The most entries of each list. The counts are exact. */
export const MAX_LISTED = 1000;

/** A name, and how many sockets it has. */
export type Counted = readonly [name: string, sockets: number];

export interface SocketLine {
  readonly id: string;
  readonly user: string | undefined;
  readonly address: string | undefined;
  readonly transport: string;
  /** When it connected, in ms since 1970. */
  readonly since: number;
  /** The process that has it. */
  readonly process: string;
}

/** The socket that the page shows. */
export interface ShownSocket extends SocketLine {
  readonly rooms: readonly string[];
  readonly events: readonly SeenEvent[];
  /** Of its connection, in all namespaces. Undefined unless the access log or the metrics count it. */
  readonly traffic:
    { readonly packetsIn: number; readonly packetsOut: number; readonly bytesIn: number; readonly bytesOut: number } | undefined;
}

export interface ProcessLine {
  readonly id: string;
  readonly host: string;
  readonly worker: string;
  readonly pid: number;
  /** In s. */
  readonly uptime: number;
  /** In bytes. */
  readonly memory: number;
  /** That are open. */
  readonly connections: number;
  /** Counted while somebody looks. */
  readonly counts: Observer['counts'];
}

/** A list of a namespace, and how long it would be without a limit. */
export interface Listed<Entry> {
  readonly entries: readonly Entry[];
  readonly count: number;
}

export interface Report {
  readonly process: ProcessLine;
  readonly namespaces: Listed<Counted>;
  readonly sockets: Listed<SocketLine>;
  readonly rooms: Listed<Counted>;
  readonly users: Listed<Counted>;
  readonly shown: ShownSocket | undefined;
}

export interface Sources {
  readonly server: Server;
  readonly engine: () => EngineServer | undefined;
  readonly observer: Observer;
  readonly addressOf: (request: IncomingMessage) => string | undefined;
}

const PROCESS = `${hostname()}/${process.pid}/${ownWorkerId()}`;

export function reportOn(view: View, sources: Sources): Report {
  const { server, engine, observer } = sources;
  observer.look(engine());
  const nsp = server._nsps.get(view.namespace);
  const { rooms, users } = countRooms(nsp);
  return {
    process: {
      id: PROCESS,
      host: hostname(),
      worker: ownWorkerId(),
      pid: process.pid,
      uptime: process.uptime(),
      memory: process.memoryUsage.rss(),
      connections: engine()?.clientsCount ?? 0,
      counts: { ...observer.counts },
    },
    namespaces: largest([...server._nsps.values()].map(({ name, sockets }) => [name, sockets.size])),
    sockets: nsp ? listSockets(nsp, view, sources) : { entries: [], count: 0 },
    rooms: largest(rooms),
    users: largest(users),
    shown: shownOf(nsp, view, sources),
  };
}

/** Those with the most sockets first. */
export function largest(counted: Counted[]): Listed<Counted> {
  const { length: count } = counted;
  counted.sort(([name, sockets], [otherName, others]) => others - sockets || (name < otherName ? -1 : 1));
  return { entries: counted.slice(0, MAX_LISTED), count };
}

/** The rooms of the app, without those that each socket has of its own, and the users. */
function countRooms(nsp: Namespace | undefined): { rooms: Counted[]; users: Counted[] } {
  const [rooms, users]: [Counted[], Counted[]] = [[], []];
  for (const [room, ids] of nsp?.adapter.rooms ?? []) {
    const user = userOfRoom(room);
    if (user !== undefined) users.push([user, ids.size]);
    else if (!isReservedRoom(room) && !nsp?.sockets.has(room)) rooms.push([room, ids.size]);
  }
  return { rooms, users };
}

/** The newest ones. */
function listSockets(nsp: Namespace, { room, user, search }: View, sources: Sources): Listed<SocketLine> {
  const only = user === undefined ? room : roomOfUser(user);
  const candidates = only === undefined ? nsp.sockets.values() : socketsIn(nsp, only);
  const newest: Socket[] = [];
  let count = 0;
  for (const socket of candidates) {
    if (search !== '' && !isFound(socket, search, sources)) continue;
    newest[count++ % MAX_LISTED] = socket;
  }
  const entries = newest.map(socket => lineOf(socket, sources)).sort((one, other) => other.since - one.since);
  return { entries, count };
}

function* socketsIn(nsp: Namespace, room: string): Iterable<Socket> {
  for (const id of nsp.adapter.rooms.get(room) ?? []) {
    const socket = nsp.sockets.get(id);
    if (socket) yield socket;
  }
}

function isFound(socket: Socket, search: string, sources: Sources): boolean {
  const { id, user, address } = lineOf(socket, sources);
  return [id, user, address].some(text => text?.toLowerCase().includes(search));
}

function shownOf(nsp: Namespace | undefined, { socket: id, after }: View, sources: Sources): ShownSocket | undefined {
  const socket = id === undefined ? undefined : nsp?.sockets.get(id);
  if (!socket) return undefined;
  const traffic = trafficOf(socket.conn);
  const rooms = [...socket.rooms].filter(room => room !== id && !isReservedRoom(room));
  return {
    ...lineOf(socket, sources),
    rooms: rooms.slice(0, MAX_LISTED),
    events: sources.observer.eventsOf(socket, after),
    traffic: traffic && {
      packetsIn: traffic.packetsIn,
      packetsOut: traffic.packetsOut,
      bytesIn: traffic.bytesIn,
      bytesOut: traffic.bytesOut,
    },
  };
}

function lineOf(socket: Socket, { addressOf }: Sources): SocketLine {
  const request = requestOf(socket.conn);
  const { transport } = socket.conn;
  const { user } = socket as { readonly user?: { readonly id: string } }; // this plugin's sockets have it
  return {
    id: socket.id,
    user: user?.id,
    address: request ? addressOf(request) : undefined,
    transport: transport.name,
    since: socket.handshake.issued,
    process: PROCESS,
  };
}

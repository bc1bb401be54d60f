/** What one process says of itself, and of its part of a namespace. */
import { hostname } from 'node:os';
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import type { Namespace, Server, Socket } from 'socket.io';
import { ownWorkerId } from '../cluster/topology';
import { requestOf } from '../internals/engine-io';
import { trafficOf } from '../limits/traffic';
import { isReservedRoom, roomOfUser, userOfRoom } from '../rooms';
import { type Counted, Largest, type Listed, MAX_LISTED } from './lists';
import type { Observer, SeenEvent } from './observer';
import type { View } from './question';

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
  /** One for each HTTP server. */
  readonly engines: readonly EngineServer[];
  readonly observer: Observer;
  readonly addressOf: (request: IncomingMessage) => string | undefined;
}

const PROCESS = `${hostname()}/${process.pid}/${ownWorkerId()}`;

export function reportOn(view: View, sources: Sources): Report {
  const { server, engines, observer } = sources;
  observer.look(engines);
  const nsp = server._nsps.get(view.namespace);
  const namespaces = new Largest();
  for (const { name, sockets } of server._nsps.values()) namespaces.add(name, sockets.size);
  return {
    process: {
      id: PROCESS,
      host: hostname(),
      worker: ownWorkerId(),
      pid: process.pid,
      uptime: process.uptime(),
      memory: process.memoryUsage.rss(),
      connections: engines.reduce((sum, { clientsCount }) => sum + clientsCount, 0),
      counts: { ...observer.counts },
    },
    namespaces: namespaces.list,
    sockets: nsp ? listSockets(nsp, view, sources) : { entries: [], count: 0 },
    ...listRooms(nsp),
    shown: shownOf(nsp, view, sources),
  };
}

/** The rooms of the app, without those that each socket has of its own, and the users. */
function listRooms(nsp: Namespace | undefined): Pick<Report, 'rooms' | 'users'> {
  const [rooms, users] = [new Largest(), new Largest()];
  for (const [room, ids] of nsp?.adapter.rooms ?? []) {
    const user = userOfRoom(room);
    if (user !== undefined) users.add(user, ids.size);
    else if (!isReservedRoom(room) && !ids.has(room)) rooms.add(room, ids.size);
  }
  return { rooms: rooms.list, users: users.list };
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

/**
 * Connection state recovery: what a client has missed, and what is emitted while its middleware runs, waits on the server until it is let in.
 * Socket.IO itself sends the one before the middleware has said yes, and loses the other. And a client may come back before this server has
 * noticed that it had gone: then there are two sockets of one id for a while, the old one and its successor.
 */
import { type Namespace, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions, type ClusterAdapter, type ClusterMessage, MessageType, type Session } from 'socket.io-adapter';
import type { Backplane } from '../backplane';
import { type Gone, isFor, RecoveringAdapter } from '../recovering-adapter';

interface Packet {
  readonly type: number;
  readonly data: unknown[];
}

type Deliver = (socket: Socket) => void;

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

/** What adapters of Socket.IO keep to themselves. */
interface Inside {
  apply(opts: BroadcastOptions, deliver: Deliver): void;
  onMessage?(message: ClusterMessage, offset?: string): void;
  restoreSession(pid: string, offset: string): Promise<Session | null> | null;
  persistSession(session: Gone): void;
  /** Of the adapter in memory that comes with Socket.IO, which leaves a session in there. */
  readonly sessions?: Map<string, unknown>;
}

/** What namespaces of Socket.IO keep to themselves. */
interface NamespaceInside {
  readonly _preConnectSockets: Map<string, Socket>;
  _doConnect(socket: Socket, done?: (socket: Socket) => void): void;
}

/** What sockets of Socket.IO keep to themselves. */
interface SocketInside {
  readonly pid?: string;
  adapter: Adapter;
  packet(packet: Packet): void;
  _cleanup(): void;
  _onclose(reason: string): void;
}

const EVENT = 2; // https://github.com/socketio/socket.io-protocol#packet-types

const socketPrototype = Socket.prototype as unknown as SocketInside; // marked as private

/** By the socket of a client that is coming back, the one before it. */
const formerSockets = new WeakMap<Socket, Socket>();

/** The socket whose place one takes that is connecting, where this server still has it. */
export function formerSocketOf(socket: Socket): Socket | undefined {
  return formerSockets.get(socket);
}

/** A client that comes back while the backend does not answer is a new one, at once. */
export function restoreWhileUp(adapter: ClusterAdapter, backplane: Backplane): void {
  const restoreSession = adapter.restoreSession.bind(adapter);
  Object.assign(adapter, { restoreSession: (pid: string, offset: string) => backplane.ask(async () => restoreSession(pid, offset)) });
}

/** Changes the adapter of a namespace, one that can recover, and the namespace. */
export function recoverConnections(adapter: Adapter, nsp: Namespace): void {
  const inside = adapter as unknown as Inside;
  const namespace = nsp as unknown as NamespaceInside;
  const base = {
    broadcast: adapter.broadcast.bind(adapter),
    apply: inside.apply.bind(adapter),
    onMessage: inside.onMessage?.bind(adapter),
    restoreSession: inside.restoreSession.bind(adapter),
    persistSession: inside.persistSession.bind(adapter),
    doConnect: namespace._doConnect.bind(nsp),
  };
  const waiting = new Map<Socket, Waiting>();
  /** The sockets of each client, by its private id: the latest last. More than one while a client is back that had not gone. */
  const socketsOf = new Map<string, Set<Socket>>();
  /** Broadcasts since each of those who come back has asked for its session. */
  const restoring = new Set<Broadcast[]>();
  /** What is being broadcast just now. */
  let packet: Packet | undefined;

  const during = <Result>(value: Packet | undefined, work: () => Result): Result => {
    const before = packet;
    packet = value;
    try {
      return work();
    } finally {
      packet = before;
    }
  };

  /** The session of a client, whether this server knows that it had gone or not. */
  const restore = async (pid: string, offset: string, former: Socket | undefined): Promise<Session | undefined> => {
    if (former) base.persistSession(waiting.get(former)?.session ?? sessionOf(former, pid));
    const session = (await base.restoreSession(pid, offset)) ?? undefined;
    inside.sessions?.delete(pid);
    return session;
  };

  const cleanUp = function (this: Socket): void {
    const pid = pidOf(this);
    const session = waiting.get(this)?.session;
    waiting.delete(this);
    formerSockets.delete(this);
    const sockets = socketsOf.get(pid);
    sockets?.delete(this);
    if (sockets?.size === 0) {
      socketsOf.delete(pid);
      if (session) base.persistSession(session); // it has not connected: it may come back once more
    }
    // a socket that comes after it may have its id, and its rooms are not for this one to leave
    if (!session) socketPrototype._cleanup.call(this);
    else if (namespace._preConnectSockets.get(this.id) === this) namespace._preConnectSockets.delete(this.id);
    Object.assign(this, { join: () => {}, leave: () => {} });
  };

  Object.assign(nsp, {
    async _createSocket(client: Socket['client'], auth: Record<string, unknown>): Promise<Socket> {
      const { pid, offset = '' } = auth; // a client that has heard nothing has no offset
      const isBack = typeof pid === 'string' && typeof offset === 'string';
      const former = isBack ? [...(socketsOf.get(pid) ?? [])].at(-1) : undefined;
      const broadcasts: Broadcast[] = [];
      restoring.add(broadcasts);
      try {
        const session = isBack ? await restore(pid, offset, former).catch(() => undefined) : undefined; // Redis has none, or does not answer
        const socket = new Socket(nsp, client, auth, session && { ...session, rooms: [], missedPackets: [] });
        Object.assign(socket, { _cleanup: cleanUp });
        addTo(socketsOf, pidOf(socket), socket);
        if (!session) return socket;
        insideOf(socket).adapter = withRoomsOfItsOwn(adapter);
        void socket.join(session.rooms);
        if (former) formerSockets.set(socket, former);
        const known = new Set(session.missedPackets.map(data => data.at(-1))); // their offsets
        const since = broadcasts.filter(({ opts, offset }) => isFor(session.rooms, opts) && !known.has(offset));
        waiting.set(socket, { session, held: since.map(({ deliver }) => deliver) });
        return socket;
      } finally {
        restoring.delete(broadcasts);
      }
    },

    /** All middleware has said yes: only now the old connection of a client ends, else whoever had its private id could throw it out. */
    _doConnect(socket: Socket, done?: (socket: Socket) => void): void {
      if (waiting.get(socket)?.session) {
        for (const former of socketsOf.get(pidOf(socket)) ?? []) {
          if (former === socket) break; // those that follow are newer
          insideOf(former)._onclose('forced close'); // at once, whatever its transport does
          if (former.conn !== socket.conn) former.conn.close(true);
        }
        const rooms = insideOf(socket).adapter.socketRooms(socket.id);
        insideOf(socket).adapter = adapter;
        if (rooms) void socket.join([...rooms]);
      }
      formerSockets.delete(socket);
      base.doConnect(socket, done);
    },
  });

  nsp.on('connect', socket => {
    const { session, held = [] } = waiting.get(socket) ?? {};
    waiting.delete(socket);
    if (adapter instanceof RecoveringAdapter) adapter.admit(socket.id, held.length);
    for (const data of session?.missedPackets ?? []) insideOf(socket).packet({ type: EVENT, data });
    for (const deliver of held) deliver(socket);
  });

  Object.assign(adapter, {
    broadcast(value: Packet, opts: BroadcastOptions): unknown {
      return during(value, () => base.broadcast(value, opts) as unknown);
    },

    ...(base.onMessage && {
      onMessage(message: ClusterMessage, offset?: string): void {
        const isBroadcast = message.type === MessageType.BROADCAST && message.data.requestId === undefined;
        during(isBroadcast ? (message.data.packet as Packet) : undefined, () => base.onMessage?.(message, offset)); // as the sender has it
      },
    }),

    apply(opts: BroadcastOptions, deliver: Deliver): void {
      base.apply(opts, deliver);
      if (!packet) return;
      for (const broadcasts of restoring) broadcasts.push({ opts, offset: packet.data.at(-1), deliver });
      for (const [socket, { session, held }] of waiting) {
        if (session && isFor([...(insideOf(socket).adapter.socketRooms(socket.id) ?? [])], opts)) held.push(deliver);
      }
      for (const socket of namespace._preConnectSockets.values()) {
        const { id, recovered } = socket;
        if (recovered || !opts.rooms.has(id) || !isFor([id], opts)) continue; // others get what is for them alone
        const hold = waiting.get(socket) ?? { held: [] };
        hold.held.push(deliver);
        waiting.set(socket, hold);
      }
    },

    /** Called when a client has gone. Where it is back already, the latest socket of it has the session. */
    persistSession(session: Gone): void {
      const [latest] = [...(socketsOf.get(session.pid) ?? [])].slice(-1);
      if (latest === undefined || latest === nsp.sockets.get(session.sid)) {
        base.persistSession(session);
        return;
      }
      const hold = waiting.get(latest);
      if (hold?.session) hold.session = { ...hold.session, ...session };
    },
  });
}

/** An adapter for a socket that is not connected yet: its rooms are its own, all else is the real one's. */
function withRoomsOfItsOwn(adapter: Adapter): Adapter {
  const { addAll, del, delAll, socketRooms } = Adapter.prototype;
  const own = { rooms: new Map(), sids: new Map(), addAll, del, delAll, socketRooms, emit: () => false };
  return Object.assign(Object.create(adapter) as Adapter, own);
}

function addTo(sets: Map<string, Set<Socket>>, key: string, socket: Socket): void {
  const set = sets.get(key);
  if (set) set.add(socket);
  else sets.set(key, new Set([socket]));
}

function sessionOf(socket: Socket, pid: string): Gone {
  return { sid: socket.id, pid, rooms: [...socket.rooms], data: { ...(socket.data as object) } }; // any, and an object by default
}

function pidOf(socket: Socket): string {
  return String(insideOf(socket).pid);
}

function insideOf(socket: Socket): SocketInside {
  return socket as unknown as SocketInside; // marked as private
}

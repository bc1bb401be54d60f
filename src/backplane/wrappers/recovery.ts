/**
 * Connection state recovery. The events that a client has missed, and those emitted while its middleware runs, wait on the server until the
 * client is connected. Socket.IO itself sends the former before the middleware has run, and loses the latter. A client may also return before
 * this server has noticed its disconnection: it then has two sockets with the same id for a while.
 */
import { type Namespace, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions, type ClusterMessage, MessageType, type Session } from 'socket.io-adapter';
import { PacketType } from '../../protocol';
import type { PulsedBackplane } from '../pulsed-backplane';
import { type Gone, RecoveringAdapter } from '../recovering-adapter';
import { EncodedPacket, type Event } from '../packet-codec';
import { type Deliver, goneOf, leaveRooms, ReturningClients, roomsOf } from './returning-clients';
import { type RecoveryInternals, recoveryInternals } from '../../internals/adapters';
import { namespaceInternals, socketInternals } from '../../internals/socket-io';

/** For the connecting socket of a returning client, its former socket. */
const formerSockets = new WeakMap<Socket, Socket>();

/** The former socket of a returning client, if this server still has it, until the new socket is connected. */
export function formerSocketOf(socket: Socket): Socket | undefined {
  return formerSockets.get(socket);
}

/** The clients of the namespace, by the connecting socket of one that returns. */
const returning = new WeakMap<Socket, ReturningClients>();

/** Makes a returning client a new one: it has come back as somebody else. To be called while its middleware runs. */
export function startAnew(socket: Socket): void {
  returning.get(socket)?.startAnew(socket);
}

/** Makes a client that returns in an outage connect as a new one, without waiting. */
export function restoreWhileUp(adapter: Adapter, backplane: PulsedBackplane): void {
  const restoreSession = adapter.restoreSession.bind(adapter);
  Object.assign(adapter, {
    restoreSession: (pid: string, offset: string) =>
      backplane.ask(
        async () => restoreSession(pid, offset),
        () => backplane.isAnswering, // even if other servers cannot be asked
      ),
  });
}

/** Changes a namespace and its adapter, which has to support recovery. Returns the returning clients. */
export function recoverConnections(adapter: Adapter, nsp: Namespace): ReturningClients {
  const clients = new ReturningClients(nsp);
  const inside = recoveryInternals(adapter);
  changeNamespace(nsp, adapter, inside, clients);
  changeAdapter(adapter, inside, clients);
  return clients;
}

function changeNamespace(nsp: Namespace, adapter: Adapter, inside: RecoveryInternals, clients: ReturningClients): void {
  const doConnect = namespaceInternals(nsp)._doConnect.bind(nsp);
  const restoreSession = inside.restoreSession.bind(adapter);
  const persistSession = inside.persistSession.bind(adapter);

  /** Reads the session of a client, also if this server has not noticed its disconnection. */
  const restore = async (pid: string, offset: string, former: Socket | undefined): Promise<Session | undefined> => {
    if (former) persistSession(clients.sessionOf(former) ?? goneOf(former, pid));
    const session = (await restoreSession(pid, offset)) ?? undefined;
    inside.sessions?.delete(pid);
    return session;
  };

  const cleanUp = function (this: Socket): void {
    const { isComingBack, unused } = clients.remove(this);
    formerSockets.delete(this);
    if (unused) persistSession(unused);
    leaveRooms(this, nsp, isComingBack);
  };

  const createSocket = (client: Socket['client'], auth: object, session?: Session): Socket => {
    const copy = session && { ...session, data: { ...(session.data as object) }, rooms: [], missedPackets: [] }; // any, and an object by default
    const socket = new Socket(nsp, client, auth as Record<string, unknown>, copy);
    Object.assign(socket, { _cleanup: cleanUp });
    clients.add(socket);
    return socket;
  };

  const restoreSocket = async (client: Socket['client'], auth: object, pid: string, offset: string): Promise<Socket> => {
    const former = clients.latest(pid);
    const broadcasts = clients.beginRestoring();
    try {
      const session = await restore(pid, offset, former).catch(() => undefined); // there is none, or Redis does not answer
      const socket = createSocket(client, auth, session);
      if (!session) return socket;
      socketInternals(socket).adapter = withRoomsOfItsOwn(adapter);
      void socket.join(session.rooms);
      if (former) formerSockets.set(socket, former);
      clients.hold(socket, session, broadcasts);
      returning.set(socket, clients);
      return socket;
    } finally {
      clients.endRestoring(broadcasts);
    }
  };

  /** By client, the socket whose session is being read. A later CONNECT of the client waits for it, so that the latest one counts. */
  const restoring = new WeakMap<Socket['client'], Promise<Socket>>();

  Object.assign(nsp, {
    async _createSocket(client: Socket['client'], auth: Record<string, unknown>): Promise<Socket> {
      const { pid, offset = '' } = auth; // a client that has received nothing has no offset
      const earlier = restoring.get(client);
      if (typeof pid !== 'string' || typeof offset !== 'string') {
        if (earlier) await earlier;
        return createSocket(client, auth);
      }
      const restored = earlier ? earlier.then(() => restoreSocket(client, auth, pid, offset)) : restoreSocket(client, auth, pid, offset);
      restoring.set(client, restored);
      try {
        return await restored;
      } finally {
        if (restoring.get(client) === restored) restoring.delete(client);
      }
    },

    /** The old connection of a client is closed only after all middleware: otherwise anybody with the private id could close it. */
    _doConnect(socket: Socket, done?: (socket: Socket) => void): void {
      if (clients.sessionOf(socket)) {
        for (const former of [...clients.olderThan(socket)]) {
          socketInternals(former)._onclose('forced close'); // at once, without waiting for its transport
          if (former.conn !== socket.conn) former.conn.close(true);
        }
        clients.renew(socket);
        const rooms = socketInternals(socket).adapter.socketRooms(socket.id);
        socketInternals(socket).adapter = adapter;
        if (rooms) void adapter.addAll(socket.id, new Set(rooms)); // with that of its user, which join() refuses
      }
      formerSockets.delete(socket);
      doConnect(socket, done);
    },
  });

  nsp.on('connect', socket => {
    const { session, held, isNew = false } = clients.take(socket);
    if (adapter instanceof RecoveringAdapter) adapter.admit(socket.id, held.length);
    const missed = isNew ? [] : (session?.missedPackets ?? []);
    for (const data of missed) socketInternals(socket).packet({ type: PacketType.EVENT, data });
    for (const deliver of held) deliver(socket);
  });
}

function changeAdapter(adapter: Adapter, inside: RecoveryInternals, clients: ReturningClients): void {
  const broadcast = adapter.broadcast.bind(adapter);
  const apply = inside.apply.bind(adapter);
  const onMessage = inside.onMessage?.bind(adapter);
  const persistSession = inside.persistSession.bind(adapter);
  /** The packet that is being broadcast. */
  let packet: Event | undefined;

  const during = <Result>(value: Event | undefined, work: () => Result): Result => {
    const before = packet;
    packet = value;
    try {
      return work();
    } finally {
      packet = before;
    }
  };

  Object.assign(adapter, {
    broadcast(value: Event, opts: BroadcastOptions): unknown {
      return during(value, () => broadcast(value, opts) as unknown);
    },

    ...(onMessage && {
      onMessage(message: ClusterMessage, offset?: string): void {
        const isBroadcast = message.type === MessageType.BROADCAST && message.data.requestId === undefined;
        during(isBroadcast ? (message.data.packet as Event) : undefined, () => onMessage(message, offset)); // the sender's packet
      },
    }),

    apply(opts: BroadcastOptions, deliver: Deliver): void {
      apply(opts, deliver);
      if (packet) clients.keep(opts, packet instanceof EncodedPacket ? packet.offset : packet.data.at(-1), deliver);
    },

    /** Called when a client has disconnected. */
    persistSession(session: Gone): void {
      const complete = { ...session, rooms: roomsOf(adapter, session) };
      if (!clients.passOn(complete)) persistSession(complete);
    },
  });
}

/** An adapter for a socket that is not connected yet: it has rooms of its own, and inherits the rest. */
function withRoomsOfItsOwn(adapter: Adapter): Adapter {
  const { addAll, del, delAll, socketRooms } = Adapter.prototype;
  const own = { rooms: new Map(), sids: new Map(), addAll, del, delAll, socketRooms, emit: () => false };
  return Object.assign(Object.create(adapter) as Adapter, own);
}

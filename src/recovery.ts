/**
 * Connection state recovery: what a client has missed, and what is emitted while its middleware runs, waits on the server until it is let in.
 * Socket.IO itself sends the one before the middleware has said yes, and loses the other.
 */
import type { Namespace, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions, ClusterMessage, Session } from 'socket.io-adapter';
import { MessageType } from 'socket.io-adapter';

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

/** What waits for a client. */
interface Waiting {
  /** Of one that comes back, when it left. It is in them again as soon as Socket.IO has made its socket. */
  readonly rooms?: readonly string[];
  readonly missed: readonly unknown[][];
  readonly since: Deliver[];
}

/** What adapters, namespaces and sockets of Socket.IO keep to themselves. */
interface Inside {
  apply(opts: BroadcastOptions, deliver: Deliver): void;
  onMessage?(message: ClusterMessage, offset?: string): void;
  restoreSession(pid: string, offset: string): Promise<Session | null> | null;
  readonly sessions?: Map<string, unknown>;
}

const EVENT = 2; // https://github.com/socketio/socket.io-protocol#packet-types

/** Changes the adapter of a namespace, one that can recover. */
export function holdUntilConnected<A extends Adapter>(adapter: A, nsp: Namespace): A {
  const inside = adapter as unknown as Inside;
  const base = {
    broadcast: adapter.broadcast.bind(adapter),
    delAll: adapter.delAll.bind(adapter),
    apply: inside.apply.bind(adapter),
    onMessage: inside.onMessage?.bind(adapter),
    restoreSession: inside.restoreSession.bind(adapter),
  };
  const waiting = new Map<string, Waiting>();
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

  const isFor = (rooms: Iterable<string>, opts: BroadcastOptions): boolean => {
    const all = [...rooms];
    return (opts.rooms.size === 0 || all.some(room => opts.rooms.has(room))) && !all.some(room => opts.except?.has(room));
  };

  nsp.on('connect', socket => {
    const held = waiting.get(socket.id);
    if (!held) return;
    waiting.delete(socket.id);
    const send = Reflect.get(socket, 'packet') as (packet: Packet) => void; // private
    for (const data of held.missed) send.call(socket, { type: EVENT, data });
    for (const deliver of held.since) deliver(socket);
  });

  return Object.assign(adapter, {
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
      for (const [id, { rooms, since }] of waiting) {
        if (rooms && isFor(adapter.sids.get(id) ?? rooms, opts)) since.push(deliver);
      }
      for (const { id, recovered } of connecting(nsp)) {
        if (recovered || !opts.rooms.has(id) || !isFor([id], opts)) continue; // others get what is for them alone
        const held = waiting.get(id) ?? { missed: [], since: [] };
        held.since.push(deliver);
        waiting.set(id, held);
      }
    },

    async restoreSession(pid: string, offset: string): Promise<Session | null> {
      const broadcasts: Broadcast[] = [];
      restoring.add(broadcasts);
      try {
        const session = await base.restoreSession(pid, offset);
        if (!session) return null;
        inside.sessions?.delete(pid); // the adapter in memory would give it to a second client
        const { missedPackets: missed, ...rest } = session;
        const known = new Set(missed.map(data => data.at(-1))); // their offsets
        const since = broadcasts.filter(({ opts, offset }) => isFor(session.rooms, opts) && !known.has(offset));
        waiting.set(session.sid, { rooms: session.rooms, missed, since: since.map(({ deliver }) => deliver) });
        return { ...rest, missedPackets: [] };
      } finally {
        restoring.delete(broadcasts);
      }
    },

    /** The last that an adapter hears of a socket, whether it has connected or not. */
    delAll(id: string): void {
      waiting.delete(id);
      base.delAll(id);
    },
  });
}

/** The sockets whose middleware runs. */
function connecting(nsp: Namespace): Iterable<Socket> {
  return (Reflect.get(nsp, '_preConnectSockets') as Map<string, Socket>).values(); // marked as internal
}

/** Sessions that an adapter keeps by Socket.IO's own methods: `redis-streams`, or one of the app's own. */
import type { Socket } from 'socket.io';
import { type Adapter, type BroadcastOptions, type ClusterMessage, MessageType, type Session } from 'socket.io-adapter';
import { PacketType } from '../../protocol';
import { type RecoveryInternals, recoveryInternals } from '../../internals/adapters';
import { socketInternals } from '../../internals/socket-io';
import { EncodedPacket, type Event } from '../packet-codec';
import type { Missed } from './entry';
import type { Deliver, ReturningClients } from './returning-clients';
import { endGhost, goneOf, roomsOf } from './rooms';
import type { Gone } from './gone-clients';
import type { Source, Taken } from './source';

export class StoredSource implements Source {
  readonly isShared = false;
  readonly #clients: ReturningClients;
  readonly #inside: RecoveryInternals;
  readonly #restoreSession: RecoveryInternals['restoreSession'];
  readonly #persistSession: RecoveryInternals['persistSession'];

  constructor(adapter: Adapter, clients: ReturningClients) {
    this.#clients = clients;
    this.#inside = recoveryInternals(adapter);
    this.#restoreSession = this.#inside.restoreSession.bind(adapter);
    this.#persistSession = this.#inside.persistSession.bind(adapter);
    keepBroadcasts(adapter, this.#inside, clients);
    Object.assign(adapter, {
      /** Called when a client has disconnected. */
      persistSession: (session: Gone): void => {
        const complete = { ...session, rooms: roomsOf(adapter, session) };
        if (!clients.passOn(complete)) this.#persistSession(complete);
      },
    });
  }

  /** Also if this server has not noticed the disconnection. Takes the session out where it cannot be taken later. */
  async find(pid: string, offset: string): Promise<Session | undefined> {
    const former = this.#clients.latest(pid);
    if (former) this.#persistSession(this.#clients.sessionOf(former) ?? goneOf(former, pid));
    const session = (await this.#restoreSession(pid, offset)) ?? undefined;
    this.#inside.sessions?.delete(pid);
    return session;
  }

  take(socket: Socket, { pid, rooms, data, missedPackets }: Session): Taken | Promise<Taken | undefined> {
    this.#clients.endFormer(socket);
    const taken: Taken = {
      rooms,
      data,
      missed: [],
      offsets: new Set(missedPackets.map(data => data.at(-1))),
      send: to => {
        for (const data of missedPackets) socketInternals(to).packet({ type: PacketType.EVENT, data });
      },
    };
    const taking = this.#inside.takeSession?.(pid);
    return taking ? taking.then(wasThere => (wasThere ? taken : undefined)).catch(() => undefined) : taken; // Redis does not answer
  }

  giveBack(session: Gone, unsent?: readonly Missed[]): void {
    if (unsent || !this.#inside.takeSession) this.#persistSession(session); // otherwise it is where it was
  }

  /** Only in this process: the others are not asked about sessions. */
  endGhost(pid: string, holder: string | undefined): void {
    endGhost(this.#clients.connected(pid), holder);
  }

  start(): void {}

  end(): void {}
}

function keepBroadcasts(adapter: Adapter, inside: RecoveryInternals, clients: ReturningClients): void {
  const broadcast = adapter.broadcast.bind(adapter);
  const apply = inside.apply.bind(adapter);
  const onMessage = inside.onMessage?.bind(adapter);
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
      if (packet) clients.keep({ opts, offset: packet instanceof EncodedPacket ? packet.offset : packet.data.at(-1), deliver });
    },
  });
}

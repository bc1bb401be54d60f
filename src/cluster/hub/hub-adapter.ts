/** What the other workers are told of a namespace: as in memory, but that they are told by way of the hub. */
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions, type Room } from 'socket.io-adapter';
import type { HubBackplane } from './hub-backplane';
import { decodeValues, encodeValues, type Part } from './hub-message';
import { EncodedPacket, type Encoder, type Packet, PacketCodec } from './hub-packet';
import { type Head, HubReceiver, type LocalAdapter, type Query, type Target } from './hub-receiver';

/** How long an answer may take, in ms, where the caller does not say. A worker that hangs counts as there until its connection ends. */
const ANSWER_PATIENCE = 5000;

export class HubAdapter extends Adapter {
  readonly #backplane: HubBackplane;
  readonly #nsp: Namespace;
  readonly #codec: PacketCodec;
  readonly #receiver: HubReceiver;

  constructor(nsp: Namespace, backplane: HubBackplane) {
    super(nsp);
    this.#nsp = nsp;
    this.#backplane = backplane;
    this.#codec = new PacketCodec(nsp);
    this.#receiver = new HubReceiver(
      nsp,
      backplane,
      this.#inMemory(),
      frames => new EncodedPacket(frames, () => this.#codec.decode(frames).data),
    );
    const encoder: Encoder = nsp.server.encoder;
    // the base class has the server's, and declares it as private
    Reflect.set(this, 'encoder', {
      encode: (packet: Packet) => (packet instanceof EncodedPacket ? packet.frames : encoder.encode(packet)),
    });
    backplane.add(this);
  }

  get name(): string {
    return this.#nsp.name;
  }

  /** A namespace can be given another adapter, and does not close the one before. */
  get isInUse(): boolean {
    return this.#nsp.adapter === this;
  }

  override close(): void {
    this.#backplane.remove(this);
  }

  /** What is encoded once goes to the clients of all workers. */
  override broadcast(packet: Packet, opts: BroadcastOptions): void {
    if (opts.flags?.local) {
      super.broadcast(packet, opts);
      return;
    }
    packet.nsp = this.name;
    const encoded = new EncodedPacket(this.#codec.encode(packet), () => packet.data);
    this.#backplane.publish({ type: 'broadcast', ...this.#target(opts) }, encoded.frames);
    super.broadcast(encoded, opts);
  }

  /** While the hub is down it goes to the clients here, and does not end by itself: see endInOutage(). */
  override broadcastWithAck(
    packet: Packet,
    opts: BroadcastOptions,
    onClients: (count: number) => void,
    onAnswer: (answer?: unknown) => void,
  ): void {
    if (!opts.flags?.local && this.#backplane.isUp && this.#backplane.peerCount > 0)
      this.#broadcastForOthers(packet, opts, onClients, onAnswer);
    super.broadcastWithAck(packet, opts, onClients, onAnswer);
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    if (!opts.flags?.local) this.#backplane.publish({ type: 'join', names: rooms, ...this.#target(opts) });
    super.addSockets(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    if (!opts.flags?.local) this.#backplane.publish({ type: 'leave', names: rooms, ...this.#target(opts) });
    super.delSockets(opts, rooms);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    if (!opts.flags?.local) this.#backplane.publish({ type: 'disconnect', close, ...this.#target(opts) });
    super.disconnectSockets(opts, close);
  }

  override async fetchSockets(opts: BroadcastOptions): Promise<unknown[]> {
    if (opts.flags?.local) return super.fetchSockets(opts);
    const [own, others] = await Promise.all([super.fetchSockets(opts) as Promise<unknown[]>, this.#fetchOthers(opts)]); // declared as any
    return [...own, ...others];
  }

  override serverSideEmit(args: unknown[]): void {
    const acknowledge = args.at(-1);
    if (typeof acknowledge !== 'function') {
      this.#backplane.publish({ type: 'event', nsp: this.name }, encodeValues(args));
      return;
    }
    // in a tick of its own: what it throws is no business of whatever has brought the answer
    const done = (error: Error | null, answers: unknown[]): void => process.nextTick(acknowledge, error, answers);
    this.#ask({ type: 'event', nsp: this.name }, encodeValues(args.slice(0, -1)), ANSWER_PATIENCE, done);
  }

  /** This worker and those that it knows of. While the hub is down nobody knows, and Socket.IO waits for more than have answered. */
  override async serverCount(): Promise<number> {
    return Promise.resolve(this.#backplane.isUp ? 1 + this.#backplane.peerCount : Number.POSITIVE_INFINITY);
  }

  /** Does what another worker asks for. */
  receive(from: number, head: Head, parts: readonly Part[]): Promise<void> | void {
    return this.#receiver.receive(from, head, parts);
  }

  /** What the base class does: nobody else is told. */
  #inMemory(): LocalAdapter {
    return {
      addSockets: (opts, rooms) => super.addSockets(opts, rooms),
      broadcast: (packet, opts) => super.broadcast(packet, opts),
      broadcastWithAck: (packet, opts, onClients, onAnswer) => super.broadcastWithAck(packet, opts, onClients, onAnswer),
      delSockets: (opts, rooms) => super.delSockets(opts, rooms),
      disconnectSockets: (opts, close) => super.disconnectSockets(opts, close),
      fetchSockets: async opts => super.fetchSockets(opts),
    };
  }

  async #fetchOthers(opts: BroadcastOptions): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      this.#ask({ type: 'fetch', ...this.#target(opts) }, [], opts.flags?.timeout ?? ANSWER_PATIENCE, (error, others) => {
        if (error) reject(error);
        else resolve(others);
      });
    });
  }

  #broadcastForOthers(
    packet: Packet,
    opts: BroadcastOptions,
    onClients: (count: number) => void,
    onAnswer: (answer: unknown) => void,
  ): void {
    packet.nsp = this.name;
    const frames = this.#codec.encode(packet);
    const peers = new Set(this.#backplane.peers);
    const missing = new Set(peers);
    const count = (from: number, clients: number): void => {
      if (missing.delete(from)) onClients(clients);
    };
    const id = this.#backplane.expectAnswers({
      answered: (from, { clients, isNobody }, parts) => {
        if (clients !== undefined || isNobody) count(from, clients ?? 0);
        else if (peers.has(from)) onAnswer(this.#codec.decodeAnswer(parts)); // of one who has come since then nobody is expected
      },
      left: from => count(from, 0),
      failed: () => undefined, // endInOutage() hears of it
    });
    if (!this.#backplane.publish({ type: 'broadcast', id, ...this.#target(opts) }, frames)) {
      this.#backplane.forget(id);
      throw this.#backplane.overflowError();
    }
    this.#backplane.later(opts.flags?.timeout, () => this.#backplane.forget(id));
  }

  /** Calls back once: when all other workers have answered or gone, or with an error and the answers that have come before it. */
  #ask(query: Query, parts: readonly Part[], patience: number, done: (error: Error | null, answers: unknown[]) => void): void {
    const missing = new Set(this.#backplane.peers);
    const answers: unknown[] = [];
    if (!this.#backplane.isUp || missing.size === 0) {
      done(this.#backplane.isUp ? null : this.#backplane.error(), answers);
      return;
    }
    const end = (error: Error | null): void => {
      clearTimeout(timer);
      this.#backplane.forget(id);
      done(error, answers);
    };
    const miss = (from: number): void => {
      if (missing.delete(from) && missing.size === 0) end(null);
    };
    const id = this.#backplane.expectAnswers({
      answered: (from, reply, parts) => {
        if (reply.error !== undefined) {
          end(new Error(`another worker cannot send its answer: ${reply.error}`));
          return;
        }
        if (!reply.isNobody) for (const answer of decodeValues(parts)) answers.push(answer);
        miss(from);
      },
      left: miss,
      failed: end,
    });
    const timer = setTimeout(() => {
      end(new Error(`timeout reached: ${missing.size} of ${this.#backplane.peerCount} other workers have not answered in ${patience} ms`));
    }, patience).unref();
    if (!this.#backplane.publish({ ...query, id }, parts)) end(this.#backplane.overflowError());
  }

  #target({ rooms, except, flags }: BroadcastOptions): Target {
    return {
      nsp: this.name,
      ...(rooms.size > 0 && { rooms: [...rooms] }),
      ...(except && except.size > 0 && { except: [...except] }),
      ...(flags && { flags }),
    };
  }
}

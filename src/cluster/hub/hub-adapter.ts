/**
 * The adapter of a namespace whose other workers are reached by the hub: it does what an adapter in memory does, and tells the others.
 *
 * It does not extend Socket.IO's ClusterAdapter, which publishes objects that each process encodes anew, waits for the publication before it turns
 * to its own clients, and knows by heartbeats who is there. Here a packet is encoded once for the clients of all workers, own clients come
 * first and in order, and the hub knows at once who has left: nobody waits for a worker that is gone.
 */
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions, type Room } from 'socket.io-adapter';
import { EncodedPacket, PacketCodec } from '../../backplane/packet-codec';
import { OF_SOCKET, unpackValues } from '../../backplane/values';
import { encodeArguments, type Part } from './hub-message';
import type { HubPeers } from './hub-peers';
import { ask, broadcastWithAck } from './hub-question';
import { HubReceiver, type LocalAdapter } from './hub-receiver';
import type { Target } from './hub-request';

/** Default time for an answer, in ms. A worker that hangs counts as there until its connection ends. */
const ANSWER_TIMEOUT = 5000;

export class HubAdapter extends Adapter {
  readonly #peers: HubPeers;
  readonly #nsp: Namespace;
  readonly #codec: PacketCodec;
  readonly #unregister: () => void;

  constructor(nsp: Namespace, peers: HubPeers) {
    super(nsp);
    this.#nsp = nsp;
    this.#peers = peers;
    this.#codec = new PacketCodec(nsp);
    const packetOf = (frames: readonly Part[]): EncodedPacket => new EncodedPacket(this.#codec, nsp.name, frames);
    this.#unregister = peers.register(nsp.name, new HubReceiver(nsp, peers, this, this.#inMemory(), packetOf));
  }

  override close(): void {
    this.#unregister();
  }

  /** What has been encoded once goes to the clients of all workers. */
  override broadcast(packet: EncodedPacket, opts: BroadcastOptions): void {
    if (!opts.flags?.local) this.#peers.publish({ type: 'broadcast', ...this.#target(opts) }, packet.frames);
    super.broadcast(packet, opts);
  }

  /** While the hub is down it goes to the clients here, and does not end by itself: see `endInOutage`. */
  override broadcastWithAck(
    packet: EncodedPacket,
    opts: BroadcastOptions,
    onClients: (count: number) => void,
    onAnswer: (answer?: unknown) => void,
  ): void {
    if (!opts.flags?.local && this.#peers.isComplete && this.#peers.count > 0) {
      broadcastWithAck(this.#peers, this.#target(opts), { packet, codec: this.#codec, opts }, onClients, onAnswer);
    }
    super.broadcastWithAck(packet, opts, onClients, onAnswer);
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    if (!opts.flags?.local) this.#peers.publish({ type: 'join', names: rooms, ...this.#target(opts) });
    super.addSockets(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    if (!opts.flags?.local) this.#peers.publish({ type: 'leave', names: rooms, ...this.#target(opts) });
    super.delSockets(opts, rooms);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    if (!opts.flags?.local) this.#peers.publish({ type: 'disconnect', close, ...this.#target(opts) });
    super.disconnectSockets(opts, close);
  }

  override async fetchSockets(opts: BroadcastOptions): Promise<unknown[]> {
    if (opts.flags?.local) return super.fetchSockets(opts);
    const [own, others] = await Promise.all([super.fetchSockets(opts) as Promise<unknown[]>, this.#fetchOthers(opts)]); // declared as any
    return [...own, ...others];
  }

  override serverSideEmit(args: unknown[]): void {
    if (typeof args.at(-1) !== 'function') {
      this.#peers.publish({ type: 'event', nsp: this.#nsp.name }, encodeArguments(args));
      return;
    }
    const acknowledge = args.pop() as (error: Error | null, answers: unknown[]) => void; // Socket.IO's own
    // in a tick of its own: what it throws is no business of whatever has brought the answer
    const done = (error: Error | null, answers: unknown[]): void => process.nextTick(acknowledge, error, answers);
    const read = (answer: unknown): unknown => Reflect.get(unpackValues(answer, ['answer'], this.#codec) as object, 'answer'); // as HubReceiver writes it
    ask(this.#peers, { type: 'event', nsp: this.#nsp.name }, { parts: encodeArguments(args), read }, ANSWER_TIMEOUT, done);
  }

  /** This worker and those that it knows of. While the hub is down nobody knows, and Socket.IO waits for more than have answered. */
  override async serverCount(): Promise<number> {
    return Promise.resolve(this.#peers.isComplete ? 1 + this.#peers.count : Number.POSITIVE_INFINITY);
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
    const read = (socket: unknown): unknown => unpackValues(socket, OF_SOCKET, this.#codec);
    return new Promise((resolve, reject) => {
      ask(
        this.#peers,
        { type: 'fetch', ...this.#target(opts) },
        { parts: [], read },
        opts.flags?.timeout ?? ANSWER_TIMEOUT,
        (error, others) => {
          if (error) reject(error);
          else resolve(others);
        },
      );
    });
  }

  #target({ rooms, except, flags }: BroadcastOptions): Target {
    return {
      nsp: this.#nsp.name,
      ...(rooms.size > 0 && { rooms: [...rooms] }),
      ...(except && except.size > 0 && { except: [...except] }),
      ...(flags && { flags }),
    };
  }
}

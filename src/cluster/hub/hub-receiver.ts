/** Handles the requests that other processes send over the hub, and answers them. */
import type { Namespace, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { detailsOf } from '../../backplane/answer';
import { isServerEvent } from '../../backplane/backend-message';
import { InvalidMessage } from '../../backplane/inbox';
import { EncodedPacket, PacketCodec } from '../../backplane/packet-codec';
import { isForAny, positioned, toShadow } from '../../backplane/positioned-event';
import { withOffset } from '../../backplane/recovery/offsets';
import type { Packet } from '../../protocol';
import { packValues } from '../../backplane/values';
import { forgetLater } from '../../backplane/wrappers/forget-acknowledgements';
import { historyOf } from '../../store/history';
import { decodeArguments, encodeValues, type Part } from './hub-message';
import type { HubPeers, Receiver } from './hub-peers';
import type { KeptEvent, Request, Target } from './hub-request';

/** The methods of an adapter for the sockets of its own process. */
export type LocalAdapter = Pick<
  Adapter,
  'addSockets' | 'broadcast' | 'broadcastWithAck' | 'delSockets' | 'disconnectSockets' | 'fetchSockets'
>;

export class HubReceiver implements Receiver {
  readonly #nsp: Namespace;
  readonly #adapter: Adapter;
  readonly #peers: HubPeers;
  readonly #local: LocalAdapter;
  readonly #codec: PacketCodec;
  readonly #packetOf: (frames: readonly Part[]) => Packet;

  /**
   * @param adapter the adapter of the namespace
   * @param local the methods for the clients of this process. Default: those of the adapter.
   * @param packetOf creates the packet to broadcast from its frames. Default: one whose offset is known.
   */
  constructor(
    nsp: Namespace,
    peers: HubPeers,
    adapter: Adapter,
    local: LocalAdapter = adapter,
    packetOf?: (frames: readonly Part[]) => Packet,
  ) {
    this.#nsp = nsp;
    this.#peers = peers;
    this.#adapter = adapter;
    this.#local = local;
    this.#codec = new PacketCodec(nsp);
    this.#packetOf = packetOf ?? (frames => withOffset(new EncodedPacket(this.#codec, nsp.name, frames)));
  }

  /** False after the app has set another adapter of the namespace: Socket.IO does not close the former one. */
  get isInUse(): boolean {
    return this.#nsp.adapter === this.#adapter;
  }

  /** Returns a promise if the request takes longer. */
  receive(from: number, request: Request, parts: readonly Part[]): Promise<void> | void {
    switch (request.type) {
      case 'broadcast':
        if (request.id === undefined) this.#local.broadcast(this.#packetOf(parts), optionsOf(request));
        else this.#broadcastFor(from, request.id, this.#codec.decode(parts), optionsOf(request));
        break;
      case 'kept':
        this.#deliverKept(request, parts);
        break;
      case 'join':
        this.#local.addSockets(optionsOf(request), request.names);
        break;
      case 'leave':
        this.#local.delSockets(optionsOf(request), request.names);
        break;
      case 'disconnect':
        this.#local.disconnectSockets(optionsOf(request), request.close);
        break;
      case 'fetch':
        return this.#fetchFor(from, request.id ?? 0, optionsOf(request)); // it has one
      case 'event':
        this.#fireEvent(from, request.id, decodeArguments(parts, this.#codec));
    }
  }

  /** Delivers an event as the worker does that has emitted it: see keep-history.ts. */
  #deliverKept(request: KeptEvent, frames: readonly Part[]): void {
    const { rooms, room, eventId: id, offsets: [offset, offsetOfCopy] = [], flags, position } = request;
    if (rooms) {
      const packet = new EncodedPacket(this.#codec, this.#nsp.name, frames);
      if (offset !== undefined) packet.append(offset);
      this.#local.broadcast(packet, optionsOf(request));
    }
    const history = historyOf(this.#nsp);
    if (!history || !isForAny(this.#adapter, room, offsetOfCopy)) return;
    const told = history.positionFor(room, position, id);
    this.#local.broadcast(positioned(this.#codec, this.#nsp.name, frames, told, offsetOfCopy), toShadow(room, flags));
  }

  /** Broadcasts to the clients of this process, and sends their acknowledgements to the asking worker. */
  #broadcastFor(from: number, id: number, packet: Packet, opts: BroadcastOptions): void {
    const onAnswer = (answer?: unknown): void => this.#peers.reply(from, { type: 'reply', id }, this.#encodeAnswer(answer));
    this.#local.broadcastWithAck(packet, opts, clients => this.#peers.reply(from, { type: 'reply', id, clients }), onAnswer);
    forgetLater(this.#nsp, packet, opts);
  }

  async #fetchFor(from: number, id: number, opts: BroadcastOptions): Promise<void> {
    const sockets = (await this.#local.fetchSockets(opts)) as Socket[]; // declared as any; local sockets are complete
    const answer = this.#peers.backplane.answers.ofSockets(sockets.map(detailsOf), this.#codec);
    this.#peers.reply(from, { type: 'reply', id }, encodeValues(answer));
  }

  #fireEvent(from: number, id: number | undefined, args: unknown): void {
    let isAnswered = false;
    const acknowledge = (answer?: unknown): void => {
      if (!isAnswered) this.#answer(from, id, answer);
      isAnswered = true;
    };
    if (!isServerEvent(args)) throw new InvalidMessage();
    this.#nsp._onServerSideEmit(id === undefined ? args : [...args, acknowledge]);
  }

  #answer(from: number, id = 0, answer: unknown): void {
    try {
      this.#peers.reply(from, { type: 'reply', id }, encodeValues([packValues({ answer }, ['answer'], this.#codec)]));
    } catch (error) {
      this.#peers.reply(from, { type: 'reply', id, error: this.#peers.backplane.answers.refusal(error).error.message });
    }
  }

  /** Encodes the answer of a client. A parser of the app may decode values that cannot be encoded. */
  #encodeAnswer(answer: unknown): readonly Part[] {
    try {
      return this.#codec.encodeAnswer(answer, true);
    } catch (error) {
      return this.#codec.encodeAnswer(this.#peers.backplane.answers.refusal(error));
    }
  }
}

function optionsOf({ rooms, except, flags }: Target): BroadcastOptions {
  return { rooms: new Set(rooms), except: new Set(except), ...(flags && { flags }) };
}

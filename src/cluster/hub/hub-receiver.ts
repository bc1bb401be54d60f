/** Does here what another process asks for by way of the hub, and answers it. */
import type { Namespace, Socket } from 'socket.io';
import type { Adapter, BroadcastFlags, BroadcastOptions, Room } from 'socket.io-adapter';
import { detailsOf } from '../../backplane/answer';
import { InvalidMessage, isServerEvent } from '../../backplane/backend-message';
import type { HubBackplane } from './hub-backplane';
import { decodeValues, encodeValues, type Part } from './hub-message';
import { type Packet, PacketCodec } from './hub-packet';

/** Whom it concerns: as BroadcastOptions, as JSON has them. */
export interface Target {
  readonly nsp: string;
  readonly rooms?: Room[];
  readonly except?: Room[];
  readonly flags?: BroadcastFlags;
}

/** What others answer, if it comes with an id. */
export type Query =
  | ({ readonly type: 'broadcast' | 'fetch'; readonly id?: number } & Target)
  | { readonly type: 'event'; readonly nsp: string; readonly id?: number };

/** What a message asks for. */
export type Head =
  | Query
  | ({ readonly type: 'join' | 'leave'; readonly names: Room[] } & Target)
  | ({ readonly type: 'disconnect'; readonly close: boolean } & Target);

/** An answer; the parts are what was asked for. */
export interface Reply {
  readonly type: 'reply';
  readonly id: number;
  /** That worker has no such namespace. */
  readonly isNobody?: true;
  /** Why that worker cannot answer. */
  readonly error?: string;
  /** To a broadcast: how many clients it has gone to. Their acknowledgements follow, each in a reply without this. */
  readonly clients?: number;
}

/** What an adapter does within its process. */
export type LocalAdapter = Pick<
  Adapter,
  'addSockets' | 'broadcast' | 'broadcastWithAck' | 'delSockets' | 'disconnectSockets' | 'fetchSockets'
>;

export class HubReceiver {
  readonly #nsp: Namespace;
  readonly #backplane: HubBackplane;
  readonly #local: LocalAdapter;
  readonly #codec: PacketCodec;
  readonly #packetOf: (frames: readonly Part[]) => Packet;

  /** @param packetOf makes the packet that the adapter is given to broadcast, if it need not be whole */
  constructor(nsp: Namespace, backplane: HubBackplane, local: LocalAdapter, packetOf?: (frames: readonly Part[]) => Packet) {
    this.#nsp = nsp;
    this.#backplane = backplane;
    this.#local = local;
    this.#codec = new PacketCodec(nsp);
    this.#packetOf = packetOf ?? (frames => this.#codec.decode(frames));
  }

  /** Returns what is not done yet. */
  receive(from: number, head: Head, parts: readonly Part[]): Promise<void> | void {
    switch (head.type) {
      case 'broadcast':
        if (head.id === undefined) this.#local.broadcast(this.#packetOf(parts), optionsOf(head));
        else this.#broadcastFor(from, head.id, this.#codec.decode(parts), optionsOf(head));
        break;
      case 'join':
        this.#local.addSockets(optionsOf(head), head.names);
        break;
      case 'leave':
        this.#local.delSockets(optionsOf(head), head.names);
        break;
      case 'disconnect':
        this.#local.disconnectSockets(optionsOf(head), head.close);
        break;
      case 'fetch':
        return this.#fetchFor(from, head.id, optionsOf(head));
      case 'event':
        this.#hearEvent(from, head.id, decodeValues(parts));
    }
  }

  /** The clients here acknowledge to whoever asks for it. */
  #broadcastFor(from: number, id: number, packet: Packet, opts: BroadcastOptions): void {
    const onAnswer = (answer?: unknown): void => this.#backplane.reply(from, { type: 'reply', id }, this.#encodeAnswer(answer));
    this.#local.broadcastWithAck(packet, opts, clients => this.#backplane.reply(from, { type: 'reply', id, clients }), onAnswer);
    this.#backplane.later(opts.flags?.timeout, () => {
      for (const socket of this.#nsp.sockets.values()) {
        (Reflect.get(socket, 'acks') as Map<unknown, unknown>).delete(packet.id); // private; of a client that has not answered
      }
    });
  }

  async #fetchFor(from: number, id: number | undefined, opts: BroadcastOptions): Promise<void> {
    const sockets = (await this.#local.fetchSockets(opts)) as Socket[]; // declared as any; within a process they are whole
    this.#answer(from, id, this.#backplane.answers.ofSockets(sockets.map(detailsOf)));
  }

  #hearEvent(from: number, id: number | undefined, args: unknown[]): void {
    let isAnswered = false;
    const acknowledge = (answer?: unknown): void => {
      if (!isAnswered) this.#answer(from, id, [answer]);
      isAnswered = true;
    };
    if (!isServerEvent(args)) throw new InvalidMessage();
    this.#nsp._onServerSideEmit(id === undefined ? args : [...args, acknowledge]);
  }

  #answer(from: number, id = 0, values: unknown[]): void {
    try {
      this.#backplane.reply(from, { type: 'reply', id }, encodeValues(values));
    } catch (error) {
      this.#backplane.reply(from, { type: 'reply', id, error: this.#backplane.answers.refusal(error).error.message });
    }
  }

  /** That of a client; with a parser of the app it may be what the encoder does not take. */
  #encodeAnswer(answer: unknown): Part[] {
    try {
      return this.#codec.encodeAnswer(answer);
    } catch (error) {
      return this.#codec.encodeAnswer(this.#backplane.answers.refusal(error));
    }
  }
}

function optionsOf({ rooms, except, flags }: Target): BroadcastOptions {
  return { rooms: new Set(rooms), except: new Set(except), ...(flags && { flags }) };
}

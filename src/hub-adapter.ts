/** What the other workers are told of a namespace, and do: as in memory, but that they are told by way of the hub. */
import type { Namespace, Socket } from 'socket.io';
import { Adapter, type BroadcastFlags, type BroadcastOptions, type Room } from 'socket.io-adapter';
import type { HubLink } from './hub-link';
import { bytesOf, decodeValues, encodeValues, type Part } from './hub-message';

/** Whom it concerns: as BroadcastOptions, as JSON has them. */
interface Target {
  readonly nsp: string;
  readonly rooms?: Room[];
  readonly except?: Room[];
  readonly flags?: BroadcastFlags;
}

/** What other workers answer, if it comes with an id. */
type Query =
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

/** A packet of Socket.IO. */
interface Packet {
  type: number;
  nsp: string;
  data?: unknown;
  id?: number;
}

/** That of the server: of Socket.IO, or of a parser that the app has chosen. */
interface Encoder {
  encode(packet: Packet): unknown[];
}

// Socket.IO's numbers: https://github.com/socketio/socket.io-protocol#packet-types
const EVENT = 2;
const ACK = 3;

/** How long an answer may take, in ms, where the caller does not say. A worker that hangs counts as there until its connection ends. */
const ANSWER_PATIENCE = 5000;

export class HubAdapter extends Adapter {
  readonly #link: HubLink;
  readonly #nsp: Namespace;
  readonly #encoder: Encoder;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(nsp: Namespace, link: HubLink) {
    super(nsp);
    this.#nsp = nsp;
    this.#link = link;
    this.#encoder = nsp.server.encoder;
    // the base class has the server's, and declares it as private
    Reflect.set(this, 'encoder', {
      encode: (packet: Packet) => (packet instanceof EncodedPacket ? packet.frames : this.#encoder.encode(packet)),
    });
    link.add(this);
  }

  get name(): string {
    return this.#nsp.name;
  }

  /** A namespace can be given another adapter, and does not close the one before. */
  get isInUse(): boolean {
    return this.#nsp.adapter === this;
  }

  override close(): void {
    this.#link.remove(this);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** What is encoded once goes to the clients of all workers. */
  override broadcast(packet: Packet, opts: BroadcastOptions): void {
    if (opts.flags?.local) {
      super.broadcast(packet, opts);
      return;
    }
    packet.nsp = this.name;
    const encoded = new EncodedPacket(this.#encode(packet), () => packet.data);
    this.#link.publish({ type: 'broadcast', ...this.#target(opts) }, encoded.frames);
    super.broadcast(encoded, opts);
  }

  /**
   * Throws while the hub is down: Socket.IO calls back with no other error than that of a timeout, but what is thrown here reaches the caller
   * of `emit()` and `emitWithAck()`. Nobody has got the packet then.
   */
  override broadcastWithAck(
    packet: Packet,
    opts: BroadcastOptions,
    onClients: (count: number) => void,
    onAnswer: (answer?: unknown) => void,
  ): void {
    if (opts.flags?.local) for (const _peer of this.#link.peers) onClients(0);
    else if (!this.#link.isUp) throw this.#link.downError();
    else if (this.#link.peerCount > 0) this.#broadcastForOthers(packet, opts, onClients, onAnswer);
    super.broadcastWithAck(packet, opts, onClients, onAnswer);
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    if (!opts.flags?.local) this.#link.publish({ type: 'join', names: rooms, ...this.#target(opts) });
    super.addSockets(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    if (!opts.flags?.local) this.#link.publish({ type: 'leave', names: rooms, ...this.#target(opts) });
    super.delSockets(opts, rooms);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    if (!opts.flags?.local) this.#link.publish({ type: 'disconnect', close, ...this.#target(opts) });
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
      this.#link.publish({ type: 'event', nsp: this.name }, encodeValues(args));
      return;
    }
    // in a tick of its own: what it throws is no business of whatever has brought the answer
    const done = (error: Error | null, answers: unknown[]): void => process.nextTick(acknowledge, error, answers);
    this.#ask({ type: 'event', nsp: this.name }, encodeValues(args.slice(0, -1)), ANSWER_PATIENCE, done);
  }

  /** This worker and those that it knows of: while the hub is down, it alone. */
  override async serverCount(): Promise<number> {
    return Promise.resolve(1 + this.#link.peerCount);
  }

  /** Does what another worker asks for. */
  receive(from: number, head: Head, parts: readonly Part[]): void {
    switch (head.type) {
      case 'broadcast':
        if (head.id === undefined) super.broadcast(new EncodedPacket(parts, () => this.#decode(parts).data), optionsOf(head));
        else this.#broadcastFor(from, head.id, this.#decode(parts), optionsOf(head));
        break;
      case 'join':
        super.addSockets(optionsOf(head), head.names);
        break;
      case 'leave':
        super.delSockets(optionsOf(head), head.names);
        break;
      case 'disconnect':
        super.disconnectSockets(optionsOf(head), head.close);
        break;
      case 'fetch':
        void this.#fetchFor(from, head.id, optionsOf(head));
        break;
      case 'event':
        this.#hearEvent(from, head.id, decodeValues(parts));
    }
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
    const frames = this.#encode(packet);
    const peers = new Set(this.#link.peers);
    const missing = new Set(peers);
    const count = (from: number, clients: number): void => {
      if (missing.delete(from)) onClients(clients);
    };
    const id = this.#link.expectAnswers({
      answered: (from, { clients, isNobody }, parts) => {
        if (clients !== undefined || isNobody) count(from, clients ?? 0);
        else if (peers.has(from)) onAnswer(this.#decodeAnswer(parts)); // of one who has come since then nobody is expected
      },
      left: from => count(from, 0),
      failed: () => undefined, // Socket.IO has no ear for it, and calls back with a timeout
    });
    if (!this.#link.publish({ type: 'broadcast', id, ...this.#target(opts) }, frames)) {
      this.#link.forget(id);
      throw this.#link.overflowError();
    }
    this.#later(opts.flags?.timeout, () => this.#link.forget(id));
  }

  /** The clients here acknowledge to the worker that asks for it. */
  #broadcastFor(from: number, id: number, packet: Packet, opts: BroadcastOptions): void {
    const onAnswer = (answer?: unknown): void => this.#link.reply(from, { type: 'reply', id }, this.#encodeAnswer(answer));
    super.broadcastWithAck(packet, opts, clients => this.#link.reply(from, { type: 'reply', id, clients }), onAnswer);
    this.#later(opts.flags?.timeout, () => {
      for (const socket of this.#nsp.sockets.values()) {
        (Reflect.get(socket, 'acks') as Map<unknown, unknown>).delete(packet.id); // private; of a client that has not answered
      }
    });
  }

  async #fetchFor(from: number, id: number | undefined, opts: BroadcastOptions): Promise<void> {
    const sockets = await super.fetchSockets(opts);
    this.#answer(from, id, sockets.map(detailsOf));
  }

  #hearEvent(from: number, id: number | undefined, args: unknown[]): void {
    let isAnswered = false;
    const acknowledge = (answer?: unknown): void => {
      if (!isAnswered) this.#answer(from, id, [answer]);
      isAnswered = true;
    };
    // the first is the event's name, checked where it has been emitted
    this.#nsp._onServerSideEmit([...args, ...(id === undefined ? [] : [acknowledge])] as [string, ...unknown[]]);
  }

  #answer(from: number, id = 0, values: unknown[]): void {
    try {
      this.#link.reply(from, { type: 'reply', id }, encodeValues(values));
    } catch (error) {
      this.#link.reply(from, { type: 'reply', id, error: String(error) });
    }
  }

  /** Calls back once: when all other workers have answered or gone, or with an error and the answers that have come before it. */
  #ask(query: Query, parts: readonly Part[], patience: number, done: (error: Error | null, answers: unknown[]) => void): void {
    const missing = new Set(this.#link.peers);
    const answers: unknown[] = [];
    if (!this.#link.isUp || missing.size === 0) {
      done(this.#link.isUp ? null : this.#link.downError(), answers);
      return;
    }
    const end = (error: Error | null): void => {
      clearTimeout(timer);
      this.#link.forget(id);
      done(error, answers);
    };
    const miss = (from: number): void => {
      if (missing.delete(from) && missing.size === 0) end(null);
    };
    const id = this.#link.expectAnswers({
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
      end(new Error(`timeout reached: ${missing.size} of ${this.#link.peerCount} other workers have not answered in ${patience} ms`));
    }, patience).unref();
    if (!this.#link.publish({ ...query, id }, parts)) end(this.#link.overflowError());
  }

  #target({ rooms, except, flags }: BroadcastOptions): Target {
    return {
      nsp: this.name,
      ...(rooms.size > 0 && { rooms: [...rooms] }),
      ...(except && except.size > 0 && { except: [...except] }),
      ...(flags && { flags }),
    };
  }

  /** As clients get it. */
  #encode(packet: Packet): Part[] {
    return this.#encoder.encode(packet).map(frame => {
      const part = typeof frame === 'string' ? frame : bytesOf(frame);
      if (part === undefined) throw new TypeError('a Blob cannot be sent to other workers; send `await blob.arrayBuffer()`');
      return part;
    });
  }

  #decode(frames: readonly Part[]): Packet {
    const { _opts: options, _parser: parser } = this.#nsp.server;
    // that of Socket.IO takes few attachments unless told: it is meant for what comes from clients
    const decoder = options.parser ? new parser.Decoder() : new parser.Decoder({ maxAttachments: Number.POSITIVE_INFINITY });
    let packet: Packet | undefined;
    decoder.on('decoded', (decoded: Packet) => (packet = decoded));
    for (const frame of frames) decoder.add(frame);
    if (!packet) throw new Error('the parser of this server has not understood a packet that its encoder has made');
    return packet;
  }

  /** An acknowledgement has no more than one value. */
  #encodeAnswer(answer: unknown): Part[] {
    return this.#encode({ type: ACK, nsp: this.name, id: 0, data: answer === undefined ? [] : [answer] });
  }

  #decodeAnswer(parts: readonly Part[]): unknown {
    return (this.#decode(parts).data as unknown[])[0]; // as the method before has made it
  }

  #later(delay: number | undefined, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delay).unref();
    this.#timers.add(timer);
  }
}

/** A packet as clients get it. It is decoded only for those who want to see it: listeners to all that goes out. */
class EncodedPacket implements Packet {
  readonly type = EVENT;
  nsp = '';
  readonly frames: readonly Part[];
  readonly #decode: () => unknown;

  constructor(frames: readonly Part[], decode: () => unknown) {
    this.frames = frames;
    this.#decode = decode;
  }

  get data(): unknown {
    return this.#decode();
  }
}

function optionsOf({ rooms, except, flags }: Target): BroadcastOptions {
  return { rooms: new Set(rooms), except: new Set(except), ...(flags && { flags }) };
}

/** What another worker is told of a socket. */
function detailsOf({ id, handshake, rooms, data }: Socket): object {
  const { sessionStore: _, ...rest } = handshake as typeof handshake & { sessionStore?: unknown }; // express-session's: it goes in circles
  return { id, handshake: rest, rooms: [...rooms], data: data as unknown };
}

/** One connection whose client does not keep up: how much waits for it, and whether anything leaves. */
import type { Socket as EngineSocket } from 'engine.io';
import { writeBufferOf } from '../internals/engine-io';
import { bytesInWebSocket, type EnginePacket, type PollResponse, progressOf, progressOfWebSocket, sizeOf } from '../internals/transports';

/** In ms, and counted in looks: while this server is too busy to look, nobody can take anything from it. */
export interface Times {
  /** Between two looks. */
  readonly look: number;
  /** How long a client over the limit may take nothing at all. */
  readonly stuck: number;
  /** How long what was sent in one go may be more than the limit allows. */
  readonly burst: number;
  /** The same for a client that takes nothing of it. */
  readonly stall: number;
  /** The time in which all that waits has to leave: that of a heartbeat, whose ping waits behind it. */
  readonly heartbeat: number;
}

/** The memory of a packet in Engine.IO's buffer beside its content, in bytes: many small ones are no less than a few large ones. */
const OVERHEAD = 128;

/** How many times the limit ends the connection at once. */
const HARD = 8;

/** In bytes. Less than this may wait in a WebSocket whose client keeps up. */
const LITTLE = 16 * 1024;

export class Laggard {
  readonly #connection: EngineSocket;
  /** The bytes in Engine.IO's buffer. */
  #queued = 0;
  /** The largest message: one alone does not count. */
  #largest: number;
  /** The bytes that were sent in one go to a client that kept up until then. They may be more, for a while. */
  #burst = Number.POSITIVE_INFINITY;
  /** Answers of polling that are on their way. */
  #responses: { readonly response: PollResponse; readonly bytes: number }[] = [];
  /** The bytes of such answers that have been taken. */
  #taken = 0;
  #progress = Number.NaN;
  /** The first look may be at once. */
  #looks = -1;
  #movedAt = 0;
  /** How often the transport was given what waited. */
  #flushes = 0;
  #mark = { flushes: 0, at: 0 };

  /** @param bytes of the message that has to wait */
  constructor(connection: EngineSocket, bytes: number) {
    this.#connection = connection;
    this.#largest = Math.max(bytes, bytesInWebSocket(connection));
    for (const packet of writeBufferOf(connection)) this.add(packet as EnginePacket);
  }

  /** To be called when a packet is about to enter Engine.IO's buffer. */
  add(packet: EnginePacket): void {
    const bytes = sizeOf(packet);
    this.#queued += OVERHEAD + bytes;
    if (bytes > this.#largest) this.#largest = bytes;
  }

  /** To be called when Engine.IO's buffer goes to the transport. */
  flush(): void {
    this.#queued = 0;
    this.#flushes++;
  }

  /** To be called with each large answer of polling. */
  respond(response: PollResponse, bytes: number): void {
    this.#responses.push({ response, bytes });
  }

  /** To be called at the end of the turn in which the client fell behind. */
  endBurst(): void {
    this.#burst = this.waiting;
  }

  /** Whether this is so much that the connection has to end at once. */
  isFarOver(max: number): boolean {
    return this.#isOver(max * HARD);
  }

  /** Whether the connection has to end. To be called with each look. */
  isLost(max: number, { look, stuck, burst, stall, heartbeat }: Times): boolean {
    const now = ++this.#looks * look;
    const progress = this.#measure();
    if (progress !== this.#progress) {
      this.#progress = progress;
      this.#movedAt = now;
    }
    const still = now - this.#movedAt;
    if (now >= burst || (still >= stall && this.waiting > max * HARD)) this.#burst = 0;
    if (this.#flushes >= this.#mark.flushes + 2) this.#mark = { flushes: this.#flushes, at: now }; // all that waited then has left
    return (
      this.isFarOver(max) ||
      (still >= stuck && (this.#isOver(max) || this.#connection.readyState !== 'open')) ||
      now - this.#mark.at >= heartbeat
    );
  }

  /** Whether the client keeps up again, or has gone and got all. */
  get isDone(): boolean {
    return (
      this.#responses.every(({ response }) => isOver(response)) &&
      (this.#connection.readyState === 'closed' ||
        (writeBufferOf(this.#connection).length === 0 && bytesInWebSocket(this.#connection) <= LITTLE))
    );
  }

  /** Drops the answers that are on their way. */
  drop(): void {
    for (const { response } of this.#responses) response.destroy();
  }

  #isOver(max: number): boolean {
    return this.waiting - Math.max(this.#largest, this.#burst) > max;
  }

  /** In bytes. */
  get waiting(): number {
    return this.#responses.reduce((sum, { bytes }) => sum + bytes, this.#queued + bytesInWebSocket(this.#connection));
  }

  /** A number that changes whenever bytes leave. */
  #measure(): number {
    const responses = this.#responses;
    if (responses.length === 0) return this.#taken + progressOfWebSocket(this.#connection);
    this.#responses = responses.filter(({ response }) => !isOver(response));
    for (const { response, bytes } of responses) if (isOver(response)) this.#taken += bytes;
    return this.#responses.reduce((sum, { response }) => sum + progressOf(response.socket), this.#taken);
  }
}

function isOver(response: PollResponse): boolean {
  return response.writableFinished || response.destroyed;
}

/** The limit `attachments`: packets whose attachments do not come. They are in memory until all of them are there. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { engineOptions } from '../internals/engine-options';
import { progressOfReading } from '../internals/transports';
import { Turns } from './turns';

/** A packet that is not complete. Time is counted in looks: while this server is too busy to look, it does not read either. */
interface Part {
  readonly bytes: number;
  /** Since the last message of it came. */
  looks: number;
  /** Since the last byte came. */
  still: number;
  /** Since enough bytes came, while others wait for it. */
  slow: number;
  /** Differs from that of the look before if bytes have come. */
  progress: number;
}

/** What has just come, or is just to come. The first look may be at once. */
const FRESH = { looks: -1, still: 0, slow: 0, progress: Number.NaN };

/** The memory of an attachment beside its content, in bytes: also empty ones come to an end. */
const OVERHEAD = 128;
/** So many times `maxHttpBufferSize` a packet may have in all. */
const MESSAGES = 10;
/** From so many times `maxHttpBufferSize` on, in those of all clients of this worker, they are completed in turns. */
const MESSAGES_AT_ONCE = 16;
/** So many times `maxHttpBufferSize` those of all clients of this worker may have together. */
const MESSAGES_OF_ALL = 64;
/** So many times `maxHttpBufferSize` a packet may have without waiting for others. */
const SMALL = 1 / 2;
/** So many times `maxHttpBufferSize` has to come in a second from a client that others wait for, or the second counts as one without a byte. */
const LEAST = 1 / 100;
/** So much of its time has a client that others wait for. */
const PATIENCE = 1 / 4;

export class Attachments {
  /** Time in ms between two looks. Tests shorten it. */
  lookEvery: number;
  readonly #timeout: number;
  readonly #onOver: (connection: EngineSocket) => void;
  readonly #turns = new Turns();
  /** The looks since one with a turn has completed its packet, or ended. */
  #stuck = 0;
  readonly #parts = new Map<EngineSocket, Part>();
  /** Of all parts. */
  #bytes = 0;
  /** `maxHttpBufferSize` */
  #maxMessage = Number.POSITIVE_INFINITY;
  /** In ms. No message takes longer: a pong has to wait behind it. Between two messages there may be pauses of `#timeout`. */
  #heartbeat = Number.POSITIVE_INFINITY;
  /** Set while there are packets that are not complete. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param timeout in ms, without any byte
   * @param onOver has to end the connection
   */
  constructor(timeout: number, onOver: (connection: EngineSocket) => void) {
    this.lookEvery = Math.max(20, Math.min(1000, (PATIENCE * timeout) / 2));
    this.#timeout = timeout;
    this.#onOver = onOver;
  }

  /** To be called for an engine before it has connections. */
  attach(engine: EngineServer): void {
    const { maxHttpBufferSize, pingInterval, pingTimeout } = engineOptions(engine);
    this.#maxMessage = maxHttpBufferSize;
    this.#turns.heartbeat = Math.min(pingInterval, pingTimeout);
    this.#heartbeat = pingInterval + pingTimeout;
  }

  /** @param rest the number of attachments that are to come. The last one completes the packet, and so takes no memory here. */
  onPart(connection: EngineSocket, bytes: number, rest: number): void {
    const all = (this.#parts.get(connection)?.bytes ?? 0) + OVERHEAD + bytes;
    this.#bytes += OVERHEAD + bytes;
    this.#parts.set(connection, { bytes: all, ...FRESH });
    this.#timer ??= setInterval(() => this.#look(), this.lookEvery).unref();
    const messages = all / this.#maxMessage;
    const messagesOfAll = this.#bytes / this.#maxMessage;
    if (messages > MESSAGES) this.#end(connection);
    else if (messagesOfAll > MESSAGES_OF_ALL) this.#endLargest();
    else if (messagesOfAll > MESSAGES_AT_ONCE && messages > SMALL && rest > 1) this.#turns.wait(connection, all);
    else this.#turns.goOn(connection);
  }

  /** Also to be called when the connection has ended. */
  onComplete(connection: EngineSocket): void {
    this.#bytes -= this.#parts.get(connection)?.bytes ?? 0;
    this.#parts.delete(connection);
    if (this.#turns.leave(connection)) this.#stuck = 0;
  }

  /** The number of clients that wait in the middle of a packet. */
  get waiting(): number {
    return this.#turns.size;
  }

  /** Of packets that are not complete. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of packets that are not complete. */
  get size(): number {
    return this.#parts.size;
  }

  /** To be called when all connections have been closed. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#parts.clear();
    this.#bytes = 0;
  }

  #look(): void {
    for (const [connection, part] of this.#parts) {
      if (this.#turns.isWaiting(connection)) Object.assign(part, FRESH);
      else if (this.#isOver(connection, part)) this.#end(connection);
    }
    this.#letOn();
    if (this.#parts.size === 0) this.close();
  }

  #isOver(connection: EngineSocket, part: Part): boolean {
    const progress = progressOfReading(connection);
    const came = progress - part.progress;
    const least = (LEAST * this.#maxMessage * this.lookEvery) / 1000;
    part.looks++;
    part.still = came < 1 ? part.still + 1 : 0;
    part.slow = came < least && this.#turns.isWaitedFor(connection) ? part.slow + 1 : 0;
    part.progress = progress;
    return (
      part.still * this.lookEvery >= this.#timeout ||
      part.slow * this.lookEvery >= PATIENCE * this.#timeout ||
      part.looks * this.lookEvery >= Math.max(this.#timeout, this.#heartbeat)
    );
  }

  /** Lets clients go on that wait: as many as there is room for, and another one if those with a turn need long. */
  #letOn(): void {
    if (this.#turns.size === 0) {
      this.#stuck = 0;
      return;
    }
    this.#turns.letOn(Math.floor(MESSAGES_AT_ONCE - this.#bytes / this.#maxMessage));
    if (++this.#stuck * this.lookEvery < PATIENCE * Math.min(this.#timeout, this.#heartbeat)) return; // the limit may be off
    this.#stuck = 0;
    this.#turns.next();
  }

  /** Ends the connection with the most bytes. An attacker has it, or needs very many connections. */
  #endLargest(): void {
    const [connection] = [...this.#parts].reduce((largest, part) => (part[1].bytes > largest[1].bytes ? part : largest));
    this.#end(connection);
  }

  #end(connection: EngineSocket): void {
    this.onComplete(connection);
    this.#onOver(connection);
  }
}

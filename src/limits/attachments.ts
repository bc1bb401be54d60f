/** The limit `attachments`: packets whose attachments do not come. They are in memory until all of them are there. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { engineOptions } from '../internals/engine-options';
import { progressOfReading } from '../internals/transports';

/** A packet that is not complete. Time is counted in looks: while this server is too busy to look, it does not read either. */
interface Part {
  readonly bytes: number;
  /** Since the last message of it came. */
  looks: number;
  /** Since the last byte came. */
  still: number;
  /** Differs from that of the look before if bytes have come. */
  progress: number;
}

/** The memory of an attachment beside its content, in bytes: also empty ones come to an end. */
const OVERHEAD = 128;
/** So many times `maxHttpBufferSize` a packet may have in all. */
const MESSAGES = 10;
/** So many times `maxHttpBufferSize` those of all clients of this worker may have together. */
const MESSAGES_OF_ALL = 64;

export class Attachments {
  /** Time in ms between two looks. Tests shorten it. */
  lookEvery = 1000;
  readonly #timeout: number;
  readonly #onOver: (connection: EngineSocket) => void;
  readonly #parts = new Map<EngineSocket, Part>();
  /** Of all parts. */
  #bytes = 0;
  #maxBytes = Number.POSITIVE_INFINITY;
  #maxBytesOfAll = Number.POSITIVE_INFINITY;
  /** In ms. No message takes longer: a pong has to wait behind it. Between two messages there may be pauses of `#timeout`. */
  #heartbeat = Number.POSITIVE_INFINITY;
  /** Set while there are packets that are not complete. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param timeout in ms, without any byte
   * @param onOver has to end the connection
   */
  constructor(timeout: number, onOver: (connection: EngineSocket) => void) {
    this.#timeout = timeout;
    this.#onOver = onOver;
  }

  /** To be called for an engine before it has connections. */
  attach(engine: EngineServer): void {
    const { maxHttpBufferSize, pingInterval, pingTimeout } = engineOptions(engine);
    this.#maxBytes = MESSAGES * maxHttpBufferSize;
    this.#maxBytesOfAll = MESSAGES_OF_ALL * maxHttpBufferSize;
    this.#heartbeat = pingInterval + pingTimeout;
  }

  onPart(connection: EngineSocket, bytes: number): void {
    const all = (this.#parts.get(connection)?.bytes ?? 0) + OVERHEAD + bytes;
    this.#bytes += OVERHEAD + bytes;
    this.#parts.set(connection, { bytes: all, looks: -1, still: 0, progress: Number.NaN }); // the first look may be at once
    this.#timer ??= setInterval(() => this.#look(), this.lookEvery).unref();
    if (all > this.#maxBytes) this.#end(connection);
    else if (this.#bytes > this.#maxBytesOfAll) this.#endLargest();
  }

  /** Also to be called when the connection has ended. */
  onComplete(connection: EngineSocket): void {
    this.#bytes -= this.#parts.get(connection)?.bytes ?? 0;
    this.#parts.delete(connection);
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
      const progress = progressOfReading(connection);
      part.looks++;
      part.still = progress === part.progress ? part.still + 1 : 0;
      part.progress = progress;
      const most = Math.max(this.#timeout, this.#heartbeat);
      if (part.still * this.lookEvery >= this.#timeout || part.looks * this.lookEvery >= most) this.#end(connection);
    }
    if (this.#parts.size === 0) this.close();
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

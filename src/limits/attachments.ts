/** The limit `attachments`: packets whose attachments do not come. They are in memory until all of them are there. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { progressOfReading } from '../internals/transports';

/** A packet that is not complete. Times as of `performance.now()`. */
interface Part {
  bytes: number;
  /** When the last message of it came. */
  since: number;
  /** Differs from the one before if bytes have come. */
  progress: number;
  movedAt: number;
}

/** The memory of an attachment beside its content, in bytes: also empty ones come to an end. */
const OVERHEAD = 128;
/** So many times `maxHttpBufferSize` a packet may have in all. */
const MESSAGES = 10;

export class Attachments {
  /** Time in ms between two looks. Tests shorten it. */
  lookEvery = 1000;
  readonly #timeout: number;
  readonly #onOver: (connection: EngineSocket) => void;
  readonly #parts = new Map<EngineSocket, Part>();
  #maxBytes = Number.POSITIVE_INFINITY;
  /** In ms. No message takes longer: a pong has to wait behind it. */
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
  attach({ opts }: EngineServer): void {
    const { maxHttpBufferSize = 1e6, pingInterval = 25_000, pingTimeout = 20_000 } = opts; // Engine.IO has set its defaults; they are typed as optional
    this.#maxBytes = MESSAGES * maxHttpBufferSize;
    this.#heartbeat = pingInterval + pingTimeout;
  }

  onPart(connection: EngineSocket, bytes: number): void {
    const now = performance.now();
    const all = (this.#parts.get(connection)?.bytes ?? 0) + OVERHEAD + bytes;
    this.#parts.set(connection, { bytes: all, since: now, progress: progressOfReading(connection), movedAt: now });
    if (all > this.#maxBytes) this.#end(connection);
    else this.#timer ??= setInterval(() => this.#look(), this.lookEvery).unref();
  }

  onComplete(connection: EngineSocket): void {
    this.#parts.delete(connection);
  }

  /** To be called when all connections have been closed. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#parts.clear();
  }

  #look(): void {
    const now = performance.now();
    for (const [connection, part] of this.#parts) {
      const progress = progressOfReading(connection);
      if (progress !== part.progress) Object.assign(part, { progress, movedAt: now });
      if (connection.readyState === 'closed') this.#parts.delete(connection);
      else if (now - part.movedAt >= this.#timeout || now - part.since >= this.#heartbeat) this.#end(connection);
    }
    if (this.#parts.size === 0) this.close();
  }

  #end(connection: EngineSocket): void {
    this.#parts.delete(connection);
    this.#onOver(connection);
  }
}

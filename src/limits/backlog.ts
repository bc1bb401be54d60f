/**
 * The limit `backlog`: what waits for clients that do not read. Nothing is counted for a client that keeps up: its WebSocket tells when a frame has to
 * wait. Polling clients and WebSockets of other engines cannot tell, so that their packets are looked at.
 */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { webSocketOf, writeBufferOf } from '../internals/engine-io';
import { engineOptions } from '../internals/engine-options';
import { type EnginePacket, pollResponseOf, sizeOf } from '../internals/transports';
import { type BacklogWatch, isWatchable } from '../internals/ws';
import { Laggard } from './laggard';

/** In bytes: smaller answers to polling clients are not watched. */
const LARGE_ANSWER = 16 * 1024;

export class Backlog implements BacklogWatch {
  /** Half of the limit. While more waits, the transport is busy for Socket.IO, which drops volatile emits then. */
  readonly largeFrame: number;
  /** In ms. Tests shorten them. */
  readonly times = { look: 1000, stuck: 10_000, burst: 10_000, stall: 3000, heartbeat: 0 };
  readonly #onOver: (connection: EngineSocket) => void;
  readonly #max: number;
  readonly #laggards = new Map<EngineSocket, Laggard>();
  readonly #onPacket: (this: EngineSocket, packet: EnginePacket) => void;
  readonly #onFlush: (this: EngineSocket, packets: readonly EnginePacket[]) => void;
  readonly #onUpgrade: (this: EngineSocket) => void;
  /** Set while anybody is behind. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param max in bytes
   * @param onOver has to end the connection
   */
  constructor(max: number, onOver: (connection: EngineSocket) => void) {
    this.#max = max;
    this.#onOver = onOver;
    this.largeFrame = max / 2;
    const backlog = this; // oxlint-disable-line typescript/no-this-alias -- in the listeners, which all connections share, `this` is the connection
    this.#onPacket = function (packet) {
      backlog.#add(this, packet);
    };
    this.#onFlush = function (packets) {
      backlog.#flush(this, packets);
    };
    this.#onUpgrade = function () {
      backlog.#forget(this);
      backlog.#watch(this);
    };
  }

  /** To be called for an engine before it has connections. */
  attach(engine: EngineServer): void {
    const { pingInterval, pingTimeout } = engineOptions(engine);
    this.times.heartbeat = pingInterval + pingTimeout;
    engine.on('connection', (connection: EngineSocket) => this.#watch(connection));
  }

  /** What waits for all clients that do not keep up. */
  get waiting(): { connections: number; bytes: number } {
    const laggards = [...this.#laggards.values()];
    return { connections: laggards.length, bytes: laggards.reduce((sum, { waiting }) => sum + waiting, 0) };
  }

  onBehind(connection: EngineSocket, bytes: number): void {
    if (this.#laggards.has(connection)) return;
    this.#listen(connection);
    this.#follow(connection, bytes);
  }

  /** Ends those who take nothing. Called every second while anybody is behind. */
  look(): void {
    for (const [connection, laggard] of this.#laggards) {
      if (laggard.isLost(this.#max, this.times)) this.#end(connection, laggard);
      else if (laggard.isDone) this.#leaveAlone(connection);
    }
    if (this.#laggards.size === 0) this.close();
  }

  /** To be called when all connections have been closed. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#laggards.clear();
  }

  #watch(connection: EngineSocket): void {
    const webSocket = webSocketOf(connection);
    if (isWatchable(webSocket) && webSocket.watch(this, connection)) return;
    this.#listen(connection);
    if (connection.transport.name === 'polling') connection.once('upgrade', this.#onUpgrade);
  }

  #listen(connection: EngineSocket): void {
    connection.on('packetCreate', this.#onPacket).on('flush', this.#onFlush);
  }

  #forget(connection: EngineSocket): void {
    this.#laggards.delete(connection);
    connection.off('packetCreate', this.#onPacket).off('flush', this.#onFlush);
  }

  #follow(connection: EngineSocket, bytes: number): Laggard {
    const laggard = new Laggard(connection, bytes);
    this.#laggards.set(connection, laggard);
    this.#timer ??= setInterval(() => this.look(), this.times.look).unref();
    setImmediate(() => laggard.endBurst());
    return laggard;
  }

  #add(connection: EngineSocket, packet: EnginePacket): void {
    const isWaiting = !connection.transport.writable && writeBufferOf(connection).length > 0;
    const laggard = this.#laggards.get(connection) ?? (isWaiting ? this.#follow(connection, 0) : undefined);
    laggard?.add(packet);
    if (!laggard?.isFarOver(this.#max)) return;
    connection.readyState = 'closing'; // takes nothing more; ends when who emits is through
    process.nextTick(() => this.#end(connection, laggard));
  }

  #flush(connection: EngineSocket, packets: readonly EnginePacket[]): void {
    this.#laggards.get(connection)?.flush();
    const response = pollResponseOf(connection);
    if (!response) return;
    const bytes = packets.reduce((sum, packet) => sum + sizeOf(packet), 0);
    if (bytes > LARGE_ANSWER) (this.#laggards.get(connection) ?? this.#follow(connection, bytes)).respond(response, bytes);
  }

  #leaveAlone(connection: EngineSocket): void {
    if (isWatchable(webSocketOf(connection))) this.#forget(connection);
    else this.#laggards.delete(connection);
  }

  #end(connection: EngineSocket, laggard: Laggard): void {
    this.#laggards.delete(connection);
    laggard.drop();
    this.#onOver(connection);
  }
}

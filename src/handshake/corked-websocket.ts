/**
 * The WebSocket engine that is used unless the config names another one: ws, except that all frames of one tick to a client are sent in one
 * system call. In Node, that call costs as much as the rest of what Socket.IO does for a packet.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type * as Ws from 'ws';
import {
  type BacklogWatch,
  type Corked,
  type FrameWriter,
  type SenderInternals,
  senderOf,
  type Watchable,
  WebSocket,
  WebSocketServer,
} from '../internals/ws';

/** Called when a frame has been sent. Engine.IO sends no further frames until then. */
type Sent = (error?: Error | null) => void;

/** A frame: its header and its content. */
type Frame = readonly [head: Buffer, data?: Buffer | string];

/** A sender of ws with the WebSocket that it belongs to, and its own method. */
type CorkedSender = SenderInternals & { readonly [WEB_SOCKET]: CorkedWebSocket; readonly [SEND_FRAME]: SenderInternals['sendFrame'] };

type Upgraded = (client: CorkedWebSocket, request: IncomingMessage) => void;

const WEB_SOCKET = Symbol('webSocket');
const SEND_FRAME = Symbol('sendFrame');

const CLOSE = 8; // https://www.rfc-editor.org/rfc/rfc6455#section-5.2

/** The WebSockets with frames of this tick. A broadcast may reach thousands, which share one callback. */
let corked: CorkedWebSocket[] = [];

export class CorkedWebSocketServer extends WebSocketServer<typeof CorkedWebSocket> {
  constructor(options: Ws.ServerOptions<typeof CorkedWebSocket>) {
    super({ ...options, WebSocket: CorkedWebSocket });
  }

  override handleUpgrade(request: IncomingMessage, connection: Duplex, head: Buffer, upgraded: Upgraded): void {
    connection.cork();
    try {
      super.handleUpgrade(request, connection, head, (client, request) => {
        client.corkOn(connection);
        upgraded(client, request);
      });
    } finally {
      queueMicrotask(() => connection.uncork()); // after Engine.IO's `await` of the id, so that its first packet leaves with the response
    }
  }
}

/** Lets the refusal of a WebSocket leave that has been upgraded already: Engine.IO destroys its connection in the same tick. */
export function flushRefusals(engine: EngineServer): void {
  engine.on('connection_error', ({ req }: { req?: IncomingMessage }) => req?.socket.uncork());
}

class CorkedWebSocket extends WebSocket implements Corked, FrameWriter, Watchable {
  #connection: Duplex | undefined;
  /** Undefined if nobody watches the backlog. */
  #watch: BacklogWatch | undefined;
  #engineConnection: EngineSocket | undefined;
  #isCorked = false;
  /** Callbacks for frames of this tick. Undefined if there are none. */
  #waiting: Sent[] | undefined;

  /** Holds frames back until the end of the tick from now on. */
  corkOn(connection: Duplex): void {
    this.#connection = connection;
    const sender = senderOf(this); // Engine.IO writes through it directly, too
    if (!sender) return;
    Object.assign(sender, { [WEB_SOCKET]: this, [SEND_FRAME]: sender.sendFrame, sendFrame: CorkedWebSocket.#sendFrame });
  }

  /** Replaces the method of a sender. All senders share it: functions of their own would be kept as long as the connection. */
  static #sendFrame(this: CorkedSender, frame: Frame, sent?: Sent): void {
    const webSocket = this[WEB_SOCKET];
    webSocket.#cork();
    const keepsUp = webSocket.#keepsUp(frame[0].length + (frame[1]?.length ?? 0));
    if (sent === undefined || !keepsUp || opcodeOf(frame) === CLOSE) this[SEND_FRAME](frame, sent);
    else {
      (webSocket.#waiting ??= []).push(sent);
      this[SEND_FRAME](frame);
    }
  }

  writeFrame(frame: Buffer): boolean {
    if (!this.#hasRoom || this.readyState !== this.OPEN || frame.length > this.#largeFrame) return false;
    this.#cork();
    this.#connection?.write(frame);
    return true;
  }

  watch(watch: BacklogWatch, connection: EngineSocket): boolean {
    this.#watch = watch;
    this.#engineConnection = connection;
    return senderOf(this)?.sendFrame === CorkedWebSocket.#sendFrame;
  }

  get #largeFrame(): number {
    return this.#watch?.largeFrame ?? Number.POSITIVE_INFINITY;
  }

  /** Whether a frame of so many bytes counts as sent at the end of the tick. */
  #keepsUp(bytes: number): boolean {
    if (this.#hasRoom && bytes <= this.#largeFrame) return true;
    if (this.#engineConnection) this.#watch?.onBehind(this.#engineConnection, bytes);
    return false;
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#connection?.cork();
    if (corked.push(this) === 1) process.nextTick(uncorkAll);
  }

  /**
   * While the client keeps up, frames count as sent at the end of the tick. Engine.IO queues further frames until then; it sends them in the
   * callbacks, so they leave in the same system call. A failed write closes the connection, which Engine.IO detects anyway.
   */
  uncork(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    try {
      if (waiting && this.#connection?.writable) for (const sent of waiting) sent();
    } finally {
      this.#isCorked = false;
      this.#connection?.uncork();
      if (this.#waiting) this.#cork(); // calls them at the end of the next tick
    }
  }

  get #hasRoom(): boolean {
    return this.#connection !== undefined && !this.#connection.writableNeedDrain;
  }
}

function uncorkAll(): void {
  const batch = corked;
  corked = [];
  for (const webSocket of batch) {
    try {
      webSocket.uncork();
    } catch (error) {
      process.nextTick(() => {
        throw error; // as without corking, but after the others have been uncorked
      });
    }
  }
}

function opcodeOf([head]: Frame): number {
  return (head[0] ?? 0) % 16;
}

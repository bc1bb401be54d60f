/**
 * The WebSocket engine that is used unless the config names another: ws, but that the frames which one tick sends
 * to a client leave in one system call. Node pays as much for each of these as Socket.IO does for the rest of a packet.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';

/** Told when a frame has been sent. Engine.IO sends no further ones until then. */
type Sent = (error?: Error | null) => void;

/** A frame: its head, and what is in it. */
type Frame = readonly [head: Buffer, data?: Buffer | string];

/** ws's own part that writes frames, for its `send()` and for the frames that Socket.IO has made for a broadcast. */
interface Sender {
  sendFrame(frame: Frame, sent?: Sent): void;
}

class CorkedWebSocket extends WebSocket {
  #connection: Duplex | undefined;
  #isCorked = false;

  /** From here on frames are held back until the tick ends. */
  corkOn(connection: Duplex): void {
    this.#connection = connection;
    const sender: unknown = Reflect.get(this, '_sender'); // Engine.IO writes through it as well
    if (typeof sender !== 'object' || sender === null || !('sendFrame' in sender)) return;
    Object.assign(sender, { [OWNER]: this, sendFrame: sendCorkedFrame });
  }

  cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#connection?.cork();
    process.nextTick(uncork, this);
  }

  uncork(): void {
    this.#isCorked = false;
    this.#connection?.uncork();
  }

  /** Whether the client keeps up. */
  get hasRoom(): boolean {
    return this.#connection !== undefined && this.#connection.writable && !this.#connection.writableNeedDrain;
  }
}

const OWNER = Symbol('owner');
const CLOSE_FRAME = 8; // https://www.rfc-editor.org/rfc/rfc6455#section-5.2

/**
 * While there is room, a frame counts as sent when it is handed over: waiting for the kernel would split what one tick sends into
 * two system calls. A write that fails ends the connection, which Engine.IO hears anyway.
 */
function sendCorkedFrame(this: Sender & { readonly [OWNER]: CorkedWebSocket }, frame: Frame, sent?: Sent): void {
  const { sendFrame } = Object.getPrototypeOf(this) as Sender; // ws's own
  const { [OWNER]: owner } = this;
  owner.cork();
  const isSent = sent && owner.hasRoom && (frame[0][0] ?? 0) % 16 !== CLOSE_FRAME;
  sendFrame.call(this, frame, isSent ? undefined : sent);
  if (isSent) sent();
}

function uncork(webSocket: CorkedWebSocket): void {
  webSocket.uncork();
}

type Upgraded = (client: CorkedWebSocket, request: IncomingMessage) => void;

export class CorkedWebSocketServer extends WebSocketServer<typeof CorkedWebSocket> {
  constructor(options: ServerOptions<typeof CorkedWebSocket>) {
    super({ ...options, WebSocket: CorkedWebSocket });
  }

  override handleUpgrade(request: IncomingMessage, connection: Duplex, head: Buffer, upgraded: Upgraded): void {
    super.handleUpgrade(request, connection, head, (client, request) => {
      client.corkOn(connection);
      upgraded(client, request);
    });
  }
}

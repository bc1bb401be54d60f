/**
 * The WebSocket engine that is used unless the config names another: ws, but that the frames which one tick sends
 * to a client leave in one system call. Node pays as much for each of these as Socket.IO does for the rest of a packet.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';

/** ws's own part that writes frames, for its `send()` and for the frames that Socket.IO has made for a broadcast. */
interface Sender {
  sendFrame(...args: unknown[]): void;
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
}

const OWNER = Symbol('owner');

function sendCorkedFrame(this: Sender & { readonly [OWNER]: CorkedWebSocket }, ...args: unknown[]): void {
  this[OWNER].cork();
  const { sendFrame } = Object.getPrototypeOf(this) as Sender; // ws's own
  Reflect.apply(sendFrame, this, args);
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

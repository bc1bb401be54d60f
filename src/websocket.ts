/**
 * The WebSocket engine that is used unless the config names another: ws, but that the frames which one tick sends
 * to a client leave in one system call. Node pays as much for each of these as Socket.IO does for the rest of a packet.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';

class CorkedWebSocket extends WebSocket {
  #connection: Duplex | undefined;
  #isCorked = false;

  /** From here on frames are held back until the tick ends. */
  corkOn(connection: Duplex): void {
    this.#connection = connection;
  }

  override send(...args: unknown[]): void {
    if (this.#connection && !this.#isCorked) {
      this.#isCorked = true;
      this.#connection.cork();
      process.nextTick(uncork, this);
    }
    Reflect.apply(super.send, this, args);
  }

  static uncork(webSocket: CorkedWebSocket): void {
    webSocket.#isCorked = false;
    webSocket.#connection?.uncork();
  }
}

const { uncork } = CorkedWebSocket;

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

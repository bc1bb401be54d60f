/**
 * The WebSocket engine that is used unless the config names another: ws, but that the frames which one tick sends
 * to a client leave in one system call. Node pays as much for each of these as Socket.IO does for the rest of a packet.
 */
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import type * as Ws from 'ws';
import type { Members, Specimens } from '../internals/members';
import { senderOf, WS_SENDER, WS_SOCKET } from '../internals/socket-io';

/** The ws that Engine.IO itself would use. Another copy may be older, and lack limits that Engine.IO counts on. */
const { WebSocket, WebSocketServer } = requireThrough('socket.io', 'engine.io')('ws') as typeof Ws;

/** The `require` of the last of these packages, each as the one before it finds it. */
function requireThrough(...packages: string[]): NodeJS.Require {
  return packages.reduce((from, name) => createRequire(from.resolve(name)), createRequire(__filename));
}

/** Told when a frame has been sent. Engine.IO sends no further ones until then. */
type Sent = (error?: Error | null) => void;

/** A frame: its head, and what is in it. */
type Frame = readonly [head: Buffer, data?: Buffer | string];

class CorkedWebSocket extends WebSocket {
  #connection: Duplex | undefined;
  #isCorked = false;
  /** Those that wait to be told that their frames have been sent. */
  #waiting: Sent[] = [];

  /** From here on frames are held back until the tick ends. */
  corkOn(connection: Duplex): void {
    this.#connection = connection;
    const sender = senderOf(this); // Engine.IO writes through it as well
    if (!sender) return;
    const sendFrame = sender.sendFrame.bind(sender);
    sender.sendFrame = (frame, sent) => {
      this.#cork();
      if (sent === undefined || !this.#hasRoom || opcodeOf(frame) === CLOSE) sendFrame(frame, sent);
      else {
        this.#waiting.push(sent);
        sendFrame(frame);
      }
    };
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#connection?.cork();
    if (corked.push(this) === 1) process.nextTick(uncorkAll);
  }

  /**
   * While the client keeps up, a frame counts as sent when its tick ends. Engine.IO, which sends nothing more before it is told, hands over
   * what it has kept: that leaves in the same system call. A write that fails ends the connection, which Engine.IO hears anyway.
   */
  uncork(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      if (this.#connection?.writable) for (const sent of waiting) sent();
    } finally {
      this.#isCorked = false;
      this.#connection?.uncork();
      if (this.#waiting.length > 0) this.#cork(); // they will be told when the next tick ends
    }
  }

  get #hasRoom(): boolean {
    return this.#connection !== undefined && !this.#connection.writableNeedDrain;
  }
}

const CLOSE = 8; // https://www.rfc-editor.org/rfc/rfc6455#section-5.2

function opcodeOf([head]: Frame): number {
  return (head[0] ?? 0) % 16;
}

/** Those that have frames of this tick: a broadcast can reach thousands, and ends in one callback for all. */
let corked: CorkedWebSocket[] = [];

function uncorkAll(): void {
  const batch = corked;
  corked = [];
  for (const webSocket of batch) {
    try {
      webSocket.uncork();
    } catch (error) {
      process.nextTick(() => {
        throw error; // as if it stood alone: the others are uncorked all the same
      });
    }
  }
}

type Upgraded = (client: CorkedWebSocket, request: IncomingMessage) => void;

/** What the boot looks at, to say so where frames cannot be held back. */
export function webSocketSpecimens(): Specimens {
  const Specimen = WebSocket as unknown as new (address: null, protocols: undefined, options: object) => Ws.WebSocket; // as ws itself makes those of a server
  return new Map<Members, object>([
    [WS_SOCKET, new Specimen(null, undefined, {})],
    [WS_SENDER, (WebSocket as unknown as { Sender: { prototype: object } }).Sender.prototype], // exported, but not declared
  ]);
}

export class CorkedWebSocketServer extends WebSocketServer<typeof CorkedWebSocket> {
  constructor(options: Ws.ServerOptions<typeof CorkedWebSocket>) {
    super({ ...options, WebSocket: CorkedWebSocket });
  }

  override handleUpgrade(request: IncomingMessage, connection: Duplex, head: Buffer, upgraded: Upgraded): void {
    super.handleUpgrade(request, connection, head, (client, request) => {
      client.corkOn(connection);
      upgraded(client, request);
    });
  }
}

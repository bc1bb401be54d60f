/** Clients by hand: they speak Engine.IO frame by frame, and may say what no proper client says. */
import { once } from 'node:events';
import type { Socket as TcpSocket } from 'node:net';
import type { TestContext } from 'node:test';
import WebSocket from 'ws';

export interface RawOptions {
  /** The version of the Engine.IO protocol. Default: 4 */
  protocol?: 3 | 4;
  headers?: Record<string, string>;
}

/** A WebSocket that has shaken hands with Engine.IO. */
export class RawClient {
  /** All frames so far, the one of the handshake first; binary ones in hexadecimal digits. */
  readonly frames: string[] = [];
  readonly closed: Promise<void>;
  readonly #webSocket: WebSocket;

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    this.closed = new Promise(resolve => webSocket.once('close', () => resolve()));
    webSocket.on('error', () => {}); // 'close' follows
    webSocket.on('message', (data: Buffer, isBinary: boolean) => this.frames.push(isBinary ? data.toString('hex') : data.toString()));
  }

  /** One that has not connected to any namespace; with protocol 3 it is connected to `/`. */
  static async open(t: TestContext, url: string, { protocol = 4, headers = {} }: RawOptions = {}): Promise<RawClient> {
    const webSocket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=${protocol}&transport=websocket`, { headers });
    const client = new RawClient(webSocket);
    t.after(() => client.vanish());
    await client.frame(/^0\{/);
    return client;
  }

  /** One that has connected to the namespace `/`. */
  static async connect(t: TestContext, url: string, options: RawOptions = {}): Promise<RawClient> {
    const client = await RawClient.open(t, url, options);
    if (options.protocol !== 3) client.send('40');
    await client.frame(/^40/);
    return client;
  }

  send(...frames: (string | Buffer)[]): this {
    for (const frame of frames) this.#webSocket.send(frame);
    return this;
  }

  /** Sends all frames in one piece, so that the server receives them at once. */
  burst(...frames: (string | Buffer)[]): this {
    const tcp = Reflect.get(this.#webSocket, '_socket') as TcpSocket; // of ws, which has no other way to it
    tcp.cork();
    this.send(...frames);
    tcp.uncork();
    return this;
  }

  /** Sends bytes as they are, masked frames. */
  writeRaw(bytes: Buffer): this {
    (Reflect.get(this.#webSocket, '_socket') as TcpSocket).write(bytes); // as above
    return this;
  }

  /** The first frame that matches, past or to come. Rejects if the connection ends before. */
  async frame(pattern: RegExp): Promise<string> {
    for (;;) {
      const frame = this.frames.find(one => pattern.test(one));
      if (frame !== undefined) return frame;
      if (this.#webSocket.readyState >= WebSocket.CLOSING) throw new Error(`closed before ${pattern}, after ${this.frames.join(' ')}`);
      await Promise.race([once(this.#webSocket, 'message'), this.closed]);
    }
  }

  /** Sends these bytes when the server says goodbye, or anything else, and does not read it. */
  answerGoodbye(bytes: Buffer): this {
    const tcp = Reflect.get(this.#webSocket, '_socket') as TcpSocket; // as above
    tcp.removeAllListeners('data').on('data', () => tcp.write(bytes));
    return this;
  }

  /** Reads no more, and so answers no goodbye either. */
  freeze(): void {
    this.#webSocket.pause();
  }

  /** Reads on. */
  thaw(): void {
    this.#webSocket.resume();
  }

  /** Cuts the TCP connection, with no word of goodbye. */
  vanish(): void {
    this.#webSocket.terminate();
  }
}

/** Opens a connection over polling: the address of its further requests. */
export async function openPolling(url: string, protocol: 3 | 4 = 4): Promise<string> {
  const address = `${url}/socket.io/?EIO=${protocol}&transport=polling`;
  const [, open = ''] = /(\{[^}]*\})/.exec(await (await fetch(address)).text()) ?? []; // protocol 3 writes lengths, and more packets
  const { sid } = JSON.parse(open) as { sid: string };
  return `${address}&sid=${sid}`;
}

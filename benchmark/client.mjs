/** A Socket.IO client that costs next to nothing: it sends frames made beforehand, and looks at two bytes of what comes. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { BINARY, FrameReader, TEXT, frame } from './frames.mjs';
import { Watched, openSession } from './polling-client.mjs';

/** All clients read into this, one at a time. */
const BUFFER = Buffer.allocUnsafe(256 * 1024);

/** The types of packets, as they stand at the beginning of a frame: Engine.IO's, and Socket.IO's in its messages. */
const [OPEN, PING, PONG, MESSAGE] = Buffer.from('0234');
const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK] = Buffer.from('0123456');

/** A client of Engine.IO 3 pings, or is ended after 30 s; of Engine.IO 4 it is pinged. */
const PING_FRAME = frame('2');
const PONG_FRAME = frame('3');
const PING_INTERVAL = 10_000;

const MERGES = process.argv.includes('--merge');

export class Client extends Watched {
  /** Called for each acknowledgement, its attachment included. */
  onAck = () => {};
  /** Called for each event. */
  onEvent = () => {};

  #socket;
  #reader = new FrameReader((opcode, data, start, end) => this.#read(opcode, data, start, end));
  #isUpgraded = false;
  #isProbing = false;
  #isJoined = false;
  #namespace;
  #auth;
  #protocol;
  #onConnect;
  #onAttachment;
  #pings;

  /** Resolves when the namespace has been joined. */
  static async open(options) {
    const client = new Client();
    await client.#open(options);
    return client;
  }

  /**
   * @param isBrowser whether it sends the headers and cookies of a browser
   * @param auth sent when it joins the namespace
   * @param upgrades whether it polls first, as clients do unless told
   */
  async #open({ port, protocol = 4, namespace = '/', cookie, isBrowser = false, upgrades = false, auth }) {
    this.#protocol = protocol;
    this.#namespace = namespace === '/' ? '' : `${namespace},`;
    this.#auth = auth === undefined ? '' : JSON.stringify(auth);
    const session = upgrades ? await openSession({ port, protocol, cookie }) : undefined;
    const connected = new Promise((resolve, reject) => {
      this.#onConnect = resolve;
      this.watch(reject);
    });
    const onread = { buffer: BUFFER, callback: length => this.#receive(BUFFER.subarray(0, length)) };
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    this.#socket.on('error', error => this.fail(error));
    this.#socket.once('close', () => this.fail(new Error('the server has closed the connection')));
    const head = [
      `GET /socket.io/?EIO=${protocol}&transport=websocket${session ? `&sid=${session.sid}` : ''} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      ...(cookie === undefined ? [] : [`Cookie: ${cookie}`]),
      ...(isBrowser ? browserHeaders(port) : []),
    ];
    this.#socket.write(`${head.join('\r\n')}\r\n\r\n`);
    this.#isProbing = upgrades;
    this.#isJoined = session?.packets.includes('40') ?? false;
    if (protocol === 3) this.#pings = setInterval(() => this.send(PING_FRAME), PING_INTERVAL);
    await connected;
  }

  /** Each call is a write of its own, as a client's `emit()` is. With --merge, those of one tick are one. */
  send(data) {
    if (MERGES && this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(data);
  }

  async close() {
    this.watch(() => {});
    clearInterval(this.#pings);
    this.#socket.destroy();
    if (!this.#socket.closed) await once(this.#socket, 'close');
  }

  #receive(chunk) {
    if (this.#isUpgraded) this.#reader.read(chunk);
    else this.#upgrade(chunk);
    return true; // go on reading
  }

  #upgrade(chunk) {
    const end = chunk.indexOf('\r\n\r\n');
    if (end < 0 || !chunk.toString('latin1', 0, end).startsWith('HTTP/1.1 101 ')) return this.fail(new Error(`no upgrade: ${chunk}`));
    this.#isUpgraded = true;
    if (this.#isProbing) this.send(frame('2probe'));
    return this.#reader.read(chunk.subarray(end + 4));
  }

  #read(opcode, data, start, end) {
    if (opcode === BINARY) return this.#onAttachment();
    if (opcode === TEXT && data[start] === MESSAGE) return this.#message(data, start + 1, end);
    if (opcode === TEXT && data[start] === PING) return this.send(PONG_FRAME);
    if (opcode === TEXT && data[start] === PONG && this.#isProbing) return this.#probed();
    if (opcode === TEXT && data[start] === OPEN && (this.#protocol === 4 || this.#namespace !== ''))
      return this.send(frame(`40${this.#namespace}${this.#auth}`));
    return undefined;
  }

  #probed() {
    this.#isProbing = false;
    this.send(frame('5'));
    if (this.#isJoined) this.#onConnect();
    else if (this.#protocol === 4 || this.#namespace !== '') this.send(frame(`40${this.#namespace}${this.#auth}`));
  }

  #message(data, start, end) {
    const text = () => data.toString('utf8', start, end);
    switch (data[start]) {
      case ACK:
        return this.onAck(text);
      case EVENT:
        return this.onEvent(text);
      case BINARY_ACK:
        return this.#await(text(), this.onAck);
      case BINARY_EVENT:
        return this.#await(text(), this.onEvent);
      case CONNECT:
        return text().startsWith(`0${this.#namespace}`) && this.#onConnect();
      case DISCONNECT:
      case CONNECT_ERROR:
        return this.fail(new Error(`the server says ${text()}`));
      default:
        return this.fail(new Error(`the server sends ${text()}`));
    }
  }

  /** The attachment comes in a frame of its own. */
  #await(text, onComplete) {
    this.#onAttachment = () => onComplete(() => text);
  }
}

/** What Chromium sends beyond the handshake of a WebSocket: 15 headers in all, with the two of a proxy, and cookies of a session and of analytics. */
function browserHeaders(port) {
  const id = randomBytes(16).toString('hex'); // each browser has its own
  return [
    'Pragma: no-cache',
    'Cache-Control: no-cache',
    'User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    `Origin: http://127.0.0.1:${port}`,
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-US,en;q=0.9,zh-CN;q=0.8,zh;q=0.7',
    `Cookie: csrfToken=${id}; EGG_SESS=${id.repeat(4)}; EGG_SESS.sig=${id}; _ga=GA1.1.${id}; _ga_${id.slice(0, 10)}=GS2.1.s${id}`,
    'X-Forwarded-For: 203.0.113.7',
    'X-Forwarded-Proto: https',
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
  ];
}

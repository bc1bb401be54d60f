/** What needs HTTP requests: the handshake of a client that is going to upgrade, and a client that polls. Both ask for as little as they can. */
import { once } from 'node:events';
import { get } from 'node:http';
import { connect } from 'node:net';

const [PING, MESSAGE, CONNECT, EVENT, ACK] = '24023';

/** Of Engine.IO 4; before, each packet had its length before it. */
const SEPARATOR = '\x1e';

/** A session, and the packets that have come with it. */
export async function openSession({ port, protocol, cookie }) {
  const path = `/socket.io/?EIO=${protocol}&transport=polling`;
  const [answer] = await once(
    get({ port, host: '127.0.0.1', path, agent: false, headers: cookie === undefined ? {} : { cookie } }),
    'response',
  );
  const [open, ...packets] = packetsOf(protocol, (await answer.setEncoding('utf8').toArray()).join(''));
  if (answer.statusCode !== 200) throw new Error(`no session: ${answer.statusCode}`);
  return { sid: JSON.parse(open.slice(1)).sid, packets };
}

/** Calls back whoever watches it when it fails, or if it has failed. */
export class Watched {
  #onFailure = () => {};
  #failure;

  watch(onFailure) {
    this.#onFailure = onFailure;
    if (this.#failure) onFailure(this.#failure);
  }

  fail(error) {
    this.#failure ??= error;
    this.#onFailure(error);
  }
}

/** Always has a request at the server that waits for what comes, and another one for what it sends, as the official client does. */
export class PollingClient extends Watched {
  onAck = () => {};
  onEvent = () => {};

  #protocol;
  #poll;
  #post;
  #waiting = [];
  #isPosting = false;
  #onConnect;
  #pings;

  static async open(options) {
    const client = new PollingClient();
    await client.#open(options);
    return client;
  }

  async #open({ port, protocol = 4, cookie }) {
    this.#protocol = protocol;
    const { sid, packets } = await openSession({ port, protocol, cookie });
    const head = `/socket.io/?EIO=${protocol}&transport=polling&sid=${sid} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`;
    const connected = new Promise((resolve, reject) => {
      this.#onConnect = resolve;
      this.watch(reject);
    });
    const fail = error => this.fail(error);
    this.#poll = new Requests(port, `GET ${head}\r\n`, text => this.#receive(packetsOf(protocol, text)), fail);
    this.#post = new Requests(port, `POST ${head}Content-Type: text/plain;charset=UTF-8\r\n`, () => this.#posted(), fail);
    if (protocol === 4) this.send('40');
    else this.#pings = setInterval(() => this.send(PING), 10_000);
    this.#receive(packets);
    await connected;
  }

  /** @param packet of Engine.IO, as text */
  send(packet) {
    this.#waiting.push(packet);
    if (!this.#isPosting) this.#flush();
  }

  async close() {
    this.watch(() => {});
    clearInterval(this.#pings);
    await Promise.all([this.#poll.close(), this.#post.close()]);
  }

  #flush() {
    const body = payloadOf(this.#protocol, this.#waiting);
    this.#waiting = [];
    this.#isPosting = true;
    this.#post.send(`Content-Length: ${body.length}\r\n\r\n${body}`);
  }

  #posted() {
    this.#isPosting = false;
    if (this.#waiting.length > 0) this.#flush();
  }

  #receive(packets) {
    this.#poll.send('');
    for (const packet of packets) {
      if (packet[0] === PING) this.send('3');
      else if (packet[0] === MESSAGE && packet[1] === CONNECT) this.#onConnect();
      else if (packet[0] === MESSAGE && packet[1] === ACK) this.onAck(() => packet.slice(1));
      else if (packet[0] === MESSAGE && packet[1] === EVENT) this.onEvent(() => packet.slice(1));
    }
  }
}

/** One request after the other, over one connection until the server closes it: nginx does after 1,000 requests. */
class Requests {
  #port;
  #head;
  #onAnswer;
  #onFailure;
  #socket;
  #isClosing = false;
  #text = '';

  constructor(port, head, onAnswer, onFailure) {
    this.#port = port;
    this.#head = head;
    this.#onAnswer = onAnswer;
    this.#onFailure = onFailure;
  }

  send(rest) {
    this.#socket ??= this.#connect();
    this.#socket.write(this.#head + rest);
  }

  async close() {
    this.#isClosing = true;
    this.#socket?.destroy();
    if (this.#socket?.closed === false) await once(this.#socket, 'close');
  }

  #connect() {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1');
    socket.on('error', this.#onFailure);
    socket.once('close', () => {
      if (socket === this.#socket && !this.#isClosing) this.#onFailure(new Error('the server has closed the connection'));
    });
    socket.on('data', chunk => this.#receive(chunk));
    return socket;
  }

  #receive(chunk) {
    this.#text += chunk;
    const start = this.#text.indexOf('\r\n\r\n') + 4;
    if (start < 4) return;
    const head = this.#text.slice(0, start);
    const end = start + Number(/content-length: (\d+)/i.exec(head)?.[1]);
    if (this.#text.length < end) return;
    const text = this.#text;
    this.#text = '';
    if (/connection: close/i.test(head)) this.#socket = undefined;
    if (head.startsWith('HTTP/1.1 200 ') && text.length === end) this.#onAnswer(text.slice(start));
    else this.#onFailure(new Error(`the server answers ${text}`));
  }
}

export function payloadOf(protocol, packets) {
  return protocol === 4 ? packets.join(SEPARATOR) : packets.map(packet => `${packet.length}:${packet}`).join('');
}

export function packetsOf(protocol, text) {
  if (protocol === 4) return text.split(SEPARATOR);
  const packets = [];
  for (let at = 0; at < text.length;) {
    const start = text.indexOf(':', at) + 1;
    at = start + Number(text.slice(at, start - 1));
    packets.push(text.slice(start, at));
  }
  return packets;
}

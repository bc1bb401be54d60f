/** The attacker's process: clients by hand, which do what no official client does, and note what they get. */
import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';
import { answer } from './child.mjs';
import { frame } from './frames.mjs';
import { ATTACKS } from './attacks.mjs';
import { packetsOf, payloadOf } from './polling-client.mjs';

let clients = [];
let got = new Map();
let port;

answer({
  /** Resolves when everything has been sent. */
  attack: async (name, options) => {
    ({ port } = options);
    clients = [];
    got = new Map();
    await ATTACKS[name].attack({ ...options, open });
  },
  /** The same in whatever order it came. */
  got: () =>
    [...got]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, count]) => (count > 1 ? `${count} x ${what}` : what))
      .join(', '),
  leave: () => clients.forEach(client => client.leave()),
});

function note(what) {
  got.set(what, (got.get(what) ?? 0) + 1);
}

/** Resolves when the client is connected, or cannot be. */
async function open({ transport = 'websocket', ...options } = {}) {
  const client = new (transport === 'websocket' ? WebSocketClient : PollingClient)(options);
  clients.push(client);
  await client.opened;
  return client;
}

class Client {
  opened = new Promise(resolve => (this.settle = resolve));

  constructor({ protocol = 4, auth, headers, namespace = '/' }) {
    this.protocol = protocol;
    this.headers = headers;
    this.path = `/socket.io/?EIO=${protocol}`;
    this.hello = `40${namespace === '/' ? '' : `${namespace},`}${auth === undefined ? '' : JSON.stringify(auth)}`;
    if (protocol === 3) this.pings = setInterval(() => this.send('2'), 2000);
  }

  receive(packet) {
    const [type, kind] = packet;
    if (type === '0' && this.protocol === 4) this.send(this.hello);
    else if (type === '2') this.send('3');
    else if (type === '4') this.receiveMessage(kind, packet);
  }

  receiveMessage(kind, packet) {
    const code = /"code":"(\w+)"/.exec(packet)?.[1];
    if (kind === '0') {
      note('connected');
      this.settle();
    } else if (kind === '4') {
      note(`refused${code ? ` ${code}` : ''}`);
      this.settle();
    } else if (kind === '1') note('disconnected');
    else if (kind === '3') note(code ? `ack ${code}` : 'ack');
    else if (code) note(`error ${code}`);
  }

  end(what) {
    clearInterval(this.pings);
    if (!this.hasLeft && !this.hasEnded) note(what);
    this.hasEnded = true;
    this.settle();
  }
}

class WebSocketClient extends Client {
  constructor(options) {
    super(options);
    this.ws = new WebSocket(`ws://127.0.0.1:${port}${this.path}&transport=websocket`, { headers: this.headers, perMessageDeflate: false });
    this.ws.on('message', data => this.receive(Buffer.from(data).toString()));
    this.ws.on('unexpected-response', (_, { statusCode }) => this.end(`HTTP ${statusCode}`));
    this.ws.on('error', () => this.end('closed'));
    this.ws.on('close', () => this.end('closed'));
  }

  send(packet) {
    if (this.ws.readyState === WebSocket.OPEN) this.ws.send(packet);
  }

  /** In as few writes as there can be. */
  sendAll(packets) {
    const frames = new Map(); // most are equal
    for (const packet of packets) if (!frames.has(packet)) frames.set(packet, frame(packet));
    this.ws._socket?.write(Buffer.concat(packets.map(packet => frames.get(packet))));
  }

  /** Reads no more, and answers pings that it has not seen. */
  stopReading() {
    this.ws._socket.pause();
    this.pongs = setInterval(() => this.send(this.protocol === 4 ? '3' : '2'), 500);
    this.ws._socket.on('error', () => this.end('closed'));
  }

  leave() {
    this.hasLeft = true;
    clearInterval(this.pings);
    clearInterval(this.pongs);
    this.ws.terminate();
  }
}

class PollingClient extends Client {
  constructor(options) {
    super(options);
    this.agent = new Agent({ keepAlive: true, maxSockets: 2 });
    this.path += '&transport=polling';
    void this.poll();
  }

  async poll() {
    const text = await this.ask('GET');
    if (text === undefined) return;
    const packets = packetsOf(this.protocol, text);
    if (!this.sid) {
      const { sid } = JSON.parse(packets[0].slice(1));
      this.sid = sid;
      this.path += `&sid=${sid}`;
    }
    for (const packet of packets) this.receive(packet);
    if (!this.isPaused && !this.hasLeft) void this.poll();
  }

  send(packet) {
    void this.sendAll([packet]);
  }

  async sendAll(packets) {
    if (this.sid && !this.hasLeft && !this.hasEnded) await this.ask('POST', payloadOf(this.protocol, packets));
  }

  stopReading() {
    this.isPaused = true;
    this.pongs = setInterval(() => this.send(this.protocol === 4 ? '3' : '2'), 500);
  }

  ask(method, body) {
    return new Promise(resolve => {
      const options = { port, host: '127.0.0.1', method, path: this.path, agent: this.agent, headers: { ...this.headers } };
      if (body !== undefined) options.headers['content-type'] = 'text/plain;charset=UTF-8';
      const fail = what => {
        clearInterval(this.pongs);
        this.end(what);
        resolve();
      };
      request(options, async answered => {
        let text = '';
        try {
          for await (const chunk of answered.setEncoding('utf8')) text += chunk;
        } catch {
          return fail('closed');
        }
        return answered.statusCode === 200 ? resolve(text) : fail(`HTTP ${answered.statusCode}`);
      })
        .on('error', () => fail('closed'))
        .end(body);
    });
  }

  leave() {
    this.hasLeft = true;
    clearInterval(this.pings);
    clearInterval(this.pongs);
    this.agent.destroy();
  }
}

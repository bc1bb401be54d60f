import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** How often it sends, in ms. */
const PACE = 5;

/** A client that does nothing wrong: it sends an event every few ms, and waits for each answer. */
export class Bystander {
  #ws;
  #sent = new Map();
  #latencies = [];
  #lastId = 0;
  #timer;

  static async connect(port) {
    const bystander = new Bystander();
    await bystander.#connect(port);
    return bystander;
  }

  #connect(port) {
    return new Promise((resolve, reject) => {
      this.#ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
      this.#ws.on('error', reject);
      this.#ws.on('close', () => reject(new Error('the server has closed the connection of the bystander')));
      this.#ws.on('message', data => {
        const text = Buffer.from(data).toString();
        if (text[0] === '0') this.#ws.send('40');
        else if (text[0] === '2') this.#ws.send('3');
        else if (text.startsWith('40')) resolve();
        else if (text.startsWith('43')) this.#answered(Number(/^43(\d+)/.exec(text)[1]));
      });
    });
  }

  start() {
    this.#timer = setInterval(() => {
      this.#sent.set(++this.#lastId, performance.now());
      this.#ws.send(`42${this.#lastId}["echo",1]`);
    }, PACE);
  }

  async watch(ms) {
    this.start();
    await wait(ms);
    clearInterval(this.#timer);
    await wait(50);
  }

  /** Gives what is on its way a second. */
  async end() {
    clearInterval(this.#timer);
    for (let i = 0; i < 100 && this.#sent.size > 0; i++) await wait(10);
    return this.take();
  }

  take() {
    const sorted = this.#latencies.sort((a, b) => a - b);
    const result = { p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, lost: this.#sent.size };
    this.#latencies = [];
    this.#sent.clear();
    return result;
  }

  async leave() {
    await new Promise(resolve => {
      this.#ws.removeAllListeners('close');
      this.#ws.once('close', resolve);
      this.#ws.close();
    });
  }

  #answered(id) {
    const at = this.#sent.get(id);
    if (at === undefined) return;
    this.#sent.delete(id);
    this.#latencies.push(performance.now() - at);
  }
}

/** A client of `soak-faults.mjs`: it talks all the time, and connects again by itself. */
import { io as connectTo } from 'socket.io-client';

export class Talker {
  /** How often each message has come. */
  heard = new Map();
  #client;
  #shouts = 0;
  #name;
  #timer;

  constructor(url, index, cookie) {
    this.#name = index;
    // half of them poll
    const transports = index % 2 ? ['websocket'] : ['polling'];
    this.#client = connectTo(url, {
      forceNew: true,
      transports,
      extraHeaders: { cookie },
      reconnectionDelay: 200,
      reconnectionDelayMax: 1000,
    });
    this.#client.on('news', message => this.heard.set(message, (this.heard.get(message) ?? 0) + 1));
    this.#timer = setInterval(() => this.isThere && this.#client.emit('echo', { index }, () => {}), 20);
  }

  get isThere() {
    return this.#client.connected;
  }

  /** Resolves with what it has shouted, also if that has failed. */
  async shout() {
    const message = `${this.#name}: ${++this.#shouts}`;
    await this.#client
      .timeout(5000)
      .emitWithAck('shout', message)
      .catch(() => {});
    return message;
  }

  leave() {
    clearInterval(this.#timer);
    this.#client.disconnect();
  }
}

/** A client that sends HTTP requests over one connection: to compare what tegg costs in a packet with what it costs in a request. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Watched } from './polling-client.mjs';

export class HttpClient extends Watched {
  /** Called for each response. */
  onAck = () => {};

  #socket;
  #request;

  static async open({ port, path }) {
    const client = new HttpClient();
    client.#request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
    client.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    client.#socket.setEncoding('latin1');
    client.#socket.on('data', text => client.#read(text));
    client.#socket.on('error', error => client.fail(error));
    client.#socket.once('close', () => client.fail(new Error('the server has closed the connection')));
    await once(client.#socket, 'connect');
    return client;
  }

  /** The same request each time, whatever the message. */
  send() {
    this.#socket.write(this.#request);
  }

  async close() {
    this.watch(() => {});
    this.#socket.destroy();
    if (!this.#socket.closed) await once(this.#socket, 'close');
  }

  /** A response this small arrives as a whole. */
  #read(text) {
    if (text.startsWith('HTTP/1.1 200 ') && text.endsWith(']')) this.onAck(() => text);
    else this.fail(new Error(`the server answers ${text}`));
  }
}

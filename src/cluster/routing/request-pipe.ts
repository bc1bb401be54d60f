/**
 * Requests that are piped to another worker: HTTP/1.1 over Unix sockets that are kept, https://www.rfc-editor.org/rfc/rfc9112.
 * Node's own client is made for servers that one does not know: with it, a request took 45 us of this worker's CPU time, here it takes 26.
 */
import { IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';

/** Headers as Node has them raw: name, value, name, value. */
export type RawHeaders = readonly string[];

/** A request to be piped. */
export interface Piped {
  readonly request: IncomingMessage;
  /** What it is sent with instead of its own, but for what says how long its body is: that is added, as the body is sent. */
  readonly headers: RawHeaders;
  /** Where the answer's body goes, after `answered` has written its head. */
  readonly response: ServerResponse;
  /** In ms, until the answer begins; such a request has a connection of its own. Without it there is no limit, and a kept connection is used. */
  readonly patience: number | undefined;
  answered(status: number, message: string, headers: string[]): void;
  /** There will be no answer. What has been sent of the request may have been received. */
  failed(error: Error): void;
}

/** The answer to an upgrade that cannot be served now. */
export const SERVICE_UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** How many connections to a worker are kept while nothing goes over them. */
const MOST_IDLE = 256;

/** The connections of one worker to all others. */
export class RequestPipes {
  /** Those over which nothing goes now, by path; the last used is the next. */
  readonly #idle = new Map<string, Pipe[]>();
  readonly #busy = new Set<Pipe>();
  #onIdle: () => void = () => {};

  /** @param path of the other worker's socket */
  send(path: string, piped: Piped): void {
    const isAlone = piped.patience !== undefined;
    const pipe = (isAlone ? undefined : this.#idle.get(path)?.pop()) ?? new Pipe(path, () => this.#remove(path, pipe));
    this.#busy.add(pipe);
    pipe.send(piped, () => {
      this.#release(pipe);
      if (isAlone) pipe.destroy();
      else this.#keep(path, pipe);
    });
  }

  /** Resolves when no request is on its way. */
  async idle(): Promise<void> {
    if (this.#busy.size > 0) await new Promise<void>(resolve => (this.#onIdle = resolve));
  }

  close(): void {
    for (const pipes of [this.#busy, ...this.#idle.values()]) for (const pipe of pipes) pipe.destroy();
  }

  #release(pipe: Pipe): void {
    this.#busy.delete(pipe);
    if (this.#busy.size === 0) this.#onIdle();
  }

  #keep(path: string, pipe: Pipe): void {
    const pipes = this.#idle.get(path);
    if (!pipes) this.#idle.set(path, [pipe]);
    else if (pipes.length < MOST_IDLE) pipes.push(pipe);
    else pipe.destroy();
  }

  #remove(path: string, pipe: Pipe): void {
    this.#release(pipe);
    const pipes = this.#idle.get(path)?.filter(other => other !== pipe);
    if (pipes?.length) this.#idle.set(path, pipes);
    else this.#idle.delete(path);
  }
}

/** A request of another worker, where it has arrived. */
export class PipedRequest extends IncomingMessage {
  /** Its answer. */
  response: ServerResponse | undefined;

  /**
   * Engine.IO does this to a request that it has refused before it was whole, as one that is too long. The other worker, which is still sending
   * it, would fail to send before it has read the answer; so the connection is left to it: it ends it when it has the answer.
   */
  override destroy(error?: Error): this {
    const isRefused = error === undefined && !this.complete && this.response?.writableEnded === true;
    return isRefused ? this.resume() : super.destroy(error);
  }
}

const CR = 13;

/** A connection, over which one request goes after the other. */
class Pipe {
  readonly #socket: Socket;
  #error: Error | undefined;
  #piped: Piped | undefined;
  #done = (): void => {};
  #timer: NodeJS.Timeout | undefined;
  /** Tells when the client has gone. */
  #client: ServerResponse | Socket | undefined;
  /** Whether there is more to come of the request. */
  #isSending = false;
  #sendsChunks = false;
  /** Whether the other worker ends the connection after this answer. */
  #isLast = false;
  /** What has come of the answer's head, or of the head of a chunk, before it is whole. */
  #part: Buffer | undefined;
  /** How many bytes of the answer's body, or of its chunk, are to come; there once it has begun. Without a length it ends with the connection. */
  #left: number | undefined;
  #isChunked = false;

  constructor(path: string, onClose: () => void) {
    this.#socket = connect(path);
    this.#socket.on('data', bytes => this.#receive(bytes));
    this.#socket.on('drain', () => this.#piped?.request.resume());
    this.#socket.on('error', error => (this.#error = error)); // 'close' follows
    this.#socket.on('close', () => {
      onClose();
      this.#break();
    });
  }

  /** @param done called when the next request may follow */
  send(piped: Piped, done: () => void): void {
    const { request, headers, response, patience } = piped;
    this.#piped = piped;
    this.#done = done;
    if (patience !== undefined) this.#timer = setTimeout(() => this.#socket.destroy(new Error(`no answer in ${patience} ms`)), patience);
    // a response that waits for those before it is not told that its client has gone
    this.#client = response.socket ? response : request.socket.setMaxListeners(0);
    this.#client.once('close', this.#giveUp);
    const framing = framingOf(request);
    this.#sendsChunks = framing === CHUNKED;
    this.#isSending = framing.length > 0;
    if (this.#isSending) {
      request.on('data', this.#sendBytes);
      request.once('end', this.#endBody);
      this.#socket.cork(); // the body, if it is there already, leaves with the head
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(headOf(request, [...headers, ...framing]), 'latin1');
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The client does not wait any more. */
  readonly #giveUp = (): void => {
    if (this.#piped) this.#release(this.#piped);
    this.destroy();
  };

  readonly #sendBytes = (bytes: Buffer): void => {
    if (this.#sendsChunks) this.#socket.write(`${bytes.length.toString(16)}\r\n`);
    let isTaken = this.#socket.write(bytes);
    if (this.#sendsChunks) isTaken = this.#socket.write('\r\n');
    if (!isTaken) this.#piped?.request.pause(); // until 'drain'
  };

  readonly #endBody = (): void => {
    this.#isSending = false;
    if (this.#sendsChunks) this.#socket.write('0\r\n\r\n');
  };

  #receive(bytes: Buffer): void {
    const piped = this.#piped;
    if (!piped) {
      this.destroy(); // nobody has asked
      return;
    }
    const all = this.#part ? Buffer.concat([this.#part, bytes]) : bytes;
    this.#part = undefined;
    const body = this.#left === undefined ? this.#takeHead(all, piped) : all;
    if (!body) this.#part = all;
    else if (this.#isChunked) this.#receiveChunks(body, piped);
    else this.#receiveBody(body, piped);
  }

  #receiveBody(bytes: Buffer, piped: Piped): void {
    const body = bytes.subarray(0, this.#left);
    this.#left = (this.#left ?? 0) - body.length;
    if (this.#left === 0) this.#finish(piped, bytes.length > body.length, body);
    else this.#passOn(body, piped);
  }

  /** https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
  #receiveChunks(bytes: Buffer, piped: Piped): void {
    let rest = bytes;
    for (;;) {
      const body = rest.subarray(0, this.#left);
      this.#left = (this.#left ?? 0) - body.length;
      this.#passOn(body, piped);
      if (this.#left > 0) return;
      rest = rest.subarray(body.length);
      const start = rest[0] === CR ? 2 : 0; // the end of the chunk before
      const end = rest.indexOf('\r\n', start);
      const length = end < 0 ? undefined : Number.parseInt(rest.toString('latin1', start, end), 16);
      const last = length === 0 ? rest.indexOf('\r\n\r\n', start) : -1; // of a trailer, which is dropped
      if (last >= 0) return this.#finish(piped, rest.length > last + 4);
      if (!length) {
        this.#part = rest;
        return;
      }
      this.#left = length;
      rest = rest.subarray(end + 2);
    }
  }

  #passOn(bytes: Buffer, { response }: Piped): void {
    if (bytes.length === 0 || response.write(bytes)) return;
    this.#socket.pause();
    response.off('drain', this.#goOn).once('drain', this.#goOn);
  }

  readonly #goOn = (): void => void this.#socket.resume();

  /** Returns what has come after it, if it is whole. */
  #takeHead(all: Buffer, piped: Piped): Buffer | undefined {
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const rest = all.subarray(end + 4);
    const [first = '', ...lines] = all.toString('latin1', 0, end).split('\r\n');
    const status = Number(first.slice(9, 12)); // after HTTP/1.1
    if (status < 200) return this.#takeHead(rest, piped); // the one that counts follows
    if (!(status < 1000)) {
      this.#socket.destroy(new Error('what has come is no answer'));
      return undefined;
    }
    clearTimeout(this.#timer);
    const headers: string[] = [];
    let length = Number.POSITIVE_INFINITY;
    for (const line of lines) {
      const colon = line.indexOf(':');
      const [name, value] = [line.slice(0, colon), line.slice(colon + 2)]; // as Node writes them
      headers.push(name, value);
      const key = name.toLowerCase();
      if (key === 'content-length') length = Number(value);
      else if (key === 'transfer-encoding')
        this.#isChunked = true; // Node knows no other
      else if (key === 'connection') this.#isLast = value.toLowerCase() === 'close';
    }
    const hasBody = piped.request.method !== 'HEAD' && status !== 204 && status !== 304;
    this.#isChunked &&= hasBody;
    this.#left = this.#isChunked || !hasBody ? 0 : length;
    piped.answered(status, first.slice(13), headers);
    return rest;
  }

  /** @param isTooLong whether there is more than the answer: whatever it is, nothing can follow it */
  #finish(piped: Piped, isTooLong: boolean, last?: Buffer): void {
    const isReusable = !this.#isSending && !this.#isLast && !isTooLong;
    this.#release(piped);
    piped.response.end(last);
    if (isReusable) this.#done();
    else this.destroy();
  }

  /** The connection has ended, whether with the last of a body or before. */
  #break(): void {
    const piped = this.#piped;
    if (!piped) return;
    const left = this.#left;
    this.#release(piped);
    if (left === undefined) piped.failed(this.#error ?? Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
    else if (left === Number.POSITIVE_INFINITY && !this.#error) piped.response.end();
    else piped.response.destroy(); // that worker has died while it answered
  }

  #release({ request, response }: Piped): void {
    clearTimeout(this.#timer);
    this.#client?.off('close', this.#giveUp);
    response.off('drain', this.#goOn);
    request.off('data', this.#sendBytes).off('end', this.#endBody);
    request.resume(); // there may be an answer before it has been read
    this.#goOn(); // with the last of it there may be more than the client has taken
    this.#piped = this.#part = this.#left = this.#client = undefined;
    this.#isSending = this.#isChunked = false;
  }
}

const CHUNKED: RawHeaders = ['Transfer-Encoding', 'chunked'];

/** What says how long the body is that the request is sent with. */
function framingOf({ method, headers }: IncomingMessage): RawHeaders {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  if (encoding !== undefined) return CHUNKED;
  if (length !== undefined) return length === '0' ? [] : ['Content-Length', length];
  // Node shows the first 1,000 headers only, and the one that says it may stand behind them
  return method === 'GET' || method === 'HEAD' ? [] : CHUNKED;
}

/** What begins a request, in latin1 as headers are. No line end is in what Node has parsed, be it with its lenient parser. */
export function headOf({ method, url }: IncomingMessage, headers: RawHeaders): string {
  let head = `${method} ${url} HTTP/1.1\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}

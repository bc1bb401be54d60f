/**
 * Requests that are piped to another worker: HTTP/1.1 over Unix sockets that are kept, https://www.rfc-editor.org/rfc/rfc9112.
 * Node's own client is made for servers that one does not know, and takes twice the CPU time.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';

/** Headers as Node has them raw: name, value, name, value. */
export type RawHeaders = readonly string[];

/** A request to be piped. */
export interface Piped {
  readonly request: IncomingMessage;
  /** What it is sent with instead of its own. */
  readonly headers: RawHeaders;
  /** Where the answer's body goes, after `answered` has written its head. */
  readonly response: ServerResponse;
  /** How long it may take until the answer begins, in ms: over a connection of its own then. Default: for ever, over any. */
  readonly patience: number | undefined;
  answered(status: number, message: string, headers: string[]): void;
  /** There will be no answer. What has been sent of the request may have been received. */
  failed(error: Error): void;
}

/** The connections of one worker to all others. */
export class RequestPipes {
  /** Those over which nothing goes now, by path. */
  readonly #idle = new Map<string, Set<Pipe>>();
  readonly #busy = new Set<Pipe>();

  /** @param path of the other worker's socket */
  send(path: string, piped: Piped): void {
    const isAlone = piped.patience !== undefined;
    const pipe = (isAlone ? undefined : this.#takeIdle(path)) ?? new Pipe(path, () => this.#remove(path, pipe));
    this.#busy.add(pipe);
    pipe.send(piped, () => {
      this.#busy.delete(pipe);
      if (isAlone) pipe.destroy();
      else this.#keep(path, pipe);
    });
  }

  close(): void {
    for (const pipes of [this.#busy, ...this.#idle.values()]) for (const pipe of pipes) pipe.destroy();
  }

  #takeIdle(path: string): Pipe | undefined {
    const pipes = this.#idle.get(path);
    const [pipe] = pipes ?? [];
    if (pipe) pipes?.delete(pipe);
    return pipe;
  }

  #keep(path: string, pipe: Pipe): void {
    const pipes = this.#idle.get(path);
    if (pipes) pipes.add(pipe);
    else this.#idle.set(path, new Set([pipe]));
  }

  #remove(path: string, pipe: Pipe): void {
    this.#busy.delete(pipe);
    const pipes = this.#idle.get(path);
    pipes?.delete(pipe);
    if (pipes?.size === 0) this.#idle.delete(path);
  }
}

const CR = 13;

/** A connection, over which one request goes after the other. */
class Pipe {
  readonly #socket: Socket;
  #error: Error = Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' });
  #piped: Piped | undefined;
  #done = (): void => {};
  #timer: NodeJS.Timeout | undefined;
  /** Whether there is more to come of the request. */
  #isSending = false;
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
    response.once('close', this.#giveUp);
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
    this.#isSending = encoding !== undefined || length !== '0';
    if (this.#isSending) {
      request.on('data', encoding === undefined ? this.#sendBytes : this.#sendChunk);
      request.once('end', this.#endBody);
      this.#socket.cork(); // the body, if it is there already, leaves with the head
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(headOf(request, headers), 'latin1');
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
    if (!this.#socket.write(bytes)) this.#piped?.request.pause(); // until 'drain'
  };

  readonly #sendChunk = (bytes: Buffer): void => {
    this.#socket.write(`${bytes.length.toString(16)}\r\n`);
    this.#sendBytes(bytes);
    this.#socket.write('\r\n');
  };

  readonly #endBody = (): void => {
    this.#isSending = false;
    if (this.#piped?.request.headers['transfer-encoding'] !== undefined) this.#socket.write('0\r\n\r\n');
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
    this.#left = (this.#left ?? 0) - bytes.length;
    if (this.#left <= 0) this.#finish(piped, bytes);
    else this.#passOn(bytes, piped);
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
      if (length === 0 && rest.includes('\r\n\r\n', start)) return this.#finish(piped);
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
    response.once('drain', () => this.#socket.resume());
  }

  /** Returns what has come after it, if it is whole. */
  #takeHead(all: Buffer, piped: Piped): Buffer | undefined {
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const rest = all.subarray(end + 4);
    const [first = '', ...lines] = all.toString('latin1', 0, end).split('\r\n');
    const status = Number(first.slice(9, 12)); // after HTTP/1.1
    if (status < 200) return this.#takeHead(rest, piped); // the one that counts follows
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
      else if (key === 'connection') this.#isLast = value === 'close';
    }
    const hasBody = piped.request.method !== 'HEAD' && status !== 204 && status !== 304;
    this.#isChunked &&= hasBody;
    this.#left = this.#isChunked || !hasBody ? 0 : length;
    piped.answered(status, first.slice(13), headers);
    return rest;
  }

  #finish(piped: Piped, last?: Buffer): void {
    const isReusable = !this.#isSending && !this.#isLast && this.#left === 0;
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
    if (left === undefined) piped.failed(this.#error);
    else if (left === Number.POSITIVE_INFINITY) piped.response.end();
    else piped.response.destroy(); // that worker has died while it answered
  }

  #release({ request, response }: Piped): void {
    clearTimeout(this.#timer);
    response.off('close', this.#giveUp);
    request.off('data', this.#sendBytes).off('data', this.#sendChunk).off('end', this.#endBody);
    request.resume(); // there may be an answer before it has been read
    this.#socket.resume(); // with the last of it there may be more than the client has taken
    this.#piped = this.#part = this.#left = undefined;
    this.#isSending = this.#isChunked = false;
  }
}

/** What begins a message, in latin1 as headers are. What Node has parsed has no line end in it. */
export function headOf({ method, url }: IncomingMessage, headers: RawHeaders): string {
  let head = `${method} ${url} HTTP/1.1\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}

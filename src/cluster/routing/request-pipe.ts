/** A connection to another worker that pipes requests one after the other. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { AnswerReader } from './answer-reader';
import { headOf, type RawHeaders } from './headers';

/** A request to be piped. */
export interface Piped {
  readonly request: IncomingMessage;
  /** Headers to send in place of the request's own; Content-Length and Transfer-Encoding are added here. */
  readonly headers: RawHeaders;
  /** Receives the answer's body, after `answered` has written its head. */
  readonly response: ServerResponse;
  /** Time in ms until the answer has to begin. With it, the request gets a connection of its own. Default: no limit, and an idle connection is reused. */
  readonly timeout: number | undefined;
  answered(status: number, message: string, headers: string[]): void;
  /** Called if there is no answer. The other worker may have received the request or a part of it. */
  failed(error: Error): void;
}

const CHUNKED: RawHeaders = ['Transfer-Encoding', 'chunked'];

export class RequestPipe {
  readonly #socket: Socket;
  #error: Error | undefined;
  #piped: Piped | undefined;
  #onDone = (): void => {};
  #timer: NodeJS.Timeout | undefined;
  /** Emits 'close' when the client has gone. */
  #client: ServerResponse | Socket | undefined;
  /** Whether the request's body is incomplete. */
  #isSending = false;
  #sendsChunks = false;

  /** @param onClose called when the connection has closed, for any reason */
  constructor(path: string, onClose: () => void) {
    this.#socket = connect(path);
    this.#socket.on('data', bytes => {
      if (this.#piped) this.#answer.read(bytes);
      else this.destroy(); // unexpected bytes
    });
    this.#socket.on('drain', () => this.#piped?.request.resume());
    this.#socket.on('error', error => (this.#error = error)); // 'close' follows
    this.#socket.on('close', () => {
      onClose();
      this.#onConnectionEnd();
    });
  }

  /** @param onDone called when the next request may follow */
  send(piped: Piped, onDone: () => void): void {
    const { request, headers, response, timeout } = piped;
    this.#piped = piped;
    this.#onDone = onDone;
    this.#answer.expect(request.method);
    if (timeout !== undefined) this.#timer = setTimeout(() => this.#socket.destroy(new Error(`no answer in ${timeout} ms`)), timeout);
    // a response that is queued behind others of the same connection does not emit 'close' when the client goes
    this.#client = response.socket ? response : request.socket.setMaxListeners(0);
    this.#client.once('close', this.#onClientGone);
    const framing = framingOf(request);
    this.#sendsChunks = framing === CHUNKED;
    this.#isSending = framing.length > 0;
    if (this.#isSending) {
      request.on('data', this.#sendBytes);
      request.once('end', this.#endBody);
      this.#socket.cork(); // sends the head together with a body that has arrived already
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(headOf(request, [...headers, ...framing]), 'latin1');
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onClientGone = (): void => {
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

  readonly #answer = new AnswerReader({
    onHead: (status, message, headers) => {
      clearTimeout(this.#timer);
      this.#piped?.answered(status, message, headers);
    },
    onBody: bytes => {
      const { response } = this.#piped ?? {};
      if (!response || response.write(bytes)) return;
      this.#socket.pause();
      response.off('drain', this.#readOn).once('drain', this.#readOn);
    },
    onEnd: (last, isReusable) => {
      const piped = this.#piped;
      if (!piped) return;
      const isDone = isReusable && !this.#isSending;
      this.#release(piped);
      piped.response.end(last);
      if (isDone) this.#onDone();
      else this.destroy();
    },
    onInvalid: () => this.#socket.destroy(new Error('the other worker has not sent an HTTP answer')),
  });

  readonly #readOn = (): void => void this.#socket.resume();

  /** Handles the end of the connection, which completes a body without a length and aborts any other answer. */
  #onConnectionEnd(): void {
    const piped = this.#piped;
    if (!piped) return;
    this.#release(piped);
    if (!this.#answer.hasHead) piped.failed(this.#error ?? Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
    else if (this.#answer.endsWithConnection && !this.#error) piped.response.end();
    else piped.response.destroy();
  }

  #release({ request, response }: Piped): void {
    clearTimeout(this.#timer);
    this.#client?.off('close', this.#onClientGone);
    response.off('drain', this.#readOn);
    request.off('data', this.#sendBytes).off('end', this.#endBody);
    request.resume(); // the answer may have arrived before the whole request was read
    this.#readOn(); // may be paused, if the client did not take the last bytes
    this.#piped = this.#client = undefined;
    this.#isSending = false;
  }
}

/** The headers for the length of the piped body. Empty if there is no body. */
function framingOf({ method, headers }: IncomingMessage): RawHeaders {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  if (encoding !== undefined) return CHUNKED;
  if (length !== undefined) return length === '0' ? [] : ['Content-Length', length];
  // Node parses the first 1,000 headers only; the length may be in a later one
  return method === 'GET' || method === 'HEAD' ? [] : CHUNKED;
}

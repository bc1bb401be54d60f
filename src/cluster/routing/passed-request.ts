/** One request that is passed to the owner of its session, until it has been answered. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type AnswerHandler, AnswerReader } from './answer-reader';
import { FRAME, type Link, Parts, Taken } from './link';
import { encodeHead } from './linked-head';
import { clientOf } from './peer';
import { sessionIdOf } from './session-ids';

/** A request to be passed on. */
export interface PassedOn {
  readonly request: IncomingMessage;
  /** Receives the answer's body, after `answered` has written its head. */
  readonly response: ServerResponse;
  /** Time in ms until the answer has to begin. Undefined for no limit. */
  readonly timeout: number | undefined;
  answered(status: number, message: string, headers: string[]): void;
  /** Called if there is no answer. The other worker may have received the request or a part of it. */
  failed(error: Error): void;
}

export class PassedRequest implements AnswerHandler {
  readonly #link: Link;
  readonly #id: number;
  readonly #passed: PassedOn;
  readonly #onDone: () => void;
  /** Emits 'close' when the client has gone. */
  readonly #client: ServerResponse | Socket;
  readonly #answer: AnswerReader;
  /** Of the request's body. */
  #parts: Parts | undefined;
  /** Of an answer that has come in several parts. */
  #taken: Taken | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Bytes of the answer that the client has not taken. */
  #unread = 0;
  #isDone = false;

  constructor(link: Link, id: number, passed: PassedOn, onDone: () => void) {
    const { request, response, timeout } = passed;
    this.#link = link;
    this.#id = id;
    this.#passed = passed;
    this.#onDone = onDone;
    this.#answer = new AnswerReader(request.method, this);
    // a response that is queued behind others of the same connection does not emit 'close' when the client goes
    this.#client = response.socket ? response : request.socket.setMaxListeners(0);
    this.#client.once('close', this.#onClientGone);
    if (timeout !== undefined) this.#timer = setTimeout(() => this.#giveUp(timeout), timeout);
    const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
    link.send(FRAME.request, id, encodeHead(request, clientOf(request), hasBody));
    if (!hasBody) return;
    this.#parts = new Parts(link, id, () => void request.resume());
    request.on('data', this.#sendBytes).once('end', this.#endBody);
  }

  receive(kind: number, content: Buffer): void {
    if (kind === FRAME.part) this.#readAnswer(content);
    else if (kind === FRAME.taken) this.#parts?.addRoom(content);
    else if (kind === FRAME.end && this.#answer.isOpenEnded) this.onEnd();
    else this.breakOff();
  }

  /** Has the owner answer, if the request waits for something to send. The client's connection closes with the answer. */
  endPoll(): void {
    const { request, response } = this.#passed;
    response.shouldKeepAlive = false;
    if (request.method === 'GET') this.#link.send(FRAME.answer, 0, Buffer.from(sessionIdOf(request)));
  }

  /** There will be no answer, or no more of it. */
  breakOff(error: Error = Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })): void {
    const { response, failed } = this.#passed;
    this.#release();
    if (this.#answer.hasHead) response.destroy();
    else failed(error);
  }

  onHead(status: number, message: string, headers: string[]): void {
    clearTimeout(this.#timer);
    this.#passed.answered(status, message, headers);
  }

  onBody(bytes: Buffer): void {
    this.#passed.response.write(bytes);
  }

  onEnd(last?: Buffer): void {
    this.#release();
    this.#passed.response.end(last);
  }

  onInvalid(): void {
    this.breakOff(new Error('the other worker has not sent an HTTP answer'));
  }

  readonly #onClientGone = (): void => {
    this.#link.send(FRAME.gone, this.#id);
    this.#release();
  };

  readonly #onDrain = (): void => {
    this.#taken ??= new Taken(this.#link, this.#id);
    this.#taken.add(this.#unread);
    this.#unread = 0;
  };

  readonly #sendBytes = (bytes: Buffer): void => {
    if (!this.#parts?.send(bytes)) this.#passed.request.pause();
  };

  readonly #endBody = (): void => this.#link.send(FRAME.end, this.#id);

  #readAnswer(bytes: Buffer): void {
    this.#answer.read(bytes);
    if (this.#isDone) return;
    this.#unread += bytes.length;
    const { response } = this.#passed;
    if (response.writableNeedDrain) response.off('drain', this.#onDrain).once('drain', this.#onDrain);
    else this.#onDrain();
  }

  #giveUp(timeout: number): void {
    this.#link.send(FRAME.gone, this.#id);
    this.breakOff(new Error(`no answer in ${timeout} ms`));
  }

  #release(): void {
    const { request, response } = this.#passed;
    clearTimeout(this.#timer);
    this.#isDone = true;
    this.#onDone();
    this.#client.off('close', this.#onClientGone);
    response.off('drain', this.#onDrain);
    request.off('data', this.#sendBytes).off('end', this.#endBody);
    request.resume(); // the answer may have arrived before the whole request was read
  }
}

/** The owner's end of a link: requests of other workers' clients, which look as if these had sent them here, and their answers. */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, Writable } from 'node:stream';
import { FRAME, Link, Parts, Taken } from './link';
import { decodeHead, headersOf, type LinkedHead } from './linked-head';

/** What the owner does for another worker. */
export interface LinkHandlers {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Has the client of a session move. @param session its id */
  move(session: string): void;
  /** Answers the request of a session that waits for something to send, else the next one. @param session its id */
  answer(session: string): void;
}

/** @param head bytes that came with the request for the link */
export function acceptLink(connection: Duplex, head: Buffer, { handle, move, answer: answerNow }: LinkHandlers): Link {
  const requests = new Map<number, LinkedRequest>();
  const link = new Link(connection, (kind, id, content) => {
    if (kind === FRAME.move) return move(content.toString());
    if (kind === FRAME.answer) return answerNow(content.toString());
    if (kind !== FRAME.request) {
      requests.get(id)?.receive(kind, content);
      return;
    }
    const linkedHead = decodeHead(content);
    const answer = new Answer(link, id, linkedHead, () => requests.delete(id));
    const request = new LinkedRequest(answer, linkedHead);
    requests.set(id, request);
    handle(request, answer.responseTo(request));
    if (!linkedHead.hasBody) request.end();
  });
  connection.on('error', () => {}); // 'close' follows
  connection.once('close', () => {
    for (const request of requests.values()) request.abort();
  });
  link.read(head);
  return link;
}

class LinkedRequest extends IncomingMessage {
  readonly #answer: Answer;
  #unread = 0;

  constructor(answer: Answer, { method, url, rawHeaders }: LinkedHead) {
    super(answer as unknown as Socket); // the parts of it that apps read are there
    this.#answer = answer;
    this.method = method;
    this.url = url;
    this.rawHeaders = rawHeaders;
    this.headers = headersOf(rawHeaders);
    this.httpVersion = '1.1';
    this.httpVersionMajor = this.httpVersionMinor = 1;
  }

  receive(kind: number, content: Buffer): void {
    if (kind === FRAME.part) {
      this.#unread += content.length;
      this.push(content);
    } else if (kind === FRAME.end) this.end();
    else if (kind === FRAME.taken) this.#answer.addRoom(content);
    else this.abort();
  }

  end(): void {
    this.complete = true;
    this.push(null);
  }

  /** As Node does when a client goes. */
  abort(): void {
    this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
    this.#answer.destroy();
  }

  override _read(size: number): void {
    super._read(size); // from the first call on, Node asks for more by itself
    if (this.#unread === 0) return;
    this.#answer.taken.add(this.#unread);
    this.#unread = 0;
  }
}

/** What the answer is written to; for the app, the client's connection. */
class Answer extends Writable {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly encrypted: boolean;
  readonly #link: Link;
  readonly #id: number;
  readonly #parts: Parts;
  readonly #onDone: () => void;
  #taken: Taken | undefined;
  #onSent: () => void = () => {};
  #isComplete = false;

  constructor(link: Link, id: number, { address, port, isSecure }: LinkedHead, onDone: () => void) {
    super();
    this.#link = link;
    this.#id = id;
    this.#parts = new Parts(link, id, () => this.#onSent());
    this.#onDone = onDone;
    this.remoteAddress = address;
    this.remotePort = port;
    this.encrypted = isSecure;
  }

  /** Of the request's body. */
  get taken(): Taken {
    return (this.#taken ??= new Taken(this.#link, this.#id));
  }

  /** As that of a connection: grows while the client reads, also in the middle of a large write. */
  get bytesWritten(): number {
    return this.#parts.sent;
  }

  /** Does what Node's server does. */
  responseTo(request: IncomingMessage): ServerResponse {
    const response = new ServerResponse(request);
    const connection = this as unknown as Socket; // the response only writes to it
    response.assignSocket(connection);
    this.on('drain', () => response.emit('drain'));
    response.once('finish', () => {
      response.detachSocket(connection);
      this.#isComplete = true;
      this.#link.send(FRAME.end, this.#id);
      this.#onDone();
      process.nextTick(() => {
        // not earlier: of a compressed answer, Engine.IO hears by a later listener of 'finish' that it is complete
        response.emit('close');
        request.emit('close');
      });
    });
    return response;
  }

  addRoom(content: Buffer): void {
    this.#parts.addRoom(content);
  }

  /** The workers' public servers have time-outs. */
  setTimeout(): this {
    return this;
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#parts.send(bytes)) done();
    else this.#onSent = done;
  }

  override _destroy(_error: Error | null, done: () => void): void {
    if (!this.#isComplete) {
      this.#link.send(FRAME.gone, this.#id);
      this.#onDone();
    }
    done();
  }
}

/** Passes requests to the sessions of other workers: all of those to one worker over one connection. */
import { connect, type Socket } from 'node:net';
import { PEER_HEADER } from './headers';
import { FRAME, Link } from './link';
import { PassedRequest, type PassedOn } from './passed-request';
import { linkPeer } from './peer';

/** The connections of this worker to all others. */
export class RequestLinks {
  readonly #links = new Map<string, RequestLink>();
  readonly #head: string;
  #endsPolls = false;
  #onIdle: () => void = () => {};

  /** @param secret shared by the workers of this start of the app only */
  constructor(secret: string) {
    this.#head = `GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: link\r\n${PEER_HEADER}: ${linkPeer(secret)}\r\n\r\n`;
  }

  /** @param path of the other worker's socket */
  send(path: string, passed: PassedOn): void {
    const request = this.#linkTo(path).send(passed);
    if (this.#endsPolls) request.endPoll();
  }

  /** From now on, owners answer requests that wait for something to send, so that the next ones come by way of other workers. */
  endPolls(): void {
    this.#endsPolls = true;
    for (const link of this.#links.values()) link.endPolls();
  }

  /** Asks the owner of a session to have its client move. @param path as of `send` */
  move(path: string, session: string): void {
    this.#linkTo(path).move(session);
  }

  /** Resolves when no request is being passed on. */
  async idle(): Promise<void> {
    if (!this.#isIdle) await new Promise<void>(resolve => (this.#onIdle = resolve));
  }

  close(): void {
    for (const { connection } of this.#links.values()) connection.destroy();
  }

  get #isIdle(): boolean {
    return [...this.#links.values()].every(({ isIdle }) => isIdle);
  }

  #linkTo(path: string): RequestLink {
    let link = this.#links.get(path);
    if (!link) {
      link = new RequestLink(connect(path), this.#head, () => {
        if (this.#isIdle) this.#onIdle();
      });
      this.#links.set(path, link);
      link.connection.once('close', () => this.#links.delete(path));
    }
    return link;
  }
}

class RequestLink {
  readonly connection: Socket;
  readonly #link: Link;
  readonly #requests = new Map<number, PassedRequest>();
  readonly #onIdle: () => void;
  #lastId = 0;

  constructor(connection: Socket, head: string, onIdle: () => void) {
    this.connection = connection;
    this.#onIdle = onIdle;
    connection.write(head);
    this.#link = new Link(connection, (kind, id, content) => this.#requests.get(id)?.receive(kind, content));
    let failure: Error | undefined;
    connection.on('error', error => (failure = error)); // 'close' follows
    connection.once('close', () => {
      for (const request of this.#requests.values()) request.breakOff(failure);
    });
  }

  get isIdle(): boolean {
    return this.#requests.size === 0;
  }

  send(passed: PassedOn): PassedRequest {
    const id = (this.#lastId = (this.#lastId + 1) >>> 0);
    const onDone = (): void => {
      this.#requests.delete(id);
      if (this.isIdle) this.#onIdle();
    };
    const request = new PassedRequest(this.#link, id, passed, onDone);
    this.#requests.set(id, request);
    return request;
  }

  endPolls(): void {
    for (const request of this.#requests.values()) request.endPoll();
  }

  move(session: string): void {
    this.#link.send(FRAME.move, 0, Buffer.from(session)); // the app may have made the id
  }
}

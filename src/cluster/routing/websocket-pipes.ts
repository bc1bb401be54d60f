/** Pipes WebSockets of clients to the workers that own their sessions. */
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { headOf, type RawHeaders } from './headers';
import { sessionIdOf } from './session-ids';

/** An upgrade to be piped. */
export interface PipedUpgrade {
  readonly request: IncomingMessage;
  readonly client: Socket;
  /** Bytes that the client sent after its request. */
  readonly head: Buffer;
  /** Headers to send instead of the request's own. */
  readonly headers: RawHeaders;
  /** Time in ms within which every living client sends something. */
  readonly heartbeat: number;
  /** Called if the owner cannot be reached. The client's connection stays open. */
  failed(error: Error): void;
}

/** A session whose WebSocket is piped. */
interface PipedSession {
  readonly id: string;
  /** Of the owner's socket. */
  readonly path: string;
}

/** Time in ms for a client to read what its owner sent last; also the grace added to its heartbeat. */
const CLIENT_GRACE = 5_000;

export class WebSocketPipes {
  readonly #clients = new Map<Socket, Socket>();
  /** Those whose clients have not been asked to move, oldest first. */
  readonly #unmoved = new Map<Socket, PipedSession>();
  readonly #waiting = new Set<() => void>();

  /** @param path of the owner's socket */
  send(path: string, { request, client, head, headers, heartbeat, failed }: PipedUpgrade): void {
    const owner = connect(path);
    const remove = (): void => {
      this.#clients.delete(client);
      this.#unmoved.delete(client);
      if (this.#clients.size === 0) for (const onIdle of this.#waiting) onIdle();
    };
    const onFailure = (error: Error): void => {
      remove();
      failed(error);
    };
    this.#clients.set(client, owner);
    this.#unmoved.set(client, { id: sessionIdOf(request), path });
    client.on('error', () => {}); // 'close' follows
    client.once('close', () => {
      owner.destroySoon();
      remove();
    });
    owner.once('error', onFailure);
    owner.once('connect', () => {
      owner.off('error', onFailure).on('error', () => {}); // 'close' follows
      // while the client does not read, this worker cannot detect that the owner has closed
      client.setTimeout(heartbeat + CLIENT_GRACE, () => destroy(client, owner));
      client.setNoDelay(true);
      owner.write(headOf(request, headers), 'latin1');
      if (head.length > 0) owner.write(head);
      owner.once('close', () => {
        client.setTimeout(CLIENT_GRACE);
        client.destroySoon();
      });
      owner.pipe(client);
      client.pipe(owner);
    });
  }

  get count(): number {
    return this.#clients.size;
  }

  /** The oldest ones, each of them once. */
  takeUnmoved(count: number): PipedSession[] {
    const taken = [...this.#unmoved].slice(0, count);
    for (const [client] of taken) this.#unmoved.delete(client);
    return taken.map(([, session]) => session);
  }

  /** Resolves when no WebSocket is piped any more. */
  async idle(): Promise<void> {
    if (this.#clients.size > 0) await new Promise<void>(resolve => this.#waiting.add(resolve));
  }

  /** Closes all of them. */
  close(): void {
    for (const [client, owner] of this.#clients) destroy(client, owner);
  }
}

function destroy(client: Socket, owner: Socket): void {
  client.destroy();
  owner.destroy();
}

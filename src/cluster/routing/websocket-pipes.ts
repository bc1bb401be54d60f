/** Pipes WebSockets of clients to the workers that own their sessions. */
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { headOf, type RawHeaders } from './headers';

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

/** Time in ms for a client to read what its owner sent last; also the grace added to its heartbeat. */
const CLIENT_GRACE = 5_000;

export class WebSocketPipes {
  readonly #clients = new Map<Socket, Socket>();
  #onIdle: () => void = () => {};

  /** @param path of the owner's socket */
  send(path: string, { request, client, head, headers, heartbeat, failed }: PipedUpgrade): void {
    const owner = connect(path);
    const remove = (): void => {
      this.#clients.delete(client);
      if (this.#clients.size === 0) this.#onIdle();
    };
    const onFailure = (error: Error): void => {
      remove();
      failed(error);
    };
    this.#clients.set(client, owner);
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

  /** Resolves when no WebSocket is piped any more. */
  async idle(): Promise<void> {
    if (this.#clients.size > 0) await new Promise<void>(resolve => (this.#onIdle = resolve));
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

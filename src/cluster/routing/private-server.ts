/** The server at a worker's private socket. It receives the requests that other workers pipe to the sessions of this worker. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server as EngineServer } from 'engine.io';
import { SetupError } from '../../errors';
import { PEER_HEADER } from './headers';
import type { Link } from './link';
import { acceptLink, type LinkHandlers } from './linked-requests';
import { isForLink, restorePeer } from './peer';
import type { RoutingLog } from './routing-log';
import { beginsSession } from './session-ids';

/** In bytes. The piping worker has checked the size of the headers, and has added one. */
const MAX_HEADER_SIZE = 1024 * 1024;

/** The most connections that may wait while this worker is busy. The system's own limit is lower. */
const BACKLOG = 65_535;

export class PrivateServer {
  readonly #secret: string;
  readonly #log: RoutingLog;
  /** Without time-outs: the workers' public servers have theirs. */
  readonly #server = createServer({
    keepAliveTimeout: 0,
    requestTimeout: 0,
    headersTimeout: 0,
    maxHeaderSize: MAX_HEADER_SIZE,
    requireHostHeader: false,
  });
  /** Connections of other workers for many requests. */
  readonly #links = new Set<Link>();
  #refusesSessions = false;

  /** @param secret shared by the workers of this start of the app only */
  constructor(secret: string, log: RoutingLog) {
    this.#secret = secret;
    this.#log = log;
  }

  /** @throws SetupError if the socket cannot be opened */
  async listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    try {
      await once(this.#server.listen({ path, backlog: BACKLOG, exclusive: true }), 'listening'); // exclusive: the master would treat it as the app's server
    } catch (cause) {
      const { message } = cause as Error; // Node's
      throw new SetupError('IO_RUN_FOLDER_UNUSABLE', `a socket cannot be opened (${message}); does the file system support sockets?`, {
        cause,
      });
    }
    this.#server.on('error', error => this.#log.error('a request of another worker was not accepted:', error));
  }

  /** Passes requests and upgrades from other workers to the engine. */
  serve(
    engine: EngineServer,
    handlers: LinkHandlers,
    handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
  ): void {
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      if (this.#refusesSessions && beginsSession(request)) {
        request.socket.destroy(); // the other worker begins the session itself
        return;
      }
      response.setHeader(PEER_HEADER, engine.clientsCount);
      handlers.handle(request, response);
    };
    this.#server.on('request', request => this.#refuse(request)); // those of other workers come over links
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const isLink = isForLink(request);
      if (!this.#isAllowed(request)) return;
      if (!isLink) return handleUpgrade(request, socket, head);
      const link = acceptLink(socket, head, { ...handlers, handle });
      this.#links.add(link);
      socket.once('close', () => this.#links.delete(link));
    });
  }

  /** Refuses new sessions from other workers from now on. */
  refuseSessions(): void {
    this.#refusesSessions = true;
  }

  /** Accepts no more connections. */
  close(): void {
    this.#server.close();
  }

  closeAllConnections(): void {
    this.#server.closeAllConnections();
    for (const link of this.#links) link.end();
  }

  #isAllowed(request: IncomingMessage): boolean {
    if (restorePeer(request, this.#secret)) return true;
    this.#refuse(request);
    return false;
  }

  #refuse(request: IncomingMessage): void {
    const problem = 'a request to the private socket without the secret of this start was refused; the run folder may have been removed';
    this.#log.errorOnce('secret', problem);
    request.socket.destroy();
  }
}

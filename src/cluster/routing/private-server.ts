/** The server at a worker's private socket. The other workers hand over to it what belongs to sessions of this worker. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server as EngineServer } from 'engine.io';
import { SetupError } from '../../errors';
import { PEER_HEADER } from './headers';
import { restorePeer } from './peer';
import type { RoutingLog } from './routing-log';
import { beginsSession } from './session-ids';

/** In bytes. The worker in front has checked the headers' size; here there is one header more. */
const MAX_HEADER_SIZE = 1024 * 1024;

/** How many connections may wait while this worker is busy. The system's own limit is lower. */
const BACKLOG = 65_535;

export class PrivateServer {
  readonly #secret: string;
  readonly #log: RoutingLog;
  /** Without time limits: the servers in front have theirs. */
  readonly #server = createServer({
    keepAliveTimeout: 0,
    requestTimeout: 0,
    headersTimeout: 0,
    maxHeaderSize: MAX_HEADER_SIZE,
    requireHostHeader: false,
    IncomingMessage: PipedRequest,
  });
  #refusesSessions = false;

  /** @param secret known to the workers of this start of the app only */
  constructor(secret: string, log: RoutingLog) {
    this.#secret = secret;
    this.#log = log;
  }

  /** @throws SetupError if no socket can be opened there */
  async listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    try {
      await once(this.#server.listen({ path, backlog: BACKLOG, exclusive: true }), 'listening'); // not through the master, which would take it for the app's server
    } catch (cause) {
      const { message } = cause as Error; // Node's
      throw new SetupError('IO_RUN_FOLDER_UNUSABLE', `no socket can be opened (${message}); is it a file system that has sockets?`, {
        cause,
      });
    }
    this.#server.on('error', error => this.#log.error('a request of another worker was not accepted:', error));
  }

  /** Gives what comes from other workers to the engine. */
  serve(
    engine: EngineServer,
    handleRequest: (request: IncomingMessage, response: ServerResponse) => void,
    handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
  ): void {
    this.#server.on('request', (request, response) => {
      if (!this.#isAllowed(request)) return;
      request.response = response;
      if (this.#refusesSessions && beginsSession(request)) {
        request.socket.destroy(); // the worker that has sent it begins the session itself
        return;
      }
      response.setHeader(PEER_HEADER, engine.clientsCount);
      handleRequest(request, response);
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (this.#isAllowed(request)) handleUpgrade(request, socket, head);
    });
  }

  /** From now on no session of another worker's clients begins here. */
  refuseSessions(): void {
    this.#refusesSessions = true;
  }

  /** Accepts no more connections. */
  close(): void {
    this.#server.close();
  }

  closeAllConnections(): void {
    this.#server.closeAllConnections();
  }

  #isAllowed(request: IncomingMessage): boolean {
    if (restorePeer(request, this.#secret)) return true;
    const problem =
      'a request at the private socket without the secret of this start was refused: has the run folder been removed meanwhile?';
    this.#log.errorOnce('secret', problem);
    request.socket.destroy();
    return false;
  }
}

/** A request that another worker has handed over. */
class PipedRequest extends IncomingMessage {
  response: ServerResponse | undefined;

  /**
   * Engine.IO destroys a request that it refuses before it is whole, for example one that is too long. The other worker is still sending then,
   * and would fail before it has read the answer. So the rest is read instead; the other worker ends the connection when it has the answer.
   */
  override destroy(error?: Error): this {
    const isRefused = error === undefined && !this.complete && this.response?.writableEnded === true;
    return isRefused ? this.resume() : super.destroy(error);
  }
}

/**
 * Session routing: any worker accepts any request. The id of a session contains its owner, the worker that holds it. Another worker that gets a
 * request of the session pipes it to the owner's private socket, so that a proxy needs no affinity. A new session goes to another worker if that
 * one holds clearly fewer sessions.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { debug } from '../../debug';
import type { Logger } from '../../egg';
import { answerPoll } from '../../internals/engine-connection';
import { engineInternals } from '../../internals/engine-io';
import { engineOptions } from '../../internals/engine-options';
import type { RunFolder } from '../run-folder';
import { answerHeaders, sessionsIn, upgradeHeaders } from './headers';
import { Owners } from './owners';
import { describePeer } from './peer';
import { PrivateServer } from './private-server';
import { RequestLinks } from './request-links';
import { RoutingLog } from './routing-log';
import { beginsSession, prefixIds } from './session-ids';
import { WebSocketPipes } from './websocket-pipes';

/** The answer to an upgrade while the server is unavailable. */
export const SERVICE_UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** Time in ms for another worker to begin a session. After that, the session begins here. */
const BEGIN_TIMEOUT = 2000;

/** Time in ms between a closing worker's checks whether the others have closed. */
const CLOSING_CHECK_INTERVAL = 50;

/** Connection errors that mean that the worker does not exist any more. */
const GONE: ReadonlySet<unknown> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

export class SessionRouting {
  /** Those of clients of other workers. */
  readonly webSockets = new WebSocketPipes();
  readonly #worker: string;
  readonly #folder: RunFolder;
  readonly #log: RoutingLog;
  readonly #owners: Owners;
  readonly #private: PrivateServer;
  readonly #requests: RequestLinks;
  #engine: EngineServer | undefined;
  #onMove: (connection: EngineSocket) => void = () => {};

  /**
   * @param worker digits, different from those of all other workers of this start of the app
   * @param capacity the most sessions of a worker
   */
  constructor(worker: string, folder: RunFolder, logger: Logger, capacity = Number.POSITIVE_INFINITY) {
    this.#worker = worker;
    this.#folder = folder;
    this.#log = new RoutingLog(logger);
    this.#owners = new Owners(worker, folder, this.#log, capacity);
    this.#private = new PrivateServer(folder.secret, this.#log);
    this.#requests = new RequestLinks(folder.secret);
  }

  /** Opens the private socket. To be called before the first session. */
  async listen(): Promise<void> {
    await this.#private.listen(this.#folder.workerSocket(this.#worker));
  }

  /** Adds this worker to the engine's ids, and pipes requests of other workers' sessions to these. */
  attach(engine: EngineServer): void {
    if (this.#engine) return; // the engine of a second HTTP server, which other workers do not have: its sessions stay here
    this.#engine = engine;
    prefixIds(engine, `${this.#worker}.`);
    const handleRequest = engine.handleRequest.bind(engine);
    const handleUpgrade = engine.handleUpgrade.bind(engine);
    const { pingInterval, pingTimeout } = engineOptions(engine);
    const heartbeat = pingInterval + pingTimeout;

    engine.handleRequest = (request, response) => {
      const owner = beginsSession(request) ? this.#owners.forNewSession(engine.clientsCount) : this.#owners.otherOwnerOf(request);
      const handleHere = (): void => handleRequest(request, response);
      if (owner === undefined) handleHere();
      else this.#pipeRequest(owner, request, response, handleHere);
    };
    engine.handleUpgrade = (request, socket, head) => {
      const owner = this.#owners.otherOwnerOf(request);
      const handleHere = (): void => handleUpgrade(request, socket, head);
      if (owner === undefined || !(socket instanceof Socket)) handleHere();
      else this.#pipeUpgrade(owner, request, socket, head, heartbeat, handleHere);
    };
    const ifThere = (act: (connection: EngineSocket) => void) => (session: string) => {
      const { clients } = engineInternals(engine);
      const connection = Object.hasOwn(clients, session) ? clients[session] : undefined; // a client can ask for anything
      if (connection) act(connection);
    };
    const handlers = { handle: handleRequest, move: ifThere(connection => this.#onMove(connection)), answer: ifThere(answerPoll) };
    this.#private.serve(engine, handlers, handleUpgrade);
  }

  /** Calls `listener` with each connection of this worker whose WebSocket comes by way of another one that is about to stop. */
  onMove(listener: (connection: EngineSocket) => void): void {
    this.#onMove = listener;
  }

  /** Asks their owners to have the clients of piped WebSockets move, each of them once. @param most the most of them */
  movePiped(most = Number.POSITIVE_INFINITY): void {
    for (const { id, path } of this.webSockets.takeUnmoved(most)) this.#requests.move(path, id);
  }

  /**
   * Has another worker begin a session, since this one is about to stop. Returns whether there is one, and whether the request is that of a client that
   * polls: one that begins with WebSocket would lose its connection together with this worker.
   * @param handleHere called if that worker does not begin it
   */
  beginElsewhere(engine: EngineServer, request: IncomingMessage, response: ServerResponse, handleHere: () => void): boolean {
    const owner = engine === this.#engine && beginsSession(request) ? this.#owners.forNewSession(Number.POSITIVE_INFINITY) : undefined;
    if (owner !== undefined) this.#pipeRequest(owner, request, response, handleHere);
    return owner !== undefined;
  }

  /** Refuses new sessions from other workers from now on. */
  refuseSessions(): void {
    this.#private.refuseSessions();
  }

  /** To be called when this worker has no sessions any more, and takes no connections. Requests that wait at other workers are answered. */
  closePrivate(): void {
    this.#private.close();
    this.#requests.endPolls();
  }

  /** Resolves when no other worker is left whose clients may use this one, and nothing is piped any more. Waits for other workers `timeout` ms at most. */
  async untilAlone(timeout: number): Promise<void> {
    const end = performance.now() + timeout;
    while (performance.now() < end && (await this.#folder.hasOthers(this.#worker))) await wait(CLOSING_CHECK_INTERVAL);
    await this.webSockets.idle();
    await this.#requests.idle();
  }

  /** Closes the piped WebSockets: their clients connect again through another worker. Requests may finish. */
  release(): void {
    this.webSockets.close();
  }

  close(): void {
    this.refuseSessions();
    this.release();
    this.#requests.close();
    this.closePrivate();
    this.#private.closeAllConnections();
  }

  /** @param handleHere called if that worker has gone: this engine begins a session, or answers that the id is unknown */
  #pipeRequest(owner: string, request: IncomingMessage, response: ServerResponse, handleHere: () => void): void {
    const isFirst = beginsSession(request);
    this.#requests.send(this.#folder.workerSocket(owner), {
      request,
      response,
      timeout: isFirst ? BEGIN_TIMEOUT : undefined,
      answered: (status, message, headers) => {
        this.#owners.setSessions(owner, sessionsIn(headers));
        response.writeHead(status, message, answerHeaders(headers));
      },
      failed: error => {
        debug.routing('worker %s cannot be reached: %s', owner, error.message);
        this.#owners.markUnreachable(owner);
        if (response.destroyed) return;
        if (isFirst || isGone(error)) handleHere();
        else {
          this.#logFailure(owner, error);
          response.writeHead(503).end();
        }
      },
    });
  }

  #pipeUpgrade(owner: string, request: IncomingMessage, client: Socket, head: Buffer, heartbeat: number, handleHere: () => void): void {
    this.webSockets.send(this.#folder.workerSocket(owner), {
      request,
      headers: upgradeHeaders(request, describePeer(request, this.#folder.secret)),
      client,
      head,
      heartbeat,
      failed: error => {
        debug.routing('worker %s cannot be reached for an upgrade: %s', owner, error.message);
        if (isGone(error)) handleHere();
        else {
          this.#logFailure(owner, error);
          client.end(SERVICE_UNAVAILABLE);
        }
      },
    });
  }

  #logFailure(owner: string, error: Error): void {
    this.#log.errorOnce(owner, `worker ${owner} cannot be reached (${error.message})`);
  }
}

function isGone(error: Error): boolean {
  return 'code' in error && GONE.has(error.code);
}

/**
 * Session routing: any worker takes any request. A session's id names its owner, the worker that holds it; a request that reaches another
 * worker is piped to the owner's private socket, so that nothing in front of the workers need know which client belongs where. A session that
 * begins is piped, too, where another worker holds clearly fewer.
 */
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { Server as EngineServer } from 'engine.io';
import type { Logger } from '../../egg';
import { SetupError } from '../../errors';
import { headOf, PipedRequest, type RawHeaders, RequestPipes, SERVICE_UNAVAILABLE } from './request-pipe';
import type { RunFolder } from '../run-folder';

/** Digits and nothing else: a client can say it. */
const OWNER = /[?&]sid=([1-9]\d{0,8})\./;

/**
 * Carries the secret, and what the connection between workers does not show of the client, to the owner; and in the answer, how many sessions
 * that holds. From outside it is dropped, and so it is from what goes there.
 */
const PEER = 'x-egg-socket.io-peer';

/** Of a connection, not of the request that comes over it: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
const OF_CONNECTION = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect'];

/** What is not passed on: of requests, of answers, of upgrades. */
const OF_REQUESTS: ReadonlySet<string> = new Set([PEER, ...OF_CONNECTION, 'content-length', 'transfer-encoding']);
const OF_ANSWERS: ReadonlySet<string> = new Set([PEER, ...OF_CONNECTION, 'transfer-encoding']);
const OF_UPGRADES: ReadonlySet<string> = new Set([PEER]);

/** Headers have been measured when they came in from outside, and here there is one more. */
const MAX_HEADER_SIZE = 1024 * 1024;

/** So many sessions more than another worker, or this share more, are no reason to have the next one begin there. */
const SLACK = { sessions: 1, share: 0.1 };

/** How often to look for workers that are new, in ms. */
const LOOK_INTERVAL = 1000;

/** How often a worker that closes looks whether the others have closed, in ms. */
const CLOSING_LOOK_INTERVAL = 50;

/** How long another worker may take to begin a session, in ms: a worker that hangs shall get none. */
const BEGIN_PATIENCE = 2000;

/** How long a client may take for the last that its owner has sent, in ms; and how much later than its heartbeat it may be. */
const LAST_WORDS = 5_000;

/** Connections that wait for a worker which is busy. The system has a limit of its own, which is lower. */
const BACKLOG = 65_535;

/** What is to be heard of a worker that is not there, or not any more. */
const GONE: ReadonlySet<unknown> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

export class SessionRouting {
  readonly #worker: string;
  readonly #folder: RunFolder;
  readonly #logger: Logger;
  /** Where other workers hand over what belongs to this one. Time limits are for the servers in front. */
  readonly #private = createServer({
    keepAliveTimeout: 0,
    requestTimeout: 0,
    headersTimeout: 0,
    maxHeaderSize: MAX_HEADER_SIZE,
    requireHostHeader: false,
    IncomingMessage: PipedRequest,
  });
  /** What is being piped to other owners: requests, and WebSockets. */
  readonly #requests = new RequestPipes();
  readonly #webSockets = new Set<{ destroy(): unknown }>();
  readonly #logged = new Set<string>();
  /** How many sessions the other workers of the run folder hold, as far as they have said. Of one that has not answered it is infinite. */
  readonly #held = new Map<string, number>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #refusesSessions = false;
  #onRelease: () => void = () => {};
  #engine: EngineServer | undefined;

  /** @param worker digits, and unlike those of all other workers of this start of the app */
  constructor(worker: string, folder: RunFolder, logger: Logger) {
    this.#worker = worker;
    this.#folder = folder;
    this.#logger = logger;
  }

  /** Opens the private socket. To be called before the first session. */
  async listen(): Promise<void> {
    const path = this.#folder.workerSocket(this.#worker);
    rmSync(path, { force: true });
    try {
      await once(this.#private.listen({ path, backlog: BACKLOG, exclusive: true }), 'listening'); // not by way of the master, which would take it for the app's
    } catch (cause) {
      const { message } = cause as Error; // Node's
      throw new SetupError('IO_RUN_FOLDER_UNUSABLE', `no socket can be opened (${message}); is it a file system that has sockets?`, {
        cause,
      });
    }
    this.#private.on('error', error => this.#logger.error('[egg-socket.io] a request of another worker was not accepted:', error));
  }

  /** From here on the engine's ids name this worker, and requests for the sessions of others go there. */
  attach(engine: EngineServer): void {
    if (this.#engine) return; // one of a second HTTP server, which no other worker has: what it takes stays there
    this.#engine = engine;
    nameIn(engine, `${this.#worker}.`);
    const handleRequest = engine.handleRequest.bind(engine);
    const handleUpgrade = engine.handleUpgrade.bind(engine);
    const { pingInterval = 25_000, pingTimeout = 20_000 } = engine.opts; // always there: Engine.IO's defaults
    const heartbeat = pingInterval + pingTimeout;

    engine.handleRequest = (request, response) => {
      const owner = beginsSession(request) ? this.#ownerWithFewer(engine.clientsCount) : this.#otherOwnerOf(request);
      const handleHere = (): void => handleRequest(request, response);
      if (owner === undefined) handleHere();
      else this.#pipeRequest(owner, request, response, handleHere);
    };
    engine.handleUpgrade = (request, socket, head) => {
      const owner = this.#otherOwnerOf(request);
      const handleHere = (): void => handleUpgrade(request, socket, head);
      if (owner === undefined || !(socket instanceof Socket)) handleHere();
      else this.#pipeUpgrade(owner, request, socket, head, heartbeat, handleHere);
    };

    this.#private.on('request', (request, response) => {
      if (!this.#receive(request)) return;
      request.response = response;
      if (this.#refusesSessions && beginsSession(request)) {
        request.socket.destroy(); // it begins where it has come from
        return;
      }
      response.setHeader(PEER, engine.clientsCount);
      handleRequest(request, response);
    });
    this.#private.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (this.#receive(request)) handleUpgrade(request, socket, head);
    });
  }

  /** From here on other workers have no session begin here. */
  refuseSessions(): void {
    this.#refusesSessions = true;
  }

  /** This worker has no sessions any more: others need not ask for them. */
  closePrivate(): void {
    this.#private.close();
  }

  /** Resolves when no other worker has sessions either, whose clients may come this way, and nothing of theirs is on its way. */
  async untilAlone(timeout: number): Promise<void> {
    const end = performance.now() + timeout;
    while (performance.now() < end && (await this.#folder.hasOthers(this.#worker))) await wait(CLOSING_LOOK_INTERVAL);
    if (this.#webSockets.size > 0) await new Promise<void>(resolve => (this.#onRelease = resolve));
    await this.#requests.idle();
  }

  /** Lets go of the WebSockets that belong to others: they connect again, to a worker that stays. Requests may come to their end. */
  release(): void {
    for (const webSocket of this.#webSockets) webSocket.destroy();
  }

  close(): void {
    this.refuseSessions();
    this.release();
    this.#requests.close();
    this.closePrivate();
    this.#private.closeAllConnections();
  }

  /** The worker that holds a request's session, if it is another one. A client can name workers that there are not. */
  #otherOwnerOf({ url = '' }: IncomingMessage): string | undefined {
    const owner = OWNER.exec(url)?.[1];
    if (owner === undefined || owner === this.#worker) return undefined;
    return this.#held.has(owner) || this.#folder.hasWorker(owner) ? owner : undefined; // the latter where it has just come
  }

  /** For a session that begins. What is in front may keep its connections: then many of them come to the same worker. */
  #ownerWithFewer(own: number): string | undefined {
    if (performance.now() - this.#lookedAt > LOOK_INTERVAL) this.#lookForWorkers();
    let [owner, fewest]: [string | undefined, number] = [undefined, own];
    for (const [worker, held] of this.#held) if (held < fewest) [owner, fewest] = [worker, held];
    if (owner === undefined || own - fewest <= Math.max(SLACK.sessions, fewest * SLACK.share)) return undefined;
    this.#held.set(owner, fewest + 1); // until it says so itself
    return owner;
  }

  #lookForWorkers(): void {
    this.#lookedAt = performance.now();
    const present = new Set(this.#folder.workers());
    if (!present.delete(this.#worker)) {
      this.#logOnce(
        'folder',
        `${this.#folder.path} has been removed: clients that poll lose their sessions until the app is started again`,
      );
      return;
    }
    for (const worker of this.#held.keys()) if (!present.has(worker)) this.#held.delete(worker);
    for (const worker of present) if (!this.#held.has(worker)) this.#held.set(worker, 0);
  }

  /** @param handleHere where there is no such worker: the engine has its answer to an id that it does not know */
  #pipeRequest(owner: string, request: IncomingMessage, response: ServerResponse, handleHere: () => void): void {
    const isFirst = beginsSession(request);
    this.#requests.send(this.#folder.workerSocket(owner), {
      request,
      headers: [PEER, this.#describePeer(request), ...without(OF_REQUESTS, request.rawHeaders)],
      response,
      // what is seen of the client at its first request is what the session goes by: no other client's request may come over that connection
      patience: isFirst ? BEGIN_PATIENCE : undefined,
      answered: (status, message, headers) => {
        this.#held.set(owner, Number(headers[headers.indexOf(PEER) + 1]));
        response.writeHead(status, message, without(OF_ANSWERS, headers));
      },
      failed: error => {
        this.#held.set(owner, Number.POSITIVE_INFINITY);
        if (response.destroyed) return;
        if (isFirst || isGone(error)) handleHere();
        else {
          this.#logFailure(owner, error);
          response.writeHead(503).end();
        }
      },
    });
  }

  /**
   * @param heartbeat in so many ms something is heard of every client that is alive
   * @param handleHere where there is no such worker
   */
  #pipeUpgrade(owner: string, request: IncomingMessage, client: Socket, head: Buffer, heartbeat: number, handleHere: () => void): void {
    const onEnd = (): void => {
      this.#webSockets.delete(pipe);
      if (this.#webSockets.size === 0) this.#onRelease();
    };
    const onFailure = (error: Error): void => {
      onEnd();
      if (isGone(error)) {
        handleHere();
        return;
      }
      this.#logFailure(owner, error);
      client.end(SERVICE_UNAVAILABLE);
    };
    const onward = connect(this.#folder.workerSocket(owner));
    const pipe = {
      destroy: () => {
        client.destroy();
        onward.destroy();
      },
    };
    this.#webSockets.add(pipe);
    client.on('error', () => {}); // 'close' follows
    client.once('close', () => {
      onward.destroySoon();
      onEnd();
    });
    onward.once('error', onFailure);
    onward.once('connect', () => {
      onward.off('error', onFailure).on('error', () => {}); // 'close' follows
      // of a client that reads no more, and so keeps this worker from hearing that its owner has given it up
      client.setTimeout(heartbeat + LAST_WORDS, pipe.destroy);
      client.setNoDelay(true);
      const headers = [PEER, this.#describePeer(request), ...without(OF_UPGRADES, request.rawHeaders)];
      onward.write(headOf(request, headers), 'latin1');
      if (head.length > 0) onward.write(head);
      onward.once('close', () => {
        client.setTimeout(LAST_WORDS);
        client.destroySoon();
      });
      onward.pipe(client);
      client.pipe(onward);
    });
  }

  #logFailure(owner: string, error: Error): void {
    this.#logOnce(owner, `worker ${owner} cannot be reached (${error.message})`);
  }

  /** Once for each that it is about. */
  #logOnce(about: string, problem: string): void {
    if (this.#logged.has(about)) return;
    this.#logged.add(about);
    this.#logger.error('[egg-socket.io] session routing: %s', problem);
  }

  #describePeer({ socket }: IncomingMessage): string {
    const isSecure = 'encrypted' in socket && socket.encrypted === true;
    return [this.#folder.secret, isSecure ? 'tls' : 'tcp', socket.remotePort, socket.remoteAddress].join(' ');
  }

  /** Whether a request comes from a worker. It then looks like one that the client itself has sent here. */
  #receive(request: IncomingMessage): boolean {
    const { headers, rawHeaders, socket } = request;
    const [secret = '', protocol, port, address] = String(headers[PEER]).split(' ');
    if (!isSame(secret, this.#folder.secret)) {
      this.#logOnce(
        'somebody',
        'a request at the private socket without the secret of this start was refused: has the run folder been removed meanwhile?',
      );
      socket.destroy();
      return false;
    }
    delete headers[PEER];
    rawHeaders.splice(rawHeaders.indexOf(PEER), 2);
    const peer = (socket as Socket & { [SHOWN]?: Peer })[SHOWN] ?? showPeer(socket); // there from its second request on
    peer.address = address;
    peer.port = port === '' ? undefined : Number(port); // a client at a Unix socket has none
    peer.isSecure = protocol === 'tls';
    return true;
  }
}

/** Where a client's request has come from. */
interface Peer {
  address: string | undefined;
  port: number | undefined;
  isSecure: boolean;
}

const SHOWN = Symbol('peer');

/** A socket between workers shows the peer of one request after the other: of the latest, to who looks at it later. */
function showPeer(socket: Socket): Peer {
  const peer: Peer = { address: undefined, port: undefined, isSecure: false };
  Object.defineProperties(socket, {
    [SHOWN]: { value: peer },
    remoteAddress: { get: () => peer.address },
    remotePort: { get: () => peer.port },
    encrypted: { get: () => peer.isSecure },
  });
  return peer;
}

function isGone(error: Error): boolean {
  return 'code' in error && GONE.has(error.code);
}

/** As a client does that polls; one that begins with WebSocket is not to be piped for all its life. */
function beginsSession({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && /[?&]transport=polling\b/.test(url) && !/[?&]sid=/.test(url);
}

/** Has the engine's ids begin with a prefix: its own, and those of the function that an app may set, as Engine.IO documents it. */
function nameIn(engine: EngineServer, prefix: string): void {
  let generateId = engine.generateId.bind(engine);
  const generatePrefixedId: typeof generateId = request => {
    const id: string | PromiseLike<string> = generateId(request);
    return typeof id === 'string' ? prefix + id : Promise.resolve(id).then(id => prefix + id); // an app's may be anything that can be awaited
  };
  Object.defineProperty(engine, 'generateId', {
    get: () => generatePrefixedId,
    set(fn: typeof generateId) {
      generateId = fn.bind(engine);
    },
  });
}

function without(dropped: ReadonlySet<string>, headers: RawHeaders): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const [name = '', value = ''] = [headers[index], headers[index + 1]];
    if (!dropped.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')); // as headers are decoded
}

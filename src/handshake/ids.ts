/** The app's own ids for connections: `config.io.generateId`. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import type { GenerateId } from '../config/options';
import type { Logger } from '../egg';
import { messageOf } from '../errors';
import { namespaceInternals } from '../internals/socket-io';

const MAX_LENGTH = 200;

/** Engine.IO has read the query by the time it asks for an id. */
type EngineRequest = IncomingMessage & { _query?: { EIO?: string } };

export class Ids {
  readonly #generateId: GenerateId | undefined;
  readonly #logger: Logger;
  readonly #formerSocketOf: (socket: Socket) => Socket | undefined;
  /** The id of each connection, and after it those of its recovered sockets. */
  readonly #byRequest = new WeakMap<IncomingMessage, Set<string>>();
  /** By how many connections: two, while a client is back whose old connection is still there. */
  readonly #taken = new Map<string, number>();

  /** @param formerSocketOf the socket whose place a recovered one takes */
  constructor(generateId: GenerateId | undefined, logger: Logger, formerSocketOf: (socket: Socket) => Socket | undefined) {
    this.#generateId = generateId;
    this.#logger = logger;
    this.#formerSocketOf = formerSocketOf;
  }

  /** Asks the app for an id at every handshake. What cannot be an id refuses the handshake. */
  attach(engine: EngineServer): void {
    if (!this.#generateId) return;
    const random = engine.generateId.bind(engine);
    engine.generateId = async request => {
      const id = await this.#reserve(request);
      // Engine.IO's own id is the key to the connection, and so stays secret where it can: clients of protocol 3 know no other
      const { _query } = request as EngineRequest;
      return _query?.EIO === '4' ? random(request) : id;
    };
    engine.on('connection', (connection: EngineSocket) => {
      connection.once('close', () => this.#release(connection.request));
    });
    engine.on('connection_error', ({ req }: { req?: IncomingMessage }) => {
      if (req) this.#release(req);
    });
  }

  /** Gives a socket that is connecting its id: on `/` the app's, on other namespaces with the namespace before it. */
  assign(socket: Socket): void {
    const [id] = this.#byRequest.get(socket.request) ?? [];
    if (id === undefined || socket.conn.protocol === 3) return; // a client of protocol 3 has it from Engine.IO
    const { nsp } = socket;
    if (socket.recovered) {
      this.#keep(socket, id, nsp.name === '/' ? socket.id : socket.id.slice(nsp.name.length + 1));
      return;
    }
    // Socket.IO has noted the socket under the id that it made up, and would never forget that one
    const { _preConnectSockets: preConnectSockets } = namespaceInternals(nsp);
    preConnectSockets.delete(socket.id);
    Object.assign(socket, { id: nsp.name === '/' ? id : `${nsp.name}#${id}` });
    preConnectSockets.set(socket.id, socket);
  }

  /**
   * A recovered socket keeps the id that it had, which may be another client's by now. It is for this socket alone: whoever has recovered one
   * may still be refused, and gets no other namespace in that name.
   */
  #keep(socket: Socket, id: string, former: string): void {
    if (id === former) return;
    const formerSocket = this.#formerSocketOf(socket);
    const isOwn = formerSocket !== undefined && this.#idsOf(formerSocket.request).has(former);
    if (this.#taken.has(former) && !isOwn) throw new Error(messageOf('IO_ID_INVALID', 'a recovered connection has the id of another one'));
    if (!this.#idsOf(socket.request).has(former)) this.#take(socket.request, former);
  }

  /** How many are in use. */
  get size(): number {
    return this.#taken.size;
  }

  async #reserve(request: IncomingMessage): Promise<string> {
    let id: unknown;
    try {
      id = await this.#generateId?.(request);
    } catch (error) {
      this.#logger.error(messageOf('IO_ID_INVALID', 'connection refused, config.io.generateId failed'), error);
      throw error; // Engine.IO refuses the handshake
    }
    const problem = this.#problemOf(id);
    if (problem === undefined && typeof id === 'string') {
      this.#take(request, id);
      return id;
    }
    const message = messageOf('IO_ID_INVALID', `connection refused, config.io.generateId returned ${problem}`);
    this.#logger.warn(message);
    throw new Error(message);
  }

  #problemOf(id: unknown): string | undefined {
    if (typeof id !== 'string') return `${id === null ? 'null' : `a value of type ${typeof id}`}, not a string`;
    if (id === '') return 'an empty string';
    if (id.length > MAX_LENGTH) return `${id.length} characters; at most ${MAX_LENGTH} are allowed`;
    if (/[\p{Cc}\u2028\u2029]/u.test(id)) return 'control characters';
    return this.#taken.has(id) ? 'the id of another connection' : undefined;
  }

  #take(request: IncomingMessage, id: string): void {
    this.#taken.set(id, (this.#taken.get(id) ?? 0) + 1);
    this.#idsOf(request).add(id);
  }

  #idsOf(request: IncomingMessage): Set<string> {
    let ids = this.#byRequest.get(request);
    if (!ids) this.#byRequest.set(request, (ids = new Set()));
    return ids;
  }

  #release(request: IncomingMessage): void {
    for (const id of this.#idsOf(request)) {
      const others = (this.#taken.get(id) ?? 0) - 1;
      if (others > 0) this.#taken.set(id, others);
      else this.#taken.delete(id);
    }
    this.#byRequest.delete(request);
  }
}

/** The app's own ids for connections: `config.io.generateId`. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import type { GenerateId } from '../config/options';
import type { Logger } from '../egg';
import { messageOf } from '../errors';
import type { EngineRequest } from '../internals/engine-io';
import { namespaceInternals } from '../internals/socket-io';
import { isReservedRoom } from '../rooms';

const MAX_LENGTH = 200;

export class Ids {
  readonly #generateId: GenerateId | undefined;
  readonly #logger: Logger;
  readonly #formerSocketOf: (socket: Socket) => Socket | undefined;
  /** The id of each connection, followed by those of its recovered sockets. */
  readonly #byRequest = new WeakMap<IncomingMessage, Set<string>>();
  /** The number of connections with an id: two while a client has reconnected and its old connection is still open. */
  readonly #taken = new Map<string, number>();

  /** @param formerSocketOf returns the socket that a recovered one replaces */
  constructor(generateId: GenerateId | undefined, logger: Logger, formerSocketOf: (socket: Socket) => Socket | undefined) {
    this.#generateId = generateId;
    this.#logger = logger;
    this.#formerSocketOf = formerSocketOf;
  }

  /** Makes each handshake get its id from the app. An invalid id refuses the handshake. */
  attach(engine: EngineServer): void {
    if (!this.#generateId) return;
    const random = engine.generateId.bind(engine);
    engine.generateId = async request => {
      const id = await this.#reserve(request);
      // Engine.IO's own id is the key to the connection and stays secret if possible; for clients of protocol 3 the two are the same
      const { _query } = request as EngineRequest; // Engine.IO has parsed the query before it generates an id
      return _query['EIO'] === '4' ? random(request) : id;
    };
    engine.on('connection', (connection: EngineSocket) => {
      connection.once('close', () => this.#release(connection.request));
    });
    engine.on('connection_error', ({ req }: { req?: IncomingMessage }) => {
      if (req) this.#release(req);
    });
  }

  /** Sets the id of a connecting socket: the app's id on `/`, and with the namespace as a prefix on others. */
  assign(socket: Socket): void {
    const [id] = this.#byRequest.get(socket.request) ?? [];
    if (id === undefined || socket.conn.protocol === 3) return; // a client of protocol 3 got it from Engine.IO
    const { nsp } = socket;
    if (socket.recovered) {
      this.#keep(socket, id, nsp.name === '/' ? socket.id : socket.id.slice(nsp.name.length + 1));
      return;
    }
    // Socket.IO has stored the socket by its generated id, and would never remove that entry
    const { _preConnectSockets: preConnectSockets } = namespaceInternals(nsp);
    preConnectSockets.delete(socket.id);
    Object.assign(socket, { id: nsp.name === '/' ? id : `${nsp.name}#${id}` });
    preConnectSockets.set(socket.id, socket);
  }

  /**
   * Keeps the former id of a recovered socket, unless another client has it by now. The id is used for this socket only: its client
   * may still be refused, and joins other namespaces with the new id.
   */
  #keep(socket: Socket, id: string, former: string): void {
    if (id === former) return;
    const formerSocket = this.#formerSocketOf(socket);
    const isOwn = formerSocket !== undefined && this.#idsOf(formerSocket.request).has(former);
    if (this.#taken.has(former) && !isOwn) throw new Error(messageOf('IO_ID_INVALID', 'a recovered connection has the id of another one'));
    if (!this.#idsOf(socket.request).has(former)) this.#take(socket.request, former);
  }

  /** The number of ids in use. */
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
    if (isReservedRoom(id)) return 'a reserved name'; // a socket joins the room of its id
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

/** The app's own ids for connections: `config.io.generateId`. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import type { GenerateId } from './config';
import type { Logger } from './egg';
import { messageOf } from './errors';

const MAX_LENGTH = 200;

/** Engine.IO has read the query by the time it asks for an id. */
type EngineRequest = IncomingMessage & { _query?: { EIO?: string } };

export class Ids {
  readonly #generateId: GenerateId | undefined;
  readonly #logger: Logger;
  readonly #byRequest = new WeakMap<IncomingMessage, string>();
  readonly #taken = new Set<string>();

  constructor(generateId: GenerateId | undefined, logger: Logger) {
    this.#generateId = generateId;
    this.#logger = logger;
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
    const id = this.#byRequest.get(socket.request);
    if (id === undefined || socket.recovered || socket.conn.protocol === 3) return; // a client of protocol 3 has it from Engine.IO
    const { nsp } = socket;
    // Socket.IO has noted the socket under the id that it made up, and would never forget that one
    const preConnectSockets: unknown = Reflect.get(nsp, '_preConnectSockets');
    if (preConnectSockets instanceof Map) preConnectSockets.delete(socket.id);
    Object.assign(socket, { id: nsp.name === '/' ? id : `${nsp.name}#${id}` });
    if (preConnectSockets instanceof Map) preConnectSockets.set(socket.id, socket);
  }

  async #reserve(request: IncomingMessage): Promise<string> {
    try {
      const id: unknown = await this.#generateId?.(request);
      if (typeof id !== 'string')
        throw new Error(`config.io.generateId returned ${id === null ? 'null' : `a value of type ${typeof id}`}, not a string`);
      if (id === '') throw new Error('config.io.generateId returned an empty string');
      if (id.length > MAX_LENGTH)
        throw new Error(`config.io.generateId returned ${id.length} characters; at most ${MAX_LENGTH} are allowed`);
      if (this.#taken.has(id)) throw new Error('config.io.generateId returned the id of another connection');
      this.#taken.add(id);
      this.#byRequest.set(request, id);
      return id;
    } catch (error) {
      this.#logger.error(messageOf('IO_ID_INVALID', 'connection refused'), error);
      throw error; // Engine.IO refuses the handshake
    }
  }

  #release(request: IncomingMessage): void {
    const id = this.#byRequest.get(request);
    if (id !== undefined) this.#taken.delete(id);
  }
}

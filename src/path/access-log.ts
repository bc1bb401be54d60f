/** The access log: one line for each connection. It has nothing of what clients send but the names of namespaces and events. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import type { EggApplication, Logger } from '../egg';
import { oneLine, SetupError } from '../errors';
import { type EngineError, requestOf } from '../internals/engine-io';
import { countTraffic, type Traffic } from '../limits/traffic';
import { ownLogger } from '../own-logger';
import type { PacketSink } from './packet-times';
import { codeOfRefused, type ConnectionWatch, type Watched } from './watch';

/** The logger in the app's `config.customLogger`. The plugin's config has one if the app's has none. */
const LOGGER = 'ioAccessLogger';

/** The outcome of a client that went before it was connected. */
const LEFT = 'left while connecting';

interface Entry {
  readonly address: string | undefined;
  /** As of `performance.now()`. */
  readonly beganAt: number;
  readonly traffic: Traffic;
  /** The counts at the beginning. */
  readonly before: Pick<Traffic, 'packetsIn' | 'packetsOut' | 'bytesIn' | 'bytesOut'>;
  /** The code of the refusal, if there is one. */
  code: string | undefined;
}

/** The columns between the kind of the line and its outcome; undefined is written as '-'. */
interface Line {
  readonly id?: string | undefined;
  readonly user?: string | undefined;
  readonly address?: string | undefined;
  readonly transport?: string | undefined;
  readonly protocol?: number | undefined;
  readonly namespace?: string | undefined;
  readonly event?: string | undefined;
  /** In ms. */
  readonly duration?: number | undefined;
  readonly packetsIn?: number | undefined;
  readonly packetsOut?: number | undefined;
  readonly bytesIn?: number | undefined;
  readonly bytesOut?: number | undefined;
}

/** As Egg has it for HTTP: `ctx.ip`. */
type AddressOf = (request: IncomingMessage) => string | undefined;

export class AccessLog implements ConnectionWatch, PacketSink {
  readonly #logger: Logger;
  readonly #addressOf: AddressOf;
  readonly #entries = new WeakMap<Socket, Entry>();

  /** @throws SetupError if the app has no logger for it */
  constructor(app: EggApplication, addressOf: AddressOf) {
    const logger = app.getLogger(LOGGER);
    if (!logger)
      throw new SetupError(
        'IO_CONFIG_INVALID',
        `config.io.accessLog needs config.customLogger.${LOGGER}: add it, or set config.io.accessLog in config/config.default.js or that of the environment`,
      );
    this.#logger = ownLogger({ logger, ctxStorage: app.ctxStorage });
    this.#addressOf = addressOf;
  }

  /** Writes a line for each request that an engine refuses. */
  attach(engine: EngineServer): void {
    engine.on('connection_error', (error: EngineError) => {
      const { req } = error;
      this.#write('handshake', { address: req && this.#addressOf(req) }, codeOfRefused(error));
    });
  }

  begin(socket: Socket): void {
    const request = requestOf(socket.conn);
    const traffic = countTraffic(socket.client);
    const { packetsIn, packetsOut, bytesIn, bytesOut } = traffic;
    this.#entries.set(socket, {
      address: request ? this.#addressOf(request) : undefined,
      beganAt: performance.now(),
      traffic,
      before: { packetsIn, packetsOut, bytesIn, bytesOut },
      code: undefined,
    });
  }

  forget(socket: Socket): void {
    this.#entries.delete(socket);
  }

  refuse(socket: Socket, code: string): void {
    const entry = this.#entries.get(socket);
    if (entry) entry.code ??= code;
  }

  end(connection: Watched, reason: string | undefined): void {
    const { socket } = connection;
    const entry = this.#entries.get(socket);
    if (!entry) return;
    this.#entries.delete(socket);
    const { traffic, before, beganAt, code = LEFT } = entry;
    const line: Line = {
      ...this.#whoIs(connection, entry),
      duration: Math.round(performance.now() - beganAt),
      packetsIn: traffic.packetsIn - before.packetsIn,
      packetsOut: traffic.packetsOut - before.packetsOut,
      bytesIn: traffic.bytesIn - before.bytesIn,
      bytesOut: traffic.bytesOut - before.bytesOut,
    };
    this.#write('connection', line, reason ?? code);
  }

  packet(connection: Watched, event: unknown, outcome: string, duration = 0): void {
    const who = this.#whoIs(connection, this.#entries.get(connection.socket));
    this.#write('packet', { ...who, event: String(event), duration: Math.round(duration) }, outcome);
  }

  #write(kind: 'connection' | 'packet' | 'handshake', line: Line, outcome: string): void {
    const { id, user, address, transport, protocol, namespace, event } = line;
    const { duration, packetsIn, packetsOut, bytesIn, bytesOut } = line;
    const columns = [kind, id, user, address, transport, protocol, namespace, event, duration, packetsIn, packetsOut, bytesIn, bytesOut];
    const text = [...columns, outcome].map(columnOf).join('\t');
    this.#logger.info(text);
  }

  #whoIs({ socket, user }: Watched, entry: Entry | undefined): Line {
    const { conn }: { conn: EngineSocket } = socket;
    const { transport, protocol } = conn;
    const id: unknown = user?.id; // an app may have set it to anything
    return {
      id: socket.id,
      user: typeof id === 'string' ? id : undefined,
      address: entry?.address,
      transport: transport.name,
      protocol,
      namespace: socket.nsp.name,
    };
  }
}

/** Names can come from clients: a column has no tab and no end of a line. */
function columnOf(value: string | number | undefined): string {
  if (value === undefined || value === '') return '-';
  return typeof value === 'number' ? String(value) : oneLine(value.slice(0, 100));
}

/**
 * Moves the clients of a server away while it still works, in batches. It begins no sessions any more, and ends those that there are as soon as their
 * handlers have answered.
 */
import { once } from 'node:events';
import { setTimeout as passes } from 'node:timers/promises';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import type { SessionRouting } from '../cluster/routing/session-routing';
import { type DrainSettings, drainTime, drainWarning } from '../config/drain';
import type { EggApplication } from '../egg';
import { namespacesOf, socketInternals } from '../internals/socket-io';
import { clientOf } from '../limits/clients';
import { helloOf } from '../path/client-hello';
import type { Runtime } from '../path/runtime';
import { connectionOf } from '../path/socket';
import { PacketType } from '../protocol';
import { CLOSE_TIMEOUT, HANDLERS_TIMEOUT, closeWhenSent, connectionsOf, leave, openWebSocketOf, within } from './connections';
import { giveAwaySessions } from './new-sessions';

/** Time in ms for the handlers of a client to end, and for a client to connect elsewhere. */
const CLIENT_TIMEOUT = HANDLERS_TIMEOUT;

/** Asks a client that knows it to connect again. Its connection here ends as soon as it has, and after `CLIENT_TIMEOUT` in any case. */
const MOVE = { type: PacketType.EVENT, data: ['$io:move'] };

interface Parts {
  readonly app: Pick<EggApplication, 'logger' | 'options'>;
  readonly runtime: Pick<Runtime, 'inFlight' | 'isRetiring'>;
  readonly sessionRouting: SessionRouting | undefined;
}

export class Drain {
  readonly #settings: DrainSettings;
  readonly #parts: Parts;
  /** The time in ms that it may take when the server stops. */
  readonly #time: number;
  readonly #ending = new AbortController();
  #engine: EngineServer | undefined;
  #moving: Promise<void> | undefined;

  constructor(settings: DrainSettings, parts: Parts) {
    this.#settings = settings;
    this.#parts = parts;
    const { logger, options } = parts.app;
    const hasMaster = options.mode !== 'single'; // which kills a worker that takes too long
    this.#time = drainTime(settings, hasMaster);
    const warning = drainWarning(settings, hasMaster);
    if (warning !== undefined) logger.warn(warning);
  }

  /** Whether the server takes new clients, and will do so for some time. */
  get isReady(): boolean {
    return !this.#moving && !this.#parts.runtime.isRetiring;
  }

  attach(engine: EngineServer): void {
    this.#engine ??= engine;
  }

  /** Moves the clients. Resolves when all of them have gone, or the server closes. Never rejects. @param time the time in ms for that */
  async begin(time = this.#settings.timeout): Promise<void> {
    if (this.#engine) await (this.#moving ??= this.#move(this.#engine, time));
  }

  /**
   * To be called when the server stops. If it is to drain, or does so, the clients are moved in the time that is left, and the last ones have the time
   * of a client after that. Undefined if there is nothing to do.
   */
  finish(): Promise<void> | undefined {
    if (!this.#settings.isOn && !this.#moving) return undefined;
    return within(this.#time + CLIENT_TIMEOUT, this.begin(this.#time)).finally(() => this.#ending.abort());
  }

  async #move(engine: EngineServer, time: number): Promise<void> {
    const { batch, jitter } = this.#settings;
    const { clientsCount } = engine;
    if (clientsCount === 0) return giveAwaySessions(engine, this.#parts.sessionRouting)();
    this.#parts.app.logger.info(`[egg-socket.io] drains: moves ${clientsCount} clients to other servers within ${time} ms`);
    const refuseSessions = giveAwaySessions(engine, this.#parts.sessionRouting);
    const interval = Math.max(0, time - jitter) / (Math.ceil(clientsCount / batch) + 1);
    await this.#pass(interval); // meanwhile, a load balancer learns of it
    refuseSessions();
    const waiting = connectionsOf(engine);
    const moves: Promise<void>[] = [];
    while (waiting.length > 0 && !this.#ending.signal.aborted) {
      for (const connection of waiting.splice(0, batch)) moves.push(this.#moveOne(connection));
      if (waiting.length > 0) await this.#pass(interval);
    }
    await Promise.all(moves);
  }

  async #moveOne(connection: EngineSocket): Promise<void> {
    await this.#pass(Math.random() * this.#settings.jitter);
    if (hasClosed(connection) || this.#ending.signal.aborted) return;
    const isClosed = once(connection, 'close');
    const mover = socketsOf(connection).find(socket => helloOf(socket)?.move);
    if (mover) {
      socketInternals(mover).packet(MOVE); // not by emit(), which calls listeners of the app
      await within(CLIENT_TIMEOUT, isClosed);
    }
    const handlers = socketsOf(connection).map(socket => connectionOf(socket).handlers);
    await within(CLIENT_TIMEOUT, Promise.race([isClosed, this.#parts.runtime.inFlight.idleOf(handlers)]));
    if (hasClosed(connection) || this.#ending.signal.aborted) return;
    for (const socket of socketsOf(connection)) leave(socket, this.#parts.app.logger);
    const webSocket = openWebSocketOf(connection); // closes after its connection, when the client has answered
    closeWhenSent(connection);
    await within(CLOSE_TIMEOUT, Promise.all([isClosed, webSocket && once(webSocket, 'close')]));
    webSocket?.terminate();
  }

  /** Waits for a time in ms, or until `end` is called. */
  async #pass(time: number): Promise<void> {
    await passes(time, undefined, { signal: this.#ending.signal }).catch(() => {}); // the only way to reject
  }
}

function hasClosed({ readyState }: EngineSocket): boolean {
  return readyState === 'closed';
}

/** The sockets of a client in its namespaces. */
function socketsOf(connection: EngineSocket): Socket[] {
  const client = clientOf(connection);
  return client ? [...namespacesOf(client).values()] : [];
}

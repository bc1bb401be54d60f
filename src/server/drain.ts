/**
 * Moves the clients of a server away while it still works, in batches. It begins no sessions any more, and ends those that there are as soon as their
 * handlers have answered.
 */
import { setMaxListeners } from 'node:events';
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
import { CLOSE_TIMEOUT, HANDLERS_TIMEOUT, closeWhenSent, closingOf, connectionsOf, leave, openWebSocketOf, within } from './connections';
import { giveAwaySessions } from './new-sessions';

/** Time in ms for the handlers of a client to end, and for a client to connect here or elsewhere. */
const CLIENT_TIMEOUT = HANDLERS_TIMEOUT;

/** Time in ms between looks for clients that have come by way of this process while it drained. */
const LATE_INTERVAL = 100;

/** Asks a client that knows it to connect elsewhere, and to answer when it has. The second one says that its connection here ends now. */
const MOVE_EVENT = '$io:move';

interface Parts {
  readonly app: Pick<EggApplication, 'options'>;
  readonly runtime: Pick<Runtime, 'inFlight' | 'isRetiring' | 'logger'>;
  readonly sessionRouting: SessionRouting | undefined;
  /** Those that the server is attached to, one for each HTTP server. */
  readonly engines: readonly EngineServer[];
}

export class Drain {
  readonly #settings: DrainSettings;
  readonly #parts: Parts;
  /** The time in ms that it may take when the server stops. */
  readonly #time: number;
  readonly #ending = new AbortController();
  /** Connections that are being moved. */
  readonly #moves = new WeakMap<EngineSocket, Promise<void>>();
  #moving: Promise<void> | undefined;

  constructor(settings: DrainSettings, parts: Parts) {
    this.#settings = settings;
    this.#parts = parts;
    setMaxListeners(0, this.#ending.signal); // one for each client that waits to be moved
    parts.sessionRouting?.onMove(connection => void this.#moveOnce(connection));
    const { app, runtime } = parts;
    const [, worker = ''] = process.argv; // Egg's file, if its master has started this process; the master kills a worker that takes too long
    const startedBy = app.options.mode === 'single' ? undefined : worker;
    this.#time = drainTime(settings, startedBy);
    const warning = drainWarning(settings, startedBy);
    if (warning !== undefined) runtime.logger.warn(warning);
  }

  /** Whether the server takes new clients, and will do so for some time. */
  get isReady(): boolean {
    return !this.#moving && !this.#parts.runtime.isRetiring;
  }

  /** Moves the clients. Resolves when all of them have gone, or the server closes. Never rejects. @param time the time in ms for that */
  async begin(time = this.#settings.timeout): Promise<void> {
    await (this.#moving ??= this.#move(time));
  }

  /**
   * To be called when the server stops. If it is to drain, or does so, the clients are moved in the time that is left, and the last ones have the time
   * of a client after that. Undefined if there is nothing to do.
   */
  finish(): Promise<void> | undefined {
    if (!this.#settings.isOn && !this.#moving) return undefined;
    const moved = Promise.all([this.begin(this.#time), this.#movePiped(this.#time)]);
    return within(this.#time + CLIENT_TIMEOUT, moved).finally(() => this.#ending.abort());
  }

  async #move(time: number): Promise<void> {
    const { engines, runtime, sessionRouting } = this.#parts;
    const { batch, jitter } = this.#settings;
    const end = performance.now() + time - jitter;
    const refusals = engines.map(engine => giveAwaySessions(engine, sessionRouting));
    const { length: count } = connectionsOf(engines);
    if (count > 0) {
      runtime.logger.info(`[egg-socket.io] drains: moves ${count} clients to other servers within ${time} ms`);
      await this.#pass((time - jitter) / (Math.ceil(count / batch) + 1)); // meanwhile, a load balancer learns of it
    }
    for (const refuseSessions of refusals) refuseSessions();
    const waiting = connectionsOf(engines);
    const moves: Promise<void>[] = [];
    // a handshake may have begun before, and wait for a function of the app
    for (const engine of engines) engine.on('connection', (connection: EngineSocket) => moves.push(this.#moveOnce(connection)));
    const interval = (end - performance.now()) / Math.ceil(waiting.length / batch);
    while (waiting.length > 0 && !this.#ending.signal.aborted) {
      for (const connection of waiting.splice(0, batch)) moves.push(this.#moveOnce(connection));
      if (waiting.length > 0) await this.#pass(interval);
    }
    for (const move of moves) await move; // more may be added meanwhile
  }

  /**
   * Asks other workers to move their clients that are piped by this one, also those that come back by way of it. Each batch is asked for at the end of
   * its time: an owner that drains as well has moved them by then.
   */
  async #movePiped(time: number): Promise<void> {
    const { sessionRouting } = this.#parts;
    if (!sessionRouting) return;
    const { batch, jitter } = this.#settings;
    const batches = Math.ceil(sessionRouting.webSockets.count / batch);
    for (let n = 0; n < batches; n++) {
      await Promise.race([this.#pass((time - jitter) / batches), sessionRouting.webSockets.idle()]);
      sessionRouting.movePiped(batch);
    }
    await this.#moving;
    while (sessionRouting.webSockets.count > 0 && !this.#ending.signal.aborted) {
      sessionRouting.movePiped();
      await this.#pass(LATE_INTERVAL);
    }
  }

  /** Moves it once, also if other workers ask for it. */
  async #moveOnce(connection: EngineSocket): Promise<void> {
    const move = this.#moves.get(connection) ?? this.#moveOne(connection);
    this.#moves.set(connection, move);
    await move;
  }

  async #moveOne(connection: EngineSocket): Promise<void> {
    if (hasClosed(connection)) return;
    const isClosed = closingOf(connection);
    // it is about to connect to its first namespace, as after it has moved to this server
    if (socketsOf(connection).length === 0) await within(CLIENT_TIMEOUT, Promise.race([isClosed, answerOf(connection)]));
    await this.#pass(Math.random() * this.#settings.jitter);
    if (hasClosed(connection) || this.#ending.signal.aborted) return;
    const mover = socketsOf(connection).find(socket => helloOf(socket)?.move);
    if (mover) await within(CLIENT_TIMEOUT, Promise.race([isClosed, askToMove(mover)]));
    const handlers = socketsOf(connection).map(socket => connectionOf(socket).handlers);
    await within(CLIENT_TIMEOUT, Promise.race([isClosed, this.#parts.runtime.inFlight.idleOf(handlers)]));
    if (hasClosed(connection) || this.#ending.signal.aborted) return;
    for (const socket of socketsOf(connection)) leave(socket, this.#parts.runtime.logger);
    if (mover) socketInternals(mover).packet({ type: PacketType.EVENT, data: [MOVE_EVENT, null] }); // a text would be taken for an offset
    const webSocket = openWebSocketOf(connection); // closes after its connection, when the client has answered
    closeWhenSent(connection);
    await within(CLOSE_TIMEOUT, Promise.all([isClosed, webSocket && closingOf(webSocket)]));
    webSocket?.terminate();
    connection.close(true); // a client that polls no more
  }

  /** Waits for a time in ms, or until the server closes. */
  async #pass(time: number): Promise<void> {
    await passes(Math.max(0, time), undefined, { signal: this.#ending.signal }).catch(() => {}); // the only way to reject
  }
}

function hasClosed({ readyState }: EngineSocket): boolean {
  return readyState === 'closed';
}

/** Resolves when the server sends something to it, as when the client has connected to a namespace or has been refused there. */
async function answerOf(connection: EngineSocket): Promise<void> {
  await new Promise<unknown>(resolve => connection.once('packetCreate', resolve));
}

/** Resolves when the client has opened another connection and waits for nothing here. Not by `emit()`, which calls listeners of the app. */
async function askToMove(socket: Socket): Promise<void> {
  const { acks, packet } = socketInternals(socket);
  const id = socket.nsp._ids++;
  await new Promise<void>(resolve => {
    acks.set(id, () => resolve());
    packet.call(socket, { type: PacketType.EVENT, id, data: [MOVE_EVENT] });
  });
}

/** The sockets of a client in its namespaces. */
function socketsOf(connection: EngineSocket): Socket[] {
  const client = clientOf(connection);
  return client ? [...namespacesOf(client).values()] : [];
}

/** Stops reading a connection for some time, by members of ws and of Engine.IO. */
import type { ServerResponse } from 'node:http';
import type { Socket as EngineSocket } from 'engine.io';
import { refreshHeartbeat, sendHeartbeat } from './engine-connection';
import { webSocketOf } from './engine-io';

/** The members of ws that are used. Another engine may lack them. */
interface PausableWebSocket {
  pause(): void;
  resume(): void;
}

/** The most time in ms between two signs of life of a connection that is not read. */
const KEEP_ALIVE_INTERVAL = 1000;

/** The most time in ms for which the answer to a request is held back: proxies wait for 60 s, such as nginx. */
const MAX_ANSWER_TIME = 30_000;

export class Reading {
  readonly #connection: EngineSocket;
  readonly #interval: number;
  /** Goes on. Set while the connection is not read. */
  #resume: (() => void) | undefined;
  /** Who wants it so, with what each is to be called for. */
  #pausers: Map<object, () => void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param heartbeat the shorter one of the two times of Engine.IO, in ms */
  constructor(connection: EngineSocket, heartbeat: number) {
    this.#connection = connection;
    this.#interval = Math.min(heartbeat / 2, KEEP_ALIVE_INTERVAL);
  }

  /**
   * Stops reading, until each `pauser` has called `resume()`. Does nothing if that is not possible: with another WebSocket engine, or by polling between
   * two requests.
   * @param onTick called about once a second until then
   */
  pause(pauser: object, onTick: () => void): void {
    this.#resume ??= pauseWebSocket(this.#connection) ?? holdBackAnswer(this.#connection, () => this.#goOn());
    if (!this.#resume) return;
    this.#pausers ??= new Map();
    this.#pausers.set(pauser, onTick);
    this.#timer ??= setInterval(() => this.#tick(), this.#interval).unref();
  }

  resume(pauser: object): void {
    if (this.#pausers?.delete(pauser) && this.#pausers.size === 0) this.#goOn();
  }

  #goOn(): void {
    clearInterval(this.#timer);
    this.#timer = this.#pausers = undefined;
    refreshHeartbeat(this.#connection);
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  #tick(): void {
    this.#keepAlive();
    for (const onTick of this.#pausers?.values() ?? []) onTick();
  }

  /**
   * Engine.IO cannot see that the client is alive, and does not ping it again before it has answered. So it must not miss the answer, and the client
   * must not miss the next ping. Writing also finds a client that has gone, whose close is not read.
   */
  #keepAlive(): void {
    refreshHeartbeat(this.#connection);
    if (this.#connection.transport.writable) sendHeartbeat(this.#connection);
  }
}

/** Returns what goes on. */
function pauseWebSocket(connection: EngineSocket): (() => void) | undefined {
  const webSocket = webSocketOf(connection);
  if (!isPausable(webSocket)) return undefined;
  webSocket.pause();
  return () => webSocket.resume();
}

/**
 * Holds back the answer to the request that is being read: the client sends the next one after that. A client that upgrades waits for the answer, and
 * has little time.
 * @param goOn called when it cannot be held back any longer
 */
function holdBackAnswer(connection: EngineSocket, goOn: () => void): (() => void) | undefined {
  if (isUpgrading(connection)) return undefined;
  const { dataRes: response } = connection.transport as { dataRes?: ServerResponse | null }; // of a polling one while it reads; private
  if (!response) return undefined;
  const { end } = response;
  let answer: (() => void) | undefined;
  response.end = (...args: unknown[]): ServerResponse => {
    answer = () => void end.apply(response, args as Parameters<typeof end>); // one of its signatures
    return response;
  };
  const timer = setTimeout(goOn, MAX_ANSWER_TIME).unref();
  connection.once('upgrading', goOn);
  return () => {
    clearTimeout(timer);
    connection.off('upgrading', goOn);
    response.end = end;
    answer?.();
  };
}

function isUpgrading(connection: EngineSocket): boolean {
  return (connection as { upgrading?: unknown }).upgrading === true; // private
}

function isPausable(webSocket: unknown): webSocket is PausableWebSocket {
  return typeof (webSocket as Partial<PausableWebSocket> | undefined)?.pause === 'function'; // of any engine
}

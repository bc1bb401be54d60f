/**
 * How a server closes: it refuses what is new, lets running handlers answer, and then closes its connections, whose clients connect again
 * by themselves. All of it takes 4 s at most: Egg kills a worker 5 s after SIGTERM.
 */
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Namespace, Server as SocketIoServer, Socket } from 'socket.io';
import type { Logger } from '../egg';
import { SERVICE_UNAVAILABLE, type SessionRouting } from '../cluster/routing/session-routing';
import type { InFlight } from '../path/in-flight';
import { engineInternals, namespaceInternals, webSocketOf, writeBufferOf } from '../internals/socket-io';

/** How long handlers that are running may take, in ms. */
const HANDLERS_TIMEOUT = 2500;
/** How long closing the connections may take, `disconnect` routes and what follows `next()` included, in ms. */
const CLOSE_TIMEOUT = 1500;

export interface Closing {
  readonly server: SocketIoServer;
  readonly engine: EngineServer;
  readonly inFlight: InFlight;
  readonly sessionRouting: SessionRouting | undefined;
  readonly logger: Logger;
}

/** Never rejects. No client can keep it waiting: those that do not answer are cut off. */
export async function closeInOrder({ server, engine, inFlight, sessionRouting, logger }: Closing): Promise<void> {
  const end = performance.now() + HANDLERS_TIMEOUT + CLOSE_TIMEOUT;
  refuseNew(server, engine);
  sessionRouting?.refuseSessions();
  await within(HANDLERS_TIMEOUT, inFlight.idle());

  for (const socket of socketsOf(server)) leave(socket, logger);
  const connections = connectionsOf(engine);
  const webSockets = connections.map(webSocketOf).filter(isWebSocket); // where the engine's are like those of ws
  const haveEnded = [...connections, ...webSockets].map(async one => new Promise<unknown>(resolve => one.once('close', resolve)));
  for (const connection of connections) closeWhenSent(connection);
  await within(
    CLOSE_TIMEOUT,
    Promise.all(haveEnded).then(async () => inFlight.othersIdle()),
  );
  for (const webSocket of webSockets) webSocket.terminate();

  if (sessionRouting) {
    sessionRouting.closePrivate();
    // the clients of other workers may come by way of this one until those have closed as well
    const left = end - performance.now();
    await within(left, sessionRouting.untilAlone(left));
    sessionRouting.release();
  }
  // the HTTP server itself may take longer: browsers open connections that they do not use
  server.close().catch((error: unknown) => logger.error('[egg-socket.io] closing failed:', error));
}

/** Handshakes are answered with 503; CONNECTs and events not at all, since the connection is about to end. */
function refuseNew(server: SocketIoServer, engine: EngineServer): void {
  const handleRequest = engine.handleRequest.bind(engine);
  const handleUpgrade = engine.handleUpgrade.bind(engine);
  engine.handleRequest = (request, response) => {
    if (hasSession(request)) handleRequest(request, response);
    else response.writeHead(503, { connection: 'close' }).end();
  };
  engine.handleUpgrade = (request, socket, head) => {
    if (hasSession(request)) handleUpgrade(request, socket, head);
    else socket.on('error', () => {}).end(SERVICE_UNAVAILABLE, () => socket.destroy());
  };
  // for namespaces and sockets of every kind, also those that have no routes
  server._checkNamespace = () => {};
  for (const nsp of server._nsps.values()) nsp._add = async () => {};
  for (const socket of socketsOf(server)) Object.assign(socket, { onevent: () => {} });
}

function hasSession({ url = '' }: IncomingMessage): boolean {
  return /[?&]sid=[^&]/.test(url); // an empty one asks for a session
}

/** All sockets, those that are still connecting included. */
function socketsOf(server: SocketIoServer): Socket[] {
  return [...server._nsps.values()].flatMap(nsp => [...nsp.sockets.values(), ...connectingTo(nsp)]);
}

function connectingTo(nsp: Namespace): Iterable<Socket> {
  return namespaceInternals(nsp)._preConnectSockets.values(); // it holds nothing else
}

/** As `server.close()` does it, before the connection ends: so the reason says what has happened. */
function leave(socket: Socket, logger: Logger): void {
  try {
    socket._onclose('server shutting down');
  } catch (error) {
    logger.error('[egg-socket.io] a listener failed while the server closed:', error); // of the app's own, where Socket.IO calls it
  }
}

/** The connections of the engine, which keeps its table to itself. */
function connectionsOf(engine: EngineServer): EngineSocket[] {
  return Object.values(engineInternals(engine).clients ?? {}); // not there before the engine is open
}

/** A client that polls gets what is there for it, and then the goodbye, with its next request. */
function closeWhenSent(connection: EngineSocket): void {
  const { transport } = connection;
  const isSent = transport.writable && writeBufferOf(connection).length === 0;
  if (isSent) connection.close();
  else {
    const again = (): void => {
      transport.off('ready', again);
      connection.off('upgrade', again);
      closeWhenSent(connection);
    };
    transport.on('ready', again);
    connection.on('upgrade', again);
  }
}

type OpenWebSocket = EventEmitter & { terminate(): void };

function isWebSocket(value: unknown): value is OpenWebSocket {
  return value instanceof EventEmitter && 'terminate' in value;
}

/** Waits for something, but no longer than so many ms. */
async function within(timeout: number, something: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<void>(resolve => (timer = setTimeout(resolve, timeout)));
  await Promise.race([something, isLate]);
  clearTimeout(timer);
}

/**
 * Closes a server in order: refuses new clients and events, lets running handlers answer, and then closes the connections, whose clients
 * reconnect by themselves. This takes 4 s at most, since Egg kills a worker 5 s after SIGTERM.
 */
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Namespace, Server as SocketIoServer, Socket } from 'socket.io';
import type { Logger } from '../egg';
import { SERVICE_UNAVAILABLE, type SessionRouting } from '../cluster/routing/session-routing';
import type { Departure } from '../backplane/departure';
import type { Runtime } from '../path/runtime';
import { engineInternals, webSocketOf, writeBufferOf } from '../internals/engine-io';
import { namespaceInternals } from '../internals/socket-io';

/** Time in ms for running handlers to end. */
const HANDLERS_TIMEOUT = 2500;
/** Time in ms to close the connections, including `disconnect` routes and the code after `next()`. */
const CLOSE_TIMEOUT = 1500;
/** Time in ms to hand over sessions that there is at least, after everything else has taken its time. */
const MIN_HANDOVER_TIME = 500;

type OpenWebSocket = EventEmitter & { terminate(): void };

export interface Closing {
  readonly server: SocketIoServer;
  readonly engine: EngineServer;
  readonly runtime: Pick<Runtime, 'inFlight' | 'logger'>;
  readonly sessionRouting: SessionRouting | undefined;
  /** Hands over to other processes what this one has of its clients, when these have gone. Undefined if there are none. */
  readonly departure: Departure | undefined;
}

/** Never rejects. Terminates the connections of clients that do not answer in time. */
export async function closeInOrder({ server, engine, runtime: { inFlight, logger }, sessionRouting, departure }: Closing): Promise<void> {
  const end = performance.now() + HANDLERS_TIMEOUT + CLOSE_TIMEOUT;
  refuseNew(server, engine);
  sessionRouting?.refuseSessions();
  await within(HANDLERS_TIMEOUT, inFlight.idle());

  for (const socket of socketsOf(server)) leave(socket, logger);
  const connections = connectionsOf(engine);
  const webSockets = connections.map(webSocketOf).filter(isWebSocket); // another engine's may differ
  const haveEnded = [...connections, ...webSockets].map(async one => new Promise<unknown>(resolve => one.once('close', resolve)));
  for (const connection of connections) closeWhenSent(connection);
  await within(
    CLOSE_TIMEOUT,
    Promise.all(haveEnded).then(async () => inFlight.othersIdle()),
  );
  for (const webSocket of webSockets) webSocket.terminate();

  const handedOver = within(Math.max(MIN_HANDOVER_TIME, end - performance.now()), departure?.leave()); // may wait for other workers to close
  if (sessionRouting) {
    sessionRouting.closePrivate();
    // clients of other workers may be piped through this one until those have closed too
    const left = end - performance.now();
    await within(left, sessionRouting.untilAlone(left));
    sessionRouting.release();
  }
  await handedOver;
  // the HTTP server may take longer, since browsers open spare connections
  server.close().catch((error: unknown) => logger.error('[egg-socket.io] closing failed:', error));
}

/** Answers handshakes with 503, and ignores CONNECTs and events: the connection is about to end. */
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
  // for all namespaces and sockets, including those without routes
  server._checkNamespace = () => {};
  for (const nsp of server._nsps.values()) nsp._add = async () => {};
  for (const socket of socketsOf(server)) Object.assign(socket, { onevent: () => {} });
}

function hasSession({ url = '' }: IncomingMessage): boolean {
  return /[?&]sid=[^&]/.test(url); // an empty sid requests a new session
}

/** All sockets, including those that are still connecting. */
function socketsOf(server: SocketIoServer): Socket[] {
  return [...server._nsps.values()].flatMap(nsp => [...nsp.sockets.values(), ...connectingTo(nsp)]);
}

function connectingTo(nsp: Namespace): Iterable<Socket> {
  return namespaceInternals(nsp)._preConnectSockets.values(); // typed as unknown
}

/** Ends a socket like `server.close()`, before its connection ends, so that `disconnect` gets the right reason. */
function leave(socket: Socket, logger: Logger): void {
  try {
    socket._onclose('server shutting down');
  } catch (error) {
    logger.error('[egg-socket.io] a listener failed while the server closed:', error); // a listener of the app that Socket.IO called directly
  }
}

/** All connections, from the engine's private table. */
function connectionsOf(engine: EngineServer): EngineSocket[] {
  return Object.values(engineInternals(engine).clients ?? {}); // undefined before the engine is open
}

/** Closes a connection after its queued packets have been sent. A polling client gets these and the close packet with its next request. */
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

function isWebSocket(value: unknown): value is OpenWebSocket {
  return value instanceof EventEmitter && 'terminate' in value;
}

/** Waits for a promise, for `timeout` ms at most. */
async function within(timeout: number, something: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<void>(resolve => (timer = setTimeout(resolve, timeout)));
  await Promise.race([something, isLate]);
  clearTimeout(timer);
}

/** Ends connections so that what has been sent to their clients arrives, and these connect again by themselves. */
import { EventEmitter } from 'node:events';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Namespace, Server as SocketIoServer, Socket } from 'socket.io';
import type { Logger } from '../egg';
import { engineInternals, webSocketOf, writeBufferOf } from '../internals/engine-io';
import { namespaceInternals } from '../internals/socket-io';

/** Time in ms for running handlers to end. */
export const HANDLERS_TIMEOUT = 2500;
/** Time in ms to close connections, including `disconnect` routes and the code after `next()`. */
export const CLOSE_TIMEOUT = 1500;

export type OpenWebSocket = EventEmitter & { terminate(): void };

/** All sockets, including those that are still connecting. */
export function socketsOf(server: SocketIoServer): Socket[] {
  return [...server._nsps.values()].flatMap(nsp => [...nsp.sockets.values(), ...connectingTo(nsp)]);
}

function connectingTo(nsp: Namespace): Iterable<Socket> {
  return namespaceInternals(nsp)._preConnectSockets.values(); // typed as unknown
}

/** All connections, from the engines' private tables. */
export function connectionsOf(engines: readonly EngineServer[]): EngineSocket[] {
  return engines.flatMap(engine => Object.values(engineInternals(engine).clients ?? {})); // undefined before the engine is open
}

/** Resolves when it has closed. Not by `once()` of Node, which rejects if it fails before. */
export async function closingOf(one: EngineSocket | OpenWebSocket): Promise<void> {
  await new Promise<unknown>(resolve => one.once('close', resolve));
}

/** Ends a socket like `server.close()`, before its connection ends, so that `disconnect` gets the right reason. */
export function leave(socket: Socket, logger: Logger): void {
  try {
    socket._onclose('server shutting down');
  } catch (error) {
    logger.error('[egg-socket.io] a listener failed while the server closed:', error); // a listener of the app that Socket.IO called directly
  }
}

/** Closes a connection after its queued packets have been sent. A polling client gets these and the close packet with its next request. */
export function closeWhenSent(connection: EngineSocket): void {
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

/** The WebSocket of a connection, if it can be cut off: another engine's may differ. */
export function openWebSocketOf(connection: EngineSocket): OpenWebSocket | undefined {
  const webSocket = webSocketOf(connection);
  return webSocket instanceof EventEmitter && 'terminate' in webSocket ? (webSocket as OpenWebSocket) : undefined; // with the method
}

/** Waits for a promise, for `timeout` ms at most. */
export async function within(timeout: number, something: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<void>(resolve => (timer = setTimeout(resolve, timeout)));
  await Promise.race([something, isLate]);
  clearTimeout(timer);
}

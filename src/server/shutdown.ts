/**
 * Closes a server in order: refuses new clients and events, lets running handlers answer, and then closes the connections, whose clients
 * reconnect by themselves. This takes 4 s at most, since Egg kills a worker 5 s after SIGTERM.
 */
import type { Server as HttpServer } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import type { Server as SocketIoServer } from 'socket.io';
import type { SessionRouting } from '../cluster/routing/session-routing';
import type { Departure } from '../backplane/departure';
import type { Runtime } from '../path/runtime';
import {
  CLOSE_TIMEOUT,
  HANDLERS_TIMEOUT,
  closeWhenSent,
  closingOf,
  connectionsOf,
  leave,
  openWebSocketOf,
  socketsOf,
  within,
} from './connections';
import { giveAwaySessions } from './new-sessions';

/** Time in ms to hand over sessions that there is at least, after everything else has taken its time. */
const MIN_HANDOVER_TIME = 500;

export interface Closing {
  readonly server: SocketIoServer;
  readonly engines: readonly EngineServer[];
  readonly runtime: Pick<Runtime, 'inFlight' | 'logger'>;
  readonly sessionRouting: SessionRouting | undefined;
  /** Hands over to other processes what this one has of its clients, when these have gone. Undefined if there are none. */
  readonly departure: Departure | undefined;
  /** Whether the handlers have had their time. */
  readonly isDrained: boolean;
}

/** Never rejects. Terminates the connections of clients that do not answer in time. */
export async function closeInOrder({
  server,
  engines,
  runtime: { inFlight, logger },
  sessionRouting,
  departure,
  isDrained,
}: Closing): Promise<void> {
  const handlersTime = isDrained ? 0 : HANDLERS_TIMEOUT;
  const end = performance.now() + handlersTime + CLOSE_TIMEOUT;
  for (const engine of engines) giveAwaySessions(engine, sessionRouting)();
  refuseNew(server);
  await within(handlersTime, inFlight.idle());

  for (const socket of socketsOf(server)) leave(socket, logger);
  const connections = connectionsOf(engines);
  const webSockets = connections.map(openWebSocketOf).filter(webSocket => webSocket !== undefined);
  const haveEnded = [...connections, ...webSockets].map(closingOf);
  for (const connection of connections) closeWhenSent(connection);
  await within(
    CLOSE_TIMEOUT,
    Promise.all(haveEnded).then(async () => inFlight.othersIdle()),
  );
  for (const webSocket of webSockets) webSocket.terminate();

  const handedOver = within(Math.max(MIN_HANDOVER_TIME, end - performance.now()), departure?.leave()); // may wait for other workers to close
  if (sessionRouting) {
    (server.httpServer as HttpServer | undefined)?.close(); // what is new comes to other workers; an app that has only bound an engine has none
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

/** Ignores CONNECTs and events: the connection is about to end. */
function refuseNew(server: SocketIoServer): void {
  // for all namespaces and sockets, including those without routes
  server._checkNamespace = () => {};
  for (const nsp of server._nsps.values()) nsp._add = async () => {};
  for (const socket of socketsOf(server)) Object.assign(socket, { onevent: () => {} });
}

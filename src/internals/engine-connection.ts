/** What is done to a connection of Engine.IO that reaches a limit. */
import type { Socket as EngineSocket } from 'engine.io';
import { ENGINE_LIMITS, type HeartbeatInternals, type LimitedInternals, webSocketOf } from './engine-io';
import { hasMembers } from './members';
import { isCorked } from './ws';

/**
 * Closes a connection at once: what waits for the client is dropped. `close()` would wait until the client has read it all.
 * @param reason that of the event `disconnect`
 */
export function terminate(connection: EngineSocket, reason: string): void {
  const { transport } = connection;
  const webSocket = webSocketOf(connection) as { terminate?(): void } | undefined; // of any engine
  transport.discard(); // a polling one would wait for its next request
  webSocket?.terminate?.();
  const internals = limitedInternals(connection);
  if (internals) internals.onClose(reason);
  else connection.close(true);
}

/**
 * Passes what is written to the operating system at once: over a WebSocket before the end of the tick, over polling in one answer to the request that
 * waits, if there is one. Without the private members of Engine.IO nothing is written.
 */
export function writeAtOnce(connection: EngineSocket, write: () => void): void {
  const internals = limitedInternals(connection);
  if (!internals) return;
  const { transport } = connection;
  const { writable } = transport;
  transport.writable = false; // the first packet alone would be the whole answer
  write();
  transport.writable = writable;
  internals.flush();
  const webSocket = webSocketOf(connection);
  if (isCorked(webSocket)) webSocket.uncork();
}

/** Lets the time begin anew in which Engine.IO waits for a sign of life. */
export function refreshHeartbeat(connection: EngineSocket): void {
  (connection as unknown as HeartbeatInternals).pingTimeoutTimer?.refresh(); // private
}

/** Sends what a client needs to know that the connection is alive. In protocol 3, the client sends the pings, and any packet is such a sign. */
export function sendHeartbeat(connection: EngineSocket): void {
  limitedInternals(connection)?.sendPacket(connection.protocol === 3 ? 'noop' : 'ping');
}

/** Answers the request of a client that polls: the one that waits, else the next one. */
export function answerPoll(connection: EngineSocket): void {
  limitedInternals(connection)?.sendPacket('noop');
}

/** Whether a pong of the client answers a ping of the server. */
export function isAwaitedPong(connection: EngineSocket): boolean {
  return (connection as unknown as HeartbeatInternals).pingTimeoutTimer !== null; // private
}

/** Undefined if Engine.IO lacks one. */
function limitedInternals(connection: object): LimitedInternals | undefined {
  return hasMembers(ENGINE_LIMITS, connection) ? connection : undefined;
}

/**
 * The end of a polling client that the server has disconnected. Engine.IO waits up to 30 s for its next request, to say so, and goes on to wait
 * where the client itself has closed the connection meanwhile: with a timer that keeps the process, and the connection in memory.
 */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { endWaitingClose } from '../internals/transports';

/** To be called for an engine before it has connections. */
export function endLateCloses(engine: EngineServer): void {
  engine.on('connection', (connection: EngineSocket) => connection.on('close', endLateClose)); // not once(), which makes a function for each connection
}

function endLateClose(this: EngineSocket): void {
  endWaitingClose(this);
}

/**
 * The end of a polling client that the server has disconnected. Engine.IO waits up to 30 s for its next request, to say so, and goes on to wait
 * where the client itself has closed the connection meanwhile: with a timer that keeps the process, and the connection in memory.
 */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';

/** To be called for an engine before it has connections. */
export function endLateCloses(engine: EngineServer): void {
  engine.on('connection', (connection: EngineSocket) => connection.on('close', endLateClose)); // not once(), which makes a function for each connection
}

function endLateClose(this: EngineSocket): void {
  const transport = this.transport as unknown as { shouldClose?: (() => void) | null }; // private: what is to be called with the next request, and ends the timer
  const { shouldClose } = transport;
  if (!shouldClose) return;
  transport.shouldClose = null;
  shouldClose();
}

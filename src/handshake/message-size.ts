/**
 * Messages larger than `maxHttpBufferSize`. Engine.IO closes the connection, and `disconnect` gets an Error of the transport that does not
 * mention the limit. This gives the Error the same message for all transports, and logs it.
 */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';

/** The messages of ws, and of Engine.IO for polling. */
const TOO_LARGE = /Max payload size exceeded|payload too large/;

/** @param onTooLarge called for each such message, with the new text of the error */
export function explainTooLarge(engine: EngineServer, onTooLarge: (problem: string) => void): void {
  const { maxHttpBufferSize } = engine.opts;
  const onClose = (_reason: string, error: unknown): void => {
    if (!(error instanceof Error && TOO_LARGE.test(error.message))) return;
    error.message = `a message was larger than config.io.init.maxHttpBufferSize, ${maxHttpBufferSize} bytes`; // the Error is used for this event only
    onTooLarge(error.message);
  };
  // before Socket.IO's own listener, which passes the Error on
  engine.on('connection', (connection: EngineSocket) => connection.on('close', onClose)); // not once(), which makes a function for each connection; it closes once
}

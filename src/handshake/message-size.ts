/**
 * Messages that are larger than `maxHttpBufferSize`. Engine.IO ends their connections, and the event `disconnect` brings an Error in the
 * words of the transport, which name no limit. Here it gets one sentence for all transports, and the log has it too.
 */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';

/** What they say: ws, and Engine.IO of requests that poll. */
const TOO_LARGE = /Max payload size exceeded|payload too large/;

/** @param onTooLarge called for each such message, with the sentence */
export function explainTooLarge(engine: EngineServer, onTooLarge: (problem: string) => void): void {
  const { maxHttpBufferSize } = engine.opts;
  const onClose = (_reason: string, error: unknown): void => {
    if (!(error instanceof Error && TOO_LARGE.test(error.message))) return;
    error.message = `a message was larger than config.io.init.maxHttpBufferSize, ${maxHttpBufferSize} bytes`; // made for this event
    onTooLarge(error.message);
  };
  // before Socket.IO's own listener, which hands the Error on
  engine.on('connection', (connection: EngineSocket) => connection.once('close', onClose));
}

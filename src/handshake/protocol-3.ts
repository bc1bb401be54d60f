/** Sessions of protocol 3, that of Socket.IO 2: their id is no secret, since it is the `socket.id`. */
import { isOfSession, REFUSED, type RequestCheck, sessionOf } from './request-check';

const UNSUPPORTED = { code: REFUSED.protocol, message: 'Unsupported protocol version' } as const;

/** Lets clients of protocol 3 come by WebSocket only: nobody can take part in such a session by its id. */
export const refusePolling3: RequestCheck = request => {
  const { EIO, transport } = request._query;
  return EIO !== '4' && transport === 'polling' && !isOfSession(request) ? UNSUPPORTED : undefined;
};

const TAKEN = { code: REFUSED.badRequest, message: 'Bad request' } as const;

/**
 * Refuses a second WebSocket for a session that has one. Engine.IO itself lets it replace the first, unless that had begun with polling.
 * No client does so, but somebody could who knows the id.
 */
export const refuseTakeover: RequestCheck = (request, isUpgrade, sessions) =>
  isUpgrade && sessionOf(request, sessions)?.transport.name === 'websocket' ? TAKEN : undefined;

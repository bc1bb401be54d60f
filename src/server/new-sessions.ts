/** Keeps new sessions away from a server that is about to stop. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import { SERVICE_UNAVAILABLE, type SessionRouting } from '../cluster/routing/session-routing';
import { isOfSession } from '../handshake/request-check';
import { refuseRequest, reportRefusal } from '../internals/engine-answer';
import { engineInternals } from '../internals/engine-io';

const REFUSAL = {
  status: 503,
  headers: { connection: 'close', 'retry-after': '1' },
  code: 'SERVER_STOPS',
  message: 'The server stops, come again',
};

/**
 * From now on, another worker begins the sessions of clients that poll, if there is one. Returns a function that also refuses those that no worker
 * takes: with 503, after which clients, or a load balancer, try again.
 */
export function giveAwaySessions(engine: EngineServer, sessionRouting: SessionRouting | undefined): () => void {
  const handleRequest = engine.handleRequest.bind(engine);
  const handleUpgrade = engine.handleUpgrade.bind(engine);
  const verifier = engineInternals(engine);
  const verify = verifier.verify.bind(engine);
  let isRefusing = false;
  sessionRouting?.refuseSessions();
  engine.handleRequest = (request, response) => {
    const handleHere = (): void => handleRequest(request, response);
    if (hasSession(request) || !sessionRouting?.beginElsewhere(engine, request, response, handleHere)) handleHere();
  };
  verifier.verify = (request, isUpgrade, answer) => {
    if (isRefusing && !isUpgrade && !isOfSession(request)) refuseRequest(engine, request, REFUSAL);
    else verify(request, isUpgrade, answer);
  };
  engine.handleUpgrade = (request, socket, head) => {
    if (hasSession(request) || !isRefusing) return handleUpgrade(request, socket, head);
    reportRefusal(engine, request, REFUSAL);
    socket.on('error', () => {}).end(SERVICE_UNAVAILABLE, () => socket.destroy());
  };
  return () => {
    isRefusing = true;
  };
}

function hasSession({ url = '' }: IncomingMessage): boolean {
  return /[?&]sid=[^&]/.test(url); // an empty sid requests a new session
}

/** Keeps new sessions away from a server that is about to stop. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import { SERVICE_UNAVAILABLE, type SessionRouting } from '../cluster/routing/session-routing';
import { refuseRequest, reportRefusal } from '../internals/engine-answer';

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
  let isRefusing = false;
  sessionRouting?.refuseSessions();
  engine.handleRequest = (request, response) => {
    const handleHere = (): void => {
      if (isRefusing) refuseRequest(engine, request, response, REFUSAL);
      else handleRequest(request, response);
    };
    if (hasSession(request)) handleRequest(request, response);
    else if (!sessionRouting?.beginElsewhere(engine, request, response, handleHere)) handleHere();
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

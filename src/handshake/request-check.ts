/** Checks of the requests that reach Engine.IO: those that begin a session, and those of one. */
import type { Server as EngineServer } from 'engine.io';
import { type EngineInternals, engineInternals, type EngineRequest } from '../internals/engine-io';
import { refuseRequest } from '../internals/engine-answer';
import type { Admission, Turned } from './admission';

/** Engine.IO's codes for a request that it refuses. Polling gets a 403 for the second one and else a 400, WebSockets always a 400. */
export const REFUSED = { badRequest: 3, forbidden: 4, protocol: 5 } as const;

interface RequestRefusal {
  readonly code: (typeof REFUSED)[keyof typeof REFUSED];
  /** The client can read it if it polls. */
  readonly message: string;
}

/** Returns undefined for a request that it does not refuse. Must not throw. */
export type RequestCheck = (request: EngineRequest, isUpgrade: boolean, sessions: EngineInternals['clients']) => RequestRefusal | undefined;

/** Makes an engine ask these checks, in this order, before its own. @param admission asked after its own, for requests that begin a session */
export function checkRequests(engine: EngineServer, checks: readonly RequestCheck[], admission: Admission): void {
  const verifier = engineInternals(engine);
  const verify = verifier.verify.bind(engine);
  verifier.verify = (request, isUpgrade, answer) => {
    for (const check of checks) {
      const refusal = check(request, isUpgrade, verifier.clients);
      if (refusal) {
        answer(refusal.code, { message: refusal.message });
        return;
      }
    }
    if (isOfSession(request)) return verify(request, isUpgrade, answer);
    verify(request, isUpgrade, (code, context) => {
      const turned = admission.turnedAfter(request, code === undefined);
      if (!turned) answer(code, context);
      else if (isUpgrade) answer(REFUSED.forbidden, { message: turned.code });
      else comeBackLater(engine, request, turned);
    });
  };
}

/** The session that a request names. Undefined if it begins one, or if there is none with this id. */
export function sessionOf(
  { _query: { sid } }: EngineRequest,
  sessions: EngineInternals['clients'],
): EngineInternals['clients'][string] | undefined {
  return sid !== undefined && Object.hasOwn(sessions, sid) ? sessions[sid] : undefined;
}

/** Whether a request has the id of a session. As Engine.IO sees it: an empty one is none. */
export function isOfSession({ _query: { sid } }: EngineRequest): boolean {
  return sid !== undefined && sid !== '';
}

/** The longest time after which a client is to come again, in s. Random, so that not all come at once. The official client has random times of its own. */
const MAX_RETRY_AFTER = 10;

function comeBackLater(engine: EngineServer, request: EngineRequest, { status, code }: Turned): void {
  const retryAfter = String(1 + Math.floor(Math.random() * MAX_RETRY_AFTER));
  const message = status === 429 ? 'Too many of one address, come again' : 'Service unavailable, come again';
  refuseRequest(engine, request, { status, headers: { 'Retry-After': retryAfter }, code, message });
}

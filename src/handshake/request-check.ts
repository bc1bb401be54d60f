/** Checks of the requests that reach Engine.IO: those that begin a session, and those of one. */
import type { Server as EngineServer } from 'engine.io';
import { type EngineInternals, engineInternals, type EngineRequest } from '../internals/engine-io';

/** Engine.IO's codes for a request that it refuses. Polling gets a 403 for the second one and else a 400, WebSockets always a 400. */
export const REFUSED = { badRequest: 3, forbidden: 4, protocol: 5 } as const;

interface RequestRefusal {
  readonly code: (typeof REFUSED)[keyof typeof REFUSED];
  /** The client can read it if it polls. */
  readonly message: string;
}

/** Returns undefined for a request that it does not refuse. Must not throw. */
export type RequestCheck = (request: EngineRequest, isUpgrade: boolean, sessions: EngineInternals['clients']) => RequestRefusal | undefined;

/** Makes an engine ask these checks, in this order, before its own. */
export function checkRequests(engine: EngineServer, checks: readonly RequestCheck[]): void {
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
    verify(request, isUpgrade, answer);
  };
}

/** The session that a request names. Undefined if it begins one, or if there is none with this id. */
export function sessionOf(
  { _query: { sid } }: EngineRequest,
  sessions: EngineInternals['clients'],
): EngineInternals['clients'][string] | undefined {
  return sid !== undefined && Object.hasOwn(sessions, sid) ? sessions[sid] : undefined;
}

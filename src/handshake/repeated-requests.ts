/**
 * Requests of polling that come twice. If a connection that a browser has kept open ends before the answer has come, the browser sends the request
 * again by itself, unseen by the page. Engine.IO takes that for another request: events in the answer that got lost would be lost without a sign,
 * and events in a request whose answer got lost would be handled twice.
 */
import type { Socket as EngineSocket } from 'engine.io';
import { requestOf } from '../internals/engine-io';
import { REFUSED, type RequestCheck, sessionOf } from './request-check';

/** The parameter by which clients make each request another one, so that no cache answers it. */
const STAMP = 't';
/** What the official clients make anew for each request. That of others may be the time in seconds, and come twice. A longer one is not remembered. */
const UNIQUE = /^(?=.*[A-Za-z]).{1,50}$/;
/** In ms: so far may the clock of a client be from that of this server. */
const DAY = 86_400_000;

const REPEATED = { code: REFUSED.badRequest, message: 'Bad request' } as const;

/** The stamps of the latest requests of each session. */
const latest = new WeakMap<EngineSocket, { GET?: string; POST?: string }>();

/** Ends a session whose client repeats a request, as if the connection had been cut: the client comes back, and is recovered where that is on. */
export const endRepeated: RequestCheck = (request, isUpgrade, sessions) => {
  const { method } = request;
  const stamp = request._query[STAMP];
  const session = sessionOf(request, sessions);
  if (isUpgrade || session?.transport.name !== 'polling' || (method !== 'GET' && method !== 'POST')) return undefined;
  // a client may send the same one in all requests
  if (stamp === undefined || !UNIQUE.test(stamp) || isTime(stamp) || stamp === requestOf(session)?._query[STAMP]) return undefined;
  const stamps = latest.get(session) ?? {};
  if (stamps[method] === stamp) {
    session.close(true);
    return REPEATED;
  }
  stamps[method] = stamp;
  latest.set(session, stamps);
  return undefined;
};

/** Whether it is the time in ms in base 36, as the client for Dart has it: two requests in the same ms have the same one. */
function isTime(stamp: string): boolean {
  return Math.abs(Number.parseInt(stamp, 36) - Date.now()) < DAY;
}

/** Asks the app whose a session is that can be recovered: `config.io.init.connectionStateRecovery.owner`. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { EggApplication, EggContext } from '../egg';
import { roomOfOwner, userIdOf } from '../rooms';
import { toError } from '../thrown';
import type { FailureLog } from './failures';
import type { SessionStore } from './session';

/** In users' types the context is Egg's, of which ours is a part. */
export type Owner = (ctx: never) => unknown;

/**
 * Asks for a handshake. Resolves with the room of the owner; with undefined for nobody. Never rejects: after an error, the owner is somebody whom
 * nobody else is.
 * @param sessions returns undefined if Egg's session plugin is off
 */
export function ownerAsker(
  app: EggApplication,
  owner: Owner,
  sessions: () => SessionStore | undefined,
  failures: FailureLog,
): (request: IncomingMessage, auth: object) => Promise<string | undefined> {
  return async (request, auth) => {
    try {
      const session = await sessions()?.open(request);
      const ctx = app.createContext(request, new ServerResponse(request));
      Object.defineProperty(ctx, 'handshake', { value: { auth } });
      if (session) Object.defineProperty(ctx, 'session', { get: () => session.value });
      const id = await app.ctxStorage.run(ctx, owner as (ctx: EggContext) => unknown, ctx);
      return id === undefined || id === null ? undefined : roomOfOwner(userIdOf(id));
    } catch (thrown) {
      const what = 'config.io.init.connectionStateRecovery.owner failed, and a client is a new one';
      failures.log({ level: 'error', what, namespace: 'any', socket: undefined, error: toError(thrown) });
      return roomOfOwner(randomUUID());
    }
  };
}

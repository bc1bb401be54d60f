/** The public types of functions that `config.io` may have. */
import type { IncomingMessage } from 'node:http';
import type { Context } from 'egg';
import type { ServerOptions } from 'socket.io';

/**
 * Maps or reports an error. It is logged in any case, so do not log it again.
 *
 * @param error what was thrown, returned or given to `ctx.ack()`. A value that is not an Error has been put into one.
 * @param ctx the context of the packet or the connection in which the error occurred. `ctx.packet` is undefined for a connection.
 * @returns nothing, or an error for the client, which is answered and classified as if it had been thrown. It must not be in a promise.
 *   If the function throws, the client is answered as without it.
 * @example onerror: (error, ctx) => (error.name === 'SequelizeOptimisticLockError' ? new IoError('CONFLICT', 'Changed meanwhile') : undefined)
 */
export type OnError = (error: Error, ctx: Context) => Error | void | Promise<void>;

/** Creates the id of a connection from its handshake request. */
export type GenerateId = (request: IncomingMessage) => string | Promise<string>;

/** `config.io.init.connectionStateRecovery` */
export interface RecoveryConfig extends NonNullable<ServerOptions['connectionStateRecovery']> {
  /** Says whose a session is. Another owner gets a new one. Default: the user whom connection middleware sets as `socket.user`. */
  owner?: SessionOwner;
}

/**
 * Says whose a session is that can be recovered. Called for each client before its socket is made.
 *
 * @param ctx a context of the handshake's request, as over HTTP, with `session`, `cookies`, `service` and so on, and with `handshake.auth`. It has no
 *   socket yet.
 * @returns the id of the owner, or undefined or null for nobody; or a promise of that. A client that comes back as somebody else, or as nobody, is a new
 *   client, and nothing changes for the owner. If the function throws or rejects, the client is a new one, and its session is never recovered.
 * @example owner: async ctx => (await ctx.service.token.verify(ctx.handshake.auth.token))?.id
 */
export type SessionOwner = (
  ctx: Context & { readonly handshake: { readonly auth: Record<string, unknown> } },
) => string | number | null | undefined | Promise<string | number | null | undefined>;

/** What a session is bound to: `config.io.bind`. */
export type BoundTo = 'address' | 'userAgent' | 'cookie';

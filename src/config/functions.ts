/** The public types of functions that `config.io` may have. */
import type { IncomingMessage } from 'node:http';
import type { Context } from 'egg';

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

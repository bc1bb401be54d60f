/** The public types of `config.io.auth`. */
import type { Context } from 'egg';

/** `config.io.namespace['/'].auth`: how long the login of a client lasts. */
export interface NamespaceAuth {
  /** Time in ms after which a client has to log in again. It counts from its connection, or from its last renewal. Default: no limit. Since 5. */
  maxAge?: number;
  /**
   * Says when the login of a client ends: at the end of its token or session. Called when connection middleware has admitted the client, and after
   * each renewal. Default: none. Since 5.
   */
  expiresAt?: ExpiresAt;
  /** Asks again and again whether a connected client may stay. Default: none. Since 5. */
  recheck?: RecheckConfig;
  /** Decides about a new `auth` of a connected client, such as a new token. Default: none, and a client has to connect anew. Since 5. */
  renew?: RenewAuth;
}

/** `config.io.auth` */
export interface AuthConfig extends NamespaceAuth {
  /**
   * Whether the connections of an HTTP session end when that ends, on all workers and servers: with `ctx.session = null`, `session.regenerate()` or
   * `app.sessionStore.destroy()`. For sessions in an external store. Default: `false`. Since 5.
   */
  followSession?: boolean;
}

/** `config.io.namespace['/'].auth.recheck` */
export interface RecheckConfig {
  /**
   * Time in ms between two checks of a connection. The first one comes after half of it or later, so that clients which come together are spread.
   * Default: it must be set. Since 5.
   */
  every: number;
  /** Says whether the client may stay. Default: it must be set. Since 5. */
  check: CheckAuth;
}

/**
 * Says when the login of a client ends. It must not return a promise: read what it needs in connection middleware.
 *
 * @param ctx a context of the connection, as in connection middleware
 * @returns a Date, or a time in ms since 1970 as of `Date.now()`; undefined or null if it does not end. A client whose time is over already is refused
 *   with the code `AUTH_EXPIRED`. If the function throws or returns anything else, the client is refused like after an error of middleware.
 * @example expiresAt: ctx => ctx.socket.data.token.exp * 1000
 */
export type ExpiresAt = (ctx: Context) => Date | number | null | undefined;

/**
 * Says whether a connected client may stay.
 *
 * @param ctx a context of the connection, as in connection middleware
 * @returns whether it may stay, or a promise of that. The connection ends with the code `AUTH_REVOKED` if it is false or any other falsy value, or if
 *   the function throws an error with the status 401 or 403, as `ctx.throw(401)` does. After any other error, which is logged, the client stays, and
 *   the next check decides.
 * @example
 * check: async ctx => {
 *   await ctx.session.reload();
 *   return Boolean(ctx.session?.user);
 * }
 */
export type CheckAuth = (ctx: Context) => boolean | Promise<boolean>;

/**
 * Decides about a new `auth` that a connected client has sent by the event `$io:auth`, so that its login goes on. `ctx.socket.handshake.auth` is the
 * former one until then, and the new one afterwards.
 *
 * @param ctx a context of the connection, as in connection middleware
 * @param auth an object that the client has sent, with anything in it
 * @returns the user whom it belongs to, as the id or an object with `id`, or a promise of that. It must be the one of `ctx.socket.user`: otherwise,
 *   also where the connection has no user, it ends with the code `AUTH_OTHER_USER`. Where a connection has no user, only `true` is right. Anything
 *   falsy refuses it with `AUTH_REFUSED`, and an error is answered like one of a handler: then the login ends when it would have ended.
 * @example renew: async (ctx, { token }) => (await ctx.service.token.verify(token))?.id
 */
export type RenewAuth = (ctx: Context, auth: Record<string, unknown>) => unknown;

/** The options of the admin page, and their reader. */
import type { Context } from 'egg';
import { isDevelopment } from '../errors';
import { functionAt, isSet, objectAt, refuseUnknown } from './readers';

/** `config.io.admin` */
export interface AdminConfig {
  /** Says who may see the page and use it, in every environment. Default: it must be set. Since 5. */
  allow: AllowAdmin;
}

/**
 * Says whether a request for the admin page is answered. Called for each one, about once a second while somebody looks.
 *
 * @param ctx the context of the HTTP request, after the app's own middleware: with `session`, `user`, `service` and so on
 * @returns true, or a promise of it, for those who may see all clients, disconnect them and emit to them. After anything else, or an error, the answer
 *   is 403.
 * @example allow: ctx => ctx.session.user?.isOperator === true
 */
export type AllowAdmin = (ctx: Context) => boolean | Promise<boolean>;

export interface AdminSettings {
  /** Undefined if only this machine may see the page. */
  readonly allow: AllowAdmin | undefined;
}

/** Undefined if there is no page. @param warn called if `true` has no effect */
export function readAdmin(value: unknown, env: string | undefined, warn: (message: string) => void): AdminSettings | undefined {
  if (!isSet(value) || value === false) return undefined;
  if (value === true) {
    if (isDevelopment(env)) return { allow: undefined };
    warn(
      `[egg-socket.io] config.io.admin: true has no effect in the environment ${env}: only { allow } with a function opens the page there`,
    );
    return undefined;
  }
  const given = objectAt('config.io.admin', value, 'true, false or an object');
  refuseUnknown('config.io.admin', given, { allow: true });
  return { allow: functionAt<AllowAdmin>('config.io.admin.allow', given['allow']) };
}

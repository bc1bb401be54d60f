/** Reads `config.io.auth` and `auth` of a namespace: how long logins last. */
import type { ExpiresAt, RecheckConfig, RenewAuth } from './auth-options';
import { booleanAt, isSet, objectAt, readEach, type Reader, refuseUnknown, withDefault } from './readers';
import { AUTH_OPTIONS, GLOBAL_AUTH_OPTIONS } from './tables';

export interface AuthSettings {
  /** In ms. Infinite without a limit. */
  readonly maxAge: number;
  readonly expiresAt: ExpiresAt | undefined;
  readonly recheck: Readonly<RecheckConfig> | undefined;
  readonly renew: RenewAuth | undefined;
}

const READERS: { readonly [Name in keyof AuthSettings]: Reader<AuthSettings[Name]> } = {
  maxAge: withDefault(AUTH_OPTIONS.maxAge, Number.POSITIVE_INFINITY),
  expiresAt: withDefault(AUTH_OPTIONS.expiresAt, undefined),
  recheck: withDefault(AUTH_OPTIONS.recheck, undefined),
  renew: withDefault(AUTH_OPTIONS.renew, undefined),
};

/** Reads `config.io.auth`. @throws SetupError like `readAuth` */
export function readGlobalAuth(value: unknown): { readonly auth: AuthSettings | undefined; readonly followSession: boolean } {
  const place = 'config.io.auth';
  const given = objectAt(place, value ?? {});
  refuseUnknown(place, given, GLOBAL_AUTH_OPTIONS);
  const { followSession, ...rest } = given;
  return { auth: readAuth(place, rest), followSession: withDefault(booleanAt, false)(`${place}.followSession`, followSession) };
}

/**
 * Reads `auth` of a namespace. Undefined if logins last as long as connections.
 * @throws SetupError if an option is not valid, unknown or missing
 */
export function readAuth(place: string, value: unknown): AuthSettings | undefined {
  const given = objectAt(place, value);
  const settings = readEach(place, given, READERS);
  return Object.values(given).some(isSet) ? settings : undefined;
}

/** Reads `config.io.auth` and `auth` of a namespace: how long logins last. */
import { nearest } from '../nearest';
import type { CheckAuth, ExpiresAt, RenewAuth } from './auth-options';
import { booleanAt, invalid, isSet, objectAt } from './readers';
import { AUTH_OPTIONS, GLOBAL_AUTH_OPTIONS, RECHECK_OPTIONS } from './tables';

export interface AuthSettings {
  /** In ms. Infinite without a limit. */
  readonly maxAge: number;
  readonly expiresAt: ExpiresAt | undefined;
  readonly recheck: { readonly every: number; readonly check: CheckAuth } | undefined;
  readonly renew: RenewAuth | undefined;
}

/** Reads `config.io.auth`. @throws SetupError like `readAuth` */
export function readGlobalAuth(value: unknown): { readonly auth: AuthSettings | undefined; readonly followSession: boolean } {
  const place = 'config.io.auth';
  const given = objectAt(place, value ?? {});
  refuseUnknown(place, given, GLOBAL_AUTH_OPTIONS);
  const { followSession, ...rest } = given;
  return { auth: readAuth(place, rest), followSession: isSet(followSession) && booleanAt(`${place}.followSession`, followSession) };
}

/**
 * Reads `auth` of a namespace. Undefined if logins last as long as connections.
 * @throws SetupError if an option is not valid, unknown or missing
 */
export function readAuth(place: string, value: unknown): AuthSettings | undefined {
  const given = objectAt(place, value);
  refuseUnknown(place, given, AUTH_OPTIONS);
  const { maxAge, expiresAt, recheck, renew } = given;
  if (!isSet(maxAge) && !isSet(expiresAt) && !isSet(recheck) && !isSet(renew)) return undefined;
  return {
    maxAge: isSet(maxAge) ? AUTH_OPTIONS.maxAge(`${place}.maxAge`, maxAge) : Number.POSITIVE_INFINITY,
    expiresAt: isSet(expiresAt) ? AUTH_OPTIONS.expiresAt(`${place}.expiresAt`, expiresAt) : undefined,
    recheck: isSet(recheck) ? readRecheck(`${place}.recheck`, recheck) : undefined,
    renew: isSet(renew) ? AUTH_OPTIONS.renew(`${place}.renew`, renew) : undefined,
  };
}

function readRecheck(place: string, value: unknown): NonNullable<AuthSettings['recheck']> {
  const given = objectAt(place, value);
  refuseUnknown(place, given, RECHECK_OPTIONS);
  return {
    every: RECHECK_OPTIONS.every(`${place}.every`, given['every']),
    check: RECHECK_OPTIONS.check(`${place}.check`, given['check']),
  };
}

function refuseUnknown(place: string, given: object, options: object): void {
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(options, key)) continue;
    const guess = nearest(key, Object.keys(options));
    const question = guess === undefined ? '' : `, did you mean ${guess}?`;
    invalid(place, `an object with ${Object.keys(options).join(', ')}; it has ${key}${question}`);
  }
}

/**
 * egg-passport's user of a connection: `ctx.user` and `ctx.isAuthenticated()`. Over HTTP its middleware puts the user on each request;
 * here it is found once for a connection, when the session has been opened.
 */
import type { EggApplication } from '../egg';
import { SETTLE } from './module-scope';

/** As far as it is used here. Its own names begin with an underscore. */
interface EggPassport {
  /** The key of its part of the session. */
  readonly _key: string;
  /** The property of a request that has the user. */
  readonly _userProperty: string;
  deserializeUser(ctx: object, sessionUser: unknown): Promise<unknown>;
}

/** Finds the users of connections. Absent where egg-passport is off. */
export class Passport {
  readonly #app: EggApplication;
  readonly #passport: EggPassport;

  private constructor(app: EggApplication, passport: EggPassport) {
    this.#app = app;
    this.#passport = passport;
  }

  static of(app: EggApplication): Passport | undefined {
    const passport: unknown = Reflect.get(app, 'passport');
    return isEggPassport(passport) ? new Passport(app, passport) : undefined;
  }

  /** What a connection's requests have beside the handshake's: the user, where the session has one. Rejects where the app fails to find it. */
  async open(session: object | null | undefined, ctx: { [SETTLE]?: () => void }): Promise<PropertyDescriptorMap> {
    const { _key, _userProperty } = this.#passport;
    const saved: unknown = session && Reflect.get(session, _key);
    const sessionUser: unknown = typeof saved === 'object' && saved ? Reflect.get(saved, 'user') : undefined;
    const isThere = Boolean(sessionUser) || sessionUser === 0; // as its own middleware asks
    const user = isThere && (await this.#deserialize(ctx, sessionUser));
    return {
      ...SIGNING_IN_AND_OUT,
      _passport: { value: { instance: this.#passport } },
      ...(user ? { [_userProperty]: { value: user, configurable: true, enumerable: true, writable: true } } : {}),
    };
  }

  async #deserialize(ctx: { [SETTLE]?: () => void }, sessionUser: unknown): Promise<unknown> {
    try {
      return await this.#app.ctxStorage.run(ctx, async () => this.#passport.deserializeUser(ctx, sessionUser));
    } finally {
      ctx[SETTLE]?.();
    }
  }
}

/** `ctx.login()` and `ctx.logout()` call these of the request. */
const SIGNING_IN_AND_OUT = Object.fromEntries(
  ['login', 'logIn', 'logout', 'logOut'].map(name => [
    name,
    {
      value(): never {
        throw new Error(
          `ctx.${name.toLowerCase()}() needs a response that can set a cookie: call it in an HTTP request, and let the client connect again after it`,
        );
      },
    },
  ]),
);

function isEggPassport(value: unknown): value is EggPassport {
  return typeof value === 'object' && value !== null && '_key' in value && '_userProperty' in value && 'deserializeUser' in value;
}

/**
 * `ctx.user` and `ctx.isAuthenticated()` of egg-passport. Over HTTP, its middleware loads the user for each request;
 * here the user is loaded once for each connection, after the session has been opened.
 */
import type { EggApplication } from '../egg';
import { passportOf } from '../internals/egg';
import { SETTLE } from './module-scope';

type EggPassport = NonNullable<ReturnType<typeof passportOf>>;

/** Members of a request that `ctx.login()` and `ctx.logout()` call. */
const LOGIN_METHODS = Object.fromEntries(
  ['login', 'logIn', 'logout', 'logOut'].map(name => [
    name,
    {
      value(): never {
        throw new Error(
          `ctx.${name.toLowerCase()}() needs a response that can set a cookie: call it in an HTTP request, then let the client reconnect`,
        );
      },
    },
  ]),
);

/** Loads the users of connections. */
export class Passport {
  readonly #app: EggApplication;
  readonly #passport: EggPassport;

  private constructor(app: EggApplication, passport: EggPassport) {
    this.#app = app;
    this.#passport = passport;
  }

  /** Undefined if egg-passport is off. */
  static of(app: EggApplication): Passport | undefined {
    const passport = passportOf(app);
    return passport && new Passport(app, passport);
  }

  /** Members to add to `ctx.req`, with the user if the session has one. Rejects if the app fails to load the user. */
  async open(session: object | null | undefined, ctx: { [SETTLE]?: () => void }): Promise<PropertyDescriptorMap> {
    const { _key, _userProperty } = this.#passport;
    const saved: unknown = session && Reflect.get(session, _key);
    const sessionUser: unknown = typeof saved === 'object' && saved ? Reflect.get(saved, 'user') : undefined;
    const hasUser = Boolean(sessionUser) || sessionUser === 0; // the condition of egg-passport's middleware
    const user = hasUser && (await this.#deserialize(ctx, sessionUser));
    return {
      ...LOGIN_METHODS,
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

/** The locale of egg-i18n, determined once for each connection on first access. Over HTTP, a cookie keeps it between requests. */
import type { EggApplication } from '../egg';
import { localeInternals } from '../internals/egg';

/** The locale of a connection. */
export interface LocaleOwner {
  locale?: unknown;
  localeOrigin?: unknown;
}

/** Overrides the members of egg-i18n on the prototype of an app's contexts. Does nothing if that plugin is off. */
export function keepLocale<Ctx extends object>(prototype: Ctx, app: EggApplication, ownerOf: (ctx: Ctx) => LocaleOwner): void {
  const plugin = localeInternals(app.context, line => app.logger.warn(line));
  if (!plugin) return;
  const find = plugin.__getLocale;
  const members: PropertyDescriptorMap & ThisType<Ctx & { cookies: { get(...args: unknown[]): unknown } }> = {
    // egg-i18n stores its result here
    __locale: {
      configurable: true,
      get() {
        return ownerOf(this).locale;
      },
      set(locale: unknown) {
        ownerOf(this).locale = locale;
      },
    },
    __localeOrigin: {
      configurable: true,
      get() {
        return ownerOf(this).localeOrigin;
      },
      set(origin: unknown) {
        ownerOf(this).localeOrigin = origin;
      },
    },
    __getLocale: {
      configurable: true,
      value() {
        const { locale } = ownerOf(this);
        if (locale !== undefined) return locale;
        const { cookies } = this;
        // with a cookies object that ignores set(): there is no response
        return find.call(Object.create(this, { cookies: { value: { get: cookies.get.bind(cookies), set() {} } } }) as object);
      },
    },
    /** Called by `ctx.locale = ...` */
    __setLocale: {
      configurable: true,
      value(locale: unknown) {
        Object.assign(ownerOf(this), { locale, localeOrigin: 'set' } satisfies LocaleOwner);
      },
    },
  };
  Object.defineProperties(prototype, members);
}

/** The locale of egg-i18n: found for the connection, when first asked for, and kept, as over HTTP a cookie keeps it. */
import type { EggApplication } from '../egg';

/** The locale of a connection. */
export interface LocaleOwner {
  locale?: unknown;
  localeOrigin?: unknown;
}

/** Puts it on the prototype of an app's contexts, where the plugin is on. */
export function keepLocale<Ctx extends object>(prototype: Ctx, app: EggApplication, ownerOf: (ctx: Ctx) => LocaleOwner): void {
  const getLocale: unknown = Reflect.get(app.context, '__getLocale');
  if (typeof getLocale !== 'function') return;
  const find = getLocale as (this: object) => unknown;
  const members: PropertyDescriptorMap & ThisType<Ctx & { cookies: { get(...args: unknown[]): unknown } }> = {
    // where the plugin keeps what it has found
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
        // without the cookie that it would set
        return find.call(Object.create(this, { cookies: { value: { get: cookies.get.bind(cookies), set() {} } } }) as object);
      },
    },
    /** Of `ctx.locale = ...` */
    __setLocale: {
      configurable: true,
      value(locale: unknown) {
        Object.assign(ownerOf(this), { locale, localeOrigin: 'set' } satisfies LocaleOwner);
      },
    },
  };
  Object.defineProperties(prototype, members);
}

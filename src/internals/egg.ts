/** Private members of Egg and its plugins: each with its reason, and the only casts to access them. */
import { hasMembers, type Members, membersOf, requireMembers, type Specimens } from './members';

type Warn = (line: string) => void;

/** The two fields that the getters of `ctx.service` use. */
export interface ServicesInternals {
  readonly _ctx: object;
  readonly _cache: Map<string, unknown>;
}

interface LocaleInternals {
  __getLocale(this: object): unknown;
  __setLocale(locale: unknown): void;
}

/** The session of koa-session, which Egg's session plugin uses. */
interface SessionInternals {
  /** Whether to save it even without changes. Some versions have the field only once it has been set. */
  _requireSave?: boolean;
  commit(options?: { readonly save?: boolean; readonly regenerate?: boolean }, callback?: (error?: unknown) => void): unknown;
}

interface PassportInternals {
  /** The key of its data in the session. */
  readonly _key: string;
  /** The property of a request that holds the user. */
  readonly _userProperty: string;
  deserializeUser(ctx: object, sessionUser: unknown): Promise<unknown>;
}

/** A context of tegg, with the objects of one request. */
export interface TeggContext {
  set(key: symbol, value: unknown): void;
  /** Runs the hooks of other plugins for a new context, then creates the registered objects. */
  init(lifecycle: object): Promise<void>;
  addProtoToCreate(name: PropertyKey, proto: object): void;
  getOrCreateEggObject(name: PropertyKey, proto: object): Promise<unknown>;
  destroy(lifecycle: object): Promise<void>;
}

interface TeggInternals {
  /** The base class of its contexts. */
  readonly abstractEggContext: new () => TeggContext;
  readonly identicalUtil: { createContextId(): string };
}

/** The key of Egg's context in a context of tegg. */
export const EGG_CONTEXT = Symbol.for('context#eggContext');

/** A function for `ctx.runInBackground()`, with its name for Egg's log. */
export type BackgroundTask = ((ctx: unknown) => Promise<unknown>) & { _name?: string };

export const SERVICES: Members<ServicesInternals> = {
  package: 'egg',
  owner: 'ctx.service',
  why: { _ctx: 'all contexts share the getters of services', _cache: 'each context has its own instances' },
  fallback: 'the getters of all services are defined for each context again',
};

/** The plugin stores the locale in `__locale` and `__localeOrigin` of the context: fields that do not exist before. */
export const LOCALE: Members<LocaleInternals> = {
  package: 'egg',
  owner: 'ctx',
  why: { __getLocale: 'a connection looks up its locale once', __setLocale: '`ctx.locale = ...` is valid for the connection' },
  fallback: 'each packet looks up the locale again',
};

export const SESSION: Members<SessionInternals> = {
  package: 'koa-session',
  owner: 'Session',
  why: {
    _requireSave: 'an unchanged session is saved if its life is prolonged',
    commit: '`save()` and `manuallyCommit()` write only the changes of this connection',
  },
};

export const PASSPORT: Members<PassportInternals> = {
  package: 'egg-passport',
  owner: 'Passport',
  why: {
    _key: 'the user in the session',
    _userProperty: 'the user in a request',
    deserializeUser: 'loads the user',
  },
};

export const TEGG: Members<TeggInternals> = {
  package: '@eggjs/tegg-plugin',
  owner: 'Application',
  why: {
    abstractEggContext: 'objects of a packet are created on demand, and destroyed when the packet has settled',
    identicalUtil: 'creates the id of a context',
  },
};

export const TEGG_CONTEXT: Members<TeggContext> = {
  package: '@eggjs/tegg-plugin',
  owner: 'AbstractEggContext',
  why: {
    set: 'passes the context of the packet to objects',
    init: 'starts a context with its first object',
    addProtoToCreate: 'no object is created in advance',
    getOrCreateEggObject: 'creates objects on demand',
    destroy: 'destroys the objects of a packet',
  },
};

/** `ctx.service`. Undefined if it does not exist or differs from that of the tested versions. */
export function servicesOf(ctx: object, warn: Warn): ServicesInternals | undefined {
  const services: unknown = Reflect.get(ctx, 'service');
  return typeof services === 'object' && services !== null ? membersOf(SERVICES, services, warn) : undefined;
}

/** Egg's prototype of contexts if the i18n plugin, which adds `ctx.__()`, is on. */
export function localeInternals(context: object, warn: Warn): LocaleInternals | undefined {
  return '__' in context ? membersOf(LOCALE, context, warn) : undefined;
}

/** @param make creates a session for the check. It may throw: the store can be the app's own. */
export function sessionSpecimens(make: () => object | null | undefined): Specimens {
  try {
    const session = make();
    return [[SESSION, session ? Object.assign(session, { maxAge: undefined }) : undefined]]; // the setter creates `_requireSave` where the constructor does not
  } catch {
    return [[SESSION, undefined]];
  }
}

export function sessionInternals(session: object): SessionInternals {
  return session as SessionInternals; // not declared by Egg
}

/** `app.passport` of egg-passport, or one with the same members. Any other object with that name belongs to the app. */
export function passportOf(app: { readonly plugins?: Record<string, { readonly enable?: boolean }> }): PassportInternals | undefined {
  const passport: unknown = Reflect.get(app, 'passport');
  if (typeof passport !== 'object' || passport === null) return undefined;
  if (app.plugins?.['passport']?.enable) requireMembers(PASSPORT, passport);
  return hasMembers(PASSPORT, passport) ? passport : undefined;
}

/** The members of an app with tegg. Undefined if tegg is off. */
export function teggOf(app: { readonly context: object }): TeggInternals | undefined {
  if (!('getEggObject' in app.context)) return undefined;
  requireMembers(TEGG, app);
  const tegg = app as unknown as TeggInternals; // it has them all
  requireMembers(TEGG_CONTEXT, tegg.abstractEggContext.prototype as object); // declared as any
  return tegg;
}

/**
 * The HTTP session of the cookie in a handshake: decoded once for a connection, shared by all its packets.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { EggApplication, EggContext, EggSession, SessionMiddleware } from '../egg';
import { storeError } from '../errors';

/** Makes the sessions of connections. Absent where Egg's session plugin is off. */
export class SessionStore {
  readonly #app: EggApplication;
  readonly #middleware: SessionMiddleware;
  /** For contexts that are there to decode a cookie and for nothing else. */
  readonly #noResponse = new ServerResponse(new IncomingMessage(new Socket()));

  private constructor(app: EggApplication, middleware: SessionMiddleware) {
    this.#app = app;
    this.#middleware = middleware;
  }

  /** To be called when all plugins have been set up: an external store may be given to Egg until then. */
  static of(app: EggApplication): SessionStore | undefined {
    const { session } = app.middlewares;
    if (typeof session !== 'function' || !app.config.session) return undefined;
    const factory = session as (options: unknown, app: EggApplication) => SessionMiddleware; // Egg's signature of every middleware
    return new SessionStore(app, factory(app.config.session, app));
  }

  /** The session of a handshake. Rejects with an error that `isTemporary` knows where an external store fails. */
  async open(request: IncomingMessage): Promise<ConnectionSession> {
    const { store, ContextStore, autoCommit = true } = this.#app.config.session ?? {};
    if (!store && !ContextStore) return new CookieSession(() => this.#createContext(request, this.#noResponse));
    const run: Run = async work => {
      const ctx = this.#createContext(request, new ServerResponse(request)); // a store of the app's own may put something into it
      await this.#middleware(ctx, async () => work(ctx));
      return ctx;
    };
    try {
      return new StoredSession(await run(async () => {}), run, autoCommit);
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  /** A context for the session plugin alone: there is no client to send a cookie to. */
  #createContext(request: IncomingMessage, response: ServerResponse): EggContext {
    const ctx = this.#app.createContext(request, response);
    const { cookies } = ctx;
    Object.defineProperty(ctx, 'cookies', {
      value: { get: (name: string, options: unknown) => cookies.get(name, options), set() {} },
    });
    return ctx;
  }
}

/** One connection's session. */
export interface ConnectionSession {
  /** Null where there is none any more. */
  value: EggSession | null | undefined;
  /** Saves what has changed since it was opened or last saved. Undefined where there is nothing to do. Rejects as `open` does. */
  save(): Promise<void> | undefined;
}

/**
 * A session that is in the cookie, decoded when somebody asks for it: that costs a third of what a bare connection does.
 * There is nowhere to save it to: a change lives as long as the connection.
 */
class CookieSession implements ConnectionSession {
  readonly #createContext: () => EggContext;
  #ctx: EggContext | undefined;

  constructor(createContext: () => EggContext) {
    this.#createContext = createContext;
  }

  get value(): EggSession | null | undefined {
    return this.#context.session;
  }

  set value(session: EggSession | null | undefined) {
    this.#context.session = session ?? null;
  }

  save(): undefined {
    return undefined;
  }

  get #context(): EggContext {
    return (this.#ctx ??= this.#createContext());
  }
}

/** What `save()`, `regenerate()` and `manuallyCommit()` of a session give to its `commit()`. */
interface CommitOptions {
  readonly save?: boolean;
  readonly regenerate?: boolean;
}

/** Runs the session plugin as for an HTTP request: it reads the store before the work and, with `autoCommit`, saves after it what has changed. */
type Run = (work: (ctx: EggContext) => Promise<void>) => Promise<EggContext>;

/** A session that is in an external store. Others may write to it meanwhile: HTTP requests, or the user's other connections. */
class StoredSession implements ConnectionSession {
  readonly #ctx: EggContext;
  readonly #run: Run;
  readonly #autoCommit: boolean;
  /** What the store has, as far as this connection knows. Undefined where no cookie names a session. */
  #saved: Fields | undefined;
  /** What it will have when all that is being written has been: packets that settle meanwhile need not save the same again. */
  #latest: Fields | undefined;
  /** Whether anyone has had the session in hand: only then can it have changed. */
  #isTouched = false;
  /** Settles with the last write: one begins when the one before it has ended, since each reads the whole session and writes it. */
  #written: Promise<unknown> = Promise.resolve();

  /** @param autoCommit whether the app has left it to the plugin to save, rather than calling `session.manuallyCommit()` */
  constructor(ctx: EggContext, run: Run, autoCommit: boolean) {
    this.#ctx = ctx;
    this.#run = run;
    this.#autoCommit = autoCommit;
    this.#saved = this.#latest = isStored(ctx.session) ? fieldsOf(ctx.session) : undefined;
  }

  get value(): EggSession | null | undefined {
    this.#isTouched = true;
    const { session } = this.#ctx;
    if (session && !Object.hasOwn(session, 'commit')) this.#takeCommit(session);
    return session;
  }

  set value(session: EggSession | null | undefined) {
    this.#isTouched = true;
    this.#ctx.session = session ?? null;
  }

  save(): Promise<void> | undefined {
    if (!this.#isTouched || !this.#latest || !this.#autoCommit) return undefined;
    const { session } = this.#ctx;
    if (session && !session._requireSave && changes(this.#latest, fieldsOf(session)).length === 0) return undefined;
    return this.#commit().catch((thrown: unknown) => {
      throw storeError(thrown);
    });
  }

  /**
   * `save()` and `manuallyCommit()` of a session call its `commit()`, which would write all that this connection has
   * over what others have written meanwhile. This one does what the plugin does when a handler has finished.
   */
  #takeCommit(session: EggSession): void {
    const commit = async (options?: CommitOptions): Promise<void> => {
      if (options?.regenerate)
        throw new Error('session.regenerate() needs a new cookie, which a socket cannot send: call it in an HTTP request');
      if (this.#latest) await this.#commit(options?.save);
    };
    Object.defineProperty(session, 'commit', {
      configurable: true,
      writable: true,
      value(options?: CommitOptions, callback?: (error?: unknown) => void): Promise<void> | undefined {
        const committing = commit(options);
        if (!callback) return committing;
        committing.then(() => callback(), callback); // oxlint-disable-line no-callback-in-promise -- as the plugin calls it
        return undefined;
      },
    });
  }

  /**
   * Writes what this connection has changed, and nothing else. A session that has been removed by others is not brought back.
   * @param isForced whether to write even where nothing has changed, which makes the session live longer
   */
  async #commit(isForced = false): Promise<void> {
    const { session } = this.#ctx;
    const now = session ? fieldsOf(session) : undefined;
    const isRequired = isForced || session?._requireSave === true;
    this.#latest = now;
    if (session) session._requireSave = false;
    const write = async (): Promise<void> => {
      await this.#run(async ctx => {
        const stored = ctx.session;
        if (!this.#saved || !isStored(stored)) return this.#forget();
        if (now)
          change(stored, changes(this.#saved, now), isRequired); // with what earlier writes have failed to store
        else ctx.session = null;
        if (!this.#autoCommit) await stored.manuallyCommit();
      });
      if (this.#saved) this.#saved = now;
    };
    try {
      await (this.#written = this.#written.then(write, write));
    } catch (error) {
      this.#latest = this.#saved; // so that it is tried again
      if (session && isRequired) session._requireSave = true;
      throw error;
    }
  }

  #forget(): void {
    this.#ctx.session = null;
    this.#saved = this.#latest = undefined;
  }
}

/** Whether it is one that a cookie names, rather than one made for want of it. */
function isStored(session: EggSession | null | undefined): session is EggSession {
  return session ? !session.isNew : false;
}

/** @param isRequired whether it has to be written even where nothing has changed */
function change(session: EggSession, changed: Change[], isRequired: boolean): void {
  if (isRequired) session.maxAge = session.maxAge; // oxlint-disable-line no-self-assign -- a setter: it tells the plugin to save
  for (const [key, json] of changed) {
    if (json === undefined) Reflect.deleteProperty(session, key);
    else Reflect.set(session, key, JSON.parse(json));
  }
}

/** The values of a session as JSON, by key. */
type Fields = Readonly<Record<string, string | undefined>>;

type Change = [key: string, json: string | undefined];

function fieldsOf(session: EggSession): Fields {
  const plain: Record<string, unknown> = { ...session.toJSON(), maxAge: session.maxAge }; // a setter, and so no key of the session's own
  return Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, JSON.stringify(value)]));
}

function changes(before: Fields, now: Fields): Change[] {
  return Object.keys({ ...before, ...now })
    .filter(key => before[key] !== now[key])
    .map(key => [key, now[key]]);
}

/**
 * The HTTP session of the cookie in a handshake: decoded once for a connection, shared by all its packets.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { EggApplication, EggContext, EggSession, SessionMiddleware } from './egg';

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

  /** The session of a handshake. Rejects where an external store fails. */
  async open(request: IncomingMessage): Promise<ConnectionSession> {
    const { store, ContextStore } = this.#app.config.session ?? {};
    if (!store && !ContextStore) return new CookieSession(() => this.#createContext(request, this.#noResponse));
    const run = async (work: (ctx: EggContext) => void): Promise<EggContext> => {
      const ctx = this.#createContext(request, new ServerResponse(request)); // a store of the app's own may put something into it
      await this.#middleware(ctx, async () => work(ctx));
      return ctx;
    };
    return new StoredSession(await run(() => {}), run);
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
  /** Saves what has changed since it was opened or last saved. Undefined where there is nothing to do. */
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

/** A session that is in an external store. Others may write to it meanwhile: HTTP requests, or the user's other connections. */
class StoredSession implements ConnectionSession {
  readonly #ctx: EggContext;
  readonly #run: (work: (ctx: EggContext) => void) => Promise<EggContext>;
  /** What the store has, as far as this connection knows: each value as JSON. Undefined where no cookie names a session. */
  #saved: Fields | undefined;
  /** Whether anyone has had the session in hand: only then can it have changed. */
  #isTouched = false;

  /** @param run runs the session plugin as for an HTTP request: it reads the store before the work, and saves after it what has changed */
  constructor(ctx: EggContext, run: (work: (ctx: EggContext) => void) => Promise<EggContext>) {
    this.#ctx = ctx;
    this.#run = run;
    this.#saved = isStored(ctx.session) ? fieldsOf(ctx.session) : undefined;
  }

  get value(): EggSession | null | undefined {
    this.#isTouched = true;
    return this.#ctx.session;
  }

  set value(session: EggSession | null | undefined) {
    this.#isTouched = true;
    this.#ctx.session = session ?? null;
  }

  save(): Promise<void> | undefined {
    if (!this.#isTouched || !this.#saved) return undefined;
    const { session } = this.#ctx;
    const [before, now] = [this.#saved, session ? fieldsOf(session) : undefined];
    if (now && changes(before, now).length === 0) return undefined;
    this.#saved = now; // before the store has answered: packets that settle meanwhile need not save the same again
    return this.#write(before, now);
  }

  #forget(): void {
    this.#ctx.session = null;
    this.#saved = undefined;
  }

  /** Writes what this connection has changed, and nothing else. A session that has been removed by others is not brought back. */
  async #write(before: Fields, now: Fields | undefined): Promise<void> {
    try {
      await this.#run(ctx => {
        if (!now) ctx.session = null;
        else if (!isStored(ctx.session)) this.#forget();
        else for (const [key, json] of changes(before, now)) change(ctx, key, json);
      });
    } catch (error) {
      this.#saved = before; // so that it is tried again
      throw error;
    }
  }
}

/** Whether it is one that a cookie names, rather than one made for want of it. */
function isStored(session: EggSession | null | undefined): session is EggSession {
  return session ? !session.isNew : false;
}

function change({ session }: EggContext, key: string, json: string | undefined): void {
  if (!session) return;
  if (json === undefined) Reflect.deleteProperty(session, key);
  else Reflect.set(session, key, JSON.parse(json));
}

type Fields = Readonly<Record<string, string | undefined>>;

function fieldsOf(session: EggSession): Fields {
  const plain: Record<string, unknown> = session.toJSON();
  return Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, JSON.stringify(value)]));
}

function changes(before: Fields, now: Fields): [key: string, json: string | undefined][] {
  return Object.keys({ ...before, ...now })
    .filter(key => before[key] !== now[key])
    .map(key => [key, now[key]]);
}

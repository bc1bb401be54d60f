/**
 * The HTTP session of the cookie in a handshake: decoded once when the client connects, shared by all its packets.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { EggApplication, EggContext, EggSession, SessionMiddleware } from './egg';

/** Makes the sessions of connections. Absent where Egg's session plugin is off. */
export class SessionStore {
  readonly #app: EggApplication;
  readonly #middleware: SessionMiddleware;

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

  /** Decodes the session of a handshake. Rejects where an external store fails. */
  async open(request: IncomingMessage): Promise<ConnectionSession> {
    const { store, ContextStore } = this.#app.config.session ?? {};
    if (!store && !ContextStore)
      return new ConnectionSession(() => this.#createContext(request), false, request.headers.cookie !== undefined);
    const ctx = this.#createContext(request);
    await this.#middleware(ctx, async () => {}); // reads the store, which the getter of ctx.session does not
    return new ConnectionSession(() => ctx, true, true);
  }

  /** A context for the session plugin alone: there is no response to put a cookie into. */
  #createContext(request: IncomingMessage): EggContext {
    const ctx = this.#app.createContext(request, new ServerResponse(request));
    const { cookies } = ctx;
    Object.defineProperty(ctx, 'cookies', {
      value: { get: (name: string, options: unknown) => cookies.get(name, options), set() {} },
    });
    return ctx;
  }
}

/** One connection's session. */
export class ConnectionSession {
  readonly #createContext: () => EggContext;
  readonly #isExternal: boolean;
  #ctx: EggContext | undefined;
  /** The last session object there was: a session set to null is removed through it. */
  #last: EggSession | null = null;
  #saved = '';
  /** Whether anyone has had the session in hand: only then can it have changed. */
  #isTouched = false;

  /** @param decode whether to decode now; where the client sent no cookie, that can wait until someone asks */
  constructor(createContext: () => EggContext, isExternal: boolean, decode: boolean) {
    this.#createContext = createContext;
    this.#isExternal = isExternal;
    if (!decode) return;
    this.#last = this.#context.session ?? null;
    this.#saved = snapshotOf(this.#last);
  }

  get value(): EggSession | null | undefined {
    this.#isTouched = true;
    return this.#context.session;
  }

  set value(session: EggSession | null | undefined) {
    this.#isTouched = true;
    this.#context.session = session ?? null;
  }

  /** Saves what has changed to the external store. A cookie store has nowhere to save to: the change lives as long as the connection. */
  save(): Promise<void> | undefined {
    if (!this.#isExternal || !this.#isTouched) return undefined;
    const session = this.#context.session ?? null;
    const snapshot = snapshotOf(session);
    if (snapshot === this.#saved) return undefined;
    this.#saved = snapshot; // before the store has answered: packets that settle meanwhile need not save the same again
    this.#last = session ?? this.#last;
    return this.#last?.manuallyCommit();
  }

  get #context(): EggContext {
    return (this.#ctx ??= this.#createContext());
  }
}

function snapshotOf(session: EggSession | null): string {
  return session ? `${session.maxAge}${JSON.stringify(session)}` : '';
}

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
    const external = Boolean(store ?? ContextStore);
    const ctx = this.#app.createContext(request, new ServerResponse(request));
    // there is no response to put a cookie into
    const cookies = ctx.cookies as { get(name: string, options: unknown): unknown };
    Object.defineProperty(ctx, 'cookies', { value: { get: (name: string, options: unknown) => cookies.get(name, options), set() {} } });
    await this.#middleware(ctx, async () => {});
    return new ConnectionSession(ctx, external);
  }
}

/** One connection's session. Its context is seen by nobody but the session plugin. */
export class ConnectionSession {
  readonly #ctx: EggContext;
  readonly #external: boolean;
  /** The last session object there was: a session set to null is removed through it. */
  #last: EggSession | null;
  #saved: string;
  /** Whether anyone has had the session in hand: only then can it have changed. */
  #touched = false;

  constructor(ctx: EggContext, external: boolean) {
    this.#ctx = ctx;
    this.#external = external;
    this.#last = ctx.session ?? null;
    this.#saved = this.#snapshot();
  }

  get value(): EggSession | null | undefined {
    this.#touched = true;
    return this.#ctx.session;
  }

  set value(session: EggSession | null | undefined) {
    this.#touched = true;
    this.#ctx.session = session ?? null;
  }

  /** Saves what has changed to the external store. A cookie store has nowhere to save to: the change lives as long as the connection. */
  async save(): Promise<void> {
    if (!this.#external || !this.#touched) return;
    const snapshot = this.#snapshot();
    if (snapshot === this.#saved) return;
    this.#saved = snapshot; // before the store has answered: packets that settle meanwhile need not save the same again
    this.#last = this.#ctx.session ?? this.#last;
    await this.#last?.manuallyCommit();
  }

  #snapshot(): string {
    const session = this.#ctx.session;
    return session ? `${session.maxAge}${JSON.stringify(session)}` : '';
  }
}

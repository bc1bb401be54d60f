/**
 * The HTTP session of the cookie in a handshake: decoded once for a connection, shared by all its packets.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { EggApplication, EggContext, EggSession, SessionMiddleware } from '../egg';
import { storeError } from './error-answers';
import { type RunSession, StoredSession } from './stored-session';

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
    const run: RunSession = async work => {
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

/** The HTTP session of the handshake's cookie, decoded once for each connection and shared by its packets. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { EggApplication, EggContext, EggSession, SessionMiddleware } from '../egg';
import { sessionSpecimens } from '../internals/egg';
import { checkInternals } from '../internals/members';
import { storeError } from './error-answers';
import { addReload, type RunSession, StoredSession } from './stored-session';

/** One connection's session. */
export interface ConnectionSession {
  /** Null if there is no session any more. */
  value: EggSession | null | undefined;
  /** The key of the session in an external store. Undefined if there is no session. */
  readonly key: string | undefined;
  /** Saves the changes since it was opened or last saved. Returns undefined if there is nothing to do. Rejects like `open`. */
  save(): Promise<void> | undefined;
}

/** Creates the sessions of connections. */
export class SessionStore {
  readonly #app: EggApplication;
  readonly #middleware: SessionMiddleware;
  /** A context that only decodes a cookie. One function for all connections, since each of them keeps it. */
  readonly #openCookie: (request: IncomingMessage) => EggContext;

  private constructor(app: EggApplication, middleware: SessionMiddleware) {
    this.#app = app;
    this.#middleware = middleware;
    const noResponse = new ServerResponse(new IncomingMessage(new Socket()));
    this.#openCookie = request => this.#createContext(request, noResponse);
  }

  /** Undefined if Egg's session plugin is off. To be called when all plugins have been set up: until then an app may set an external store. */
  static of(app: EggApplication): SessionStore | undefined {
    const { session } = app.middlewares;
    if (typeof session !== 'function' || !app.config.session) return undefined;
    const factory = session as (options: unknown, app: EggApplication) => SessionMiddleware; // the signature of all middleware in Egg
    const { store, ContextStore } = app.config.session;
    const sessions = new SessionStore(app, factory(app.config.session, app));
    if (store || ContextStore) {
      const specimens = sessionSpecimens(() => app.createAnonymousContext().session);
      checkInternals(specimens, line => app.logger.warn(line));
    }
    return sessions;
  }

  /** The session of a handshake. A promise with an external store; if that fails, it rejects with an error that counts as temporary. */
  open(request: IncomingMessage): ConnectionSession | Promise<ConnectionSession> {
    const { store, ContextStore, autoCommit = true } = this.#app.config.session ?? {};
    return store || ContextStore ? this.#openStored(request, autoCommit) : new CookieSession(request, this.#openCookie);
  }

  async #openStored(request: IncomingMessage, autoCommit: boolean): Promise<ConnectionSession> {
    const run: RunSession = async work => {
      const ctx = this.#createContext(request, new ServerResponse(request)); // a store of the app may write to the response
      await this.#middleware(ctx, async () => work(ctx));
      return ctx;
    };
    try {
      return new StoredSession(await run(async () => {}), run, autoCommit);
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  /** A context for the session plugin only. It ignores cookies that are set, since no response carries them. */
  #createContext(request: IncomingMessage, response: ServerResponse): EggContext {
    const ctx = this.#app.createContext(request, response);
    Object.defineProperty(ctx, 'cookies', { value: new HandshakeCookies(ctx.cookies) });
    return ctx;
  }
}

/** The cookies of a request, for the session plugin. */
class HandshakeCookies {
  readonly #cookies: EggContext['cookies'];

  constructor(cookies: EggContext['cookies']) {
    this.#cookies = cookies;
  }

  get(name: string, options: unknown): unknown {
    return this.#cookies.get(name, options);
  }

  set(): void {}
}

async function refuseReload(): Promise<never> {
  throw new Error('session.reload() needs an external store: a session in a cookie is what the handshake has sent');
}

/**
 * A session stored in the cookie itself. It is decoded on first access, since that costs a third of a bare connection.
 * It cannot be saved: changes last as long as the connection.
 */
class CookieSession implements ConnectionSession {
  readonly #request: IncomingMessage;
  readonly #open: (request: IncomingMessage) => EggContext;
  #ctx: EggContext | undefined;

  constructor(request: IncomingMessage, open: (request: IncomingMessage) => EggContext) {
    this.#request = request;
    this.#open = open;
  }

  get value(): EggSession | null | undefined {
    const { session } = this.#context;
    if (session && !Object.hasOwn(session, 'reload')) addReload(session, refuseReload);
    return session;
  }

  set value(session: EggSession | null | undefined) {
    this.#context.session = session ?? null;
  }

  get key(): undefined {
    return undefined;
  }

  save(): undefined {
    return undefined;
  }

  get #context(): EggContext {
    return (this.#ctx ??= this.#open(this.#request));
  }
}

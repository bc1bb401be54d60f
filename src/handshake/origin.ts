/**
 * Which web pages may connect. Requests reach Engine.IO before Egg's security plugin sees them, and CORS does not prevent a page from
 * opening a WebSocket. So every handshake is checked here, and every request of a session.
 */
import type { IncomingMessage } from 'node:http';
import type { InitOptions } from '../config/options';
import type { EggApplication, EggContext } from '../egg';
import { isInCors } from './cors';
import { hostname, hostOf, isNameOf, isSiteOf } from './hosts';
import type { EngineInternals, EngineRequest } from '../internals/engine-io';
import { OriginLog } from './origin-log';
import { REFUSED, type RequestCheck, sessionOf } from './request-check';

type AllowRequest = NonNullable<InitOptions['allowRequest']>;
/** Calls one of both. */
type Ask = (request: IncomingMessage, allow: () => void, refuse: (message: string) => void) => void;

export class OriginCheck {
  readonly #app: EggApplication;
  readonly #init: InitOptions;
  readonly #log: OriginLog;
  readonly #ask: Ask;
  #securityContext: EggContext | undefined;

  /** @param ask asked when the origin is allowed, before the app's own `allowRequest` */
  constructor(app: EggApplication, init: InitOptions, ask: Ask) {
    this.#app = app;
    this.#log = new OriginLog(app);
    this.#init = init;
    this.#ask = ask;
  }

  /** Engine.IO's `allowRequest`, called for each handshake: checks the origin, asks whether one more may come, then calls the app's own `allowRequest`. */
  readonly allowRequest: AllowRequest = (request, answer) => {
    const { origin } = request.headers;
    let hasAnswered = false;
    const decide: typeof answer = (message, success) => {
      if (!hasAnswered) answer(message, success); // Engine.IO would act on a second answer too
      hasAnswered = true;
    };
    const fail = (error: unknown): void => {
      this.#log.logFailure(error);
      decide('Forbidden', false);
    };
    const askApp = (): void => {
      const { allowRequest } = this.#init;
      if (!allowRequest) decide(null, true);
      // in Engine.IO, an error that it throws would end the worker
      else (async () => allowRequest(request, decide))().catch(fail);
    };
    const allow = (): void => this.#ask(request, askApp, message => decide(message, false));
    if (origin === undefined || this.#isSameHost(origin, request)) {
      if (origin !== undefined && this.#app.config.env === 'local') this.#warnIfOtherPort(origin, request as EngineRequest);
      allow(); // no origin: not a web page
      return;
    }
    this.#isListed(origin, request).then(isListed => {
      if (isListed) return allow();
      this.#log.warnOfRefusal(origin, request);
      return decide('Origin not allowed', false);
    }, fail);
  };

  /** Checks requests of a session too, and refuses JSONP. */
  readonly check: RequestCheck = (request, isUpgrade, sessions) => {
    const message = this.#refusalOf(request, isUpgrade, sessions);
    return message === undefined ? undefined : { code: REFUSED.forbidden, message };
  };

  /** Writes pending counts to the log. To be called when the app closes. */
  close(): void {
    this.#log.flush();
  }

  #refusalOf(request: EngineRequest, isUpgrade: boolean, clients: EngineInternals['clients']): string | undefined {
    const { j, transport } = request._query;
    if (j !== undefined) {
      this.#log.warnOfJsonp();
      return 'JSONP not allowed';
    }
    if (transport === 'websocket' && !isUpgrade && request.headers.upgrade === undefined && this.#hasWebSocket)
      this.#log.warnOfMissingUpgrade();
    const session = sessionOf(request, clients);
    if (!session) return undefined; // a handshake, or an unknown session, which Engine.IO refuses
    const { origin } = request.headers;
    const first = session.request?.headers.origin;
    if (origin === first) return undefined;
    if (first !== undefined) {
      this.#log.warnOfChange(first, origin);
      return 'Origin not allowed';
    }
    if (origin !== undefined) this.#warnIfOtherHost(origin, request);
    return undefined;
  }

  /**
   * Checks a request with an origin in a session that began without one, as browsers send it when they poll from the app's own pages.
   * If the origin is another host, a proxy changes `Host`. The request is allowed, since all pages behind that proxy would be refused otherwise.
   */
  #warnIfOtherHost(origin: string, request: IncomingMessage): void {
    if (!this.#log.isNew(`${origin} at ${request.headers.host}`) || this.#isSameHost(origin, request)) return;
    this.#isListed(origin, request).then(
      isListed => {
        if (!isListed) this.#log.warnOfMismatch(origin, request);
      },
      (error: unknown) => this.#log.logFailure(error),
    );
  }

  /**
   * During development, a page on another port of the same host may connect. Its browser still treats the app as another origin:
   * without CORS headers the page gets no answers when it polls, and only the browser's console shows the reason.
   */
  #warnIfOtherPort(origin: string, request: EngineRequest): void {
    const { host } = hostOf(request, this.#app.config);
    if (request._query['transport'] !== 'polling' || isSiteOf(host, origin) || !this.#log.isNew(`${origin} without CORS`)) return;
    isInCors(this.#init.cors, origin, request).then(
      isListed => {
        if (!isListed) this.#log.warnOfMissingCors(origin, request);
      },
      (error: unknown) => this.#log.logFailure(error),
    );
  }

  #isSameHost(origin: string, request: IncomingMessage): boolean {
    const { host } = hostOf(request, this.#app.config);
    return /^https?:/i.test(origin) && isNameOf(host, origin);
  }

  async #isListed(origin: string, request: IncomingMessage): Promise<boolean> {
    return this.#isInWhiteList(origin) || isInCors(this.#init.cors, origin, request);
  }

  /** Checks `config.security.domainWhiteList` with the method of Egg's security plugin. */
  #isInWhiteList(origin: string): boolean {
    const name = hostname(origin);
    const ctx = (this.#securityContext ??= this.#app.createAnonymousContext());
    return name !== undefined && ctx.isSafeDomain !== undefined && (ctx.isSafeDomain(name) || ctx.isSafeDomain(origin));
  }

  get #hasWebSocket(): boolean {
    const { transports = ['websocket'] } = this.#init;
    return transports.includes('websocket');
  }
}

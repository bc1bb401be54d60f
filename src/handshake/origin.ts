/**
 * Which web pages may connect. Engine.IO takes its requests before Egg's security plugin sees them,
 * and CORS does not keep a page from opening a WebSocket, so that every handshake is checked here, and every request of a session.
 */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import type { InitOptions } from '../config/options';
import type { EggApplication, EggContext } from '../egg';
import { messageOf, oneLine } from '../errors';
import { LogLimit } from '../log-limit';

type AllowRequest = NonNullable<InitOptions['allowRequest']>;
type CorsOption = NonNullable<InitOptions['cors']>;
type CorsOptions = Extract<NonNullable<InitOptions['cors']>, { origin?: unknown }>;
type AllowedOrigin = CorsOptions['origin'];
type ListedOrigin = Exclude<AllowedOrigin, (...args: never[]) => unknown>;

/** What Engine.IO has read of a request by the time it verifies it. */
type EngineRequest = IncomingMessage & { readonly _query: Readonly<Record<string, string | undefined>> };

/** The part of Engine.IO's server that verifies requests. It is there for subclasses; this one Socket.IO makes. */
interface Verifier {
  readonly clients: Readonly<Record<string, { readonly request: IncomingMessage | null }>>;
  verify(request: EngineRequest, isUpgrade: boolean, answer: (code?: number, context?: { message: string }) => void): void;
}

/** Engine.IO's code of a request that is not allowed. */
const FORBIDDEN = 4;

/** How much is remembered as seen: a client can make up as many origins as it likes. */
const MOST_SEEN = 1000;

export class OriginCheck {
  readonly #app: EggApplication;
  readonly #init: InitOptions;
  /** What has been logged or found right, and need not be again. */
  readonly #seen = new Set<string>();
  readonly #limit = new LogLimit({ interval: 60_000, lines: 20 });
  #securityContext: EggContext | undefined;

  constructor(app: EggApplication, init: InitOptions) {
    this.#app = app;
    this.#init = init;
  }

  /** Engine.IO's `allowRequest`, which is asked at each handshake: the origin first, then what the app itself has to say. */
  readonly allowRequest: AllowRequest = (request, answer) => {
    const { origin } = request.headers;
    let hasAnswered = false;
    const decide: typeof answer = (message, success) => {
      if (!hasAnswered) answer(message, success); // Engine.IO would act on a second answer as well
      hasAnswered = true;
    };
    const fail = (error: unknown): void => {
      this.#logFailure(error);
      decide('Forbidden', false);
    };
    const allow = (): void => {
      const { allowRequest } = this.#init;
      if (!allowRequest) decide(null, true);
      // Engine.IO would let what it throws end the worker
      else (async () => allowRequest(request, decide))().catch(fail);
    };
    if (origin === undefined || this.#isSameHost(origin, request)) {
      if (origin !== undefined && this.#app.config.env === 'local') this.#noticeOtherPort(origin, request as EngineRequest);
      allow(); // without an origin it is no web page
      return;
    }
    this.#isListed(origin, request).then(isListed => {
      if (isListed) return allow();
      this.#logRefusal(origin, request);
      return decide('Origin not allowed', false);
    }, fail);
  };

  /** From here on requests that belong to a session are checked as well, and JSONP is refused. */
  attach(engine: EngineServer): void {
    const verifier = engine as unknown as Verifier; // protected in Engine.IO's types
    const verify = verifier.verify.bind(engine);
    verifier.verify = (request, isUpgrade, answer) => {
      const refusal = this.#refusalOf(request, isUpgrade, verifier.clients);
      if (refusal === undefined) verify(request, isUpgrade, answer);
      else answer(FORBIDDEN, { message: refusal });
    };
  }

  /** To be called when the app closes: what has been counted is logged. */
  close(): void {
    this.#limit.flush();
  }

  #refusalOf(request: EngineRequest, isUpgrade: boolean, clients: Verifier['clients']): string | undefined {
    const { j, sid, transport } = request._query;
    if (j !== undefined) {
      if (this.#isNew(JSONP_REFUSED)) this.#log('IO_JSONP_REFUSED', JSONP_REFUSED);
      return 'JSONP not allowed';
    }
    if (
      transport === 'websocket' &&
      !isUpgrade &&
      request.headers.upgrade === undefined &&
      this.#hasWebSocket &&
      this.#isNew(UPGRADE_MISSING)
    )
      this.#log('IO_UPGRADE_MISSING', UPGRADE_MISSING);
    if (sid === undefined || !Object.hasOwn(clients, sid)) return undefined; // a handshake, or what Engine.IO refuses itself
    const { origin } = request.headers;
    const first = clients[sid]?.request?.headers.origin;
    if (origin === first) return undefined;
    if (first !== undefined) {
      this.#logChange(first, origin);
      return 'Origin not allowed';
    }
    if (origin !== undefined) this.#notice(origin, request);
    return undefined;
  }

  /**
   * A session whose handshake had no origin has a request with one. That is how browsers poll from the app's own pages.
   * Where the origin does not fit, a proxy changes `Host`: to refuse would keep out all pages that come by way of it.
   */
  #notice(origin: string, request: IncomingMessage): void {
    if (!this.#isNew(`${origin} at ${request.headers.host}`) || this.#isSameHost(origin, request)) return;
    this.#isListed(origin, request).then(
      isListed => {
        if (isListed || !this.#isNew(`${origin} let in`)) return;
        const problem = `a request from a page of origin ${quoted(origin)} belongs to a session that has begun without one, and is let in; ${this.#compared(request)} is another host; ${this.#remedyFor(origin, request)}`;
        this.#log('IO_ORIGIN_MISMATCH', problem);
      },
      (error: unknown) => this.#logFailure(error),
    );
  }

  /**
   * While developing, a page of another port of the same host may connect. To its browser the app is another site all the same:
   * without CORS headers the page gets no answer when it polls, and only the browser's console says why.
   */
  #noticeOtherPort(origin: string, request: EngineRequest): void {
    const { host } = this.#hostOf(request);
    if (request._query['transport'] !== 'polling' || isSiteOf(host, origin) || !this.#isNew(`${origin} without CORS`)) return;
    this.#isInCors(origin, request).then(
      isListed => {
        if (isListed) return;
        const problem = `a page of origin ${quoted(origin)} polls ${this.#compared(request)}, and its browser keeps the answers from it: another port is another site, which needs CORS headers; let its dev server forward /socket.io to the app, or list the origin in config.io.init.cors.origin, with credentials: true`;
        this.#log('IO_CORS_MISSING', problem);
      },
      (error: unknown) => this.#logFailure(error),
    );
  }

  #isSameHost(origin: string, request: IncomingMessage): boolean {
    const { host } = this.#hostOf(request);
    return /^https?:/i.test(origin) && isNameOf(host, origin);
  }

  /** The host that the client has asked for, and the header that says so. */
  #hostOf({ headers }: IncomingMessage): { header: string; host: string } {
    const { proxy, hostHeaders = '' } = this.#app.config;
    const names = proxy ? [...hostHeaders.split(','), ...HOST_HEADERS] : ['Host'];
    for (const name of names) {
      const header = name.trim();
      const [host = ''] = String(headers[header.toLowerCase()] ?? '').split(',');
      if (host.trim() !== '') return { header, host: host.trim() };
    }
    return { header: 'Host', host: '' };
  }

  async #isListed(origin: string, request: IncomingMessage): Promise<boolean> {
    return this.#isInWhiteList(origin) || this.#isInCors(origin, request);
  }

  /** `config.security.domainWhiteList`, read the way Egg's security plugin reads it. */
  #isInWhiteList(origin: string): boolean {
    const name = hostname(origin);
    const ctx = (this.#securityContext ??= this.#app.createAnonymousContext());
    return name !== undefined && ctx.isSafeDomain !== undefined && (ctx.isSafeDomain(name) || ctx.isSafeDomain(origin));
  }

  async #isInCors(origin: string, request: IncomingMessage): Promise<boolean> {
    const { cors } = this.#init;
    if (!cors) return false;
    const options = typeof cors === 'function' ? await ask<CorsOptions>(done => cors(request, done)) : cors;
    return options?.origin !== undefined && matches(origin, options.origin);
  }

  #logRefusal(origin: string, request: IncomingMessage): void {
    if (!this.#isNew(origin)) return;
    const problem = `a page of origin ${quoted(origin)} may not connect to ${this.#compared(request)}; ${this.#remedyFor(origin, request)}`;
    this.#log('IO_ORIGIN_REFUSED', problem);
  }

  #logChange(first: string, origin: string | undefined): void {
    if (!this.#isNew(`${first} then ${origin}`)) return;
    const change = `has ${origin === undefined ? 'no origin' : `the origin ${quoted(origin)}`}, and the handshake of its session had ${quoted(first)}`;
    this.#log(
      'IO_ORIGIN_REFUSED',
      `a request was refused: it ${change}; a proxy in front has to leave Origin as it is, of all requests alike`,
    );
  }

  #compared(request: IncomingMessage): string {
    const { header, host } = this.#hostOf(request);
    return `host ${quoted(host)} (header ${oneLine(header)})`;
  }

  /** What to do if the page is one of the app's. */
  #remedyFor(origin: string, request: IncomingMessage): string {
    const list = hostname(origin)
      ? 'list it in config.io.init.cors.origin or its host in config.security.domainWhiteList'
      : 'list it in config.io.init.cors.origin';
    const forwarded = request.headers['x-forwarded-host'];
    if (!this.#app.config.proxy && typeof forwarded === 'string' && isNameOf(forwarded, origin))
      return `X-Forwarded-Host has the host of the page: if it comes from a proxy of yours, set config.proxy to true; else, to allow it, ${list}`;
    if (hostname(origin) && isInternal(this.#hostOf(request).host))
      return `if the page has come from a proxy in front of the app, that has to pass Host on as it is (no changeOrigin); else, to allow it, ${list}`;
    return `to allow it, ${list}`;
  }

  #logFailure(error: unknown): void {
    const { logger } = this.#app;
    this.#limit.log(
      'failure',
      () => logger.error('[egg-socket.io] the check of an origin or of a handshake failed:', error),
      count => logger.error('[egg-socket.io] the check of an origin or of a handshake failed, and %s times more since', count),
    );
  }

  /** For what a request can cause: there may be many, and all different. */
  #log(
    code: 'IO_CORS_MISSING' | 'IO_JSONP_REFUSED' | 'IO_ORIGIN_MISMATCH' | 'IO_ORIGIN_REFUSED' | 'IO_UPGRADE_MISSING',
    problem: string,
  ): void {
    const { logger } = this.#app;
    this.#limit.log(
      code,
      () => logger.warn(messageOf(code, problem)),
      count => logger.warn(messageOf(code, `${count} more in the last minute, the latest: ${problem}`)),
    );
  }

  get #hasWebSocket(): boolean {
    const { transports = ['websocket'] } = this.#init;
    return transports.includes('websocket');
  }

  #isNew(text: string): boolean {
    const what = text.slice(0, 500); // a client may send as much as a header holds
    if (this.#seen.has(what)) return false;
    if (this.#seen.size >= MOST_SEEN) this.#seen.clear();
    this.#seen.add(what);
    return true;
  }
}

const HOST_HEADERS = ['X-Forwarded-Host', 'Host'];

const JSONP_REFUSED =
  'a request for JSONP was refused: script tags of any page can send it, and no browser says from which; let clients poll by XMLHttpRequest, as they do unless told otherwise';

const UPGRADE_MISSING =
  'a request for a WebSocket is no upgrade: a proxy in front has to pass on the headers Upgrade and Connection; until then clients stay with polling, or do not connect at all';

/**
 * The `cors` option for Engine.IO, which makes response headers of it before the check, for requests without an origin as well.
 * It would let a function of the app that throws end the worker; here such a function grants nothing.
 */
export function safeCors(cors: CorsOption): CorsOption {
  if (typeof cors === 'function') {
    return (request, answer) => {
      const options = ask<CorsOptions>(done => cors(request, done));
      options.then(
        options => answer(null, safeOptions(options ?? {})),
        () => answer(null, { origin: false }),
      );
    };
  }
  return safeOptions(cors);
}

function safeOptions(options: CorsOptions): CorsOptions {
  const { origin: decide } = options;
  if (typeof decide !== 'function') return options;
  return {
    ...options,
    origin: (origin, answer) => {
      ask<ListedOrigin>(done => decide(origin, done)).then(
        allowed => answer(null, allowed),
        () => answer(null, false),
      );
    },
  };
}

/** What a function answers to its callback. Rejects with what it throws as well. */
async function ask<Answer>(call: (done: (error: Error | null, answer?: Answer) => void) => void): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => call((error, answer) => (error ? reject(error) : resolve(answer))));
}

/** The rules of the `cors` package, but that a wildcard does not stand for pages without an origin of their own. */
async function matches(origin: string, allowed: NonNullable<AllowedOrigin>): Promise<boolean> {
  if (typeof allowed === 'function') {
    const answer = await ask<ListedOrigin>(done => allowed(origin, done));
    return answer !== undefined && matches(origin, answer);
  }
  if (Array.isArray(allowed)) return (await Promise.all(allowed.map(one => matches(origin, one)))).includes(true);
  if (allowed instanceof RegExp) return new RegExp(allowed.source, allowed.flags.replaceAll(/[gy]/g, '')).test(origin);
  if (allowed === true || allowed === '*') return hostname(origin) !== undefined;
  return allowed === origin;
}

/** Undefined for `null`, `file://` and what is no origin. */
function hostname(origin: string): string | undefined {
  try {
    return new URL(origin).hostname || undefined;
  } catch {
    return undefined;
  }
}

/** Whether a host, with or without its port, is that of an origin. */
function isNameOf(host: string, origin: string): boolean {
  const name = hostname(`http://${host.split(',')[0]?.trim()}`);
  return name !== undefined && name === hostname(origin);
}

/** Whether a host with its port is that of an origin. */
function isSiteOf(host: string, origin: string): boolean {
  const { host: site, protocol } = new URL(origin);
  return new URL(`${protocol}//${host}`).host === site; // a default port is left out by both
}

/** Whether a host looks like one that only a proxy asks for: an address, or a name without a domain. */
function isInternal(host: string): boolean {
  const name = hostname(`http://${host}`) ?? '';
  return /^(\[.*|[\d.]+|[^.]*|.*\.(local|internal))$/.test(name);
}

/** What a client says, for the log. */
function quoted(text: string): string {
  return `"${oneLine(text.slice(0, 200))}"`;
}

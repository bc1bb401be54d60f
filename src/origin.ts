/**
 * Which web pages may connect. Engine.IO takes its requests before Egg's security plugin sees them,
 * and CORS does not keep a page from opening a WebSocket, so that every handshake is checked here.
 */
import type { IncomingMessage } from 'node:http';
import type { InitOptions } from './config';
import type { EggApplication, EggContext } from './egg';
import { messageOf } from './errors';

type AllowRequest = NonNullable<InitOptions['allowRequest']>;
type CorsOption = NonNullable<InitOptions['cors']>;
type CorsOptions = Extract<NonNullable<InitOptions['cors']>, { origin?: unknown }>;
type AllowedOrigin = CorsOptions['origin'];
type ListedOrigin = Exclude<AllowedOrigin, (...args: never[]) => unknown>;

/** Engine.IO's `allowRequest`: the origin first, then what the app itself has to say. */
export function checkOrigin(app: EggApplication, { cors, allowRequest }: InitOptions): AllowRequest {
  const logged = new Set<string>();
  let securityContext: EggContext | undefined;

  return (request, answer) => {
    const { origin } = request.headers;
    let hasAnswered = false;
    const decide: typeof answer = (message, success) => {
      if (!hasAnswered) answer(message, success); // Engine.IO would act on a second answer as well
      hasAnswered = true;
    };
    const fail = (error: unknown): void => {
      app.logger.error('[egg-socket.io] the check of a handshake failed:', error);
      decide('Forbidden', false);
    };
    const allow = (): void => {
      if (!allowRequest) decide(null, true);
      // Engine.IO would let what it throws end the worker
      else (async () => allowRequest(request, decide))().catch(fail);
    };
    if (origin === undefined || isSameHost(origin, request)) {
      allow(); // without an origin it is no web page
      return;
    }
    isAllowed(origin, request).then(allowed => (allowed ? allow() : decide('Origin not allowed', false)), fail);
  };

  async function isAllowed(origin: string, request: IncomingMessage): Promise<boolean> {
    if (isInWhiteList(origin) || (await isInCors(origin, request))) return true;
    logRefusal(origin, request);
    return false;
  }

  function isSameHost(origin: string, request: IncomingMessage): boolean {
    const { proxy, hostHeaders = '' } = app.config;
    const names = proxy ? [...hostHeaders.split(/\s*,\s*/), 'x-forwarded-host', 'host'] : ['host'];
    const host = names.map(name => request.headers[name.toLowerCase()]).find(value => value !== undefined && value.length > 0);
    const asked = host === undefined ? undefined : hostname(`http://${String(host).split(',')[0]?.trim()}`);
    return asked !== undefined && asked === hostname(origin);
  }

  /** `config.security.domainWhiteList`, read the way Egg's security plugin reads it. */
  function isInWhiteList(origin: string): boolean {
    const name = hostname(origin);
    const ctx = (securityContext ??= app.createAnonymousContext());
    return name !== undefined && ctx.isSafeDomain !== undefined && (ctx.isSafeDomain(name) || ctx.isSafeDomain(origin));
  }

  async function isInCors(origin: string, request: IncomingMessage): Promise<boolean> {
    if (!cors) return false;
    const options = typeof cors === 'function' ? await ask<CorsOptions>(done => cors(request, done)) : cors;
    return options?.origin !== undefined && matches(origin, options.origin);
  }

  function logRefusal(origin: string, { headers: { host } }: IncomingMessage): void {
    if (logged.has(origin)) return;
    if (logged.size >= 1000) logged.clear(); // a client can make up as many as it likes
    logged.add(origin);
    const problem = `a page of origin ${JSON.stringify(origin.slice(0, 200))} may not connect to host ${JSON.stringify(host)}; to allow it, list it in config.io.init.cors.origin or its host in config.security.domainWhiteList`;
    app.logger.warn(messageOf('IO_ORIGIN_REFUSED', problem));
  }
}

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

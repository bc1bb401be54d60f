/** What the log says of requests whose origin does not fit: each case once, with the remedy. */
import type { IncomingMessage } from 'node:http';
import type { EggApplication, Logger } from '../egg';
import { messageOf, oneLine } from '../errors';
import { LogLimit } from '../log-limit';
import { hostname, hostOf, isInternal, isNameOf } from './hosts';

type OriginCode = 'IO_CORS_MISSING' | 'IO_JSONP_REFUSED' | 'IO_ORIGIN_MISMATCH' | 'IO_ORIGIN_REFUSED' | 'IO_UPGRADE_MISSING';

/** How much is remembered as seen: a client can make up as many origins as it likes. */
const MOST_SEEN = 1000;

const JSONP_REFUSED =
  'a request for JSONP was refused: script tags of any page can send it, and no browser says from which; let clients poll by XMLHttpRequest, as they do unless told otherwise';

const UPGRADE_MISSING =
  'a request for a WebSocket is no upgrade: a proxy in front has to pass on the headers Upgrade and Connection; until then clients stay with polling, or do not connect at all';

export class OriginLog {
  readonly #logger: Logger;
  readonly #config: EggApplication['config'];
  /** What has been logged or found right, and need not be again. */
  readonly #seen = new Set<string>();
  readonly #limit = new LogLimit({ interval: 60_000, lines: 20 });

  constructor({ config, logger }: EggApplication) {
    this.#config = config;
    this.#logger = logger;
  }

  /** Whether a text has not been given before. */
  isNew(text: string): boolean {
    const what = text.slice(0, 500); // a client may send as much as a header holds
    if (this.#seen.has(what)) return false;
    if (this.#seen.size >= MOST_SEEN) this.#seen.clear();
    this.#seen.add(what);
    return true;
  }

  /** A page has polled as a script tag. */
  warnOfJsonp(): void {
    if (this.isNew(JSONP_REFUSED)) this.#warn('IO_JSONP_REFUSED', JSONP_REFUSED);
  }

  /** A request for a WebSocket has come without its headers. */
  warnOfMissingUpgrade(): void {
    if (this.isNew(UPGRADE_MISSING)) this.#warn('IO_UPGRADE_MISSING', UPGRADE_MISSING);
  }

  /** A page may not connect. */
  warnOfRefusal(origin: string, request: IncomingMessage): void {
    if (!this.isNew(origin)) return;
    const problem = `a page of origin ${quoted(origin)} may not connect to ${this.#compared(request)}; ${this.#remedyFor(origin, request)}`;
    this.#warn('IO_ORIGIN_REFUSED', problem);
  }

  /** A request of a session has another origin than the handshake. */
  warnOfChange(first: string, origin: string | undefined): void {
    if (!this.isNew(`${first} then ${origin}`)) return;
    const change = `has ${origin === undefined ? 'no origin' : `the origin ${quoted(origin)}`}, and the handshake of its session had ${quoted(first)}`;
    this.#warn(
      'IO_ORIGIN_REFUSED',
      `a request was refused: it ${change}; a proxy in front has to leave Origin as it is, of all requests alike`,
    );
  }

  /** A request has an origin that is another host, and its session has none: it is let in. */
  warnOfMismatch(origin: string, request: IncomingMessage): void {
    if (!this.isNew(`${origin} let in`)) return;
    const problem = `a request from a page of origin ${quoted(origin)} belongs to a session that has begun without one, and is let in; ${this.#compared(request)} is another host; ${this.#remedyFor(origin, request)}`;
    this.#warn('IO_ORIGIN_MISMATCH', problem);
  }

  /** A page of another port polls, and gets no CORS headers. */
  warnOfMissingCors(origin: string, request: IncomingMessage): void {
    const problem = `a page of origin ${quoted(origin)} polls ${this.#compared(request)}, and its browser keeps the answers from it: another port is another site, which needs CORS headers; let its dev server forward /socket.io to the app, or list the origin in config.io.init.cors.origin, with credentials: true`;
    this.#warn('IO_CORS_MISSING', problem);
  }

  /** A function of the app has failed that is asked about an origin or a handshake. */
  logFailure(error: unknown): void {
    const logger = this.#logger;
    this.#limit.log(
      'failure',
      () => logger.error('[egg-socket.io] the check of an origin or of a handshake failed:', error),
      count => logger.error('[egg-socket.io] the check of an origin or of a handshake failed, and %s times more since', count),
    );
  }

  /** Writes what has been counted. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
  }

  #compared(request: IncomingMessage): string {
    const { header, host } = hostOf(request, this.#config);
    return `host ${quoted(host)} (header ${oneLine(header)})`;
  }

  /** What to do if the page is one of the app's. */
  #remedyFor(origin: string, request: IncomingMessage): string {
    const list = hostname(origin)
      ? 'list it in config.io.init.cors.origin or its host in config.security.domainWhiteList'
      : 'list it in config.io.init.cors.origin';
    const forwarded = request.headers['x-forwarded-host'];
    if (!this.#config.proxy && typeof forwarded === 'string' && isNameOf(forwarded, origin))
      return `X-Forwarded-Host has the host of the page: if it comes from a proxy of yours, set config.proxy to true; else, to allow it, ${list}`;
    if (hostname(origin) && isInternal(hostOf(request, this.#config).host))
      return `if the page has come from a proxy in front of the app, that has to pass Host on as it is (no changeOrigin); else, to allow it, ${list}`;
    return `to allow it, ${list}`;
  }

  /** For what a request can cause: there may be many, and all different. */
  #warn(code: OriginCode, problem: string): void {
    const logger = this.#logger;
    this.#limit.log(
      code,
      () => logger.warn(messageOf(code, problem)),
      count => logger.warn(messageOf(code, `${count} more in the last minute, the latest: ${problem}`)),
    );
  }
}

/** What a client says, for the log. */
function quoted(text: string): string {
  return `"${oneLine(text.slice(0, 200))}"`;
}

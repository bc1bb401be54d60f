/** Log lines for requests with a wrong origin: each case once, with the remedy. */
import type { IncomingMessage } from 'node:http';
import type { EggApplication, Logger } from '../egg';
import { messageOf, oneLine } from '../errors';
import { LogLimit } from '../log-limit';
import { hostname, hostOf, isInternal, isNameOf } from './hosts';

type OriginCode = 'IO_CORS_MISSING' | 'IO_JSONP_REFUSED' | 'IO_ORIGIN_MISMATCH' | 'IO_ORIGIN_REFUSED' | 'IO_UPGRADE_MISSING';

/** The most cases to remember. Clients can send any number of different origins. */
const MOST_SEEN = 1000;

const JSONP_REFUSED =
  'a JSONP request was refused: a script tag of any page can send it, and it does not show its page; let clients poll by XMLHttpRequest, which is their default';

const UPGRADE_MISSING =
  'a WebSocket request has arrived without the header Upgrade: the proxy in front of the app has to pass on Upgrade and Connection; until then clients keep polling, or cannot connect';

export class OriginLog {
  readonly #logger: Logger;
  readonly #config: EggApplication['config'];
  /** Cases that have been logged, or checked and allowed. */
  readonly #seen = new Set<string>();
  readonly #limit = new LogLimit({ interval: 60_000, lines: 20 });

  constructor({ config, logger }: EggApplication) {
    this.#config = config;
    this.#logger = logger;
  }

  /** Returns true for the first call with this case. */
  isNew(text: string): boolean {
    const key = text.slice(0, 500); // limits what a long header can occupy
    if (this.#seen.has(key)) return false;
    if (this.#seen.size >= MOST_SEEN) this.#seen.clear();
    this.#seen.add(key);
    return true;
  }

  /** A client polls by JSONP. */
  warnOfJsonp(): void {
    if (this.isNew(JSONP_REFUSED)) this.#warn('IO_JSONP_REFUSED', JSONP_REFUSED);
  }

  /** A WebSocket request has arrived without its headers. */
  warnOfMissingUpgrade(): void {
    if (this.isNew(UPGRADE_MISSING)) this.#warn('IO_UPGRADE_MISSING', UPGRADE_MISSING);
  }

  /** The handshake of a page was refused. */
  warnOfRefusal(origin: string, request: IncomingMessage): void {
    if (!this.isNew(origin)) return;
    const problem = `a page of origin ${quoted(origin)} was refused: the request is for ${this.#hostIn(request)}; ${this.#remedyFor(origin, request)}`;
    this.#warn('IO_ORIGIN_REFUSED', problem);
  }

  /** A request was refused since its origin differs from that of the handshake. */
  warnOfChange(first: string, origin: string | undefined): void {
    if (!this.isNew(`${first} then ${origin}`)) return;
    const change = `it has ${origin === undefined ? 'no origin' : `the origin ${quoted(origin)}`}, but the handshake of its session had ${quoted(first)}`;
    this.#warn('IO_ORIGIN_REFUSED', `refused a request: ${change}; a proxy in front of the app must not change Origin`);
  }

  /** A request whose origin is another host was allowed, since its session began without an origin. */
  warnOfMismatch(origin: string, request: IncomingMessage): void {
    if (!this.isNew(`${origin} allowed`)) return;
    const problem = `a request has the origin ${quoted(origin)}, but is for ${this.#hostIn(request)}; it was allowed, since the handshake of its session had no origin; ${this.#remedyFor(origin, request)}`;
    this.#warn('IO_ORIGIN_MISMATCH', problem);
  }

  /** A page on another port polls, and gets no CORS headers. */
  warnOfMissingCors(origin: string, request: IncomingMessage): void {
    const problem = `a page of origin ${quoted(origin)} polls ${this.#hostIn(request)}, but its browser withholds the answers: another port needs CORS headers; let its dev server forward /socket.io to the app, or list the origin in config.io.init.cors.origin, with credentials: true`;
    this.#warn('IO_CORS_MISSING', problem);
  }

  /** A function of the app that checks an origin or a handshake has failed. */
  logFailure(error: unknown): void {
    const logger = this.#logger;
    this.#limit.log(
      'failure',
      () => logger.error('[egg-socket.io] checking an origin or a handshake failed:', error),
      count => logger.error('[egg-socket.io] checking an origin or a handshake failed, %s more in the last minute', count),
    );
  }

  /** Writes pending counts. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
  }

  /** The host that origins are compared with, and its header. */
  #hostIn(request: IncomingMessage): string {
    const { header, host } = hostOf(request, this.#config);
    return `host ${quoted(host)} (header ${oneLine(header)})`;
  }

  /** The remedy in case the page belongs to the app. */
  #remedyFor(origin: string, request: IncomingMessage): string {
    const list = hostname(origin)
      ? 'list it in config.io.init.cors.origin or its host in config.security.domainWhiteList'
      : 'list it in config.io.init.cors.origin';
    const forwarded = request.headers['x-forwarded-host'];
    if (!this.#config.proxy && typeof forwarded === 'string' && isNameOf(forwarded, origin))
      return `X-Forwarded-Host has the host of the page: if your proxy sends that header, set config.proxy to true; otherwise, to allow the page, ${list}`;
    if (hostname(origin) && isInternal(hostOf(request, this.#config).host))
      return `if a proxy in front of the app serves the page, it must not change Host (no changeOrigin); otherwise, to allow the page, ${list}`;
    return `to allow the page, ${list}`;
  }

  /** Limits the lines, since clients can cause any number of different ones. */
  #warn(code: OriginCode, problem: string): void {
    this.#limit.logLatest(code, problem, text => this.#logger.warn(messageOf(code, text)));
  }
}

/** Text from a client, for the log. */
function quoted(text: string): string {
  return `"${oneLine(text.slice(0, 200))}"`;
}

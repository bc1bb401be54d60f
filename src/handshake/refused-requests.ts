/** Log lines for requests that are refused by `config.io.allowedHosts`, `config.io.bind` and the admin page. Clients can cause any number of them. */
import type { BoundTo } from '../config/options';
import type { Logger } from '../egg';
import { messageOf, oneLine } from '../errors';
import { LogLimit } from '../log-limit';

type Code = 'IO_BIND_REFUSED' | 'IO_HOST_REFUSED';

/** The part of `config.io.bind` in words. */
const NAMES: Readonly<Record<BoundTo, string>> = { address: 'address', userAgent: 'User-Agent', cookie: "session's cookie" };

export class RefusedRequests {
  readonly #logger: Logger;
  readonly #limit = new LogLimit({ interval: 60_000, lines: 5 });

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  warnOfHost(host: string, header: string): void {
    const problem = `a request for host "${oneLine(host.slice(0, 200))}" (header ${oneLine(header)}) was refused: if it is one of yours, list it in config.io.allowedHosts`;
    this.#warn('IO_HOST_REFUSED', problem);
  }

  warnOfBinding(name: BoundTo): void {
    const problem = `a request of a session was refused: its ${NAMES[name]} is not that of the handshake, and config.io.bind has '${name}'`;
    this.#warn('IO_BIND_REFUSED', problem);
  }

  /** @param path of a page that not everybody may see */
  warnOfPage(path: string, reason: string): void {
    const warn = (text: string): void => this.#logger.warn('[egg-socket.io] a request for %s was refused: %s', path, text);
    this.#limit.logLatest(path, oneLine(reason), warn);
  }

  /** Writes pending counts. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
  }

  #warn(code: Code, problem: string): void {
    this.#limit.logLatest(code, problem, text => this.#logger.warn(messageOf(code, text)));
  }
}

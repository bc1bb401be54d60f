/** What fails for clients, who can make it fail as often as they like: what that may cost in lines of log and in answers. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import { adviceFor } from '../deprecated/deprecations';
import type { Logger } from '../egg';
import { oneLine } from '../errors';
import { LogLimit } from '../log-limit';

export interface Failure {
  /** An `error` has its stack in the log, a `warn` its message alone. */
  readonly level: 'warn' | 'error';
  /** As `event "say" failed`. */
  readonly what: string;
  readonly namespace: string;
  /** The id of the socket, if there is one. */
  readonly socket: string | undefined;
  readonly error: Error;
  /** Failures of the same place and message are counted together; no part of it may come from a client. Default: `what`. */
  readonly place?: string;
}

/** One line for each failure: the first five a minute of the same place and message, then their count. */
export class FailureLog {
  readonly #logger: Logger;
  readonly #storage: AsyncLocalStorage<unknown>;
  readonly #limit = new LogLimit({ interval: 60_000, lines: 5, kinds: 1000 });
  readonly #temporary = new LogLimit({ interval: 1000 });

  constructor(logger: Logger, storage: AsyncLocalStorage<unknown>) {
    this.#logger = logger;
    this.#storage = storage;
  }

  log({ level, what, namespace, socket = 'none', error, place = what }: Failure): void {
    const message = `${error.name}: ${error.message}`.slice(0, 500);
    const where = `${place}, namespace ${namespace}`;
    const advice = adviceFor(error);
    this.#limit.log(
      `${where}: ${message}`,
      () =>
        this.#write(
          level,
          `${what}${advice ? ` (${advice})` : ''}, namespace ${namespace}, socket ${socket}:`,
          level === 'error' ? error : oneLine(message),
        ),
      count => this.#write(level, `${where}, ${count} more times, last socket ${socket}:`, oneLine(message)),
    );
  }

  /** What is over soon, and concerns many clients alike: one line in full a second, and the number of all others. */
  logTemporary({ what, namespace, socket, error }: Pick<Failure, 'what' | 'namespace' | 'socket' | 'error'>): void {
    const where = `namespace ${namespace}, socket ${socket}:`;
    this.#temporary.log(
      what,
      () => this.#write('error', `${what}, ${where}`, error),
      count =>
        this.#write(
          'error',
          `${what}: ${count} more within a second, the last one in ${where}`,
          oneLine(`${error.name}: ${error.message}`),
        ),
    );
  }

  /** Writes what has been counted. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
    this.#temporary.flush();
  }

  /** Outside the context, in which every logger shows the URL of the handshake: a client of protocol 3 sends its token there. */
  #write(level: Failure['level'], where: string, shown: Error | string): void {
    this.#storage.run(undefined, () => this.#logger[level]('[egg-socket.io] %s', where, shown));
  }
}

const WINDOW = 1000;

/** How often one client is told of an error by an `error` event: ten times a second at most; after a second of more than that, once a second. */
export class ErrorEventLimit {
  #since = Number.NEGATIVE_INFINITY;
  #count = 0;
  #isFlooded = false;

  /** @param now in ms, of a clock that never goes back */
  allows(now = performance.now()): boolean {
    const elapsed = now - this.#since;
    if (elapsed >= WINDOW) {
      this.#isFlooded = this.#count > 10 && elapsed < 2 * WINDOW;
      this.#since = now;
      this.#count = 0;
    }
    this.#count++;
    return this.#count <= (this.#isFlooded ? 1 : 10);
  }
}

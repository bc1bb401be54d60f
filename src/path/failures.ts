/** Limits on log lines and `error` events for failures that clients can cause at will. */
import { adviceFor } from '../deprecated/deprecations';
import type { Logger } from '../egg';
import { oneLine } from '../errors';
import { LogLimit } from '../log-limit';

/** The period over which `ErrorEventLimit` counts, in ms. */
const ERROR_EVENT_PERIOD = 1000;

export interface Failure {
  /** An `error` is logged with its stack, a `warn` with its message only. */
  readonly level: 'warn' | 'error';
  /** For example `event "say" failed`. */
  readonly what: string;
  /** The name of the namespace, or what stands for it: failures of all namespaces of a pattern are counted together. */
  readonly namespace: string;
  /** The name of the namespace itself, which a client may have chosen. */
  readonly child?: string | undefined;
  /** The id of the socket, if there is one. */
  readonly socket: string | undefined;
  readonly error: Error;
  /** Failures of the same place and message are counted together; no part of it may come from a client. Default: `what`. */
  readonly place?: string;
}

/** One line for each failure: the first five a minute of the same place and message, then their count. */
export class FailureLog {
  readonly #logger: Logger;
  readonly #traceId: () => string | undefined;
  readonly #limit = new LogLimit({ interval: 60_000, lines: 5, kinds: 1000 });
  readonly #temporary = new LogLimit({ interval: 1000 });

  /** @param traceId that of the span within which it is called, if there is one */
  constructor(logger: Logger, traceId: () => string | undefined) {
    this.#logger = logger;
    this.#traceId = traceId;
  }

  log({ level, what, namespace, child = namespace, socket = 'none', error, place = what }: Failure): void {
    const message = `${error.name}: ${error.message}`.slice(0, 500);
    const where = `${place}, namespace ${namespace}`;
    this.#limit.log(
      `${where}: ${message}`,
      () => {
        const advice = adviceFor(error);
        const shown = `${what}${advice ? ` (${advice})` : ''}, ${nameOf(namespace, child)}, socket ${socket}${this.#trace()}:`;
        this.#write(level, shown, level === 'error' ? error : oneLine(message));
      },
      count => this.#write(level, `${where}, ${count} more, last socket ${socket}:`, oneLine(message)),
    );
  }

  /** Logs a temporary failure, which usually affects many clients at once: one line a second in full, then the number of the others. */
  logTemporary({ what, namespace, child = namespace, socket, error }: Omit<Failure, 'level' | 'place'>): void {
    const where = `${nameOf(namespace, child)}, socket ${socket}${this.#trace()}:`;
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

  /** Writes the pending counts. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
    this.#temporary.flush();
  }

  #trace(): string {
    const id = this.#traceId();
    return id === undefined ? '' : `, trace ${id}`;
  }

  #write(level: Failure['level'], where: string, shown: Error | string): void {
    this.#logger[level]('[egg-socket.io] %s', where, shown);
  }
}

function nameOf(namespace: string, child: string): string {
  return child === namespace ? `namespace ${namespace}` : `namespace ${oneLine(child)} (${namespace})`;
}

/** Limits the `error` events to one client: ten a second, then one a second for as long as the client causes more than ten. */
export class ErrorEventLimit {
  #since = Number.NEGATIVE_INFINITY;
  #count = 0;
  #isFlooded = false;

  /** @param now in ms, from a monotonic clock */
  allows(now = performance.now()): boolean {
    const elapsed = now - this.#since;
    if (elapsed >= ERROR_EVENT_PERIOD) {
      this.#isFlooded = this.#count > 10 && elapsed < 2 * ERROR_EVENT_PERIOD;
      this.#since = now;
      this.#count = 0;
    }
    this.#count++;
    return this.#count <= (this.#isFlooded ? 1 : 10);
  }
}

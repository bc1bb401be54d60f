/** The log of messages and namespaces that are refused. Any client can ask for such at will. */
import type { Logger } from '../egg';
import { messageOf, oneLine } from '../errors';
import { LogLimit } from '../log-limit';
import { MAX_NESTING } from '../decoder';

/** One line of each kind a minute, and then the number of all others. */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #limit = new LogLimit({ interval: 60_000 });

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A packet was nested too deep. */
  warnOfNesting(): void {
    const packet = `nested deeper than ${MAX_NESTING} levels`;
    this.#warn(
      'IO_PACKET_NESTED',
      `a packet ${packet} was refused, and its connection closed`,
      count => `${count} more packets ${packet} were refused in the last minute`,
    );
  }

  /** @param problem a sentence with the limit */
  warnOfSize(problem: string): void {
    const outcome = `${problem}, and its client was disconnected`;
    this.#warn('IO_MESSAGE_TOO_LARGE', outcome, count => `${outcome}, ${count} times more in the last minute`);
  }

  /** There is no namespace of this name, and no parent that could allow it. */
  warnOfNamespace(name: string): void {
    const problem = `a client has asked for the namespace ${JSON.stringify(oneLine(name.slice(0, 100)))}, which does not exist: name it in config.io.namespace or by app.io.of(name), or allow it by app.io.of(function)`;
    this.#warn('IO_NAMESPACE_UNKNOWN', problem, count => `${count} more in the last minute, the latest: ${problem}`);
  }

  /** Writes what has been counted. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
  }

  #warn(
    code: 'IO_MESSAGE_TOO_LARGE' | 'IO_NAMESPACE_UNKNOWN' | 'IO_PACKET_NESTED',
    problem: string,
    summary: (count: number) => string,
  ): void {
    const log = (text: string): void => this.#logger.warn(messageOf(code, text));
    this.#limit.log(
      code,
      () => log(problem),
      count => log(summary(count)),
    );
  }
}

/** Logs refused messages and namespaces. The number of lines is limited, since clients can cause any number of them. */
import { debug } from '../debug';
import type { Logger } from '../egg';
import { messageOf, oneLine, quoted } from '../errors';
import { LogLimit } from '../log-limit';

/** Writes one line of each kind a minute, and then the number of the others. */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #limit = new LogLimit({ interval: 60_000 });

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A message was too large. @param problem a clause that names the limit */
  warnOfSize(problem: string): void {
    const outcome = `${problem}, and its client was disconnected`;
    this.#warn('IO_MESSAGE_TOO_LARGE', outcome, count => `${outcome}, ${count} times more in the last minute`);
  }

  /** A client asked for a namespace that does not exist, and no parent is there to allow it. */
  warnOfNamespace(name: string): void {
    const namespace = quoted(name);
    debug.refused('namespace %s does not exist', namespace);
    const problem = `a client asked for the namespace ${namespace}, which does not exist: create it with config.io.namespace or app.io.of(name), or allow it with app.io.of(function)`;
    this.#warn('IO_NAMESPACE_UNKNOWN', problem, count => `${count} more in the last minute, the latest: ${problem}`);
  }

  /** A user has reached a limit. @param user the id; undefined only if the connection has lost it */
  warnOfUser(what: 'too many connections' | 'too many events', namespace: string, user = 'none'): void {
    const of = `${what} of the user ${quoted(user)}, namespace ${namespace}`;
    const summary = (count: number): string => `${of}: ${count} more were refused in the last minute`;
    this.#warn('IO_USER_LIMIT', `${of}: one was refused`, summary, `${of} ${user}`); // the whole id, of which a line has the beginning
  }

  /** The connections of a user to other workers and servers could not be counted. */
  warnOfUncounted(namespace: string, error: Error): void {
    const problem = `connections of users to other workers and servers cannot be counted for now, namespace ${namespace}: ${oneLine(error.message)}`;
    this.#warn('IO_USER_UNCOUNTED', problem, count => `${count} more in the last minute, the latest: ${problem}`);
  }

  /** Writes pending counts. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
  }

  #warn(
    code: 'IO_MESSAGE_TOO_LARGE' | 'IO_NAMESPACE_UNKNOWN' | 'IO_USER_LIMIT' | 'IO_USER_UNCOUNTED',
    problem: string,
    summary: (count: number) => string,
    kind: string = code,
  ): void {
    const log = (text: string): void => this.#logger.warn(messageOf(code, text));
    this.#limit.log(
      kind,
      () => log(problem),
      count => log(summary(count)),
    );
  }
}

/** The log of session routing. */
import type { Logger } from '../../egg';

export class RoutingLog {
  readonly #logger: Logger;
  readonly #logged = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  error(message: string, error: Error): void {
    this.#logger.error(`[egg-socket.io] session routing: ${message}`, error);
  }

  /** Logs an error once for each subject. */
  errorOnce(subject: string, problem: string): void {
    if (this.#logged.has(subject)) return;
    this.#logged.add(subject);
    this.#logger.error('[egg-socket.io] session routing: %s', problem);
  }
}

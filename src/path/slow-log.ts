/** Logs connection middleware that takes long, while its client waits without an event. */
import type { Logger } from '../egg';
import { LogLimit } from '../log-limit';
import type { Arrival } from './arrivals';

/** Writes one line a minute for each namespace, and then the number of the others. */
export class SlowLog {
  readonly #logger: Logger;
  readonly #limit = new LogLimit({ interval: 60_000 });

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param ms how long the client has waited */
  warn({ namespace: { name }, socket, obstacle: { problem, remedy } }: Arrival, ms: number): void {
    const waits = `${problem} after ${ms / 1000} s, and the client is waiting, namespace ${name}`;
    this.#limit.log(
      name,
      () => this.#write(`${waits}, socket ${socket.id}: ${remedy}`),
      count => this.#write(`${waits}: ${count} more in the last minute`),
    );
  }

  /** Writes the pending counts. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
  }

  #write(text: string): void {
    this.#logger.warn(`[egg-socket.io] ${text}`);
  }
}

/** Connection middleware that takes long: its client waits and hears nothing. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from '../egg';
import { LogLimit } from '../log-limit';
import type { Arrival } from './arrivals';

/** One line a minute for each namespace, and then the number of all others. */
export class SlowLog {
  readonly #logger: Logger;
  readonly #storage: AsyncLocalStorage<unknown>;
  readonly #limit = new LogLimit({ interval: 60_000 });

  constructor(logger: Logger, storage: AsyncLocalStorage<unknown>) {
    this.#logger = logger;
    this.#storage = storage;
  }

  /** @param ms how long the client has waited */
  warn({ namespace: { name }, socket, obstacle: { problem, remedy } }: Arrival, ms: number): void {
    const waits = `${problem} after ${ms / 1000} s, and the client waits, namespace ${name}`;
    this.#limit.log(
      name,
      () => this.#write(`${waits}, socket ${socket.id}: ${remedy}`),
      count => this.#write(`${waits}: ${count} more in the last minute`),
    );
  }

  /** Writes what has been counted. To be called when the app closes. */
  flush(): void {
    this.#limit.flush();
  }

  /** Outside the context, in which every logger shows the URL of the handshake. */
  #write(text: string): void {
    this.#storage.run(undefined, () => this.#logger.warn(`[egg-socket.io] ${text}`));
  }
}

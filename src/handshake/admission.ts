/** Whether a worker takes one more client: `config.io.limits.connections` and `handshakes`. */
import type { Server as EngineServer } from 'engine.io';
import { Bucket } from '../limits/bucket';
import type { Limits } from '../limits/limits';

export class Admission {
  readonly #limits: Limits;
  readonly #handshakes: Bucket | undefined;

  constructor(limits: Limits) {
    const { handshakes } = limits.settings;
    this.#limits = limits;
    this.#handshakes = Number.isFinite(handshakes) ? new Bucket(handshakes, handshakes, performance.now()) : undefined;
  }

  /** To be asked for each request that begins a session. Returns the code of the refusal, if it is refused. */
  refusalOf({ clientsCount }: EngineServer): string | undefined {
    if (clientsCount >= this.#limits.settings.connections) {
      this.#limits.report('connections', 'clients are refused, and come again');
      return 'TOO_MANY_CONNECTIONS';
    }
    if (this.#handshakes && !this.#handshakes.take()) {
      this.#limits.report('handshakes', 'clients are refused, and come again');
      return 'TOO_MANY_HANDSHAKES';
    }
    return undefined;
  }
}

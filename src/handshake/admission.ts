/** Whether a worker takes one more client: `config.io.limits.connections`, `handshakes` and `perAddress`. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { LimitKind, Limits } from '../limits/limits';
import type { EngineRequest } from '../internals/engine-io';
import type { AddressOf } from './address';

export interface Turned {
  readonly code: 'TOO_MANY_CONNECTIONS' | 'TOO_MANY_HANDSHAKES';
  /** Of the answer to a client that polls. */
  readonly status: 429 | 503;
}

export class Admission {
  readonly #limits: Limits;
  readonly #addressOf: AddressOf;

  constructor(limits: Limits, addressOf: AddressOf) {
    this.#limits = limits;
    this.#addressOf = addressOf;
  }

  attach(engine: EngineServer): void {
    const { addresses } = this.#limits;
    if (!addresses) return;
    engine.on('connection', (connection: EngineSocket) => {
      const { request } = connection as { request: EngineSocket['request'] | null }; // null over WebTransport, which has no address
      if (request) addresses.add(connection, this.#addressOf(request));
    });
  }

  /** To be asked for each request that begins a session. Returns undefined, or resolves with it, if the client may come. */
  ask(engine: EngineServer, request: EngineRequest): Turned | undefined | Promise<Turned | undefined> {
    const { addresses } = this.#limits;
    if (!addresses) return this.#askWorker(engine);
    const address = this.#addressOf(request);
    if (addresses.isFull(address)) return this.#turn('perAddress', 'TOO_MANY_CONNECTIONS', 429);
    const counting = addresses.countHandshake(address);
    if (!counting) return this.#askWorker(engine);
    return counting.then(wait => (wait > 0 ? this.#turn('perAddress', 'TOO_MANY_HANDSHAKES', 429) : this.#askWorker(engine)));
  }

  #askWorker({ clientsCount }: EngineServer): Turned | undefined {
    if (clientsCount >= this.#limits.settings.connections) return this.#turn('connections', 'TOO_MANY_CONNECTIONS', 503);
    if (this.#limits.handshakes?.take() === false) return this.#turn('handshakes', 'TOO_MANY_HANDSHAKES', 503);
    return undefined;
  }

  #turn(kind: LimitKind, code: Turned['code'], status: Turned['status']): Turned {
    this.#limits.report(kind, 'clients are refused, and come again');
    return { code, status };
  }
}

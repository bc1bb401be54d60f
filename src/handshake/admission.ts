/** Whether a worker takes one more client: `config.io.limits.connections`, `handshakes` and `perAddress`. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { LimitKind, Limits } from '../limits/limits';
import { engineInternals, type EngineRequest, requestOf } from '../internals/engine-io';
import type { AddressOf } from './address';

export interface Turned {
  readonly code: 'TOO_MANY_CONNECTIONS' | 'TOO_MANY_HANDSHAKES';
  /** Of the answer to a client that polls. */
  readonly status: 429 | 503;
}

export class Admission {
  readonly #limits: Limits;
  readonly #addressOf: AddressOf;
  readonly #turned = new WeakMap<IncomingMessage, Turned>();
  /** The requests that become connections now: the id of a session may take its time. With the addresses as they are counted. */
  readonly #arriving = new Map<IncomingMessage, string | undefined>();
  #engine: EngineServer | undefined;

  constructor(limits: Limits, addressOf: AddressOf) {
    this.#limits = limits;
    this.#addressOf = addressOf;
  }

  attach(engine: EngineServer): void {
    this.#engine = engine;
    const { addresses, settings } = this.#limits;
    if (!addresses && settings.connections === Number.POSITIVE_INFINITY) return;
    const internals = engineInternals(engine);
    const handshake = internals.handshake.bind(engine);
    internals.handshake = async (transport, request, close) => {
      this.#arriving.set(request, addresses?.hold(this.#addressOf(request)));
      try {
        return await handshake(transport, request, close);
      } finally {
        this.#release(request);
      }
    };
    engine.on('connection', (connection: EngineSocket) => {
      const request = requestOf(connection);
      if (!request) return;
      addresses?.add(connection, this.#addressOf(request));
      this.#release(request);
    });
  }

  /**
   * To be asked for each request that begins a session, before functions of the app that may cost more, and after all checks that cost nothing:
   * what is refused anyway does not count. Calls one of both.
   */
  readonly ask = (request: IncomingMessage, allow: () => void, refuse: (code: string) => void): void => {
    const conclude = (turned: Turned | undefined): void => {
      if (!turned) return allow();
      this.#turned.set(request, turned);
      refuse(turned.code);
    };
    const { _query: query } = request as EngineRequest; // Engine.IO has prepared it
    if (query['EIO'] !== '4' && this.#engine?.opts.allowEIO3 === false) return allow(); // Engine.IO refuses it afterwards
    const { addresses } = this.#limits;
    const full = this.#askForRoom(request);
    const counting = full ? undefined : addresses?.countHandshake(this.#addressOf(request));
    if (counting) void counting.then(wait => conclude(wait > 0 ? this.#turn('perAddress', 'TOO_MANY_HANDSHAKES', 429) : this.#askWorker()));
    else conclude(full ?? this.#askWorker());
  };

  /**
   * To be asked when all functions of the app have been called, which may have waited. Returns undefined if `ask` has not refused the request and,
   * if it would be accepted now, there is still room.
   */
  turnedAfter(request: IncomingMessage, isAccepted: boolean): Turned | undefined {
    return isAccepted ? this.#askForRoom(request) : this.#turned.get(request);
  }

  #askForRoom(request: IncomingMessage): Turned | undefined {
    const { addresses, settings } = this.#limits;
    if (addresses?.isFull(this.#addressOf(request))) return this.#turn('perAddress', 'TOO_MANY_CONNECTIONS', 429);
    if ((this.#engine?.clientsCount ?? 0) + this.#arriving.size >= settings.connections)
      return this.#turn('connections', 'TOO_MANY_CONNECTIONS', 503);
    return undefined;
  }

  #askWorker(): Turned | undefined {
    return this.#limits.handshakes?.take() === false ? this.#turn('handshakes', 'TOO_MANY_HANDSHAKES', 503) : undefined;
  }

  #turn(kind: LimitKind, code: Turned['code'], status: Turned['status']): Turned {
    this.#limits.report(kind, 'clients are refused, and come again');
    return { code, status };
  }

  #release(request: IncomingMessage): void {
    const key = this.#arriving.get(request);
    if (this.#arriving.delete(request) && key !== undefined) this.#limits.addresses?.release(key);
  }
}

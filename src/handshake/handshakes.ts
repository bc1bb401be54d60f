/** Who may begin a session, and who may take part in it: the checks of all requests, in order. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import type { Settings } from '../config/settings';
import { debug } from '../debug';
import type { EggApplication } from '../egg';
import type { EngineError } from '../internals/engine-io';
import type { Limits } from '../limits/limits';
import { ownLogger } from '../own-logger';
import { type AddressOf, addressesOf } from './address';
import { Admission } from './admission';
import { allowHosts } from './allowed-hosts';
import { Binding } from './binding';
import { OriginCheck } from './origin';
import { refusePolling3, refuseTakeover } from './protocol-3';
import { RefusedRequests } from './refused-requests';
import { endRepeated } from './repeated-requests';
import { checkRequests, type RequestCheck } from './request-check';

export class Handshakes {
  readonly addressOf: AddressOf;
  /** By `config.io.allowedHosts`, also for what is no handshake. Logs those that are not. */
  readonly isAllowedHost: (request: IncomingMessage) => boolean;
  readonly refused: RefusedRequests;
  readonly #origin: OriginCheck;
  readonly #binding: Binding | undefined;
  readonly #checks: readonly RequestCheck[];
  readonly #admission: Admission;

  constructor(app: EggApplication, { init, allowedHosts, bind }: Settings, limits: Limits) {
    const addressOf = (this.addressOf = addressesOf(app));
    this.#admission = new Admission(limits, addressOf);
    this.#origin = new OriginCheck(app, init, this.#admission.ask);
    this.refused = new RefusedRequests(ownLogger(app));
    this.#binding = bind.length > 0 ? new Binding(bind, app, addressOf, this.refused) : undefined;
    const checkHost = allowedHosts && allowHosts(allowedHosts, app, this.refused);
    this.isAllowedHost = request => checkHost?.(request) === undefined;
    this.#checks = [
      ...(checkHost ? [checkHost] : []),
      ...(init.allowEIO3 === 'websocket' ? [refusePolling3] : []),
      refuseTakeover,
      this.#origin.check,
      ...(this.#binding ? [this.#binding.check] : []),
      endRepeated, // last: of requests that are refused it knows nothing
    ];
  }

  /** Engine.IO's `allowRequest`. */
  get allowRequest(): OriginCheck['allowRequest'] {
    return this.#origin.allowRequest;
  }

  attach(engine: EngineServer): void {
    checkRequests(engine, this.#checks, this.#admission);
    this.#binding?.attach(engine);
    this.#admission.attach(engine);
    engine.on('connection_error', ({ req, message, context }: EngineError) => {
      if (!debug.refused.enabled) return; // the address needs a context of Egg
      debug.refused('a request of %s: %s', req && this.addressOf(req), [message, context?.message].filter(Boolean).join(', '));
    });
  }

  /** Writes pending counts to the log. To be called when the app closes. */
  close(): void {
    this.#origin.close();
    this.refused.flush();
  }
}

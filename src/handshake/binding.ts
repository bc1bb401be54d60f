/** `config.io.bind`: the requests of a session must come from whom it began with. Its id alone is not enough then. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { BoundTo } from '../config/options';
import type { EggApplication } from '../egg';
import { type EngineRequest, requestOf } from '../internals/engine-io';
import type { AddressOf } from './address';
import type { RefusedRequests } from './refused-requests';
import { REFUSED, type RequestCheck, sessionOf } from './request-check';

type Values = Readonly<Partial<Record<BoundTo, string | undefined>>>;

const OF_ANOTHER_CLIENT = { code: REFUSED.forbidden, message: 'Session of another client' } as const;

export class Binding {
  readonly #bind: readonly BoundTo[];
  readonly #addressOf: AddressOf;
  readonly #refused: RefusedRequests;
  /** The value of the session's cookie. */
  readonly #cookie: RegExp;
  /** What each session began with. Its request does not say: the address is gone when the connection of the request has closed. */
  readonly #began = new WeakMap<EngineSocket, Values>();

  constructor(bind: readonly BoundTo[], { config }: EggApplication, addressOf: AddressOf, refused: RefusedRequests) {
    this.#bind = bind;
    this.#addressOf = addressOf;
    this.#refused = refused;
    this.#cookie = cookieNamed(config.session?.key ?? '');
  }

  attach(engine: EngineServer): void {
    engine.on('connection', (connection: EngineSocket) => {
      const request = requestOf(connection);
      if (request) this.#began.set(connection, this.#valuesOf(request));
    });
  }

  readonly check: RequestCheck = (request, _isUpgrade, sessions) => {
    const session = sessionOf(request, sessions);
    const began = session && this.#began.get(session);
    if (!began) return undefined;
    const values = this.#valuesOf(request);
    // a browser may have got the cookie since
    const other = this.#bind.find(name => values[name] !== began[name] && (name !== 'cookie' || began.cookie !== undefined));
    if (other === undefined) return undefined;
    this.#refused.warnOfBinding(other);
    return OF_ANOTHER_CLIENT;
  };

  #valuesOf(request: EngineRequest): Values {
    const { headers } = request;
    const values: Partial<Record<BoundTo, string | undefined>> = {};
    for (const name of this.#bind) {
      if (name === 'address') values.address = this.#addressOf(request);
      else if (name === 'userAgent') values.userAgent = headers['user-agent'];
      else values.cookie = this.#cookie.exec(headers.cookie ?? '')?.[1];
    }
    return values;
  }
}

function cookieNamed(name: string): RegExp {
  return new RegExp(`(?:^|; *)${name.replaceAll(/[^\w-]/g, String.raw`\$&`)}=([^;]*)`);
}

/** Fields in a client's `auth` that have the names of Socket.IO's own: such a client is never recovered, and nothing else says so. */
import type { Socket } from 'socket.io';
import type { Logger } from '../egg';
import { messageOf } from '../errors';

/** The keys of sessions, as Socket.IO makes them. A client that comes back sends its own as `pid`. */
const SESSION_KEY = /^[\w-]{20}$/;

export class RecoveryAuth {
  readonly #logger: Logger;
  #hasWarned = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Warns of the first client whose `auth` has such a field. */
  check({ handshake: { auth } }: Socket): void {
    if (this.#hasWarned) return;
    const { pid, offset } = (auth ?? {}) as { pid?: unknown; offset?: unknown }; // whatever the client sends
    const field = pid === undefined ? offset !== undefined && 'offset' : !(typeof pid === 'string' && SESSION_KEY.test(pid)) && 'pid';
    if (field === false) return;
    this.#hasWarned = true;
    const problem = `a client sends auth.${field} of the app's own: by that name Socket.IO's client says ${field === 'pid' ? 'which session it comes back to' : 'what it has received'}, and the client is never recovered; rename the field`;
    this.#logger.warn(messageOf('IO_RECOVERY_AUTH', problem));
  }
}

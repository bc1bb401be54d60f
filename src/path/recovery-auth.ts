/** Detects fields of the app in a client's `auth` whose names Socket.IO uses for recovery. Such a client is silently never recovered. */
import type { Socket } from 'socket.io';
import type { Logger } from '../egg';
import { messageOf } from '../errors';
import { isPrivateId } from '../internals/socket-io';

export class RecoveryAuth {
  readonly #logger: Logger;
  #hasWarned = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Warns about the first client whose `auth` has such a field. */
  check({ handshake: { auth } }: Socket): void {
    if (this.#hasWarned) return;
    const { pid, offset } = (auth ?? {}) as { pid?: unknown; offset?: unknown }; // from the client, of any type
    const field = pid === undefined ? offset !== undefined && 'offset' : !isPrivateId(pid) && 'pid';
    if (field === false) return;
    this.#hasWarned = true;
    const use = field === 'pid' ? 'the session to recover' : 'the last message that it received';
    const problem = `a client sends auth.${field}, a name that Socket.IO's client uses for ${use}; such a client is never recovered; rename the field`;
    this.#logger.warn(messageOf('IO_RECOVERY_AUTH', problem));
  }
}

/** Namespaces made on demand. Clients choose their names, so one that nobody has used for a while goes, with its adapter and the timers of that. */
import type { Namespace, Server } from 'socket.io';
import { SessionAwareAdapter } from 'socket.io-adapter';
import { RecoveringAdapter } from '../backplane/recovering-adapter';
import type { Logger } from '../egg';
import { namespaceOf } from '../path/namespace';
import { keepForArrivals, type Parents } from '../path/parents';

interface Child {
  readonly nsp: Namespace;
  /** Whether a client is connected or connecting. */
  readonly isOccupied: () => boolean;
  /** Since when it has been empty. Undefined while it is not. */
  emptySince: number | undefined;
}

export class Children {
  /** Time in ms after which an empty namespace goes. Tests shorten it. */
  maxIdle = 60_000;
  /** Time between two searches for empty namespaces, in ms. */
  readonly #interval = 10_000;
  readonly #server: Server;
  readonly #parents: Parents;
  readonly #logger: Logger;
  readonly #children = new Map<string, Child>();
  /** Set while there are any. */
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(server: Server, parents: Parents, logger: Logger) {
    this.#server = server;
    this.#parents = parents;
    this.#logger = logger;
  }

  add(nsp: Namespace): void {
    const child: Child = {
      nsp,
      isOccupied: keepForArrivals(nsp, () => (child.emptySince = undefined)),
      emptySince: undefined,
    };
    this.#children.set(nsp.name, child);
    if (!this.#isClosed) this.#timer ??= setInterval(() => this.sweep(), this.#interval).unref();
  }

  /** Removes the namespaces that have been empty for `maxIdle` ms. */
  sweep(): void {
    const now = performance.now();
    for (const [name, child] of this.#children) {
      if (this.#server._nsps.get(name) !== child.nsp)
        this.#children.delete(name); // Socket.IO has removed it
      else if (isUsed(child)) child.emptySince = undefined;
      else if (now - (child.emptySince ??= now) >= this.maxIdle) this.#remove(child.nsp);
    }
    if (this.#children.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** To be called when the server begins to close. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #remove(nsp: Namespace): void {
    const { name } = nsp;
    this.#children.delete(name);
    (async () => nsp.adapter.close())().catch((error: unknown) =>
      this.#logger.warn('[egg-socket.io] closing the adapter of an empty namespace failed:', error),
    );
    this.#server._nsps.delete(name);
    this.#parents.forget(nsp);
    // what the app still does with it happens to the namespace that has its name then
    for (const member of ['adapter', 'sockets'] as const)
      Object.defineProperty(nsp, member, { configurable: true, get: () => this.#server.of(name)[member] });
  }
}

/** Whether a namespace has to stay: for its clients, for those that may recover, or for what the app has given to it. */
function isUsed({ nsp, isOccupied }: Child): boolean {
  return isOccupied() || keepsSessions(nsp) || namespaceOf(nsp)?.isExtended === true;
}

/** Whether the adapter keeps messages for clients that have lost their connection. An adapter of the app's own may. */
function keepsSessions({ adapter }: Namespace): boolean {
  return adapter instanceof RecoveringAdapter ? adapter.keepsSessions : adapter instanceof SessionAwareAdapter;
}

/** Namespaces made on demand. Clients choose their names, so one that nobody has used for a while goes, with its adapter and the timers of that. */
import type { Namespace, Server } from 'socket.io';
import type { Logger } from '../egg';
import type { Limits } from '../limits/limits';
import { namespaceOf } from '../path/namespace';
import { serverInternals } from '../internals/socket-io';
import { Child } from '../path/child';
import type { Parents } from '../path/parents';

/** Number of namespaces to remove at a time, so that clients do not wait. */
const BATCH = 100;

/** Methods by which an app extends a namespace. */
const EXTENSIONS = ['use', 'on', 'once', 'addListener', 'prependListener', 'prependOnceListener', 'off', 'removeListener'] as const;

export class Children {
  /** Time in ms after which an empty namespace goes. Tests shorten it. */
  maxIdle = 60_000;
  /** Number of namespaces from which on the empty ones go at once, the oldest first. Tests lower it. */
  maxCount = 10_000;
  /** Time between two searches for empty namespaces, in ms. */
  readonly #interval = 10_000;
  /** Time in ms for which clients that have gone may recover: the least time for which an empty namespace stays. */
  readonly #recoveryTime: number;
  readonly #server: Server;
  readonly #parents: Parents;
  readonly #logger: Logger;
  readonly #limits: Limits;
  readonly #children = new Map<string, Child>();
  /** Number of namespaces at which to look for empty ones again, if not at `maxCount`. */
  #fullAt = 0;
  /** Set while there are any. */
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(server: Server, parents: Parents, logger: Logger, limits: Limits) {
    this.#server = server;
    this.#parents = parents;
    this.#logger = logger;
    this.#limits = limits;
    const { connectionStateRecovery } = serverInternals(server).opts;
    this.#recoveryTime = connectionStateRecovery ? (connectionStateRecovery.maxDisconnectionDuration ?? 120_000) : 0;
  }

  add(nsp: Namespace): void {
    if (this.#children.size >= Math.max(this.maxCount, this.#fullAt)) this.#makeRoom();
    this.#children.set(nsp.name, new Child(nsp));
    if (!this.#isClosed) this.#timer ??= setInterval(() => this.sweep(), this.#interval).unref();
  }

  /** Removes the namespaces that have been empty for `maxIdle` ms, and for as long as clients may recover. */
  sweep(): void {
    const now = performance.now();
    const maxIdle = Math.max(this.maxIdle, this.#recoveryTime);
    const idle: Child[] = [];
    for (const [name, child] of this.#children) {
      if (this.#server._nsps.get(name) !== child.nsp)
        this.#children.delete(name); // Socket.IO has removed it
      else if (isUsed(child)) child.emptySince = undefined;
      else if (now - (child.emptySince ??= now) >= maxIdle) idle.push(child);
    }
    this.#removeAll(idle);
    this.#fullAt = 0;
    if (this.#children.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** To be called when the server begins to close. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #removeAll(idle: Child[]): void {
    if (this.#isClosed) return;
    for (const child of idle.splice(0, BATCH)) if (this.#children.get(child.nsp.name) === child && !isUsed(child)) this.#remove(child.nsp);
    if (idle.length > 0) setImmediate(() => this.#removeAll(idle)).unref();
  }

  /** Clients can make up names faster than empty namespaces go by themselves. */
  #makeRoom(): void {
    const empty: Child[] = [];
    for (const child of this.#children.values()) if (!isUsed(child) && empty.push(child) === BATCH) break;
    this.#limits.report('patterns', empty.length > 0 ? 'empty ones go at once, the oldest first' : 'none of them is empty');
    for (const { nsp } of empty) this.#remove(nsp);
    if (empty.length < BATCH) this.#fullAt = this.#children.size + BATCH; // not for each client: a search takes time
  }

  #remove(nsp: Namespace): void {
    const { name } = nsp;
    this.#children.delete(name);
    if (this.#server._nsps.get(name) !== nsp) return; // Socket.IO has removed it
    (async () => nsp.adapter.close())().catch((error: unknown) =>
      this.#logger.warn('[egg-socket.io] closing the adapter of an empty namespace failed:', error),
    );
    this.#server._nsps.delete(name);
    this.#parents.forget(nsp);
    // what the app still does with it happens to the namespace that has its name then
    for (const member of ['adapter', 'sockets'] as const)
      Object.defineProperty(nsp, member, { configurable: true, get: () => this.#server.of(name)[member] });
    for (const method of EXTENSIONS) {
      const extend = (...args: unknown[]): Namespace => {
        const present = this.#server.of(name);
        Reflect.apply(present[method], present, args);
        return nsp;
      };
      Object.assign(nsp, { [method]: extend });
    }
  }
}

/** Whether a namespace has to stay: for its clients, or for what the app has given to it. */
function isUsed({ nsp, isOccupied }: Child): boolean {
  return isOccupied || namespaceOf(nsp)?.isExtended === true;
}

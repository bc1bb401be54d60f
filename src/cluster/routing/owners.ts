/** Finds the worker that owns a session, and the worker for a new session. */
import type { IncomingMessage } from 'node:http';
import { debug } from '../../debug';
import type { RunFolder } from '../run-folder';
import type { RoutingLog } from './routing-log';
import { ownerNamedBy } from './session-ids';

/** A new session goes to another worker only if this one holds over one session more, and over 10 % more, than that one. */
const TOLERATED_EXCESS = { sessions: 1, share: 0.1 };

/** Time between two searches for new workers, in ms. */
const REFRESH_INTERVAL = 1000;

/** Time after which a worker that did not answer gets one new session again, in ms. */
const RETRY_INTERVAL = 10_000;

export class Owners {
  readonly #worker: string;
  readonly #folder: RunFolder;
  readonly #log: RoutingLog;
  readonly #capacity: number;
  /** The number of sessions of each other worker, from its last answer. Infinite for a worker that did not answer. */
  readonly #sessions = new Map<string, number>();
  /** When each worker that did not answer is tried again: it may have been too busy, such as with its start. */
  readonly #retriedAt = new Map<string, number>();
  #refreshedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param worker the id of this worker
   * @param capacity the most sessions of a worker, which refuses further ones
   */
  constructor(worker: string, folder: RunFolder, log: RoutingLog, capacity: number) {
    this.#worker = worker;
    this.#folder = folder;
    this.#log = log;
    this.#capacity = capacity;
  }

  /** The other worker that owns the session of a request. Undefined if it is this one, or if there is no such worker or session. */
  otherOwnerOf(request: IncomingMessage): string | undefined {
    const owner = ownerNamedBy(request);
    if (owner === undefined || owner === this.#worker) return undefined;
    const isThere = this.#sessions.has(owner) || this.#folder.hasWorker(owner); // it may have started since the last refresh
    debug.routing(
      'worker %s got a request of worker %s%s',
      this.#worker,
      owner,
      isThere ? '' : ', which does not run: the session is unknown',
    );
    return isThere ? owner : undefined;
  }

  /**
   * The worker for a new session, undefined for this one. Needed since a proxy that reuses connections may send most clients to one worker.
   *
   * @param held the number of sessions of this worker
   */
  forNewSession(held: number): string | undefined {
    if (performance.now() - this.#refreshedAt > REFRESH_INTERVAL) this.#refresh();
    const retried = this.#nextRetried();
    if (retried !== undefined) return retried;
    let [owner, fewest]: [string | undefined, number] = [undefined, held];
    for (const [worker, sessions] of this.#sessions) if (sessions < fewest) [owner, fewest] = [worker, sessions];
    const isBalanced = held - fewest <= Math.max(TOLERATED_EXCESS.sessions, fewest * TOLERATED_EXCESS.share);
    const isRoomElsewhere = held >= this.#capacity && fewest < this.#capacity;
    if (owner === undefined || (isBalanced && !isRoomElsewhere)) {
      debug.routing('worker %s, with %d sessions, keeps a new one', this.#worker, held);
      return undefined;
    }
    debug.routing('worker %s, with %d sessions, gives a new one to worker %s, with %d', this.#worker, held, owner, fewest);
    this.#sessions.set(owner, fewest + 1); // until the worker's next answer
    return owner;
  }

  /** Records the number of sessions from a worker's answer. */
  setSessions(worker: string, sessions: number): void {
    this.#sessions.set(worker, sessions);
    this.#retriedAt.delete(worker);
  }

  /** Sends new sessions to other workers until this one answers a request again. One session in ten seconds is such a request. */
  markUnreachable(worker: string): void {
    debug.routing('worker %s gets no new session for %d s: it did not answer', worker, RETRY_INTERVAL / 1000);
    this.#sessions.set(worker, Number.POSITIVE_INFINITY);
    this.#retriedAt.set(worker, performance.now() + RETRY_INTERVAL);
  }

  #nextRetried(): string | undefined {
    const now = performance.now();
    for (const [worker, at] of this.#retriedAt)
      if (now >= at) {
        this.#retriedAt.set(worker, now + RETRY_INTERVAL);
        return worker;
      }
    return undefined;
  }

  #refresh(): void {
    this.#refreshedAt = performance.now();
    const present = new Set(this.#folder.workers());
    if (!present.delete(this.#worker)) {
      const problem = `${this.#folder.path} has been removed: clients that poll lose their sessions until the app is started again`;
      this.#log.errorOnce('folder', problem);
      return;
    }
    for (const worker of this.#sessions.keys()) if (!present.has(worker)) this.#forget(worker);
    for (const worker of present) if (!this.#sessions.has(worker)) this.#sessions.set(worker, 0);
  }

  #forget(worker: string): void {
    this.#sessions.delete(worker);
    this.#retriedAt.delete(worker);
  }
}

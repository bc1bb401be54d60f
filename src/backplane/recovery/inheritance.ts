/** What other processes that end hand over to this one. */
import type { Namespace } from 'socket.io';
import { debug } from '../../debug';
import type { Backplane } from '../backplane';
import type { PacketCodec } from '../packet-codec';
import type { HandoverStore } from '../../store/handover-store';
import type { Offsets } from './offsets';
import type { Peers } from './peers';
import type { Sessions } from './sessions';
import type { Bequest } from './stored';
import { read } from './written-handover';

/** Time in ms for a process to hand over what this one has accepted. */
const TIMEOUT = 2000;
/** Time in ms after which this process accepts nothing more, until all that it waits for is here. */
const MAX_WAITING = 1000;
/** In place of the id of a process: the last one before this. */
const LAST = 'last';

export interface Parts {
  readonly nsp: Namespace;
  /** Of this process. */
  readonly offsets: Offsets;
  readonly store: HandoverStore;
  readonly peers: Peers;
  readonly sessions: Sessions;
  readonly codec: PacketCodec;
  readonly backplane: Backplane;
}

/** A process whose sessions are on their way to this one. */
interface Awaited {
  /** The number of the first event that counts for these. */
  readonly from: number;
  end(): void;
}

/** Where the last of all processes leaves what it has. */
export function nameOfLast({ name }: Namespace): string {
  return `last ${name}`;
}

export function countOf(bequests: readonly Bequest[]): number {
  return bequests.reduce((count, { sessions }) => count + sessions.length, 0);
}

export class Inheritance {
  readonly #parts: Parts;
  /** By the id of the process. */
  readonly #awaited = new Map<string, Awaited>();
  #arrival: Promise<unknown> | undefined;
  /** When the first of those was accepted that `#arrival` waits for. */
  #since = 0;
  #stopWaiting: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { backplane, store } = parts;
    if (!store.lasts || backplane.wasReachable) return; // in a namespace that is made later, nobody knows what others have emitted
    const awaited = this.#await(LAST);
    const stopWaiting = backplane.onReachable(() => {
      stopWaiting();
      void this.#takeFromLast(awaited);
    });
    this.#stopWaiting = stopWaiting;
  }

  /** Resolves when the sessions that are on their way to this process are here. Undefined if there are none. */
  get arrival(): Promise<unknown> | undefined {
    return this.#arrival;
  }

  /**
   * Accepts what a process is about to hand over, unless others have been about to for too long: clients that come back wait for all of them.
   * Returns whether it does.
   */
  accept(server: string): boolean {
    this.decline(server);
    const isLate = this.#arrival && performance.now() - this.#since > MAX_WAITING;
    debug.handover(
      'namespace %s: the sessions of process %s are %s',
      this.#parts.nsp.name,
      server,
      isLate ? 'declined: others take too long' : 'accepted',
    );
    if (isLate) return false;
    const { end } = this.#await(server);
    const timer = setTimeout(end, TIMEOUT).unref();
    void this.#arrival?.then(() => clearTimeout(timer));
    return true;
  }

  /** To be called when the process has handed over its sessions to another one. */
  decline(server: string): void {
    this.#awaited.get(server)?.end();
  }

  /** Takes what a process has left under this name. Resolves with whether that was possible. Never rejects. */
  async take(server: string, name: string): Promise<boolean> {
    const awaited = this.#awaited.get(server);
    if (!awaited) return false;
    try {
      return this.#inherit(await this.#parts.store.take(name), awaited.from);
    } catch {
      return false; // the place cannot be reached: the clients are new ones
    } finally {
      awaited.end();
    }
  }

  close(): void {
    this.#stopWaiting?.();
    for (const { end } of this.#awaited.values()) end();
  }

  #await(server: string): Awaited {
    const { sessions } = this.#parts;
    let resolve = (): void => {};
    const handedOver = new Promise<void>(settle => (resolve = settle));
    const awaited: Awaited = {
      from: sessions.log.noteNext(),
      end: () => {
        if (this.#awaited.get(server) !== awaited) return;
        this.#awaited.delete(server);
        sessions.awaited--;
        resolve();
      },
    };
    this.#awaited.set(server, awaited);
    sessions.awaited++;
    if (!this.#arrival) this.#since = performance.now();
    const arrival = Promise.all([this.#arrival, handedOver]).then(() => {
      if (this.#arrival === arrival) this.#arrival = undefined;
    });
    this.#arrival = arrival;
    return awaited;
  }

  #inherit(text: string | undefined, from: number): boolean {
    const bequests = text === undefined ? undefined : read(text, this.#parts.codec);
    debug.handover('namespace %s: sessions that arrived: %s', this.#parts.nsp.name, bequests ? countOf(bequests) : 'none that can be read');
    if (bequests) this.#parts.sessions.inherit(bequests, from);
    return bequests !== undefined;
  }

  /** Takes what the last process before has left, unless another one may have emitted since. */
  async #takeFromLast({ from, end }: Awaited): Promise<void> {
    const { nsp, peers, store } = this.#parts;
    try {
      const text = await store.take(nameOfLast(nsp));
      const began = text === undefined ? undefined : await peers.poll({ kind: 'began' });
      if (began && !began.includes(true)) this.#inherit(text, from);
      else if (text !== undefined)
        debug.handover('namespace %s: what the last process has left is too old: others may have emitted since', nsp.name);
    } catch {
      // the place cannot be reached: the clients are new ones
    } finally {
      end();
    }
  }
}

/** The packets of a connection to an `ordered` namespace: the next one begins when the last has settled. */
import { AsyncResource } from 'node:async_hooks';
import type { Handlers, InFlight } from './in-flight';

/** The most packets of one connection that wait. */
const MAX_WAITING = 1000;

/**
 * The reasons of disconnects by `disconnect()` and by a closing server: what such a client has sent before is not handled any more. The former
 * connection of a recovered client ends with another one.
 */
const BY_SERVER: ReadonlySet<string | undefined> = new Set(['server namespace disconnect', 'server shutting down']);

export class PacketQueue {
  readonly #inFlight: InFlight;
  readonly #handlers: Handlers;
  readonly #waiting: (() => void)[] = [];
  /** Packets that had their turn, and want to go on. */
  readonly #returning: (() => void)[] = [];
  /** What follows the last packet of a client that has gone. */
  #endings: (() => void)[] = [];
  /** Whether a packet is being handled. */
  #isBusy = false;

  /** @param handlers those of the connection */
  constructor(inFlight: InFlight, handlers: Handlers) {
    this.#inFlight = inFlight;
    this.#handlers = handlers;
  }

  /**
   * Opens a packet now, or, in the present async context, when those before it have settled. Returns false if too many wait already.
   * @param open returns whether the packet will call `next()`
   */
  add(open: () => boolean): boolean {
    if (!this.#isBusy) this.#begin(open);
    else if (this.#waiting.length === MAX_WAITING) return false;
    else {
      const begin = (): void => {
        this.#begin(open);
        this.#inFlight.end(this.#handlers);
      };
      this.#waiting.push(AsyncResource.bind(begin));
      this.#inFlight.begin(this.#handlers); // a closing server waits for it
    }
    return true;
  }

  /** To be called when a packet has settled. The next one begins after the listeners of this one, which are called in the next tick. */
  next(): void {
    process.nextTick(beginNext, this);
  }

  /** Waits until a packet may go on that has given up its turn by `next()`. */
  async again(): Promise<void> {
    if (this.#isBusy) await new Promise<void>(resolve => this.#returning.push(resolve));
    else this.#isBusy = true;
  }

  /** Calls back when no packet is left. To be called when the client goes. */
  atEnd(ending: () => void): void {
    if (this.#isBusy) this.#endings.push(AsyncResource.bind(ending));
    else ending();
  }

  /** To be called when the client has gone. Drops what waits if the server has ended the connection. */
  leave(reason: string | undefined): void {
    if (!BY_SERVER.has(reason)) return;
    for (const _ of this.#waiting.splice(0)) this.#inFlight.end(this.#handlers);
    if (reason === 'server shutting down') this.#end(); // it has waited for the packets already
  }

  beginNext(): void {
    const begin = this.#returning.shift() ?? this.#waiting.shift();
    this.#isBusy = begin !== undefined;
    if (begin) begin();
    else this.#end();
  }

  #begin(open: () => boolean): void {
    this.#isBusy = true;
    if (!open()) this.next();
  }

  #end(): void {
    const endings = this.#endings;
    this.#endings = [];
    for (const ending of endings) ending();
  }
}

function beginNext(queue: PacketQueue): void {
  queue.beginNext();
}

/** One client in one namespace: its state, and each decision about it. Each is made once, by whoever comes first. */
import type { ExtendedError, Socket } from 'socket.io';
import { answerTo, isTemporary } from './error-answers';
import { type ErrorAnswer, toError } from '../errors';
import type { Arrival } from './arrivals';
import type { ContextOwner } from './context';
import type { ErrorEventLimit } from './failures';
import type { Handlers } from './in-flight';
import type { Namespace } from './namespace';
import type { NamedLayer } from './onion';
import type { Parent } from './parents';
import { Questions } from './questions';
import { refusalTo, sendRefusal, withdraw } from './refusal';
import type { ConnectionSession } from './session';
import type { SocketUse } from './uses';

/**
 * - `connecting`: its middleware runs.
 * - `admitted`: that has said yes, and what the app gave to `nsp.use()` runs.
 * - `connected`: so has that; Socket.IO has been told.
 * - `putOff`: it has failed for now, and the connection is to be closed.
 * - `ended`: refused, replaced, or the client has gone.
 */
type State = 'connecting' | 'admitted' | 'connected' | 'putOff' | 'ended';

export class Connection implements ContextOwner, Arrival {
  readonly namespace: Namespace;
  readonly socket: Socket;
  session: ConnectionSession | undefined;
  requestMembers: PropertyDescriptorMap | undefined;
  /** The parent namespace that has said yes. */
  parent: Parent | undefined;
  /** What the app itself has given to `socket.use()`. */
  uses: SocketUse[] | undefined;
  /** Set if it is to end as soon as it is connected: whether with the connection of the client. */
  dismissal: { readonly close: boolean } | undefined;
  /** The middleware that began last. */
  middleware: NamedLayer | undefined;
  readonly questions = new Questions();
  readonly handlers: Handlers = { running: 0, goneAt: undefined };
  /** Only there once the client has been told of an error. */
  errorEvents: ErrorEventLimit | undefined;
  readonly #connect: () => void;
  #state: State = 'connecting';
  /** Ends a connection that is put off. */
  #timer: NodeJS.Timeout | undefined;
  /** Lets the onion ascend, with the reason of the disconnect. Only there while something waits for it. */
  #ascend: ((reason?: string) => void) | undefined;
  #isBusy = false;
  #hasSettled = false;

  /** @param connect tells Socket.IO to connect the socket */
  constructor(namespace: Namespace, socket: Socket, connect: () => void) {
    this.namespace = namespace;
    this.socket = socket;
    this.#connect = connect;
  }

  get isConnecting(): boolean {
    return this.#state === 'connecting';
  }

  get isReplaceable(): boolean {
    return this.#state !== 'connected';
  }

  get isPutOff(): boolean {
    return this.#state === 'putOff';
  }

  get isRunning(): boolean {
    return !this.#hasSettled;
  }

  get obstacle(): Arrival['obstacle'] {
    const { parents } = this.namespace;
    if (this.#state === 'admitted' || this.middleware) {
      const which = this.#state === 'admitted' ? 'of use()' : `'${this.middleware?.name}'`;
      return { problem: `middleware ${which} has not ended`, remedy: 'call next(), or throw' };
    }
    if (parents && !parents.isEmpty && !this.parent)
      return { problem: 'the function of a parent namespace has not answered', remedy: 'call its third argument' };
    return { problem: 'the session has not been read', remedy: 'does its store answer?' };
  }

  /** Admit: once, and only if nothing has decided before. What the app itself gave to `nsp.use()` may still refuse. */
  admit(): void {
    if (!this.isConnecting) return;
    this.#state = 'admitted';
    this.namespace.runUses(this.socket, this.parent, error => {
      if (this.#state !== 'admitted') return; // gone, or replaced
      if (error) {
        if (isTemporary(error)) this.putOff(error);
        else this.#turnAway(error);
        return;
      }
      this.#state = 'connected';
      this.#connect();
    });
  }

  /** Socket.IO has connected the socket. */
  complete(): void {
    this.namespace.runtime.arrivals.delete(this);
    if (this.dismissal) this.socket.disconnect(this.dismissal.close);
  }

  /** The core of the connection's onion: admits the client. Resolves when it has gone, with the reason if it was connected at all. */
  async untilGone(): Promise<string | undefined> {
    await this.session?.save();
    if (!this.isConnecting) return undefined; // refused or gone: nothing to wait for
    const gone = new Promise<string | undefined>(resolve => (this.#ascend = resolve));
    this.admit();
    this.setBusy(false);
    return gone;
  }

  /** Leave: the client has gone, or asks for this namespace anew. Lets the onion ascend. */
  leave(reason?: string): void {
    if (this.#state === 'ended') return;
    if (this.#state !== 'connected') {
      if (!this.isPutOff) withdraw(this.socket, this.namespace.runtime.deprecations);
      Object.assign(this.socket, { packet() {} });
    }
    clearTimeout(this.#timer);
    this.#state = 'ended';
    this.questions.end();
    this.namespace.runtime.arrivals.delete(this);
    this.namespace.runtime.inFlight.leave(this.handlers);
    if (!this.#ascend) return;
    this.setBusy(true);
    this.#ascend(reason);
    this.#ascend = undefined;
  }

  /** Refuses a client that is still connecting: it is told so, and does not come back by itself. */
  refuse(answer: ErrorAnswer): void {
    if (this.isConnecting) this.#turnAway(refusalTo(this.socket, answer));
  }

  /**
   * The client is to try again. The official one does so by itself when its connection ends, and never after an answer:
   * it gets one only if other namespaces need the connection.
   */
  putOff(error: Error): void {
    const { name, runtime } = this.namespace;
    const { arrivals, deprecations, failures, reveal } = runtime;
    const what = 'not connected for now, the client is to try again';
    failures.logTemporary({ what, namespace: name, socket: this.socket.id, error });
    const refusal = refusalTo(this.socket, { ...answerTo(error, reveal), retry: true });
    if (arrivals.hasOpen(this)) {
      this.#turnAway(refusal);
      return;
    }
    withdraw(this.socket, deprecations);
    this.#state = 'putOff';
    this.questions.end();
    const { least, most } = arrivals.retryDelay;
    const end = (): void => {
      if (arrivals.hasOthers(this)) this.#turnAway(refusal);
      else this.socket.conn.close();
    };
    this.#timer = setTimeout(end, least + Math.random() * (most - least));
  }

  /** What a handler changed in the session before it failed is saved all the same, as Egg does over HTTP. It never rejects. */
  async saveAfterFailure(): Promise<void> {
    try {
      await this.session?.save();
    } catch (thrown) {
      this.log('error', 'saving the session failed', toError(thrown));
    }
  }

  /** One line of log for one failure, with where it happened; those of the same `place` and message are counted if there are many. */
  log(level: 'warn' | 'error', what: string, error: Error, place?: string): void {
    const { name, runtime } = this.namespace;
    runtime.failures.log({ level, what, namespace: name, socket: this.socket.id, error, ...(place !== undefined && { place }) });
  }

  /** Whether a closing server waits for its middleware: while the client is connected that only waits itself. */
  setBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy || this.#hasSettled) return;
    this.#isBusy = isBusy;
    if (isBusy) this.namespace.runtime.inFlight.begin();
    else this.namespace.runtime.inFlight.end();
  }

  /** Settle: nothing of the onion is left to run. */
  settle(): void {
    this.setBusy(false);
    this.#hasSettled = true;
    this.namespace.runtime.arrivals.settle(this);
  }

  #turnAway(refusal: ExtendedError): void {
    sendRefusal(this.socket, refusal);
    this.leave();
  }
}

/** One client in one namespace: its state, and the decisions about it. The first decision counts. */
import type { ExtendedError, Socket } from 'socket.io';
import { answerTo, isTemporary } from './error-answers';
import { debug } from '../debug';
import type { ErrorAnswer } from '../errors';
import type { SocketUser } from '../socket-user';
import { toError } from '../thrown';
import type { Arrival } from './arrivals';
import type { ContextOwner } from './context';
import type { Bucket } from '../limits/bucket';
import type { ErrorEventLimit } from './failures';
import type { Handlers } from './in-flight';
import { beginLogin, leaveLogin, type Login } from './login';
import type { Namespace } from './namespace';
import type { NamedLayer } from './onion';
import type { PacketQueue } from './packet-queue';
import { Questions } from './questions';
import { obstacleOf } from './obstacle';
import { inDebug, refusalTo, sendRefusal, withdraw } from './refusal';
import type { ConnectionSession } from './session';
import { abortSignals } from './signal';
import { startAnewIfOther } from './user';
import type { SocketUse } from './uses';

/**
 * - `connecting`: connection middleware is running.
 * - `admitted`: connection middleware has called `next()`; the functions of `nsp.use()` are running.
 * - `connected`: these have called `next()` too, and Socket.IO has connected the socket.
 * - `postponed`: a temporary failure; the connection will be closed, and the client will try again.
 * - `ended`: the client was refused or replaced, or has gone.
 */
type State = 'connecting' | 'admitted' | 'connected' | 'postponed' | 'ended';

export class Connection implements ContextOwner, Arrival {
  /** The namespace, or the parent that has accepted the client: its routes and middleware apply then. */
  namespace: Namespace;
  readonly socket: Socket;
  session: ConnectionSession | undefined;
  requestMembers: PropertyDescriptorMap | undefined;
  /** The app's functions of `socket.use()`. */
  uses: SocketUse[] | undefined;
  /** What the app has set `socket.user` to. */
  user: SocketUser | undefined;
  userRoom: string | undefined;
  /** Set if the socket is to disconnect as soon as it has connected; `close` as for `socket.disconnect(close)`. */
  dismissal: { readonly close: boolean } | undefined;
  /** The connection middleware that started last. */
  middleware: NamedLayer | undefined;
  readonly questions = new Questions();
  signals: Set<AbortController> | undefined;
  readonly handlers: Handlers = { running: 0, goneAt: undefined };
  /** Counts the events of the user. Undefined if they are not limited. */
  bucket: Bucket | undefined;
  /** Undefined if logins last as long as connections. */
  login: Login | undefined;
  /** The packets of an `ordered` namespace. Set with the first one. */
  queue: PacketQueue | undefined;
  /** Set with the first `error` event. */
  errorEvents: ErrorEventLimit | undefined;
  /** Undefined once it has been called: Socket.IO's function refers to much else. */
  #connect: (() => void) | undefined;
  #state: State = 'connecting';
  /** Closes a postponed connection. */
  #timer: NodeJS.Timeout | undefined;
  /** Resolves the innermost `next()` with the reason of the disconnect. Set while middleware waits for it. */
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

  get isAdmitted(): boolean {
    return this.#state === 'admitted' || this.#state === 'connected';
  }

  get isReplaceable(): boolean {
    return this.#state !== 'connected';
  }

  get params(): Record<string, string> {
    return { ...this.namespace.pattern?.regExp?.exec(this.socket.nsp.name)?.groups };
  }

  get isGone(): boolean {
    return this.#state === 'ended' || this.#state === 'postponed';
  }

  get isPostponed(): boolean {
    return this.#state === 'postponed';
  }

  get isRunning(): boolean {
    return !this.#hasSettled;
  }

  get obstacle(): Arrival['obstacle'] {
    return obstacleOf(this.namespace, this.#state === 'admitted' ? 'of use()' : this.middleware && `'${this.middleware.name}'`);
  }

  /** Admit: runs the functions of `nsp.use()`, which may still refuse the client, and then connects it. Does nothing after another decision. */
  admit(): void {
    if (!this.isConnecting || !beginLogin(this)) return;
    this.#state = 'admitted';
    startAnewIfOther(this);
    const limiting = this.namespace.userLimits?.admit(this);
    if (!limiting) this.#runUses();
    else
      limiting.then(
        hasPlace => this.#runUsesOrRefuse(hasPlace),
        (thrown: unknown) => this.#fail(thrown), // no catch(), which would be a promise more
      );
  }

  #fail(thrown: unknown): void {
    this.log('error', 'the client could not be let in, and its connection is closed', toError(thrown));
    this.socket.conn.close(true);
  }

  #runUsesOrRefuse(hasPlace: boolean): void {
    if (this.#state !== 'admitted') return; // the client has gone, or was replaced
    if (hasPlace) {
      this.#runUses();
      return;
    }
    this.namespace.runtime.refusals.warnOfUser('too many connections', this.namespace.name, this.user?.id);
    this.#turnAway(refusalTo(this, { code: 'TOO_MANY_CONNECTIONS', message: 'Too many connections' }));
  }

  /** Runs the functions of `nsp.use()`, and then connects the client. */
  #runUses(): void {
    this.namespace.runUses(this.socket, error => {
      if (this.#state !== 'admitted') return; // the client has gone, or was replaced
      if (error) {
        if (isTemporary(error)) this.postpone(error);
        else this.#turnAway(error);
        return;
      }
      this.#state = 'connected';
      const connect = this.#connect;
      this.#connect = undefined;
      connect?.();
    });
  }

  /** To be called when Socket.IO has connected the socket. */
  complete(): void {
    this.namespace.runtime.arrivals.delete(this);
    this.namespace.runtime.tracer?.complete(this.socket);
    this.namespace.userLimits?.complete(this);
    if (this.dismissal) this.socket.disconnect(this.dismissal.close);
  }

  /** The core of the onion: admits the client. Resolves when it has gone, with the reason of the disconnect if it was connected. */
  untilGone(): Promise<string | undefined> {
    const saving = this.session?.save();
    return saving ? saving.then(() => this.#admitUntilGone()) : this.#admitUntilGone();
  }

  /** Admits the client after the code that middleware has right after its `next()`: that may set data of the socket, or disconnect it. */
  #admitUntilGone(): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      // not by `await`, whose promises would be kept for as long as the client is connected
      queueMicrotask(() => {
        if (!this.isConnecting) {
          resolve(undefined); // refused, or gone
          return;
        }
        this.#ascend = resolve;
        try {
          this.admit();
          this.setBusy(false);
        } catch (thrown) {
          reject(toError(thrown));
        }
      });
    });
  }

  /** Leave: the client has gone, or has asked for the same namespace again. The onion ascends. */
  leave(reason?: string): void {
    if (this.#state === 'ended') return;
    if (this.#state !== 'connected') {
      if (!this.isPostponed) withdraw(this.socket, this.namespace.runtime.deprecations);
      Object.assign(this.socket, { packet() {} });
    }
    clearTimeout(this.#timer);
    this.#state = 'ended';
    this.questions.end();
    abortSignals(this);
    this.namespace.runtime.arrivals.delete(this);
    this.namespace.runtime.inFlight.leave(this.handlers);
    this.namespace.userLimits?.leave(this);
    leaveLogin(this);
    this.namespace.runtime.connectionWatch?.end(this, reason);
    this.afterPackets(() => {
      if (!this.#ascend) return;
      this.setBusy(true);
      this.#ascend(reason);
      this.#ascend = undefined;
    });
    this.queue?.leave(reason);
  }

  /** Calls back at once, or in an `ordered` namespace when all packets have settled. */
  afterPackets(callback: () => void): void {
    if (this.queue) this.queue.atEnd(callback);
    else callback();
  }

  /** Refuses a client that is still connecting. It gets the answer, and does not reconnect by itself. */
  refuse(answer: ErrorAnswer): void {
    if (this.isConnecting) this.#turnAway(refusalTo(this, answer));
  }

  /**
   * Makes the client try again later. The official client does so by itself when its connection closes, but not after a refusal:
   * it is refused only if other namespaces use the connection.
   *
   * @param answered the error for the client, if the app has replaced the one that is logged
   */
  postpone(error: Error, answered = error): void {
    const { name, runtime } = this.namespace;
    const { arrivals, deprecations, failures, reveal } = runtime;
    const what = 'connection postponed, the client will try again';
    failures.logTemporary({ what, namespace: name, child: this.#child, socket: this.socket.id, error });
    debug.refused('%s: it has to try again: %s', inDebug(this.socket), error.message);
    const reply = answerTo(answered, reveal);
    const refusal = refusalTo(this, { ...reply, retry: true });
    runtime.tracer?.fail(this.socket, reply.code, error);
    abortSignals(this, error);
    if (arrivals.isInOtherNamespace(this)) {
      this.#turnAway(refusal);
      return;
    }
    withdraw(this.socket, deprecations);
    this.#state = 'postponed';
    this.questions.end();
    const { least, most } = arrivals.retryDelay;
    const end = (): void => {
      if (arrivals.usesOtherNamespaces(this)) this.#turnAway(refusal);
      else this.socket.conn.close();
    };
    this.#timer = setTimeout(end, least + Math.random() * (most - least));
  }

  /** The name of the client's namespace, if a parent stands for it. */
  get #child(): string | undefined {
    return this.namespace.pattern && this.socket.nsp.name;
  }

  /** Saves the changes that a handler made to the session before it failed, as Egg does over HTTP. Never rejects. */
  saveAfterFailure(): Promise<void> | undefined {
    return this.session?.save()?.catch((thrown: unknown) => this.log('error', 'saving the session failed', toError(thrown)));
  }

  /** Logs a failure with its namespace and socket. Many failures of the same `place` and message are counted instead. */
  log(level: 'warn' | 'error', what: string, error: Error, place?: string): void {
    const { name, runtime } = this.namespace;
    const { id } = this.socket;
    runtime.failures.log({ level, what, namespace: name, child: this.#child, socket: id, error, ...(place !== undefined && { place }) });
  }

  /** Sets whether a closing server waits for the middleware. It need not while the client is connected: the middleware only waits then. */
  setBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy || this.#hasSettled) return;
    this.#isBusy = isBusy;
    if (isBusy) this.namespace.runtime.inFlight.begin();
    else this.namespace.runtime.inFlight.end();
  }

  /** Settle: the onion has ended. */
  settle(): void {
    this.setBusy(false);
    this.#hasSettled = true;
    this.namespace.runtime.arrivals.settle(this);
  }

  #turnAway(refusal: ExtendedError): void {
    sendRefusal(this, refusal);
    this.leave();
  }
}

/**
 * One connection: Receive, Open, Descend, Admit, packets, Leave, Ascend, Settle.
 * A connection is one client in one namespace.
 */
import type { ExtendedError, Socket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { Arrival } from './arrivals';
import type { ContextOwner, SocketContext } from './context';
import {
  answerTo,
  ClientGoneError,
  type ErrorAnswer,
  IoError,
  isFault,
  isTemporary,
  isUnexpected,
  oneLine,
  refusalFor,
  storeError,
  toError,
} from '../errors';
import type { ErrorEventLimit } from './failures';
import { SETTLE } from './module-scope';
import type { Namespace } from './namespace';
import { descend, type Layer } from './onion';
import { receiveReserved } from './packet';
import { AbsentNamespace, type Parent } from './parents';
import type { ConnectionSession } from './session';
import { adoptSocket, connectionOf, type Use } from './socket';
import type { Handlers } from './in-flight';

/**
 * Receive: Socket.IO asks whether a client may connect to a namespace. It never rejects.
 *
 * @param connect tells Socket.IO that it may; of others Socket.IO is told nothing
 */
export async function receiveConnection(namespace: Namespace, socket: Socket, connect: () => void): Promise<void> {
  const { server } = namespace;
  const connection = new Connection(namespace, socket, connect);
  if (socket.conn.readyState !== 'open') {
    connection.leave(); // over polling, a client can connect and leave in one request
    return;
  }
  if (!server.arrivals.add(connection)) {
    connection.leave();
    socket.conn.close(); // as Socket.IO does when a client asks for a namespace that it is connected to
    return;
  }
  let ctx: SocketContext | undefined;
  try {
    await connection.open();
    if (!connection.isConnecting) return;
    if (namespace.connectionMiddleware.length === 0) {
      connection.admit();
      return;
    }
    ctx = new server.Context(connection);
    await server.storage.run(ctx, descend<SocketContext>, namespace.connectionMiddleware, ctx, () => connection.stay());
    connection.refuseUnlessAdmitted();
    await connection.save();
  } catch (thrown) {
    connection.fail(toError(thrown), ctx);
    await connection.saveAfterFailure();
  } finally {
    ctx?.[SETTLE]?.();
    connection.settle();
  }
}

/**
 * `connecting`: its middleware runs. `admitted`: that has said yes, and what the app gave to `nsp.use()` runs.
 * `connected`: so has that; Socket.IO has been told. `putOff`: it has failed for now, and the connection is to be closed.
 * `ended`: refused, replaced, or the client has gone.
 */
type State = 'connecting' | 'admitted' | 'connected' | 'putOff' | 'ended';

/** Connection middleware, with its name in the config. */
export interface NamedLayer {
  readonly name: string;
  /** As the app has written it. */
  readonly middleware: (...args: never[]) => unknown;
  readonly run: Layer<SocketContext>;
}

export class Connection implements ContextOwner, Arrival {
  readonly namespace: Namespace;
  readonly socket: Socket;
  session: ConnectionSession | undefined;
  requestMembers: PropertyDescriptorMap | undefined;
  /** The parent namespace that has said yes. */
  parent: Parent | undefined;
  /** What the app itself has given to `socket.use()`. */
  uses: Use[] | undefined;
  /** Set if it is to end as soon as it is connected: whether with the connection of the client. */
  dismissal: { readonly close: boolean } | undefined;
  /** The connection middleware that began last. */
  layer: NamedLayer | undefined;
  readonly handlers: Handlers = { running: 0, goneAt: undefined };
  /** Only there once the client has been told of an error. */
  errorEvents: ErrorEventLimit | undefined;
  readonly #connect: () => void;
  #state: State = 'connecting';
  /** Ends a connection that is put off. */
  #timer: NodeJS.Timeout | undefined;
  /** Lets the onion ascend, with the reason of the disconnect. Only there while something waits for it. */
  #leave: ((reason?: string) => void) | undefined;
  #isBusy = false;
  #hasSettled = false;
  /** Each ends one wait for an answer of this client. Only there while something waits. */
  #questions: Set<(error: Error) => void> | undefined;

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

  /** Open: all that the connection's contexts share. */
  async open(): Promise<void> {
    this.#setBusy(true);
    const { server, router, parents } = this.namespace;
    if (parents && !parents.isEmpty) {
      this.parent = await parents.of(this.socket);
      if (!this.isConnecting) return;
      const { nsp } = this.socket;
      const isAbsent = nsp instanceof AbsentNamespace;
      if (!this.parent || (isAbsent && server.isRetiring)) {
        this.#denyNamespace();
        return;
      }
      if (isAbsent) {
        const present = parents.create(this.socket, this.parent);
        this.leave();
        nsp.forward(present);
        return;
      }
      this.parent.children.add(nsp);
    }
    server.ids.assign(this.socket);
    server.deprecations.ofSocket(this.socket);
    adoptSocket(this.socket, this);
    for (const [event, handler] of router.reserved)
      this.socket.on(event, (...args: unknown[]) => receiveReserved(this, event, definedOf(args), handler));
    this.socket.on('disconnect', onDisconnect);
    try {
      this.session = await server.sessions?.open(this.socket.request);
      if (server.passport) this.requestMembers = await server.passport.open(this.session?.value, new server.Context(this));
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  /** Admit: once, and only if nothing has decided before. What the app itself gave to `nsp.use()` may still refuse. */
  admit(): void {
    if (!this.isConnecting) return;
    this.#state = 'admitted';
    this.namespace.runUses(this.socket, this.parent, error => {
      if (this.#state !== 'admitted') return; // gone, or replaced
      if (error) {
        if (isTemporary(error)) this.#putOffFor(error);
        else this.#turnAway(error);
        return;
      }
      this.#state = 'connected';
      this.#connect();
    });
  }

  /** Socket.IO has connected the socket. */
  complete(): void {
    this.namespace.server.arrivals.delete(this);
    if (this.dismissal) this.socket.disconnect(this.dismissal.close);
  }

  /** The core of the connection's onion: admits the client and stays until it has gone. Resolves with the reason, if it was connected at all. */
  async stay(): Promise<string | undefined> {
    await this.save();
    if (!this.isConnecting) return undefined; // refused or gone: nothing to wait for
    const left = new Promise<string | undefined>(resolve => (this.#leave = resolve));
    this.admit();
    this.#setBusy(false);
    return left;
  }

  /** Leave: the client has gone, or asks for this namespace anew. Lets the onion ascend. */
  leave(reason?: string): void {
    if (this.#state === 'ended') return;
    if (this.#state !== 'connected') {
      if (!this.isPutOff) this.#withdraw();
      Object.assign(this.socket, { packet() {} });
    }
    clearTimeout(this.#timer);
    this.#state = 'ended';
    this.#endQuestions();
    this.namespace.server.arrivals.delete(this);
    this.namespace.server.work.leave(this.handlers);
    if (!this.#leave) return;
    this.#setBusy(true);
    this.#leave(reason);
    this.#leave = undefined;
  }

  refuse(answer: ErrorAnswer): void {
    if (this.isConnecting) this.#turnAway(refusalTo(this.socket, answer));
  }

  /** Something waits for an answer of this client: `end` is called when the client goes, or soon if it has gone. */
  addQuestion(end: (error: Error) => void): void {
    if (this.#state === 'putOff' || this.#state === 'ended') process.nextTick(end, new ClientGoneError());
    else (this.#questions ??= new Set()).add(end);
  }

  removeQuestion(end: (error: Error) => void): void {
    this.#questions?.delete(end);
  }

  /** The onion has ended. Unless it has called `next()`, that refuses the client. */
  refuseUnlessAdmitted(): void {
    if (!this.isConnecting) return;
    const problem = `Connection refused: next() was never called by middleware ${hintAt(this.layer)}`;
    this.log('warn', 'connection refused', new IoError('CONNECTION_REFUSED', problem));
    this.refuse({ code: 'CONNECTION_REFUSED', message: 'Connection refused' });
  }

  /** The onion has thrown: that refuses a client that is still connecting, or puts it off. */
  fail(error: Error, ctx: SocketContext | undefined): void {
    if (!this.isConnecting) {
      this.log(isUnexpected(error) ? 'error' : 'warn', 'connection middleware failed', error);
      return;
    }
    const { reveal } = this.namespace.server;
    if (isTemporary(error)) this.#putOffFor(error);
    else if (this.socket.nsp instanceof AbsentNamespace) {
      const place = 'the function of a parent namespace failed';
      const name = this.socket.nsp.name.slice(0, 100); // which the client has made up
      this.log('error', `${place} for ${JSON.stringify(oneLine(name))}`, error, place);
      this.#denyNamespace();
    } else {
      this.log(isFault(error) ? 'error' : 'warn', 'connection refused', error);
      this.refuse(ctx ? refusalFor(error, reveal) : answerTo(error, reveal)); // without a context it was not middleware that said no
    }
  }

  /** Saves the session. Whatever the store rejects with, it is only for now. */
  save(): Promise<void> | undefined {
    return this.session?.save()?.catch((thrown: unknown) => {
      throw storeError(thrown);
    });
  }

  /** What a handler changed in the session before it failed is saved all the same, as Egg does over HTTP. It never rejects. */
  async saveAfterFailure(): Promise<void> {
    try {
      await this.save();
    } catch (thrown) {
      this.log('error', 'saving the session failed', toError(thrown));
    }
  }

  /** One line of log for one failure, with where it happened; those of the same `place` and message are counted if there are many. */
  log(level: 'warn' | 'error', what: string, error: Error, place?: string): void {
    const { name, server } = this.namespace;
    server.failures.log({ level, what, namespace: name, socket: this.socket.id, error, ...(place !== undefined && { place }) });
  }

  /** Middleware has been running for 10 s, and the client hears nothing. */
  warnOfSlowness(): void {
    const { name, server, parents } = this.namespace;
    const waits = `after ${server.arrivals.slowAfter / 1000} s, and the client waits, namespace ${name}`;
    let problem = 'the session has not been read';
    let remedy = 'does its store answer?';
    if (this.#state === 'admitted' || this.layer) {
      problem = `middleware ${this.#state === 'admitted' ? 'of use()' : `'${this.layer?.name}'`} has not ended`;
      remedy = 'call next(), or throw';
    } else if (parents && !parents.isEmpty && !this.parent) {
      problem = 'the function of a parent namespace has not answered';
      remedy = 'call its third argument';
    }
    server.slowConnections.log(
      name,
      () => this.#warn(`${problem} ${waits}, socket ${this.socket.id}: ${remedy}`),
      count => this.#warn(`${problem} ${waits}: ${count} more in the last minute`),
    );
  }

  /** Settle: nothing of the onion is left to run. */
  settle(): void {
    this.#setBusy(false);
    this.#hasSettled = true;
    this.namespace.server.arrivals.settle(this);
  }

  /** Outside the context, in which every logger shows the URL of the handshake. */
  #warn(problem: string): void {
    const { logger, storage } = this.namespace.server;
    storage.run(undefined, () => logger.warn(`[egg-socket.io] ${problem}`));
  }

  #putOffFor(error: Error): void {
    const { name, server } = this.namespace;
    const what = 'not connected for now, the client is to try again';
    server.failures.logTemporary({ what, namespace: name, socket: this.socket.id, error });
    this.#putOff({ ...answerTo(error, server.reveal), retry: true });
  }

  /**
   * The client is to try again. The official one does so by itself when its connection ends, and never after an answer:
   * that is for those whose connection others need.
   */
  #putOff(answer: ErrorAnswer): void {
    const { arrivals } = this.namespace.server;
    const error = refusalTo(this.socket, answer);
    if (arrivals.hasOpen(this)) {
      this.#turnAway(error);
      return;
    }
    this.#withdraw();
    this.#state = 'putOff';
    this.#endQuestions();
    const { least, most } = arrivals.retryDelay;
    this.#timer = setTimeout(
      () => {
        if (arrivals.hasOthers(this)) this.#turnAway(error);
        else this.socket.conn.close();
      },
      least + Math.random() * (most - least),
    );
  }

  /** No parent has said yes. A closing server leaves the answer to the next one. */
  #denyNamespace(): void {
    const { server } = this.namespace;
    if (!server.isRetiring) {
      server.logUnknownNamespace(this.socket.nsp.name);
      this.socket._error({ message: 'Invalid namespace' }); // as Socket.IO says it of one that is not there
    }
    this.leave();
  }

  /** Tells the client that it may not connect, as Socket.IO does. */
  #turnAway({ message, data }: ExtendedError): void {
    const send = (details: unknown): void =>
      this.socket._error(this.socket.conn.protocol === 3 ? details || message : { message, data: details });
    try {
      send(data);
    } catch {
      send(undefined); // data that cannot be encoded, as a circular structure
    }
    this.leave();
  }

  /**
   * The socket will never be connected, but middleware may still have it in hand. Another one may have its id by now:
   * so its rooms are its own from here on, and what is emitted to it nobody hears.
   */
  #withdraw(): void {
    const { socket } = this;
    const connecting = Reflect.get(socket.nsp, '_preConnectSockets') as Map<string, Socket>; // private
    const holder = connecting.get(socket.id);
    socket._cleanup();
    if (holder && holder !== socket) connecting.set(socket.id, holder); // a newer one of the same id
    const adapter = new Adapter(socket.nsp);
    this.namespace.server.deprecations.ofAdapter(adapter);
    Object.assign(socket, { adapter });
  }

  #endQuestions(): void {
    for (const end of this.#questions ?? []) process.nextTick(end, new ClientGoneError()); // after the listeners of `disconnect`
    this.#questions = undefined;
  }

  /** Whether a server that closes should wait. To stay is no work in progress. */
  #setBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy || this.#hasSettled) return;
    this.#isBusy = isBusy;
    if (isBusy) this.namespace.server.work.begin();
    else this.namespace.server.work.end();
  }
}

/** Connection middleware that its connection knows while it runs. */
export function noted(layer: NamedLayer): Layer<SocketContext> {
  return (ctx, next) => {
    connectionOf(ctx.socket).layer = layer;
    return layer.run(ctx, next);
  };
}

/** Which middleware has called no `next()`, and the commonest reason. */
function hintAt(layer: NamedLayer | undefined): string {
  if (!layer) return '';
  const hasForgottenCall = /\b(?:await|yield)\s+next\s*(?:[;\n}]|$)/.test(Function.prototype.toString.call(layer.middleware));
  return `'${layer.name}'${hasForgottenCall ? ': it has `await next;`, which waits for nothing; write `await next();`' : ''}`;
}

/** Socket.IO fires its events with arguments that are not there. */
function definedOf(args: unknown[]): unknown[] {
  return args.filter(arg => arg !== undefined);
}

function onDisconnect(this: Socket, reason: string): void {
  connectionOf(this).leave(reason);
}

/** An error that tells a client why it is refused, in Socket.IO's way. */
export function refusalTo(socket: Socket, { message, ...data }: ErrorAnswer): ExtendedError {
  const error: ExtendedError = new Error(message);
  // to a client of protocol 3 Socket.IO would send the data in place of the message
  if (socket.conn.protocol !== 3) error.data = data;
  return error;
}

/**
 * One connection: Receive, Open, Descend, Admit, packets, Leave, Ascend, Settle.
 * A connection is one client in one namespace.
 */
import type { ExtendedError, Socket } from 'socket.io';
import type { ContextOwner, SocketContext } from './context';
import { SETTLE } from './module-scope';
import { answerTo, ClientGoneError, type ErrorAnswer, IoError, isFault, isUnexpected, refusalFor, toError } from './errors';
import type { ErrorEventLimit } from './failures';
import type { Namespace } from './namespace';
import { descend } from './onion';
import { receiveReserved } from './packet';
import type { ConnectionSession } from './session';
import { adoptSocket, connectionOf, type Use } from './socket';
import type { Handlers } from './work';

/** Tells Socket.IO whether the client may connect. */
type Next = (error?: ExtendedError) => void;

/** Receive: the one `nsp.use` hook of a namespace. It never rejects. */
export async function receiveConnection(namespace: Namespace, socket: Socket, next: Next): Promise<void> {
  const { server } = namespace;
  const connection = new Connection(namespace, socket, next);
  if (socket.conn.readyState === 'closed') {
    connection.leave(); // it has said so already: over polling, a client can connect and leave in one request
    return;
  }
  if (!server.arrivals.add(connection)) {
    connection.refuse({ code: 'ALREADY_CONNECTING', message: `Already connecting to ${namespace.name}` });
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
    if (connection.isConnecting) throw new IoError('CONNECTION_REFUSED', 'Connection refused', { status: 403 });
    await connection.session?.save();
  } catch (thrown) {
    connection.fail(toError(thrown), ctx);
    await connection.saveAfterFailure();
  } finally {
    ctx?.[SETTLE]?.();
    connection.settle();
  }
}

type State = 'connecting' | 'admitted' | 'refused' | 'gone';

export class Connection implements ContextOwner {
  readonly namespace: Namespace;
  readonly socket: Socket;
  session: ConnectionSession | undefined;
  requestMembers: PropertyDescriptorMap | undefined;
  /** What the app itself has given to `socket.use()`. */
  uses: Use[] | undefined;
  /** Whether it is to end as soon as it is connected. */
  isDismissed = false;
  readonly handlers: Handlers = { running: 0, goneAt: undefined };
  /** Only there once the client has been told of an error. */
  errorEvents: ErrorEventLimit | undefined;
  readonly #next: Next;
  #state: State = 'connecting';
  /** Lets the onion ascend, with the reason of the disconnect. Only there while something waits for it. */
  #leave: ((reason?: string) => void) | undefined;
  #isBusy = false;
  #hasSettled = false;
  /** Each ends one wait for an answer of this client. Only there while something waits. */
  #questions: Set<(error: Error) => void> | undefined;

  constructor(namespace: Namespace, socket: Socket, next: Next) {
    this.namespace = namespace;
    this.socket = socket;
    this.#next = next;
  }

  get isConnecting(): boolean {
    return this.#state === 'connecting';
  }

  /** Open: all that the connection's contexts share. */
  async open(): Promise<void> {
    this.#setBusy(true);
    const { server, router } = this.namespace;
    server.ids.assign(this.socket);
    server.deprecations.ofSocket(this.socket);
    adoptSocket(this.socket, this);
    for (const [event, handler] of router.reserved)
      this.socket.on(event, (...args: unknown[]) => receiveReserved(this, event, definedOf(args), handler));
    this.socket.on('disconnect', onDisconnect);
    this.session = await server.sessions?.open(this.socket.request);
    if (server.passport) this.requestMembers = await server.passport.open(this.session?.value, new server.Context(this));
  }

  /** Admit: once, and only if nothing has decided before. */
  admit(): void {
    if (this.#state !== 'connecting') return;
    this.#decide('admitted');
    this.#next();
  }

  /** The core of the connection's onion: admits the client and stays until it has gone. Resolves with the reason, if it was connected at all. */
  async stay(): Promise<string | undefined> {
    await this.session?.save();
    if (!this.isConnecting) return undefined; // refused or gone: nothing to wait for
    const left = new Promise<string | undefined>(resolve => (this.#leave = resolve));
    this.admit();
    this.#setBusy(false);
    return left;
  }

  /** Leave: the client has gone, or Socket.IO will not have it. */
  leave(reason?: string): void {
    const wasConnecting = this.isConnecting;
    this.#decide('gone');
    this.namespace.server.work.leave(this.handlers);
    if (wasConnecting) this.#next(new Error('The client has gone')); // nobody hears it, but Socket.IO drops the socket
    if (!this.#leave) return;
    this.#setBusy(true);
    this.#leave(reason);
    this.#leave = undefined;
  }

  refuse(answer: ErrorAnswer): void {
    if (this.#state !== 'connecting') return;
    this.#decide('refused');
    this.#next(refusalTo(this.socket, answer));
  }

  /** Something waits for an answer of this client: `end` is called when the client goes, or soon if it has gone. */
  addQuestion(end: (error: Error) => void): void {
    if (this.#state === 'refused' || this.#state === 'gone') process.nextTick(end, new ClientGoneError());
    else (this.#questions ??= new Set()).add(end);
  }

  removeQuestion(end: (error: Error) => void): void {
    this.#questions?.delete(end);
  }

  /** The onion has thrown: that refuses a client that is still connecting. */
  fail(error: Error, ctx: SocketContext | undefined): void {
    const reveal = this.namespace.server.reveal;
    if (this.#state === 'connecting') {
      this.log(isFault(error) ? 'error' : 'warn', 'connection refused', error);
      this.refuse(ctx ? refusalFor(error, reveal) : answerTo(error, reveal)); // without a context it was not middleware that said no
    } else {
      this.log(isUnexpected(error) ? 'error' : 'warn', 'connection middleware failed', error);
    }
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
    const { name, server } = this.namespace;
    server.failures.log({ level, what, namespace: name, socket: this.socket.id, error, ...(place !== undefined && { place }) });
  }

  /** Settle: nothing of the onion is left to run. */
  settle(): void {
    this.#setBusy(false);
    this.#hasSettled = true;
  }

  /** Whether a server that closes should wait. To stay is no work in progress. */
  #setBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy || this.#hasSettled) return;
    this.#isBusy = isBusy;
    if (isBusy) this.namespace.server.work.begin();
    else this.namespace.server.work.end();
  }

  #decide(state: State): void {
    this.#state = state;
    if (state === 'admitted') return;
    this.namespace.server.arrivals.delete(this);
    for (const end of this.#questions ?? []) process.nextTick(end, new ClientGoneError()); // after the listeners of `disconnect`
    this.#questions = undefined;
  }
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

/**
 * The connections that are not complete yet, by client and namespace. Socket.IO lets a client connect to a namespace again
 * while its middleware runs, and tells nobody when a client vanishes meanwhile.
 */
export class Arrivals {
  readonly #byClient = new Map<Socket['client'], { byNamespace: Map<Socket['nsp'], Connection>; onClose: () => void }>();

  /** False if this client is connecting to this namespace already. */
  add(connection: Connection): boolean {
    const { client, nsp } = connection.socket;
    let arriving = this.#byClient.get(client);
    if (!arriving) {
      const byNamespace = new Map<Socket['nsp'], Connection>();
      const onClose = (): void => {
        for (const connection of byNamespace.values()) connection.leave();
      };
      arriving = { byNamespace, onClose };
      this.#byClient.set(client, arriving);
      client.conn.once('close', onClose);
    }
    if (arriving.byNamespace.has(nsp)) return false;
    arriving.byNamespace.set(nsp, connection);
    return true;
  }

  of(socket: Socket): Connection | undefined {
    const connection = this.#byClient.get(socket.client)?.byNamespace.get(socket.nsp);
    return connection?.socket === socket ? connection : undefined;
  }

  delete({ socket }: Connection): void {
    const { client, nsp } = socket;
    const arriving = this.#byClient.get(client);
    if (!arriving || !this.of(socket)) return;
    arriving.byNamespace.delete(nsp);
    if (arriving.byNamespace.size > 0) return;
    this.#byClient.delete(client);
    client.conn.off('close', arriving.onClose);
  }

  /** How many there are. */
  get size(): number {
    return [...this.#byClient.values()].reduce((sum, { byNamespace }) => sum + byNamespace.size, 0);
  }
}

/** What the plugin knows of one namespace: its routes and its middleware. */
import type { ExtendedError, Namespace as SocketIoNamespace, Socket } from 'socket.io';
import { receiveConnection, refusalTo } from './connection';
import type { SocketContext } from './context';
import { isOfNode, isTemporary, refusalFor, toError } from '../errors';
import { callListeners } from './listeners';
import type { Layer } from './onion';
import { AbsentNamespace, type Parent, type Parents } from './parents';
import { Router } from './router';
// oxlint-disable-next-line no-restricted-imports -- until the runtime is what a namespace is given
import type { Server } from '../server';
import { connectionOf, isBypassed } from './socket';

/** Runs what was given to `nsp.use()`, in order. */
type RunUses = (socket: Socket, done: (error?: ExtendedError) => void) => void;

export class Namespace {
  /** As the log and the config name it. */
  readonly name: string;
  readonly server: Server;
  readonly router: Router;
  connectionMiddleware: readonly Layer<SocketContext>[] = [];
  packetMiddleware: readonly Layer<SocketContext>[] = [];
  /** Who is asked for each client. Undefined for a namespace that the app has named while it started. */
  readonly parents: Parents | undefined;
  readonly #runUses: RunUses;

  constructor(server: Server, nsp: SocketIoNamespace, parents?: Parents) {
    this.name = nsp instanceof AbsentNamespace ? 'made on demand' : nsp.name; // the log limits lines by names, which clients must not make up
    this.server = server;
    this.router = new Router(nsp.name, message => server.logger.warn(message));
    this.parents = parents;
    this.#runUses = runUsesOf(nsp);
    Object.assign(nsp, { run: (socket: Socket, done: () => void) => void receiveConnection(this, socket, done) });
    nsp.on('connection', socket => {
      connectionOf(socket).complete();
      if (isBypassed(socket)) server.deprecations.warnOfOnevent();
    });
    if (parents) {
      for (const event of ['connect', 'connection'] as const)
        nsp.on(event, socket => callGuarded(nsp, server, event, connectionOf(socket).parent?.listeners(event) ?? [], [socket]));
    }
    guardUse(nsp, server);
    guardListeners(nsp, server);
  }

  /** Runs what the app itself gave to `nsp.use()`, that of the parent first: after the connection's onion has admitted a client. */
  runUses(socket: Socket, parent: Parent | undefined, done: (error?: ExtendedError) => void): void {
    const runOwn = (): void => this.#runUses(socket, done);
    if (!parent) runOwn();
    else runUsesOf(parent)(socket, error => (error ? done(error) : runOwn()));
  }
}

function runUsesOf(nsp: SocketIoNamespace): RunUses {
  return (Reflect.get(nsp, 'run') as RunUses).bind(nsp); // private
}

/**
 * What listeners of a namespace throw, those of `connection` or of another server's `serverSideEmit()`, is logged.
 * Where Socket.IO calls them, it would end the process.
 */
function guardListeners(nsp: SocketIoNamespace, server: Server): void {
  const emit = (event: string, ...args: unknown[]): boolean => {
    const listeners = nsp.rawListeners(event);
    callGuarded(nsp, server, event, listeners, args);
    return listeners.length > 0;
  };
  Object.assign(nsp, { emitReserved: emit, _onServerSideEmit: (args: [event: string, ...args: unknown[]]) => emit(...args) });
}

function callGuarded(
  nsp: SocketIoNamespace,
  server: Server,
  event: string,
  listeners: Parameters<typeof callListeners>[1],
  args: readonly unknown[],
): void {
  callListeners(nsp, listeners, args, thrown => {
    const [socket] = args as [{ id?: string }?]; // the one that has connected
    const what = `listener of ${JSON.stringify(event)} failed`;
    server.failures.log({ level: 'error', what, namespace: nsp.name, socket: socket?.id, error: toError(thrown) });
  });
}

/** Where what the app gives to `nsp.use()` fails, Socket.IO would leave the client without an answer. */
export function guardUse(nsp: SocketIoNamespace, server: Server): void {
  const use = nsp.use.bind(nsp);
  nsp.use = fn =>
    use((socket, next) => {
      let hasAnswered = false;
      const answer: typeof next = error => {
        hasAnswered = true;
        if (!error || isTemporary(error) || !isOfNode(error)) next(error);
        else next(refusalTo(socket, refusalFor(error, server.reveal))); // its message is for the log alone
      };
      const fail = (thrown: unknown): void => {
        const error = toError(thrown);
        if (isTemporary(error) && !hasAnswered) {
          answer(error);
          return;
        }
        server.failures.log({ level: 'error', what: 'middleware of use() failed', namespace: socket.nsp.name, socket: socket.id, error });
        if (!hasAnswered) answer(refusalTo(socket, refusalFor(error, server.reveal)));
      };
      (async () => fn(socket, answer))().catch(fail);
    });
}

/** What the plugin knows of one namespace: its routes and its middleware. */
import type { ExtendedError, Namespace as SocketIoNamespace, Socket } from 'socket.io';
import { toError } from '../errors';
import type { Runtime } from './runtime';
import { callListeners } from './listeners';
import type { Layer } from './onion';
import { AbsentNamespace, type Parent, type Parents } from './parents';
import { Router } from './router';
import { type RunUses, runUsesOf } from './uses';

export class Namespace {
  /** As the log and the config name it. */
  readonly name: string;
  readonly runtime: Runtime;
  readonly router: Router;
  connectionMiddleware: readonly Layer[] = [];
  packetMiddleware: readonly Layer[] = [];
  /** Who is asked for each client. Undefined for a namespace that the app has named while it started. */
  readonly parents: Parents | undefined;
  readonly #runUses: RunUses;

  constructor(runtime: Runtime, nsp: SocketIoNamespace, parents: Parents | undefined) {
    this.name = nsp instanceof AbsentNamespace ? 'made on demand' : nsp.name; // the log limits lines by names, which clients must not make up
    this.runtime = runtime;
    this.router = new Router(nsp.name, message => runtime.logger.warn(message));
    this.parents = parents;
    this.#runUses = runUsesOf(nsp);
  }

  /** Runs what the app itself gave to `nsp.use()`, that of the parent first: after the connection's onion has admitted a client. */
  runUses(socket: Socket, parent: Parent | undefined, done: (error?: ExtendedError) => void): void {
    const runOwn = (): void => this.#runUses(socket, done);
    if (!parent) runOwn();
    else runUsesOf(parent)(socket, error => (error ? done(error) : runOwn()));
  }
}

/**
 * From here on what listeners of a namespace throw, those of `connection` or of another server's `serverSideEmit()`, is logged.
 * Where Socket.IO calls them, it would end the process.
 */
export function catchListenerErrors(nsp: SocketIoNamespace, runtime: Runtime): void {
  const emit = (event: string, ...args: unknown[]): boolean => {
    const listeners = nsp.rawListeners(event);
    callNamespaceListeners(nsp, runtime, event, listeners, args);
    return listeners.length > 0;
  };
  Object.assign(nsp, { emitReserved: emit, _onServerSideEmit: (args: [event: string, ...args: unknown[]]) => emit(...args) });
}

/** Calls listeners of the app; what they throw is logged. */
export function callNamespaceListeners(
  nsp: SocketIoNamespace,
  { failures }: Runtime,
  event: string,
  listeners: Parameters<typeof callListeners>[1],
  args: readonly unknown[],
): void {
  callListeners(nsp, listeners, args, thrown => {
    const [socket] = args as [{ id?: string }?]; // the one that has connected
    const what = `listener of ${JSON.stringify(event)} failed`;
    failures.log({ level: 'error', what, namespace: nsp.name, socket: socket?.id, error: toError(thrown) });
  });
}

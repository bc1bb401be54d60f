/** A namespace with its routes and middleware. */
import type { ExtendedError, Namespace as SocketIoNamespace, Socket } from 'socket.io';
import type { Contract } from '../contract/contract';
import { CheckedEncoder } from '../encoder';
import { SetupError } from '../errors';
import { toError } from '../thrown';
import type { ErrorMapper } from './context';
import type { Runtime } from './runtime';
import { callListeners } from './listeners';
import type { Layer } from './onion';
import { PacketContract } from './packet-contract';
import { AbsentNamespace, type Parent, type Parents } from './parents';
import { Router } from './router';
import { type RunUses, runUsesOf } from './uses';

export class Namespace {
  /** The name in the log and in the config. */
  readonly name: string;
  readonly runtime: Runtime;
  readonly router: Router;
  /** For packets to one client. */
  readonly encoder: CheckedEncoder;
  /** The app's `onerror`. Undefined without one. */
  errorMapper: ErrorMapper | undefined;
  connectionMiddleware: readonly Layer[] = [];
  packetMiddleware: readonly Layer[] = [];
  /** Undefined without a contract. */
  contract: PacketContract | undefined;
  /** The parents to ask for each client. Undefined for a namespace that the app named while it started. */
  readonly parents: Parents | undefined;
  readonly #runUses: RunUses;

  constructor(runtime: Runtime, nsp: SocketIoNamespace, parents: Parents | undefined) {
    this.name = nsp instanceof AbsentNamespace ? 'made on demand' : nsp.name; // clients must not choose names by which log lines are limited
    this.runtime = runtime;
    this.router = new Router(nsp.name, runtime.unmatched, message => runtime.logger.warn(message));
    this.encoder = new CheckedEncoder(nsp.server.encoder, !nsp.server._opts.parser);
    this.parents = parents;
    this.#runUses = runUsesOf(nsp);
  }

  /**
   * Validates packets by a contract, from now on.
   * @param checkOutgoing whether what the server sends is checked too
   * @throws SetupError if there is another contract, or a route for an event that this one does not have
   */
  setContract(contract: Contract, checkOutgoing: boolean): void {
    if (this.contract)
      throw new SetupError('IO_CONTRACT_DUPLICATE', `namespace '${this.name}' has a contract already; put the events of both into one`);
    this.router.limitTo(Object.keys(contract.client ?? {}));
    this.contract = new PacketContract(contract, checkOutgoing, this.runtime.reveal);
  }

  /** Runs the app's functions of `nsp.use()`, the parent's first. To be called when connection middleware has admitted the client. */
  runUses(socket: Socket, parent: Parent | undefined, done: (error?: ExtendedError) => void): void {
    const runOwn = (): void => this.#runUses(socket, done);
    if (!parent) runOwn();
    else runUsesOf(parent)(socket, error => (error ? done(error) : runOwn()));
  }
}

/**
 * Makes errors of a namespace's listeners appear in the log: those of `connection`, and of events from another server's `serverSideEmit()`.
 * Called by Socket.IO itself, they would end the process.
 */
export function catchListenerErrors(nsp: SocketIoNamespace, runtime: Runtime): void {
  const emit = (event: string, ...args: unknown[]): boolean => {
    const listeners = nsp.rawListeners(event);
    callNamespaceListeners(nsp, runtime, event, listeners, args);
    return listeners.length > 0;
  };
  Object.assign(nsp, { emitReserved: emit, _onServerSideEmit: (args: [event: string, ...args: unknown[]]) => emit(...args) });
}

/** Calls listeners of the app, and logs their errors. */
export function callNamespaceListeners(
  nsp: SocketIoNamespace,
  { failures }: Runtime,
  event: string,
  listeners: Parameters<typeof callListeners>[1],
  args: readonly unknown[],
): void {
  callListeners(nsp, listeners, args, thrown => {
    const [socket] = args as [{ id?: string }?]; // the argument of `connection`
    const what = `listener of ${JSON.stringify(event)} failed`;
    failures.log({ level: 'error', what, namespace: nsp.name, socket: socket?.id, error: toError(thrown) });
  });
}

/** A namespace with its routes and middleware. */
import { type ExtendedError, Namespace as SocketIoNamespace, type Socket } from 'socket.io';
import type { Contract } from '../contract/contract';
import { CheckedEncoder } from '../encoder';
import { SetupError } from '../errors';
import { toError } from '../thrown';
import type { SocketContext } from './context';
import { isControl } from './controls';
import { addToNamespaces, OWNER, sharedPrototypeOf } from '../internals/namespace-class';
import { namespaceInternals } from '../internals/socket-io';
import type { TimeLimit } from '../limits/time-limit';
import type { Runtime } from './runtime';
import { callListeners } from './listeners';
import type { LoginRules } from './login';
import type { Limits } from '../limits/limits';
import type { Layer } from './onion';
import { PacketContract } from './packet-contract';
import type { Parents } from './parents';
import { Router } from './router';
import type { UserLimits } from './user-limits';
import { caughtUse, runUses } from './uses';

/** The routes and middleware of one of Socket.IO's namespaces, or of a parent. Undefined if it has not been taken over. */
export function namespaceOf(nsp: SocketIoNamespace): Namespace | undefined {
  return (nsp as { [OWNER]?: Namespace })[OWNER]; // set below; a stand-in of a namespace that does not exist inherits it
}

/** `config.io.onerror`, as this plugin calls it. */
export type ErrorMapper = (error: Error, ctx: SocketContext) => unknown;

/** What the app has given to `of()` for a parent. */
export interface Pattern {
  /** The name in the log and in the config. */
  readonly name: string;
  /** Matches the names of its namespaces, and has their parts. Undefined for a function. */
  readonly regExp: RegExp | undefined;
}

/** What a regular expression or a function stands for. Its name begins with no slash, so nothing in the config can have it. */
export function patternOf(given: RegExp | { readonly name: string }): Pattern {
  if (given instanceof RegExp) return { name: `of(${String(given)})`, regExp: given };
  return { name: `of(${given.name || 'function'})`, regExp: undefined };
}

export class Namespace {
  /** The name in the log and in the config: the pattern's, not one that clients have chosen, since log lines are limited by it. */
  readonly name: string;
  readonly nsp: SocketIoNamespace;
  readonly runtime: Runtime;
  readonly router: Router;
  /** For packets to one client. */
  readonly encoder: CheckedEncoder;
  /** The app's `onerror`. Undefined without one. */
  errorMapper: ErrorMapper | undefined;
  connectionMiddleware: readonly Layer[] = [];
  packetMiddleware: readonly Layer[] = [];
  /** Whether a packet of a connection begins only when the one before has settled. */
  isOrdered = false;
  /** That of each handler. Undefined if that is not limited. */
  handlerTimeout: TimeLimit<() => void> | undefined;
  /** Undefined if users are not limited. */
  userLimits: UserLimits | undefined;
  /** Undefined if logins last as long as connections. */
  loginRules: LoginRules | undefined;
  /** What one client may cost here. */
  limits: Limits['settings'];
  /** Undefined without a contract. */
  contract: PacketContract | undefined;
  /** The parents to ask for each client. Undefined for a parent, and for a namespace of its own. */
  parents: Parents | undefined;
  /** The parent that its name belongs to. Undefined if only the parents themselves know. */
  parent: Namespace | undefined;
  /** Undefined for a namespace that is no parent. */
  readonly pattern: Pattern | undefined;
  /** The number of functions that this plugin has added. */
  #ownFunctions = 0;

  constructor(runtime: Runtime, nsp: SocketIoNamespace, pattern?: Pattern) {
    this.name = pattern?.name ?? nsp.name;
    this.nsp = nsp;
    this.runtime = runtime;
    this.limits = runtime.limits.settings;
    this.router = new Router(this.name, runtime.unmatched, message => runtime.logger.warn(message));
    this.encoder = new CheckedEncoder(nsp.server.encoder, !nsp.server._opts.parser);
    this.pattern = pattern;
    sharedPrototypeOf(nsp);
    Object.assign(nsp, { [OWNER]: this });
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

  /** The name in the log: that of the parent for a namespace made on demand, whose own name comes from a client. */
  get kind(): string {
    return this.parent?.name ?? (this.parents?.isEmpty === false ? 'made on demand' : this.name);
  }

  /** Checks what the server emits here, by the contract of the parent if there is one. Undefined if that is not checked. */
  get outgoing(): PacketContract['outgoing'] {
    return (this.parent ?? this).contract?.outgoing;
  }

  /** Whether the app has added functions by `use()` or `on()`, or connection middleware. */
  get isExtended(): boolean {
    return this.#countFunctions() > this.#ownFunctions || this.connectionMiddleware.length > 0;
  }

  /** To be called when this plugin has added listeners, and before the app has added any. */
  setOwnFunctions(): void {
    this.#ownFunctions = this.#countFunctions();
  }

  #countFunctions(): number {
    const listeners = this.nsp.eventNames().reduce((sum, event) => sum + this.nsp.listenerCount(event), 0);
    return namespaceInternals(this.nsp)._fns.length + listeners;
  }

  /** Runs the app's functions of `nsp.use()`: those of a parent, then those of the client's namespace. To be called when connection middleware has admitted the client. */
  runUses(socket: Socket, done: (error?: ExtendedError) => void): void {
    const own = namespaceOf(socket.nsp);
    if (!own || own === this) runUses(this.nsp, socket, done);
    else runUses(this.nsp, socket, error => (error ? done(error) : runUses(own.nsp, socket, done)));
  }
}

const USE = {
  use(this: SocketIoNamespace, fn: Parameters<SocketIoNamespace['use']>[0]): SocketIoNamespace {
    const namespace = namespaceOf(this);
    SocketIoNamespace.prototype.use.call(this, namespace ? caughtUse(fn, namespace) : fn); // a child gets copies before it is taken over
    return this;
  },
};

/** Makes Socket.IO refuse a client if a function of `nsp.use()` throws or rejects. */
export function catchUseErrors(nsp: SocketIoNamespace): void {
  addToNamespaces(nsp, USE);
}

/**
 * Methods that make errors of a namespace's listeners appear in the log: those of `connection`, and of events from another server's
 * `serverSideEmit()`. Called by Socket.IO itself, they would end the process.
 */
export const LISTENER_METHODS = {
  emitReserved(this: SocketIoNamespace, event: string, ...args: unknown[]): boolean {
    return emitCaught(this, event, args);
  },
  _onServerSideEmit(this: SocketIoNamespace, args: [event: string, ...args: unknown[]]): void {
    const [event, ...values] = args;
    if (isControl(event))
      SocketIoNamespace.prototype._onServerSideEmit.call(this, args); // of this plugin: adapters listen to it
    else emitCaught(this, event, values);
  },
};

function emitCaught(nsp: SocketIoNamespace, event: string, args: readonly unknown[]): boolean {
  const listeners = nsp.rawListeners(event);
  const runtime = namespaceOf(nsp)?.runtime;
  if (!runtime)
    return Reflect.apply(namespaceInternals(SocketIoNamespace.prototype as SocketIoNamespace).emitReserved, nsp, [event, ...args]); // declared with any
  callNamespaceListeners(nsp, runtime, event, listeners, args);
  return listeners.length > 0;
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
    const kind = namespaceOf(nsp)?.kind ?? nsp.name;
    failures.log({ level: 'error', what, namespace: kind, child: nsp.name, socket: socket?.id, error: toError(thrown) });
  });
}

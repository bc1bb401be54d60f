/**
 * Parent namespaces: those that are a regular expression or a function. Whether a client may connect to a namespace that the app has not
 * named while it started is for them to say, whether it is there by now or not: the server itself may have emitted to it before, another worker not.
 */
import { Namespace, type Server, type Socket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import { namespaceInternals, serverInternals } from '../internals/socket-io';

/** What Socket.IO keeps to itself of a parent namespace. */
export type Parent = Namespace & {
  readonly children: Set<Namespace>;
  createChild(name: string): Namespace;
};

/** The function of a parent; Socket.IO makes one of a regular expression. */
type Allows = (name: string, auth: object, answer: (error: unknown, isAllowed: boolean) => void) => unknown;

export class Parents {
  /** In the order in which the app has made them. Socket.IO's own table. */
  readonly #parents: ReadonlyMap<Allows, Parent>;
  /** Those that have said yes before there was the namespace, by the payload of the CONNECT, which is made anew for each. */
  readonly #asked = new WeakMap<object, Parent>();
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
    this.#parents = serverInternals(server).parentNsps as Map<Allows, Parent>; // what Socket.IO puts there
  }

  get isEmpty(): boolean {
    return this.#parents.size === 0;
  }

  /** The first parent that says yes to a client. Rejects where a function throws. */
  async of({ nsp, handshake: { auth } }: Socket): Promise<Parent | undefined> {
    return this.#asked.get(auth) ?? this.#ask(nsp.name, auth);
  }

  /** The namespace of a client to which a parent has said yes: made now, unless another client or the app has made it meanwhile. */
  create({ nsp: { name }, handshake: { auth } }: Socket, parent: Parent): Namespace {
    this.#asked.set(auth, parent);
    if (!this.#server._nsps.has(name)) parent.createChild(name);
    return this.#server.of(name);
  }

  async #ask(name: string, auth: object): Promise<Parent | undefined> {
    for (const [allows, parent] of this.#parents) {
      const isAllowed = await new Promise<boolean>((resolve, reject) => {
        (async () => allows(name, auth, (error, isAllowed) => resolve(!error && isAllowed)))().catch(reject);
      });
      if (isAllowed) return parent;
    }
    return undefined;
  }
}

/**
 * Stands in for a namespace that is not there, for one client, while its parents are asked: so this CONNECT is one arrival like any other.
 * The server does not know it, and its adapter is in memory: a name that a client has made up costs no subscription, and leaves nothing.
 */
export class AbsentNamespace extends Namespace {
  #arguments: Parameters<Namespace['_add']> | undefined;

  override _initAdapter(): void {
    this.adapter = new Adapter(this);
  }

  /** Called by Socket.IO, once. */
  override async _add(...args: Parameters<Namespace['_add']>): Promise<void> {
    this.#arguments = args;
    await super._add(...args);
  }

  /** Its client goes on to the namespace itself, as if that had been there. */
  forward(nsp: Namespace): void {
    if (this.#arguments) void nsp._add(...this.#arguments);
  }
}

/** Socket.IO removes an empty child, if it is told to, when a client is refused or goes. One that others are on the way into has to stay. */
export function keepForArrivals(child: Namespace): void {
  const removeAndCleanUp = child._remove.bind(child);
  child._remove = socket => {
    const connecting = namespaceInternals(child)._preConnectSockets;
    if ([...connecting.values()].some(other => other !== socket)) Namespace.prototype._remove.call(child, socket);
    else removeAndCleanUp(socket);
  };
}

/**
 * A child has copies of what its parent has by the time. Here each client brings that of the parent which has said yes to it,
 * so that it does not matter who has made the child, and when.
 */
export function withoutCopies(child: Namespace, parent: Parent): Namespace {
  const copies = new Set(namespaceInternals(parent)._fns);
  const internals = namespaceInternals(child);
  internals._fns = internals._fns.filter(fn => !copies.has(fn));
  for (const event of ['connect', 'connection'] as const) for (const listener of parent.listeners(event)) child.off(event, listener);
  return child;
}

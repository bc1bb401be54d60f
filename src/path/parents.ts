/**
 * Parent namespaces: patterns, regular expressions and functions given to `app.io.of()`. They decide who may connect to a namespace that is
 * made on demand, and what happens there. They are asked even if the namespace exists already: an emit may have created it in this worker only.
 */
import { Namespace, type Server, type Socket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import { mistakeOf } from '../errors';
import { namespaceInternals, serverInternals } from '../internals/socket-io';

/** A parent namespace with its private members. */
export type Parent = Namespace & {
  readonly children: Set<Namespace>;
  createChild(name: string): Namespace;
};

/** The function of a parent. Socket.IO turns a regular expression into one. */
type Allows = (name: string, auth: object, answer: (error: unknown, isAllowed: boolean) => void) => unknown;

export class Parents {
  /** Socket.IO's own table, in the order in which the app created them. */
  readonly #parents: ReadonlyMap<Allows, Parent>;
  /** Parents that accepted a client before its namespace existed, by the payload of the CONNECT packet: each packet has an object of its own. */
  readonly #accepted = new WeakMap<object, Parent>();
  readonly #server: Server;
  /** The child that Socket.IO is creating, and its parent. */
  #creation: { readonly name: string; readonly parent: Parent } | undefined;

  constructor(server: Server) {
    this.#server = server;
    this.#parents = serverInternals(server).parentNsps as Map<Allows, Parent>; // the types of Socket.IO's entries
  }

  get isEmpty(): boolean {
    return this.#parents.size === 0;
  }

  /** The first parent that accepts a client. Rejects if a function throws. */
  async of({ nsp, handshake: { auth } }: Socket): Promise<Parent | undefined> {
    return this.#accepted.get(auth) ?? this.#ask(nsp.name, auth);
  }

  /** Creates the namespace that a parent has accepted a client for, unless another client or the app has created it in the meantime. */
  create({ nsp: { name }, handshake: { auth } }: Socket, parent: Parent): Namespace {
    this.#accepted.set(auth, parent);
    if (!this.#server._nsps.has(name)) parent.createChild(name);
    return this.#server.of(name);
  }

  /** Calls a function with each child that Socket.IO creates for a parent, before the app has it. */
  watch(parent: Parent, onChild: (child: Namespace) => void): void {
    const createChild = parent.createChild.bind(parent);
    Object.assign(parent, {
      createChild: (name: string): Namespace => {
        const outer = this.#creation;
        this.#creation = { name, parent };
        try {
          const child = createChild(name);
          onChild(child);
          return child;
        } finally {
          this.#creation = outer;
        }
      },
    });
  }

  /** The parent for which a namespace is being created: listeners of `new_namespace` may ask for it before Socket.IO has returned it. */
  creatorOf(name: string): Parent | undefined {
    return this.#creation?.name === name ? this.#creation.parent : undefined;
  }

  /** To be called when a namespace has been removed. */
  forget(child: Namespace): void {
    for (const { children } of this.#parents.values()) children.delete(child);
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
 * Replaces the namespaces that do not exist yet while the parents are asked, so that a CONNECT to one is an arrival like any other. The server does
 * not list it, and its adapter is in memory: a name that a client made up causes no subscription and leaves nothing behind.
 */
export class AbsentNamespace extends Namespace {
  /** Of one CONNECT. Not `#request`: what `named()` returns has no such members. */
  private request: Parameters<Namespace['_add']> | undefined;

  /** The same for one CONNECT, under the name that the client asks for. It costs little, since most of a flood of them are refused. */
  named(name: string): AbsentNamespace {
    return Object.create(this, { name: { value: name } }) as AbsentNamespace; // inherits everything else
  }

  override _initAdapter(): void {
    this.adapter = new Adapter(this);
  }

  /** Called by Socket.IO, once. */
  override async _add(...args: Parameters<Namespace['_add']>): Promise<void> {
    this.request = args;
    await super._add(...args);
  }

  /** Passes the client on to the real namespace. */
  forward(nsp: Namespace): void {
    if (this.request) void nsp._add(...this.request);
  }
}

/**
 * Removes the middleware and listeners that Socket.IO copied from the parent into a new child. This plugin runs those of the parent that
 * accepted the client instead, so that it does not matter who created the child, and when.
 */
export function removeCopies(child: Namespace, parent: Parent): void {
  const copies = new Set(namespaceInternals(parent)._fns);
  const internals = namespaceInternals(child);
  internals._fns = internals._fns.filter(fn => !copies.has(fn));
  for (const event of ['connect', 'connection'] as const) for (const listener of parent.listeners(event)) child.off(event, listener);
}

/** Makes a new child a namespace of its own. */
export function detach(child: Namespace, parent: Parent): void {
  parent.children.delete(child);
  Reflect.deleteProperty(child, '_remove'); // Socket.IO's, with `cleanupEmptyChildNamespaces`
}

/** Makes methods that a namespace has, and a parent has not, throw a helpful error, as Socket.IO's `fetchSockets()` does. */
export function refuseOperators(parent: Namespace): void {
  for (const name of ['emitWithAck', 'exceptUser', 'history', 'presence', 'user']) {
    const refuse = (): never => {
      const problem = `${name}() is not supported for all namespaces of a pattern: name one of them, as in app.io.of('/room-7')`;
      throw mistakeOf('IO_PATTERN_UNSUPPORTED', problem);
    };
    Object.assign(parent, { [name]: refuse });
  }
}

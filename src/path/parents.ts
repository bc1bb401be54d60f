/**
 * Parent namespaces: those that are a regular expression or a function. Whether a client may connect to a namespace that the app has not
 * named while it started is for them to say, whether it is there by now or not: the server itself may have emitted to it before, another worker not.
 */
import type { Namespace, Server, Socket } from 'socket.io';

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
  /** Those that have been asked by Socket.IO, by the payload of the CONNECT, which is made anew for each. */
  readonly #asked = new WeakMap<object, Parent>();

  constructor(server: Server) {
    this.#parents = Reflect.get(server, 'parentNsps') as Map<Allows, Parent>; // private
  }

  get isEmpty(): boolean {
    return this.#parents.size === 0;
  }

  /** The first parent that says yes to a client. Rejects where a function throws. */
  async of({ nsp, handshake: { auth } }: Socket): Promise<Parent | undefined> {
    return this.#asked.get(auth) ?? this.#ask(nsp.name, auth);
  }

  /** The namespace of a client for which there is none yet. Rejects where a function throws. */
  async create(name: string, auth: object, existing: () => Namespace | undefined): Promise<Namespace | undefined> {
    const parent = await this.#ask(name, auth);
    if (!parent) return undefined;
    this.#asked.set(auth, parent);
    return existing() ?? parent.createChild(name);
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
 * A child has copies of what its parent has by the time. Here each client brings that of the parent which has said yes to it,
 * so that it does not matter who has made the child, and when.
 */
export function withoutCopies(child: Namespace, parent: Parent): Namespace {
  const copies = new Set(middlewareOf(parent));
  Reflect.set(
    child,
    '_fns',
    middlewareOf(child).filter(fn => !copies.has(fn)),
  );
  for (const event of ['connect', 'connection'] as const) for (const listener of parent.listeners(event)) child.off(event, listener);
  return child;
}

function middlewareOf(nsp: Namespace): unknown[] {
  return Reflect.get(nsp, '_fns') as unknown[]; // private
}

/** A namespace made on demand, which stays while clients are connected or connecting. */
import { Namespace, type Socket } from 'socket.io';
import { addToNamespaces } from '../internals/namespace-class';
import { namespaceInternals } from '../internals/socket-io';

type Added = Parameters<Namespace['_add']>;

const children = new WeakMap<Namespace, Child>();

const METHODS = {
  /** Called by Socket.IO for each client. */
  _add(this: Namespace, ...args: Added): Promise<void> {
    const child = children.get(this);
    return child ? child.add(args) : addTo(this, args);
  },
};

/**
 * Keeps a namespace that clients are connecting to, even before they have sockets: a socket is created only after the missed messages of its client
 * have been read. With `cleanupEmptyChildNamespaces`, Socket.IO removes an empty one when a client is refused or leaves.
 */
export class Child {
  readonly nsp: Namespace;
  /** Since when it has been empty. Undefined while it is not. */
  emptySince: number | undefined;
  /** The number of clients that are being added. */
  #adding = 0;
  /** The last socket that left while the namespace had to stay. */
  #kept: Socket | undefined;

  constructor(nsp: Namespace) {
    this.nsp = nsp;
    children.set(nsp, this);
    addToNamespaces(nsp, METHODS);
    if (!Object.hasOwn(nsp, '_remove')) return;
    const removeAndCleanUp = nsp._remove.bind(nsp); // with `cleanupEmptyChildNamespaces`
    Object.assign(nsp, { _remove: (socket: Socket) => this.#remove(socket, removeAndCleanUp) });
  }

  /** Whether any client is connected or connecting. */
  get isOccupied(): boolean {
    return this.#adding > 0 || namespaceInternals(this.nsp)._preConnectSockets.size > 0 || this.nsp.sockets.size > 0;
  }

  async add(args: Added): Promise<void> {
    const { _preConnectSockets: connecting } = namespaceInternals(this.nsp);
    this.#adding++;
    this.emptySince = undefined;
    try {
      await addTo(this.nsp, args);
    } finally {
      this.#adding--;
      if (this.#kept && connecting.size === 0 && this.nsp.sockets.size === 0) this.nsp._remove(this.#kept); // it has left again meanwhile
    }
  }

  #remove(socket: Socket, removeAndCleanUp: (socket: Socket) => void): void {
    const isAwaited = this.#adding > 0 || [...namespaceInternals(this.nsp)._preConnectSockets.values()].some(other => other !== socket);
    this.#kept = isAwaited ? socket : undefined;
    if (isAwaited) Namespace.prototype._remove.call(this.nsp, socket);
    else removeAndCleanUp(socket);
  }
}

function addTo(nsp: Namespace, args: Added): Promise<void> {
  return Reflect.apply(Namespace.prototype._add, nsp, args);
}

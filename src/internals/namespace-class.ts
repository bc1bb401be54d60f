/**
 * The prototypes of namespaces. What this plugin adds to all namespaces of a server is in a prototype that these share and other servers of the
 * process do not have: clients can ask for many namespaces, and functions of its own would make each several times as large.
 */
import type { Namespace } from 'socket.io';

/** The property in which a namespace has what this plugin knows of it. */
export const OWNER = Symbol('owner');

const prototypes = new WeakMap<object, Map<object, object>>();

/** The prototype that the namespaces of a server share, those of each class of Socket.IO's. The first call for a namespace gives it to it. */
export function sharedPrototypeOf(nsp: Namespace): object {
  const present = Object.getPrototypeOf(nsp) as object;
  let ofServer = prototypes.get(nsp.server);
  if (!ofServer) prototypes.set(nsp.server, (ofServer = new Map<object, object>()));
  let shared = ofServer.get(present);
  if (!shared) {
    shared = Object.create(present) as object;
    ofServer.set(present, shared).set(shared, shared);
  }
  if (shared !== present) {
    // before: up to Node 22, a property that is added after `Object.setPrototypeOf()` gives each object a hidden class of its own, of 500 bytes
    if (!Object.hasOwn(nsp, OWNER)) Object.defineProperty(nsp, OWNER, { value: undefined, writable: true });
    Object.setPrototypeOf(nsp, shared);
  }
  return shared;
}

/** Adds methods to all namespaces of a server, with the first of them. */
export function addToNamespaces(nsp: Namespace, methods: object): void {
  const prototype = sharedPrototypeOf(nsp);
  const [first = ''] = Object.keys(methods);
  if (!Object.hasOwn(prototype, first)) Object.assign(prototype, methods);
}

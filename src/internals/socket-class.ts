/**
 * The classes of sockets. What this plugin adds to sockets is in their prototypes, which other servers of the process do not have: in that of a server
 * what all of its sockets have, since clients can ask for many namespaces, and in that of a namespace the rest.
 */
import { type Namespace, type Server, Socket } from 'socket.io';

/** Without the type parameters of `typeof Socket`, which are any. */
interface SocketClass {
  readonly prototype: Socket;
  new (...args: ConstructorParameters<typeof Socket>): Socket;
}

const classes = new WeakMap<Namespace | Server, SocketClass>();

/** The class that those of the server's namespaces extend. */
export function commonSocketClassOf(server: Server): SocketClass {
  return foundOrMade(server, () => class extends Socket {});
}

/**
 * Sockets are created by it, instead of getting another prototype later: up to Node 22, each property that is added after `Object.setPrototypeOf()`
 * gives each object a hidden class of its own, which made a broadcast a tenth dearer.
 */
export function socketClassOf(nsp: Namespace): SocketClass {
  return foundOrMade(nsp, () => class extends commonSocketClassOf(nsp.server) {});
}

function foundOrMade(owner: Namespace | Server, make: () => SocketClass): SocketClass {
  let found = classes.get(owner);
  if (!found) {
    found = make();
    Object.defineProperty(found.prototype, 'constructor', { value: Socket }); // what logs show
    classes.set(owner, found);
  }
  return found;
}

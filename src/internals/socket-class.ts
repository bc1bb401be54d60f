/**
 * The classes of sockets: one for each server. What this plugin adds to sockets is in its prototype, which other servers of the process do not have.
 */
import { type Server, Socket } from 'socket.io';

/** Without the type parameters of `typeof Socket`, which are any. */
interface SocketClass {
  readonly prototype: Socket;
  new (...args: ConstructorParameters<typeof Socket>): Socket;
}

const classes = new WeakMap<Server, SocketClass>();

/**
 * Sockets are created by it, instead of getting another prototype later: up to Node 22, each property that is added after `Object.setPrototypeOf()`
 * gives each object a hidden class of its own, which made a broadcast a tenth dearer.
 */
export function socketClassOf(server: Server): SocketClass {
  let found = classes.get(server);
  if (!found) {
    found = class extends Socket {};
    Object.defineProperty(found.prototype, 'constructor', { value: Socket }); // what logs show
    classes.set(server, found);
  }
  return found;
}

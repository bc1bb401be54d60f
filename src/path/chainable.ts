/** Recognizes what chainable methods of sockets, namespaces and servers return. */
import { Namespace, Server, Socket } from 'socket.io';

/** The class of all operators, which Socket.IO exports as a type only. */
const BroadcastOperator = Namespace.prototype.to.call(Object.create(Namespace.prototype) as Namespace, []).constructor as new () => object; // of an operator

/** Whether a value is a socket, a namespace, a server or a broadcast operator. A handler that returns one does not answer the client. */
export function isChainable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof Socket || value instanceof Namespace || value instanceof Server || value instanceof BroadcastOperator) return true;
  return 'operator' in value && value.operator instanceof BroadcastOperator; // a socket of fetchSockets()
}

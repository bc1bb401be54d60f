/** What calls of sockets, namespaces and servers return so that they can be chained. */
import { Namespace, Server, Socket } from 'socket.io';

/** Socket.IO exports it as a type only. */
const BroadcastOperator = Namespace.prototype.to.call(Object.create(Namespace.prototype) as Namespace, []).constructor as new () => object; // every operator is one

/** Whether a value is a socket, a namespace, a server or a part of their clients: returned by a handler, it is no answer to a client. */
export function isChainable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof Socket || value instanceof Namespace || value instanceof Server || value instanceof BroadcastOperator) return true;
  return 'operator' in value && value.operator instanceof BroadcastOperator; // a socket of fetchSockets()
}

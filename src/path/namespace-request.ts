/** A client asks for a namespace: whether it may have one more, and which parent accepts it if the namespace is made on demand. */
import type { Connection } from './connection';
import type { ErrorAnswer } from '../errors';
import { denyNamespace } from './failed-connection';
import { namespaceOf } from './namespace';
import type { LimitKind } from '../limits/limits';
import { AbsentNamespace, type Parents } from './parents';
import { AUTH_TOO_LARGE } from '../protocol';

const TOO_MANY_NAMESPACES: ErrorAnswer = { code: 'TOO_MANY_NAMESPACES', message: 'Too many namespaces' };
const LARGE_AUTH: ErrorAnswer = { code: 'AUTH_TOO_LARGE', message: 'The auth is too large' };
const NAMESPACE_TOO_LONG: ErrorAnswer = { code: 'NAMESPACE_TOO_LONG', message: 'The name of the namespace is too long' };

interface Excess {
  readonly kind: LimitKind;
  readonly answer: ErrorAnswer;
}

/** The refusal of a client whose `auth` is too large, or who asks for too many namespaces, or for one made on demand whose name is too long. */
export function excessOf(connection: Connection): Excess | undefined {
  const { auth } = connection.socket.handshake as { auth?: object }; // none with an old client
  if (auth && AUTH_TOO_LARGE in auth) return { kind: 'auth', answer: LARGE_AUTH };
  const answer = excessOfNamespaces(connection);
  return answer && { kind: 'namespaces', answer };
}

function excessOfNamespaces(connection: Connection): ErrorAnswer | undefined {
  const { parents, runtime } = connection.namespace;
  const limit = runtime.limits.settings.namespaces;
  if (!limit) return undefined;
  const isOnDemand = parents?.isEmpty === false;
  if (isOnDemand && connection.socket.nsp.name.length > limit.nameLength) return NAMESPACE_TOO_LONG;
  return runtime.arrivals.countNamespaces(connection) > limit.max ? TOO_MANY_NAMESPACES : undefined;
}

/** Asks the parents. Returns whether the connection ends here: no parent accepted the client, or it was passed on to a new namespace. */
export async function forwardOrDeny(connection: Connection, parents: Parents): Promise<boolean> {
  const { socket } = connection;
  const { nsp } = socket;
  const parent = await parents.of(socket);
  if (!connection.isConnecting) return true;
  const namespace = parent && namespaceOf(parent);
  if (!namespace || (nsp instanceof AbsentNamespace && connection.namespace.runtime.isRetiring)) {
    denyNamespace(connection);
    return true;
  }
  if (nsp instanceof AbsentNamespace) {
    connection.namespace.runtime.connectionWatch?.forget(socket); // it has its line there
    nsp.forward(parents.create(socket, parent)); // the arrival there takes the place of this one, which counts until then
    return true;
  }
  parent.children.add(nsp);
  connection.namespace = namespace;
  return false;
}

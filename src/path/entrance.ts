/**
 * The way of a client into a namespace and out of it: Receive, Open, Descend, Admit, packets, Leave, Ascend, Settle.
 */
import type { Namespace as SocketIoNamespace, Socket } from 'socket.io';
import { answerTo, isFault, isTemporary, isUnexpected, refusalFor, storeError } from './error-answers';
import { IoError, oneLine, toError } from '../errors';
import { Connection } from './connection';
import type { SocketContext } from './context';
import { SETTLE } from './module-scope';
import { callNamespaceListeners, catchListenerErrors, type Namespace } from './namespace';
import { descend, type Layer, type NamedLayer } from './onion';
import { receiveReserved } from './packet';
import { AbsentNamespace, type Parents } from './parents';
import { adoptSocket, connectionOf, isBypassed } from './socket';
import { catchUseErrors } from './uses';

/** From here on the clients of one of Socket.IO's namespaces come in this way. */
export function openEntrance(nsp: SocketIoNamespace, namespace: Namespace): void {
  const { parents, runtime } = namespace;
  Object.assign(nsp, { run: (socket: Socket, connect: () => void) => void receiveConnection(namespace, socket, connect) });
  nsp.on('connection', socket => {
    connectionOf(socket).complete();
    if (isBypassed(socket)) runtime.deprecations.warnOfOnevent();
  });
  if (parents) {
    for (const event of ['connect', 'connection'] as const)
      nsp.on(event, socket => callNamespaceListeners(nsp, runtime, event, connectionOf(socket).parent?.listeners(event) ?? [], [socket]));
  }
  catchUseErrors(nsp, runtime);
  catchListenerErrors(nsp, runtime);
}

/** A layer that its connection names while it runs. */
export function named(layer: NamedLayer): Layer {
  return (ctx, next) => {
    connectionOf(ctx.socket).middleware = layer;
    return layer.run(ctx, next);
  };
}

/**
 * Receive: Socket.IO asks whether a client may connect to a namespace. It never rejects.
 *
 * @param connect tells Socket.IO that it may; of others Socket.IO is told nothing
 */
async function receiveConnection(namespace: Namespace, socket: Socket, connect: () => void): Promise<void> {
  const { parents, runtime } = namespace;
  const connection = new Connection(namespace, socket, connect);
  if (socket.conn.readyState !== 'open') {
    connection.leave(); // over polling, a client can connect and leave in one request
    return;
  }
  if (!runtime.arrivals.add(connection)) {
    connection.leave();
    socket.conn.close(); // as Socket.IO does when a client asks for a namespace that it is connected to
    return;
  }
  let ctx: SocketContext | undefined;
  try {
    // a parent's function that never answers is not waited for by a server that closes
    if (parents && !parents.isEmpty && (await isForwarded(connection, parents))) return;
    connection.setBusy(true);
    await open(connection);
    if (!connection.isConnecting) return;
    if (namespace.connectionMiddleware.length === 0) {
      connection.admit();
      return;
    }
    ctx = new runtime.Context(connection);
    await runtime.storage.run(ctx, descend, namespace.connectionMiddleware, ctx, () => connection.untilGone());
    if (connection.isConnecting) refuseForWantOfNext(connection);
    await connection.session?.save();
  } catch (thrown) {
    fail(connection, toError(thrown), ctx);
    await connection.saveAfterFailure();
  } finally {
    ctx?.[SETTLE]?.();
    connection.settle();
  }
}

/** Whether nothing is left to do: no parent has said yes, or the client has gone on to the namespace that a parent has made now. */
async function isForwarded(connection: Connection, parents: Parents): Promise<boolean> {
  const { socket } = connection;
  const { nsp } = socket;
  const parent = await parents.of(socket);
  if (!connection.isConnecting) return true;
  connection.parent = parent;
  if (!parent || (nsp instanceof AbsentNamespace && connection.namespace.runtime.isRetiring)) {
    denyNamespace(connection);
    return true;
  }
  if (nsp instanceof AbsentNamespace) {
    const present = parents.create(socket, parent);
    connection.leave();
    nsp.forward(present);
    return true;
  }
  parent.children.add(nsp);
  return false;
}

/** Open: all that the connection's contexts share. */
async function open(connection: Connection): Promise<void> {
  const { socket } = connection;
  const { router, runtime } = connection.namespace;
  const { deprecations, ids, passport, recoveryAuth, sessions } = runtime;
  recoveryAuth?.check(socket);
  ids.assign(socket);
  deprecations.ofSocket(socket);
  adoptSocket(socket, connection);
  for (const [event, handler] of router.reserved)
    socket.on(event, (...args: unknown[]) => receiveReserved(connection, event, definedOf(args), handler));
  socket.on('disconnect', onDisconnect);
  connection.session = await sessions?.open(socket.request);
  try {
    if (passport) connection.requestMembers = await passport.open(connection.session?.value, new runtime.Context(connection));
  } catch (thrown) {
    throw storeError(thrown); // it asks the app's store of users
  }
}

/** The onion has ended without a call of `next()`: that refuses the client. */
function refuseForWantOfNext(connection: Connection): void {
  const problem = `Connection refused: next() was never called by middleware ${hintAt(connection.middleware)}`;
  connection.log('warn', 'connection refused', new IoError('CONNECTION_REFUSED', problem));
  connection.refuse({ code: 'CONNECTION_REFUSED', message: 'Connection refused' });
}

/** Which middleware has called no `next()`, and the commonest reason. */
function hintAt(layer: NamedLayer | undefined): string {
  if (!layer) return '';
  const hasForgottenCall = /\b(?:await|yield)\s+next\s*(?:[;\n}]|$)/.test(Function.prototype.toString.call(layer.source));
  return `'${layer.name}'${hasForgottenCall ? ': it has `await next;`, which waits for nothing; write `await next();`' : ''}`;
}

/** Something has thrown: that refuses a client that is still connecting, or puts it off. */
function fail(connection: Connection, error: Error, ctx: SocketContext | undefined): void {
  const { runtime } = connection.namespace;
  const { nsp } = connection.socket;
  if (!connection.isConnecting) connection.log(isUnexpected(error) ? 'error' : 'warn', 'connection middleware failed', error);
  else if (isTemporary(error)) connection.putOff(error);
  else if (nsp instanceof AbsentNamespace) {
    const place = 'the function of a parent namespace failed';
    const name = nsp.name.slice(0, 100); // which the client has made up
    connection.log('error', `${place} for ${JSON.stringify(oneLine(name))}`, error, place);
    denyNamespace(connection);
  } else {
    connection.log(isFault(error) ? 'error' : 'warn', 'connection refused', error);
    connection.refuse(ctx ? refusalFor(error, runtime.reveal) : answerTo(error, runtime.reveal)); // without a context it was not middleware that said no
  }
}

/** No parent has said yes. A closing server leaves the answer to the next one. */
function denyNamespace(connection: Connection): void {
  const { isRetiring } = connection.namespace.runtime;
  if (!isRetiring) connection.socket._error({ message: 'Invalid namespace' }); // as Socket.IO says it of one that is not there
  connection.leave();
}

/** Socket.IO fires its events with arguments that are not there. */
function definedOf(args: unknown[]): unknown[] {
  return args.filter(arg => arg !== undefined);
}

function onDisconnect(this: Socket, reason: string): void {
  connectionOf(this).leave(reason);
}

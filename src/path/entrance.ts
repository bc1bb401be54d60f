/** A connection's steps, from CONNECT to the end: Receive, Open, Descend, Admit, packets, Leave, Ascend, Settle. */
import type { Namespace as SocketIoNamespace, Socket } from 'socket.io';
import { storeError } from './error-answers';
import { checkEmits } from './checked-emits';
import { Connection } from './connection';
import { takeIntake } from './refuse-message';
import type { SocketContext } from './context';
import { debug } from '../debug';
import { refuseWithoutNext, settleFailure } from './failed-connection';
import { SETTLE } from './module-scope';
import { addToNamespaces } from '../internals/namespace-class';
import { catchUseErrors, LISTENER_METHODS, type Namespace, namespaceOf } from './namespace';
import { excessOf, forwardOrDeny } from './namespace-request';
import { descend, type Layer, type NamedLayer } from './onion';
import type { Parents } from './parents';
import type { Passport } from './passport';
import { receiveReserved } from './reserved-event';
import type { SessionStore } from './session';
import { addToSockets, adoptSocket, connectionOf, isBypassed } from './socket';
import { inDebug } from './refusal';
import { announceRooms } from './history';
import { runUses } from './uses';

/** Methods of Socket.IO's namespaces, in the prototype that those of the server share. */
const METHODS = {
  /** Called by Socket.IO for each client. */
  run(this: SocketIoNamespace, socket: Socket, connect: () => void): void {
    const namespace = namespaceOf(this);
    if (!namespace) return runUses(this, socket, connect); // not yet taken over
    const connection = new Connection(namespace, socket, connect);
    adoptSocket(socket, connection);
    takeIntake(connection);
    namespace.runtime.connectionWatch?.begin(socket);
    receiveConnection(connection);
  },
  ...LISTENER_METHODS,
};

/** Makes one of Socket.IO's namespaces receive its clients here. */
export function openEntrance(nsp: SocketIoNamespace, namespace: Namespace): void {
  addToSockets(nsp.server, namespace.runtime.deprecations);
  addToNamespaces(nsp, METHODS);
  nsp.on('connection', onConnection);
  catchUseErrors(nsp);
  namespace.setOwnFunctions();
}

function onConnection(socket: Socket): void {
  const { directEvents, deprecations } = connectionOf(socket).namespace.runtime;
  connectionOf(socket).complete();
  announceRooms(socket);
  directEvents?.open(socket.client);
  if (isBypassed(socket)) deprecations.warnOfOnevent();
}

/** Connection middleware that records its name on the connection when it starts. */
export function named(layer: NamedLayer): Layer {
  return (ctx, next) => {
    connectionOf(ctx.socket).middleware = layer;
    return layer.run(ctx, next);
  };
}

/** Receive: called for each client that asks for a namespace. Never throws. */
function receiveConnection(connection: Connection): void {
  const { namespace, socket } = connection;
  const { parents, runtime } = namespace;
  if (socket.conn.readyState !== 'open' || runtime.arrivals.isAnswered(connection)) {
    connection.leave(); // a client can connect and leave in one request, or ask twice
    return;
  }
  const excess = excessOf(connection);
  if (excess) {
    runtime.limits.report(excess.kind, 'that one is refused', socket);
    connection.refuse(excess.answer);
    return;
  }
  if (!runtime.arrivals.add(connection)) {
    connection.leave();
    debug.refused('%s: it is connected to it already, and its connection is closed', inDebug(socket));
    socket.conn.close(); // like Socket.IO, if the client is connected to the namespace already
    return;
  }
  if (!parents || parents.isEmpty) enter(connection);
  else void enterIfAllowed(connection, parents);
}

async function enterIfAllowed(connection: Connection, parents: Parents): Promise<void> {
  try {
    if (await forwardOrDeny(connection, parents)) connection.settle();
    else enter(connection);
  } catch (thrown) {
    await settleFailure(connection, thrown);
  }
}

function enter(connection: Connection): void {
  const { tracer } = connection.namespace.runtime;
  if (tracer) tracer.runIn(connection.socket, enterNow, connection);
  else enterNow(connection);
}

/** Nothing is asynchronous here unless something has to wait: each promise costs, most of all in Node 20. */
function enterNow(connection: Connection): void {
  connection.setBusy(true); // not earlier: a closing server does not wait for a parent's function
  const outgoing = connection.namespace.contract?.outgoing;
  if (outgoing) checkEmits(connection.socket, outgoing);
  try {
    const opening = open(connection);
    if (!opening) descendOrAdmit(connection);
    else opening.then(() => descendOrAdmit(connection)).catch((thrown: unknown) => settleFailure(connection, thrown));
  } catch (thrown) {
    void settleFailure(connection, thrown);
  }
}

function descendOrAdmit(connection: Connection): void {
  if (connection.isConnecting && connection.namespace.connectionMiddleware.length > 0) {
    runMiddleware(connection);
    return;
  }
  connection.admit();
  connection.settle();
}

/** Open: prepares what all contexts of the connection share. Returns a promise only if something has to wait. */
function open(connection: Connection): Promise<void> | undefined {
  const { socket } = connection;
  const { router, runtime } = connection.namespace;
  const { ids, passport, recoveryAuth, sessions } = runtime;
  recoveryAuth?.check(socket);
  ids.assign(socket);
  for (const [event, handler] of router.reserved) {
    const receive = (...args: unknown[]): void => receiveReserved(connection, event, definedOf(args), handler);
    socket.on(event, event === 'disconnect' ? (...args: unknown[]) => connection.afterPackets(() => receive(...args)) : receive);
  }
  socket.on('disconnect', onDisconnect);
  const session = sessions?.open(socket.request);
  if (passport || session instanceof Promise) return openLater(connection, session, passport);
  connection.session = session;
  return undefined;
}

async function openLater(
  connection: Connection,
  session: ReturnType<SessionStore['open']> | undefined,
  passport: Passport | undefined,
): Promise<void> {
  connection.session = await session;
  connection.namespace.runtime.followedSessions?.add(connection);
  if (!passport) return;
  const { Context } = connection.namespace.runtime;
  try {
    connection.requestMembers = await passport.open(connection.session?.value, new Context(connection));
  } catch (thrown) {
    throw storeError(thrown); // reads the app's store of users
  }
}

/** Descend to Settle. Callbacks save the promises of an `await`, which would be kept for as long as the client is connected. */
function runMiddleware(connection: Connection): void {
  const { connectionMiddleware, runtime } = connection.namespace;
  const ctx = new runtime.Context(connection);
  void runtime.scope.run(ctx, descend, connectionMiddleware, ctx, admit).then(
    () => settle(connection, ctx),
    (thrown: unknown) => settleFailure(connection, thrown, ctx),
  );
}

/** The core of the onion. */
function admit({ socket }: SocketContext): Promise<unknown> {
  return connectionOf(socket).untilGone();
}

async function settle(connection: Connection, ctx: SocketContext): Promise<void> {
  try {
    if (connection.isConnecting) refuseWithoutNext(connection);
    await connection.session?.save();
  } catch (thrown) {
    await settleFailure(connection, thrown, ctx);
    return;
  }
  ctx[SETTLE]?.();
  connection.settle();
}

/** Socket.IO passes undefined for arguments that an event does not have. */
function definedOf(args: unknown[]): unknown[] {
  return args.filter(arg => arg !== undefined);
}

function onDisconnect(this: Socket, reason: string): void {
  connectionOf(this).leave(reason);
}

/** A packet's seven steps: Receive, Open, Descend, Match, Handle, Ascend, Settle. */
import type { Socket } from 'socket.io';
import type { Connection } from './connection';
import type { SocketContext, SocketHandler } from './context';
import { isError, throwIfError, toError } from '../thrown';
import { SETTLE } from './module-scope';
import { isChainable } from './chainable';
import { callListeners } from './listeners';
import { answerTo, isUnexpected } from './error-answers';
import { errorToAnswer } from './onerror';
import { descend, isDropped } from './onion';
import { ackOf, answer, logFailure, reportFailure } from './packet-failure';
import { refuseReserved, refuseWaiting } from './refused-events';
import { NOT_FOUND } from './router';
import { handlerOfSent, passKey, sentKeyOf } from './sent';
import { PacketQueue } from './packet-queue';
import { releaseSignal } from './signal';
import type { Acknowledge } from '../events';
import { inTime } from './handler-timeout';
import { runSocketUses } from './uses';

/** Receive. Called for each event of a client. */
export function receivePacket(connection: Connection, packet: unknown[]): void {
  if (!connection.socket.connected) return; // arrived after the end of the connection: Socket.IO ignores it too
  if (!connection.namespace.isOrdered) {
    open(connection, packet);
    return;
  }
  connection.queue ??= new PacketQueue(connection.namespace.runtime.inFlight, connection.handlers);
  if (!connection.queue.add(() => open(connection, packet))) refuseWaiting(connection, packet);
}

/** Open. Returns whether the packet has yet to settle. */
function open(connection: Connection, packet: unknown[]): boolean {
  const { contract, packetMiddleware, router, runtime } = connection.namespace;
  const isWrapped = packetMiddleware.length > 0 || (connection.uses ?? contract ?? sentKeyOf(packet)) !== undefined;
  // middleware may change the event, so it is matched after that
  let handler = isWrapped ? undefined : router.match(packet[0]);
  if (!handler) {
    if (refuseReserved(connection, packet)) return false;
    if (!isWrapped) {
      handler = handlerOfUnmatched(connection, packet[0]);
      if (!handler) {
        runtime.packetWatch?.write(connection, packet[0], hasListener(connection.socket, packet[0]) ? 'OK' : NOT_FOUND.code);
        passOn(connection, packet, ackOf(packet));
        return false;
      }
    }
  }
  const ctx = new runtime.Context(connection, packet);
  passKey(packet, ctx);
  runtime.packetWatch?.begin(ctx, packet[0], connection);
  runtime.scope.run(ctx, runPacket, ctx, connection, handler);
  return true;
}

/**
 * Descend to Settle. Callbacks save the two promises of an `await`: Egg tracks each promise for `app.currentContext`,
 * so that one costs as much as a small handler.
 */
function runPacket(ctx: SocketContext, connection: Connection, handler: SocketHandler | undefined): void {
  const { contract, packetMiddleware, router, runtime } = connection.namespace;
  const { ack } = ctx;
  const event = ctx.packet?.[0];
  const isWrapped = packetMiddleware.length > 0;
  let hasRun = false;
  let result: unknown;

  const core = (): unknown => {
    hasRun = true;
    const handled = handle(ctx, connection, handler);
    if (!ack || !isWrapped) return handled;
    return Promise.resolve(handled).then(value => {
      result = throwIfError(value); // kept here, since middleware need not return it
      const checking = contract?.checkAnswer(ctx, connection, value);
      return checking ? checking.then(() => value) : value;
    });
  };
  const settle = (value: unknown, isChecked = isWrapped): Promise<void> | void => {
    try {
      if (isError(value)) return fail(value);
      if (!isChecked) {
        result = value;
        const checking = contract?.checkAnswer(ctx, connection, value);
        if (checking) return checking.then(() => settle(undefined, true), fail);
      }
      const saving = connection.session?.save();
      if (saving) return saving.then(succeed).catch(fail);
      return succeed();
    } catch (thrown) {
      return fail(thrown);
    }
  };
  const succeed = (): void => {
    if (ack) {
      if (contract?.isAnsweredByNull(ctx)) ack(null);
      else if (result !== undefined && !isChainable(result)) ack(result);
      else if (runtime.eventWarnings && hasRun) checkAnswer(ctx, connection, ack);
    }
    end(ctx, connection);
  };
  const fail = (thrown: unknown): void => {
    const error = toError(thrown);
    const name = ctx.packet?.[0]; // as middleware has left it, to find its route
    const answered = errorToAnswer(connection, error, ctx);
    const respond = (): void => {
      try {
        runtime.packetWatch?.fail(ctx, answerTo(answered, runtime.reveal).code, isUnexpected(answered) ? error : undefined);
        answer(connection, event, answered, ack);
      } finally {
        end(ctx, connection);
      }
    };
    let saving: Promise<void> | undefined;
    try {
      // during development, an unmatched event has its own warning
      if (error !== NOT_FOUND || !runtime.eventWarnings)
        logFailure(connection, name, error, answered, router.match(name) ? undefined : 'events without a route failed');
      saving = connection.saveAfterFailure();
    } finally {
      // whatever a getter of the app's error does: a packet that does not settle holds up the next one, and a closing server
      if (saving) void saving.then(respond);
      else respond();
    }
  };

  runtime.inFlight.begin(connection.handlers);
  inTime(connection, ctx, descend(packetMiddleware, ctx, core)).then(settle, fail);
}

/** The packet has settled. */
function end(ctx: SocketContext, connection: Connection): void {
  const { handlers, namespace, queue } = connection;
  ctx[SETTLE]?.();
  releaseSignal(ctx, connection);
  namespace.runtime.packetWatch?.end(ctx, connection);
  namespace.runtime.inFlight.end(handlers);
  queue?.next();
}

/** Match and Handle. An event without a route, or with listeners of `socket.on()` as well, is passed on to these. */
function handle(ctx: SocketContext, connection: Connection, handler: SocketHandler | undefined): unknown {
  if (handler) return dispatch(ctx, connection, handler);
  if (connection.uses) return runSocketUses(ctx, connection, connection.uses).then(() => match(ctx, connection));
  return match(ctx, connection);
}

function match(ctx: SocketContext, connection: Connection): unknown {
  const { contract } = connection.namespace;
  return contract ? contract.handle(ctx, connection, dispatchByEvent) : dispatchByEvent(ctx, connection);
}

function dispatchByEvent(ctx: SocketContext, connection: Connection): unknown {
  const event = ctx.packet?.[0];
  if (sentKeyOf(ctx) !== undefined) return handlerOfSent(ctx, connection.namespace.router).call(ctx, ctx);
  return dispatch(ctx, connection, connection.namespace.router.match(event) ?? handlerOfUnmatched(connection, event));
}

/** The handler of an event without a route. Undefined if the event has listeners, or if unmatched events are ignored. */
function handlerOfUnmatched({ namespace, socket }: Connection, event: unknown): SocketHandler | undefined {
  const { router, runtime } = namespace;
  if ((!router.unmatched && !runtime.eventWarnings) || hasListener(socket, event)) return undefined;
  if (!router.hasOwnUnmatched) runtime.eventWarnings?.warnOfUnmatched(event, namespace.name, router.events);
  return router.unmatched;
}

/** During development, warns of a route that gives no answer. */
function checkAnswer(ctx: SocketContext, { namespace, socket }: Connection, ack: Acknowledge): void {
  const event = ctx.packet?.[0];
  if (!socket.connected || isDropped(ctx) || hasListener(socket, event) || !namespace.router.match(event)) return;
  namespace.runtime.eventWarnings?.checkAnswer(ack, event, namespace.name);
}

/** Whether the app listens to an event by `socket.on()` or `onAny()`. */
function hasListener(socket: Socket, event: unknown): boolean {
  return socket.listenerCount(event as string) > 0 || socket.listenersAny().length > 0; // a numeric event name works too
}

function dispatch(ctx: SocketContext, connection: Connection, handler: SocketHandler | undefined): unknown {
  const { packet = [] } = ctx;
  if (!handler || connection.socket.listenerCount(packet[0] as string) > 0) passOn(connection, packet, ctx.ack); // a numeric event name works too
  return handler?.call(ctx, ctx);
}

/** Calls the listeners of `socket.on()`, in the next tick like Socket.IO. */
function passOn(connection: Connection, packet: unknown[], ack: Acknowledge | undefined): void {
  process.nextTick(callOwnListeners, connection, packet, ack);
}

function callOwnListeners(connection: Connection, packet: unknown[], ack: Acknowledge | undefined): void {
  const { socket } = connection;
  const [event, ...args] = packet;
  if (!socket.connected || socket.listenerCount(event as string) === 0) return;
  callListeners(socket, socket.rawListeners(event as string), args, thrown => reportFailure(connection, packet, thrown, { ack }));
}

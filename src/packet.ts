/**
 * One packet, seven steps: Receive, Open, Descend, Match, Handle, Ascend, Settle.
 */
import type { Connection } from './connection';
import type { SocketContext, SocketHandler } from './context';
import { answerTo, IoError, isUnexpected, oneLine, toError } from './errors';
import { SETTLE } from './module-scope';
import { descend } from './onion';
import { isReserved } from './router';
import type { Acknowledge } from './types';

/** A packet as Socket.IO types it. */
type Event = [event: string, ...args: unknown[]];

/** Hands a packet on to Socket.IO: its own listeners (`socket.on()`) get it. */
type Pass = (error?: Error) => void;

/** Receive and Open: the one `socket.use` hook of a connection. */
export function receivePacket(connection: Connection, packet: unknown[], pass: Pass): void {
  const { packetMiddleware, router, server } = connection.namespace;
  if (!connection.socket.connected) return; // it was under way when the connection ended: Socket.IO ignores it as well
  if (packetMiddleware.length === 0 && !connection.uses && !router.match(packet[0]) && !isReserved(packet[0])) {
    pass();
    return;
  }
  const ctx = new server.Context(connection, packet);
  server.storage.run(ctx, live, ctx, connection, pass);
}

/** An event that the server fires itself: a context and a handler, but no middleware, and nobody to answer. */
export function receiveReserved(connection: Connection, event: string, args: unknown[], handler: SocketHandler): void {
  const { server } = connection.namespace;
  const ctx = new server.Context(connection, [event, ...args]);
  void server.storage.run(ctx, liveReserved, ctx, connection, handler);
}

/**
 * Descend to Settle. With callbacks rather than `await`, which would make two promises more:
 * under Egg, which follows them all for `app.currentContext`, one costs as much as a small handler.
 */
function live(ctx: SocketContext, connection: Connection, pass: Pass): void {
  const { handlers } = connection;
  const { packetMiddleware, server } = connection.namespace;
  const { ack } = ctx;
  const event = ctx.packet?.[0];
  const isWrapped = packetMiddleware.length > 0;
  let result: unknown;

  const core = (): unknown => {
    const handled = handle(ctx, connection, pass);
    return ack && isWrapped ? Promise.resolve(handled).then(value => (result = value)) : handled; // caught here: middleware need not return what `next()` gave it
  };
  const settle = (value: unknown): Promise<void> | void => {
    try {
      if (!isWrapped) result = value;
      const saving = connection.session?.save();
      if (saving) return saving.then(succeed).catch(fail);
      return succeed();
    } catch (thrown) {
      return fail(thrown);
    }
  };
  const succeed = (): void => {
    if (ack && result !== undefined) ack(result);
    ctx[SETTLE]?.();
    server.work.end(handlers);
  };
  const fail = async (thrown: unknown): Promise<void> => {
    try {
      const error = toError(thrown);
      logFailure(connection, event, error);
      await connection.saveAfterFailure();
      answer(connection, event, error, ack);
    } finally {
      ctx[SETTLE]?.();
      server.work.end(handlers);
    }
  };

  server.work.begin(handlers);
  descend(packetMiddleware, ctx, core).then(settle, fail);
}

/** Match and Handle. A miss goes on to Socket.IO's own listeners, and so does a hit that has such listeners too. */
function handle(ctx: SocketContext, connection: Connection, pass: Pass): unknown {
  const event = ctx.packet?.[0];
  if (isReserved(event)) throw new IoError('RESERVED_EVENT', `'${String(event)}' is an event of the server`);
  if (connection.uses) return handleAfterUses(ctx, connection, pass);
  return dispatch(ctx, connection, pass);
}

/** What the app gave to `socket.use()` comes first, one after the other, as in Socket.IO: one that never calls `next` drops the packet. */
async function handleAfterUses(ctx: SocketContext, connection: Connection, pass: Pass): Promise<unknown> {
  const { handlers } = connection;
  const { work } = connection.namespace.server;
  for (const use of connection.uses ?? []) {
    work.end(handlers); // nobody waits for a packet that is dropped
    let error: Error | undefined;
    try {
      error = await new Promise((resolve, reject) => {
        (async () => use(ctx.packet as Event, resolve))().catch(reject); // whatever it throws, now or later
      });
    } finally {
      work.begin(handlers);
    }
    if (!error) continue;
    pass(error); // fires the server's own 'error' event
    throw error;
  }
  return dispatch(ctx, connection, pass);
}

function dispatch(ctx: SocketContext, connection: Connection, pass: Pass): unknown {
  const event = ctx.packet?.[0];
  const handler = connection.namespace.router.match(event);
  if (!handler || connection.socket.listenerCount(event as string) > 0) pass(); // an event that has a number for a name is looked up alike
  return handler?.call(ctx, ctx);
}

async function liveReserved(ctx: SocketContext, connection: Connection, handler: SocketHandler): Promise<void> {
  const { server } = connection.namespace;
  server.work.begin();
  try {
    await handler.call(ctx, ctx);
    await connection.session?.save();
  } catch (thrown) {
    logFailure(connection, ctx.packet?.[0], toError(thrown));
    await connection.saveAfterFailure();
  } finally {
    ctx[SETTLE]?.();
    server.work.end();
  }
}

function logFailure(connection: Connection, event: unknown, error: Error): void {
  // an event's name comes from the client: short, and on one line
  connection.log(isUnexpected(error) ? 'error' : 'warn', `event ${JSON.stringify(oneLine(String(event).slice(0, 100)))} failed`, error);
}

/** Tells the client of an error, in the acknowledgement that it asked for or as an `error` event. */
function answer({ namespace, socket }: Connection, event: unknown, error: Error, ack: Acknowledge | undefined): void {
  const { code, message, details } = answerTo(error, namespace.server.reveal);
  const send = (error: object): void => {
    if (ack) ack({ error });
    else if (socket.connected) socket.emit('error', message, { code, event });
  };
  try {
    send({ code, message, ...(details !== undefined && { details }) });
  } catch {
    send({ code, message }); // details that cannot be encoded, as a circular structure: the error is in the log already
  }
}

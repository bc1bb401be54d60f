/** An event that the server fires itself: `disconnecting`, `disconnect` or `error`, with a route of the app. */
import type { Connection } from './connection';
import type { SocketContext, SocketHandler } from './context';
import { answerTo, isUnexpected } from './error-answers';
import { SETTLE } from './module-scope';
import { errorToAnswer } from './onerror';
import { logFailure } from './packet-failure';
import { releaseSignal } from './signal';
import { inTime } from './handler-timeout';
import { toError } from '../thrown';

/** Handles it: without middleware and without an answer. */
export function receiveReserved(connection: Connection, event: string, args: unknown[], handler: SocketHandler): void {
  const { runtime } = connection.namespace;
  const ctx = new runtime.Context(connection, [event, ...args]);
  releaseSignal(ctx, connection); // the client may have gone already
  runtime.tracer?.packets.begin(ctx, event, connection);
  void runtime.scope.run(ctx, runReserved, ctx, connection, handler);
}

async function runReserved(ctx: SocketContext, connection: Connection, handler: SocketHandler): Promise<void> {
  const { runtime } = connection.namespace;
  runtime.inFlight.begin();
  try {
    await inTime(connection, ctx, Promise.resolve(handler.call(ctx, ctx)));
    await connection.session?.save();
  } catch (thrown) {
    const error = toError(thrown);
    const answered = errorToAnswer(connection, error, ctx);
    runtime.tracer?.packets.fail(ctx, answerTo(answered, runtime.reveal).code, isUnexpected(answered) ? error : undefined);
    logFailure(connection, ctx.packet?.[0], error, answered);
    await connection.saveAfterFailure();
  } finally {
    ctx[SETTLE]?.();
    runtime.tracer?.packets.end(ctx, connection);
    runtime.inFlight.end();
  }
}

/** What happens when the time of a handler is over. */
import { timeoutError } from '../limits/timeout-error';
import { isError, toError } from '../thrown';
import type { Connection } from './connection';
import type { SocketContext } from './context';
import { logFailure } from './packet-failure';
import { abortSignal } from './signal';

/**
 * Resolves or rejects with what handles an event. If that has not ended in time, `ctx.signal` aborts, and the promise rejects with TIMEOUT.
 * Nothing is created where the time is not limited.
 */
export function inTime<Value>(connection: Connection, ctx: SocketContext, handling: Promise<Value>): Promise<Value> {
  const { handlers, namespace } = connection;
  const { handlerTimeout: limit, runtime } = namespace;
  if (!limit) return handling;
  return new Promise((resolve, reject) => {
    let timeout: Error | undefined;
    const expire = (): void => {
      runtime.limits.counts.handlerTimeout++;
      runtime.inFlight.begin(handlers); // it still runs, although its packet settles
      timeout = timeoutError('TIMEOUT', `The event has not been handled within ${limit.ms} ms`);
      abortSignal(ctx, timeout);
      reject(timeout);
    };
    limit.add(expire);
    handling.then(
      value => {
        if (limit.delete(expire)) resolve(value);
        else runtime.inFlight.end(handlers);
      },
      (thrown: unknown) => {
        if (limit.delete(expire)) {
          reject(toError(thrown));
          return;
        }
        runtime.inFlight.end(handlers);
        if (!isAbort(thrown, timeout)) logFailure(connection, ctx.packet?.[0], toError(thrown)); // nobody else hears of it
      },
    );
  });
}

/** Whether a handler has ended because its signal has aborted with this reason. Many libraries have an error of their own for that. */
function isAbort(thrown: unknown, reason: Error | undefined): boolean {
  return thrown === reason || (isError(thrown) && (thrown.name === 'AbortError' || thrown.cause === reason));
}

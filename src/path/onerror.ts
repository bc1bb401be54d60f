/** Calls the app's function in `config.io.onerror`, which may replace the error that answers a client. */
import type { Connection } from './connection';
import type { SocketContext } from './context';
import { messageOf } from '../errors';
import { KeptError } from './kept-error';
import { isThenable } from './listeners';
import { isError, toError } from '../thrown';

const answers = new WeakMap<SocketContext, { readonly error: Error; readonly answered: Error }>();

/**
 * Returns the error that answers the client: the one that the app's function returns, or else `error` itself. Never throws.
 *
 * @param ctx a new one of `packet`, if the failure has none
 */
export function errorToAnswer(connection: Connection, error: Error, ctx: SocketContext | undefined, packet?: unknown[]): Error {
  const { errorMapper, runtime } = connection.namespace;
  if (!errorMapper || error instanceof KeptError) return error;
  const known = ctx && answers.get(ctx);
  if (known?.error === error) return known.answered;
  try {
    const returned = errorMapper(error, ctx ?? new runtime.Context(connection, packet));
    if (isError(returned)) return returned;
    // an asynchronous function can report errors, but its result comes too late
    if (isThenable(returned)) Promise.resolve(returned).then(checkResult).catch(logMistake);
    else checkResult(returned);
  } catch (thrown) {
    logMistake(thrown);
  }
  return error;

  function logMistake(thrown: unknown): void {
    connection.log('error', 'config.io.onerror failed', toError(thrown));
  }
}

/** The same, for an error that will be answered by another call later: the app's function is called once. */
export function errorToAnswerOnce(connection: Connection, error: Error, ctx: SocketContext): Error {
  const answered = errorToAnswer(connection, error, ctx);
  answers.set(ctx, { error, answered });
  return answered;
}

/** @throws TypeError unless it is nothing */
function checkResult(value: unknown): void {
  if (value === undefined || value === null) return;
  const problem = isError(value) ? 'an error in a promise' : `a value of the type ${typeof value}`;
  throw new TypeError(messageOf('IO_ONERROR_INVALID', `config.io.onerror returned ${problem}; return an Error, or nothing`));
}

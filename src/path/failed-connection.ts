/** What becomes of a connection that fails: its client is refused, or told to try again later. */
import { debug } from '../debug';
import type { Connection } from './connection';
import type { SocketContext } from './context';
import { answerTo, isFault, isTemporary, isUnexpected, refusalFor } from './error-answers';
import { IoError, quoted } from '../errors';
import { forgetsCall } from './forgotten-call';
import { toError } from '../thrown';
import { SETTLE } from './module-scope';
import { errorToAnswer } from './onerror';
import type { NamedLayer } from './onion';
import { AbsentNamespace } from './parents';
import { inDebug } from './refusal';

/** The message of Socket.IO. It has no code. */
const INVALID_NAMESPACE = 'Invalid namespace';

/** To be called when a step of a connection has failed: answers a client that is still connecting. */
export async function settleFailure(connection: Connection, thrown: unknown, ctx?: SocketContext): Promise<void> {
  try {
    fail(connection, toError(thrown), ctx);
    await connection.saveAfterFailure();
  } finally {
    ctx?.[SETTLE]?.();
    connection.settle();
  }
}

/** Refuses a client whose middleware ended without calling `next()`. */
export function refuseWithoutNext(connection: Connection): void {
  const problem = `Connection refused: next() was never called by middleware ${hintAt(connection.middleware)}`;
  connection.log('warn', 'connection refused', new IoError('CONNECTION_REFUSED', problem));
  connection.refuse({ code: 'CONNECTION_REFUSED', message: 'Connection refused' });
}

/** Names the middleware that did not call `next()`, and the most common mistake if its source has it. */
function hintAt(layer: NamedLayer | undefined): string {
  if (!layer) return '';
  return `'${layer.name}'${forgetsCall(layer.source) ? ': it has `await next;`, which waits for nothing; write `await next();`' : ''}`;
}

/** Handles an error of a connection: refuses or postpones a client that is still connecting. */
function fail(connection: Connection, error: Error, ctx: SocketContext | undefined): void {
  const { runtime } = connection.namespace;
  const { nsp } = connection.socket;
  const answered = errorToAnswer(connection, error, ctx);
  const place = connection.middleware ? `middleware '${connection.middleware.name}'` : 'no middleware';
  debug.refused('%s: error of %s: %s', inDebug(connection.socket), place, error.message);
  if (!connection.isConnecting) connection.log(isUnexpected(answered) ? 'error' : 'warn', 'connection middleware failed', error);
  else if (isTemporary(answered)) connection.postpone(error, answered);
  else if (nsp instanceof AbsentNamespace) {
    const place = 'the function of a parent namespace failed';
    connection.log('error', `${place} for ${quoted(nsp.name)}`, error, place);
    runtime.tracer?.fail(connection.socket, INVALID_NAMESPACE, error);
    denyNamespace(connection);
  } else {
    connection.log(isFault(answered) ? 'error' : 'warn', 'connection refused', error);
    const isOfApp = ctx !== undefined || answered !== error; // no context: the error is not from middleware
    const reply = isOfApp ? refusalFor(answered, runtime.reveal) : answerTo(answered, runtime.reveal);
    if (isFault(answered)) runtime.tracer?.fail(connection.socket, reply.code, error);
    connection.refuse(reply);
  }
}

/** Answers a client that no parent has accepted. A closing server does not answer: the client will ask the next one. */
export function denyNamespace(connection: Connection): void {
  const { connectionWatch, isRetiring } = connection.namespace.runtime;
  if (!isRetiring) {
    debug.refused('%s: no function or pattern of of() accepts it', inDebug(connection.socket));
    connectionWatch?.refuse(connection.socket, INVALID_NAMESPACE);
    connection.socket._error({ message: INVALID_NAMESPACE });
  }
  connection.leave();
}

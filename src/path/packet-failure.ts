/** What follows a failure while a packet is handled: a line in the log, and an answer to the client. */
import { answerTo, isUnexpected } from './error-answers';
import type { Connection } from './connection';
import type { SocketContext } from './context';
import { quoted } from '../errors';
import { toError } from '../thrown';
import { ErrorEventLimit } from './failures';
import { KeptError } from './kept-error';
import { errorToAnswer, errorToAnswerOnce } from './onerror';
import type { Acknowledge } from '../events';

/**
 * Handles an error of the app that its handler has not thrown, such as that of a listener, like one of the handler.
 *
 * @param options.place see `Failure` @param options.ack Default: the one in the packet
 */
export function reportFailure(
  connection: Connection,
  packet: unknown[],
  thrown: unknown,
  { ack = ackOf(packet), place }: { ack?: Acknowledge | undefined; place?: string } = {},
): void {
  const error = toError(thrown);
  const ctx = currentContext(connection, packet); // in a handler with a key, its error is answered again
  const answered = ctx ? errorToAnswerOnce(connection, error, ctx) : errorToAnswer(connection, error, undefined, packet);
  logFailure(connection, packet[0], error, answered, place);
  answer(connection, packet[0], answered, ack);
}

/** The context of the packet, if this is called while the packet is handled. */
function currentContext({ namespace, socket }: Connection, packet: unknown[]): SocketContext | undefined {
  const { Context, storage } = namespace.runtime;
  const current = storage.getStore();
  return current instanceof Context && current.socket === socket && current.packet?.[0] === packet[0] ? current : undefined;
}

/** The acknowledgement function, which Socket.IO appends if the client asked for one. A client cannot send a function. */
export function ackOf(packet: unknown[]): Acknowledge | undefined {
  const last = packet.at(-1);
  return typeof last === 'function' ? (last as Acknowledge) : undefined;
}

/** @param answered the error that the client gets, which decides the level @param place see `Failure` */
export function logFailure(connection: Connection, event: unknown, error: Error, answered = error, place?: string): void {
  if (error instanceof KeptError) return; // it has been logged when it occurred
  const what = `event ${quoted(event)} failed`;
  connection.log(isUnexpected(answered) ? 'error' : 'warn', what, error, place);
}

/** Sends an error to the client: as the acknowledgement if it asked for one, else as an `error` event, within `ErrorEventLimit`. */
export function answer(connection: Connection, event: unknown, error: Error, ack: Acknowledge | undefined): void {
  const { namespace, socket } = connection;
  const { code, message, details } = answerTo(error, namespace.runtime.reveal);
  const send = (error: object): void => {
    if (ack) ack({ error });
    else if (socket.connected && (connection.errorEvents ??= new ErrorEventLimit()).allows())
      socket.emit('error', message, { code, event });
  };
  try {
    send({ code, message, ...(details !== undefined && { details }) });
  } catch {
    send({ code, message }); // the details cannot be encoded, such as a circular structure; the error has been logged
  }
}
